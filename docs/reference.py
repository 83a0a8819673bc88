"""The parts of the site that are read from the code: commands, hooks, values, errors, figures."""

from __future__ import annotations

import inspect
import re
import tempfile
import tomllib
import typing
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import api
import generate
import typer

from groove_core import errors
from groove_core.actions import describe, markdown_table
from groove_core.cli.app import app
from groove_core.cli.mapping import MAP_OPTIONS
from groove_core.cli.run import CORE_OPTIONS, command_of, help_of
from groove_core.hookspecs import GrooveHooks
from groove_core.plugins import kinds, loader
from groove_core.storage import checkpoints, read_json
from groove_core.values import Report, Value

__all__ = ["PACKAGES", "PARTS", "commands", "environment", "value_classes"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "drum-space", "groove-vae", "genre-map", "gansynth-lite", "music-recsys", "melody-rnn",
    "music-vae",
)  # fmt: skip
ENVIRONMENT = {
    "GROOVE_HOME": "Folder whose `models/PACKAGE/NAME` are found by name, and where `profiles` "
    "(ratings of music-recsys) and `cache` (features) are kept. When it is not set, no models are "
    "looked for there, and profiles and cache are where the system keeps such files.",
    "GROOVE_CACHE_GB": "How much space the cache of features may take, in GB; 4 when not set; "
    "0 keeps nothing.",
    "GROOVE_RENDERER": "What plays scores: `fluidsynth` or `midirenderer`; the first of them that "
    "is there when not set.",
    "GROOVE_SOUNDFONT": "The `.sf2` file that scores are played with; the General MIDI font that "
    "comes with pretty_midi when not set.",
    "GROOVE_WITHOUT": "Packages that are left out as if they were not installed, with commas "
    "between: a package that hangs or crashes when it is loaded would stop every command.",
}
GROUPS = {
    "values": ("groove_core.values.", "groove_core.drums."),
    "contract": (
        "groove_core.hookspecs", "groove_core.actions.params", "groove_core.actions.binding",
        "groove_core.plugins.loader", "groove_core.plugins.kinds",
        "groove_core.errors", "groove_core.actions.inputs", "groove_core.actions.runs",
        "groove_core.testing.", "groove_core.checks.", "groove_core.lazy",
        "groove_core.batch.attempts", "groove_core.batch.engines",
    ),
    "tunes": ("groove_core.tunes.",),
    "sound": ("groove_core.dsp.",),
    "files": (
        "groove_core.render.", "groove_core.storage.files", "groove_core.storage.folders",
        "groove_core.batch.jobs", "groove_core.batch.shards", "groove_core.storage.remote",
        "groove_core.storage.cache", "groove_core.data.",
        "groove_core.storage.tables", "groove_core.storage.archives",
    ),
    "learning": (
        "groove_core.storage.checkpoints", "groove_core.storage.cards", "groove_core.devices",
        "groove_core.learning.",
    ),
}  # fmt: skip
"""Pages of the API of the core, and the modules on each."""
INTERNAL = (
    "groove_core.actions.former", "groove_core.actions.rerun", "groove_core.console",
    "groove_core.endings", "groove_core.plugins.core", "groove_core.plugins.guests",
    "groove_core.plugins.names", "groove_core.batch.journal", "groove_core.batch.names",
    "groove_core.storage.locks", "groove_core.actions.places", "groove_core.batch.workers",
    "groove_core.learning.state", "groove_core.actions.naming", "groove_core.actions.outputs",
)  # fmt: skip


# Commands


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name: groups before what is in them, then packages'."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for word, inner in sorted(getattr(command, "commands", {}).items()):
            yield from walk(f"{name} {word}", inner)

    yield from walk("groove", typer.main.get_command(app))
    for word, entry in loader.commands().items():
        function = loader.resolve(f"{entry.module}:{word.replace('-', '_')}", owner=entry)
        yield f"groove {word}", command_of(word, help_of(function, entry.summary), function)


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    return ", ".join(f"`{flag}`" for flag in [*param.opts, *param.secondary_opts])


def _default(param: Any) -> str:
    default = param.default
    if param.required:
        return "required"
    if default is None or callable(default) or default is False or default == ():
        return "-"
    return f"`{default}`"


def cli() -> str:
    """Describe every command of the core and its options."""
    parts = []
    for name, command in commands():
        options = command.params
        parts.append(f"## {name}\n\n{(command.help or '').strip()}")
        words = ["`" + name]
        words += [p.metavar or p.name.upper() for p in options if p.param_type_name == "argument"]
        words += ["[OPTIONS]"] if any(p.param_type_name == "option" for p in options) else []
        words += ["COMMAND"] if hasattr(command, "list_commands") else []
        parts.append(" ".join(words) + "`")
        rows = [
            f"| {_option(p)} | {_cell(getattr(p, 'help', '') or '')} | {_default(p)} |"
            for p in options
            if p.name != "help"
        ]
        if rows:
            parts.append("| option | meaning | default |\n| --- | --- | --- |\n" + "\n".join(rows))
        if name == "groove run":
            parts.append(_run())
        if name == "groove map":
            parts.append(_map())
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _typer_options(options: dict[str, Any]) -> str:
    rows = ["| option | meaning |", "| --- | --- |"]
    for annotation in options.values():
        [about] = [a for a in typing.get_args(annotation) if hasattr(a, "param_decls")]
        # Inside Annotated, the first name of an option stands where its default would.
        flags = ", ".join(f"`{flag}`" for flag in [about.default, *about.param_decls])
        metavar = f" `{about.metavar}`" if about.metavar else ""
        rows.append(f"| {flags}{metavar} | {_cell(about.help or '')} |")
    return "\n".join(rows)


def core_options() -> str:
    """List the options that every action has beside its own."""
    return _typer_options(CORE_OPTIONS)


def _run() -> str:
    rows = ["| package | actions |", "| --- | --- |"]
    for package in PACKAGES:
        plugin = loader.load(package)
        names = ", ".join(
            f"[{name}](../packages/{package}/options.md#{name})" for name in plugin.actions
        )
        rows.append(f"| {package} | {names} |")
    return (
        "`groove run PACKAGE ACTION [ARGUMENTS] [OPTIONS]`. Beside its own options, every action "
        "has these:\n\n" + core_options() + "\n\nActions of the packages of this site:\n\n"
        + "\n".join(rows)
    )  # fmt: skip


def _map() -> str:
    return (
        "`groove map PACKAGE ACTION FILES... [OPTIONS]`, for actions that begin with a file. "
        "Beside the action's own options:\n\n" + _typer_options(MAP_OPTIONS)
    )


def options(package: str) -> str:
    """Describe every action of a package: what it does, its options, what it gives."""
    plugin = loader.load(package)
    parts = []
    for action in plugin.actions.values():
        function = loader.resolve(action.run, owner=plugin.source)
        params = describe(function)
        arguments = " ".join(
            f"[{p.flag}]" if p.optional_argument else p.flag + ("..." if p.many else "")
            for p in params
            if p.is_argument
        )
        usage = f"groove run {package} {action.name} {arguments}".strip() + " [OPTIONS]"
        kind = plugin.roles[action.name]
        text = api.docstring_markdown(_prose(function, action.summary))
        parts.append(
            f"## {action.name}\n\n`{usage}` ({kind})\n\n{text}\n\n"
            f"{_table(function)}\n\n{_returns(function)}".rstrip()
        )
    return "\n\n".join(parts)


def _prose(function: Any, summary: str) -> str:
    return help_of(inspect.unwrap(function), summary)


def _table(function: Any) -> str:
    """Give the table of options, with bars escaped."""
    rows = markdown_table(function).splitlines()
    return "\n".join(row.replace("||", "\\|\\|") if "||" in row else row for row in rows)


def _returns(function: Any) -> str:
    text = inspect.getdoc(inspect.unwrap(function)) or ""
    found = re.search(r"^(Returns|Yields)\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.DOTALL | re.M)
    if not found:
        return ""
    return api.docstring_markdown(f"{found[1]}\n{'-' * len(found[1])}\n{found[2]}")


# The contract


def hooks() -> str:
    """Describe every hook, and the descriptors that hooks return or take."""
    parts = []
    for name, hook in inspect.getmembers(GrooveHooks, inspect.isfunction):
        sign = inspect.signature(hook)
        given = list(sign.parameters.values())[1:]
        arguments = ", ".join(f"{p.name}: {p.annotation}" for p in given)
        text = api.docstring_markdown(inspect.getdoc(hook))
        line = f"def {name}({arguments}) -> {sign.return_annotation}"
        parts.append(f"### {name}\n\n~~~python\n@hookimpl\n{line}\n~~~\n\n{text}")
    return "\n\n".join(parts)


@cache
def _hookspecs() -> api.Module:
    return next(m for m in api.public_modules("groove-core") if m.name == "groove_core.hookspecs")


def descriptors() -> str:
    """Describe the dataclasses of the contract field by field."""
    parts = []
    for name in ("Package", "Action", "Dataset", "Kind", "Renderer", "Run"):
        rows = ["| field | type | meaning | default |", "| --- | --- | --- | --- |"]
        for field, type_, default, text in api.attributes(_hookspecs(), name):
            shown = f"`{default}`" if default else "required"
            rows.append(f"| `{field}` | `{_cell(type_)}` | {text or '-'} | {shown} |")
        about = inspect.getdoc(loader.resolve(f"groove_core.hookspecs:{name}"))
        parts.append(f"### {name}\n\n{about}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def words() -> str:
    """List the types of parameters that packages share."""
    from groove_core.actions import params

    rows = ["| word | type | meaning |", "| --- | --- | --- |"]
    for name in params.__all__:
        hint = getattr(params, name)
        if typing.get_origin(hint) is typing.Annotated:
            kind, *extras = typing.get_args(hint)
            [opt] = [e for e in extras if isinstance(e, params.Opt)]
            shown = kind.__name__ if isinstance(kind, type) else str(kind).replace("pathlib.", "")
            rows.append(f"| `{name}` | `{_cell(shown)}` | {opt.help} |")
    return "\n".join(rows)


def rules() -> str:
    """List the rules of the contract and how to keep each."""
    from groove_core.checks import rules as contract

    rows = ["| rule | what must hold | what to do |", "| --- | --- | --- |"]
    rows += [f"| `{name}` | {must} | {hint} |" for name, (must, hint) in contract.RULES.items()]
    return "\n".join(rows)


def fixtures() -> str:
    """List the pytest fixtures for the tests of plugins."""
    import ast

    path = ROOT / "packages/groove-core/src/groove_core/testing/fixtures.py"
    rows = ["| fixture | what it does |", "| --- | --- |"]
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and "fixture" in ast.unparse(node.decorator_list[0]):
            text = (ast.get_docstring(node) or "").split("\n\n")[0]
            rows.append(f"| `{node.name}` | {_cell(text).replace('``', '`')} |")
    return "\n".join(rows)


def template(name: str, *paths: str) -> str:
    """Show files as ``groove new`` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        made = _new(name, folder)
        blocks = []
        for path in paths or _files(made):
            text = (made / path).read_text(encoding="utf-8").rstrip()
            kind = {".py": "python", ".toml": "toml", ".yml": "yaml"}.get(Path(path).suffix, "text")
            blocks.append(f'```{kind} title="{path}"\n{text}\n```')
    return "\n\n".join(blocks)


def template_tree(name: str) -> str:
    """List the files that ``groove new`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        made = _new(name, folder)
        return "```text\n" + "\n".join(f"{made.name}/{path}" for path in _files(made)) + "\n```"


def _new(name: str, folder: str) -> Path:
    from groove_core.cli.new import new

    return new(name, into=Path(folder), license="MIT", author=None, email=None, summary=None)


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# Values, errors, environment


def value_classes() -> dict[str, list[type[Value]]]:
    """Give the kinds of value by the package that brings them."""
    found: dict[str, list[type[Value]]] = {
        "groove-core": [kinds.class_of(name) for name in kinds.core_kinds()]
    }
    for package in PACKAGES:
        found[package] = []
        for module in api.public_modules(package):
            for node in module.defined():
                bases = [getattr(base, "id", "") for base in getattr(node, "bases", [])]
                if {"Value", "Report", "Audio", "Score"} & set(bases):
                    found[package].append(loader.resolve(f"{module.name}:{node.name}"))  # type: ignore[attr-defined]
    return found


def values() -> str:
    """List the kinds of value with the endings they are read from and written to."""
    rendered: dict[str, set[str]] = {}
    for plugin in loader.load_all()[0]:
        for renderer in plugin.renderers:
            rendered.setdefault(renderer.kind, set()).add(renderer.suffix)
    parts = []
    for package, classes in value_classes().items():
        rows = [
            "| kind | class | what it is | reads | writes | written unless told otherwise |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for kind in classes:
            summary = (inspect.getdoc(kind) or "").splitlines()[0]
            reads = dict.fromkeys([*kind.suffixes, "json"])
            writes = sorted({*kind.formats(), *rendered.get(kind.kind, ())})
            rows.append(
                f"| `{kind.kind}` | `{kind.__name__}` | {summary} | {_endings(reads)} | "
                f"{_endings(writes)} | {_endings(kind.default_formats)} |"
            )
        parts.append(f"### {package}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _endings(names: Any) -> str:
    return ", ".join(names)


def error_table() -> str:
    """List the errors that users see, and the codes with which commands end."""
    rows = ["| code | error | when |", "| --- | --- | --- |", "| 0 | | it worked |"]
    rows.append("| 1 | any other | a mistake in Groove itself; please report it |")
    errors_of: list[type[errors.GrooveError]] = errors.GrooveError.__subclasses__()
    rows += [
        f"| {kind.exit_code} | `{kind.__name__}` | {inspect.getdoc(kind)} |"
        for kind in sorted(errors_of, key=lambda kind: kind.exit_code)
    ]
    rows.append("| 130 | | interrupted by Ctrl-C; finished files stay |")
    return "\n".join(rows)


def environment() -> dict[str, str]:
    """Give the environment variables that the code reads, and what each does."""
    found: set[str] = set()
    for path in (ROOT / "packages").glob("*/src/**/*.py"):
        found |= set(re.findall(r"\bGROOVE_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    missing = found - set(ENVIRONMENT)
    if missing:
        raise ValueError(f"not described in docs/reference.py: {', '.join(sorted(missing))}")
    return {name: ENVIRONMENT[name] for name in sorted(found)}


def environment_table() -> str:
    """List the environment variables."""
    rows = ["| variable | meaning |", "| --- | --- |"]
    rows += [f"| `{name}` | {text} |" for name, text in environment().items()]
    return "\n".join(rows)


# Figures


def results(package: str) -> str:
    """Give everything that was measured of a package: the shipped cards and what was kept."""
    parts = []
    for stored in checkpoints.available(package):
        if stored.origin != "packaged":
            continue
        metrics = checkpoints.read_card(stored.path)["metrics"]
        if "report" in metrics:
            parts.append(f"### {stored.name}\n\n" + _report(Report.from_json(metrics["report"])))
    folder = ROOT / "packages" / package / "measured"
    for path in sorted(folder.glob("*.json")):
        document = read_json(path)
        parts.append(
            f"### {path.stem}\n\n" + _report(Report.from_json(document.get("result", document)))
        )
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8").rstrip()
        parts.append(f"### {path.stem}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) or "Nothing is kept of it yet."


def _report(report: Report) -> str:
    title = report.title[:1].upper() + report.title[1:]
    if len(report.rows) < len(report.columns):
        report = report.turned()
    notes = "\n".join(f"- {note}" for note in report.notes)
    return "\n\n".join(part for part in (title, report.to_markdown(), notes) if part)


def sizes() -> str:
    """Say how large installations are, if that was measured."""
    path = ROOT / "docs/measured/sizes.json"
    if not path.exists():
        return "Not measured yet."
    document = read_json(path)
    rows = [
        "| installed | MB | of it torch | distributions | largest |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for one in document["packages"]:
        largest = ", ".join(f"{name} {size:g}" for name, size in list(one["dearest"].items())[:3])
        rows.append(
            f"| `{one['install']}` | {one['megabytes']:g} | {one['torch_megabytes'] or '-'} | "
            f"{one['distributions']} | {largest} |"
        )
    about = f"{document['system']}, Python {document['python']}, {document['torch']}"
    return f"Everything that `pip install` brings, on {about}.\n\n" + "\n".join(rows)


def weights() -> str:
    """List the shipped weights with their licence and the data they come from."""
    rows = ["| weights | version | licence | learnt from | licence of that |", "| --- " * 5 + "|"]
    for package in PACKAGES:
        for stored in checkpoints.available(package):
            if stored.origin == "packaged":
                card = checkpoints.read_card(stored.path)
                data = card["data"] if isinstance(card["data"], dict) else card["data"][0]
                name, terms = (_cell(str(data.get(key, "-"))) for key in ("name", "license"))
                rows.append(
                    f"| `{package}/{card['name']}` | {card['version']} | {card['license']} | "
                    f"{name} | {terms} |"
                )
    return "\n".join(rows)


def datasets() -> str:
    """List the data sets that packages bring or open."""
    rows = ["| package | data set | licence |", "| --- | --- | --- |"]
    for package in PACKAGES:
        rows += [
            f"| {package} | `{dataset.name}` | {dataset.license} |"
            for dataset in loader.load(package).datasets
        ]
    return "\n".join(rows)


def dependencies() -> str:
    """List what each package needs, as its metadata says."""
    rows = ["| package | needs | extras |", "| --- | --- | --- |"]
    for package in ("groove-core", *PACKAGES):
        text = (ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        needs = ", ".join(f"`{one}`" for one in project.get("dependencies", []))
        extras = "; ".join(
            f"`[{name}]` {', '.join(f'`{one}`' for one in wanted)}"
            for name, wanted in project.get("optional-dependencies", {}).items()
        )
        rows.append(f"| {package} | {needs} | {extras or '-'} |")
    return "\n".join(rows)


# The API, examples and notebooks


def core_api(group: str) -> str:
    """Describe the modules of one page of the API of the core."""
    prefixes = GROUPS[group]
    modules = [
        m
        for m in api.public_modules("groove-core")
        if any(m.name == p or (p.endswith(".") and m.name.startswith(p)) for p in prefixes)
    ]
    order = {p: i for i, p in enumerate(prefixes)}
    modules.sort(key=lambda m: next(i for p, i in order.items() if m.name.startswith(p)))
    return "\n\n".join(api.module_page(m) for m in modules)


def package_api(package: str) -> str:
    """Describe the actions of a package as functions, and its values."""
    name = package.replace("-", "_")
    classes = {kind.__module__ for kind in value_classes()[package]}
    modules = api.public_modules(package)
    chosen = [m for m in modules if m.name == f"{name}.actions"]
    chosen += [m for m in modules if m.name in classes]
    return "\n\n".join(api.module_page(m) for m in chosen)


def examples() -> str:
    """Show the programs of the folder examples, whole."""
    parts = []
    for path in sorted((ROOT / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        title, _, rest = text.split('"""')[1].partition("\n")
        code = text.split('"""', 2)[2].strip()
        parts.append(
            f"## {path.stem}\n\n{title.strip()} [{path.name}](../../examples/{path.name})\n\n"
            f"{rest.strip()}\n\n```python\n{code}\n```"
        )
    return "\n\n".join(parts)


def notebooks() -> str:
    """List the notebooks with what each shows."""
    rows = []
    for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb")):
        first = "".join(read_json(path)["cells"][0]["source"])
        title, _, text = first.removeprefix("# ").partition("\n")
        rows.append(f"- [{path.name}](../notebooks/{path.name}): {title.strip()}. {text.strip()}")
    return "\n".join(rows)


PARTS: dict[str, Callable[..., str]] = {
    **generate.PARTS,
    "cli": cli,
    "core-api": core_api,
    "core-options": core_options,
    "datasets": datasets,
    "dependencies": dependencies,
    "descriptors": descriptors,
    "environment": environment_table,
    "errors": error_table,
    "examples": examples,
    "fixtures": fixtures,
    "hooks": hooks,
    "notebooks": notebooks,
    "options": options,
    "package-api": package_api,
    "results": results,
    "rules": rules,
    "sizes": sizes,
    "template": template,
    "template-tree": template_tree,
    "values": values,
    "weights": weights,
    "words": words,
}
