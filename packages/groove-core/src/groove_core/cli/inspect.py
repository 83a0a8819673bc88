"""Commands that look at the installation: plugins, info, doctor, models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from groove_core.console import displayed
from groove_core.errors import CheckpointError, GrooveError, InputError, PluginError
from groove_core.hookspecs import API_VERSION, OBSERVER_GROUP
from groove_core.storage.files import dump_json

if TYPE_CHECKING:
    from groove_core.plugins.loader import Installed, Plugin

__all__ = [
    "doctor",
    "info",
    "info_package",
    "models_list",
    "models_show",
    "models_verify",
    "plugins",
    "plugins_check",
    "row_alone",
]


ALONE = "import sys; from groove_core.cli.inspect import row_alone; row_alone(*sys.argv[1:])"


def _print(document: Any, json: bool, text: str) -> None:
    typer.echo(dump_json(document) if json else displayed(text), nl=not json)


def columns(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def plugins(json: bool, check: bool, isolate: bool, limit_s: float) -> None:
    """Load every package on its own and tell what each can do, or what to do."""
    from groove_core.plugins import loader

    everything = loader.installed()
    if isolate:
        rows = [_row_of_another(entry, limit_s) for entry in everything]
        watching = [_row_of_another(entry, limit_s) for entry in loader.watchers()]
        rows += [row for row in watching if row["status"] == "broken"]
    else:
        good, broken = loader.load_all(everything)
        by_name = {plugin.package.name: plugin for plugin in good}
        rows = [_row(e, by_name.get(e.name), broken.get(e.name)) for e in everything]
    texts = []
    for row in rows:
        texts.append(f"{row['name']} {row['version']}  {row['summary']}")
        if row["status"] == "ok":
            cells = [["  " + a["name"], a["kind"], a["summary"]] for a in row["actions"]]
            texts += [columns(cells)] if cells else []
        else:
            texts += [f"  {row['reason']}", f"  hint: {row['hint']}"]
    reasons = dict.fromkeys(row["reason"] for row in rows if row["status"] == "broken")
    damaged = loader.damaged()
    for message in (*reasons, *damaged):
        typer.echo(displayed(f"warning: {message}"), err=True)
    document = {"api": ".".join(map(str, API_VERSION)), "plugins": rows, "damaged": damaged}
    _print(document, json, "\n".join(texts) or "No packages are installed: pip install drum-space")
    if check and reasons:
        raise typer.Exit(3)


def _row(entry: Installed, plugin: Plugin | None, error: PluginError | None) -> dict[str, Any]:
    actions = plugin.actions.values() if plugin else ()
    return {
        "name": entry.name,
        "version": entry.version,
        "distribution": entry.distribution,
        "status": "broken" if error else "ok",
        "summary": plugin.package.summary if plugin else entry.summary,
        "actions": [
            {"name": a.name, "kind": plugin.roles[a.name], "summary": a.summary}
            for a in actions
            if plugin
        ],
        "reason": error.message if error else None,
        "hint": error.hint if error else None,
    }


def _row_of_another(entry: Installed, limit_s: float) -> dict[str, Any]:
    """Load a package in a process of its own, which may hang or die of it."""
    import json
    import signal
    import subprocess
    import sys

    command = [sys.executable, "-c", ALONE, entry.name, entry.group]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit_s, check=False)
        with contextlib.suppress(ValueError):
            row: dict[str, Any] = json.loads(done.stdout)
            return row
        code = done.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        reason = f"ends its process when it is loaded ({how})"
    except subprocess.TimeoutExpired:
        reason = f"hangs: it was not loaded after {limit_s:g} s"
    error = PluginError(
        f"{entry.distribution} {entry.version} {reason}.",
        hint=f"pip uninstall {entry.distribution}, or ask its authors",
    )
    return _row(entry, None, error)


def row_alone(name: str, group: str) -> None:
    """Print what came of loading one package; for the process that `_row_of_another` starts."""
    import sys

    from groove_core.console import own_streams
    from groove_core.plugins import loader

    own_streams()
    plugin, error = None, None
    watcher = group == OBSERVER_GROUP
    listed = loader.watchers() if watcher else loader.installed()
    entry = next(one for one in listed if (one.name, one.group) == (name, group))
    try:
        if watcher:
            loader.load_watcher(entry)
        else:
            plugin = loader.load(name)
    except PluginError as problem:
        error = problem
    sys.stdout.write(dump_json(_row(entry, plugin, error)))


def plugins_check(name: str, run: bool, skip: list[str], json: bool) -> None:
    """Check one package against every rule; exits with 3 if it breaks one."""
    from groove_core.checks import examine
    from groove_core.plugins import loader

    entry = loader.find(name)
    found = examine(name, run=run, skip=skip)
    document = {
        "name": entry.name,
        "version": entry.version,
        "ok": not found.problems,
        "problems": [
            {"rule": p.rule, "message": p.message, "hint": p.hint} for p in found.problems
        ],
        "ran": found.ran,
        "skipped": found.skipped,
    }
    lines = [str(problem) for problem in found.problems]
    rows = [["ran", one, ""] for one in found.ran]
    rows += [["skipped", one, why] for one, why in found.skipped.items()]
    lines += [columns(rows)] if rows else []
    if not found.problems:
        lines.append(f"{entry.name} {entry.version} keeps the contract of plugins.")
    _print(document, json, "\n".join(lines))
    if found.problems:
        rules = dict.fromkeys(problem.rule for problem in found.problems)
        raise PluginError(
            f"{entry.name} {entry.version} breaks: {', '.join(rules)}.",
            hint=found.problems[0].hint,
        )


def info(json: bool) -> None:
    """Print versions, devices and folders."""
    import os
    import platform
    from importlib.util import find_spec

    from groove_core.plugins import loader
    from groove_core.render.soundfont import find_soundfont, renderer_name

    versions = {
        name: _version(name)
        for name in (
            "groove-core", "numpy", "torch", "lightning-fabric", "soundfile",
            "matplotlib", "typer", "pluggy",
        )
    }  # fmt: skip
    devices = []
    if find_spec("torch"):
        from groove_core.devices import available

        devices = available()
    packages = {entry.name: entry.version for entry in loader.installed()}
    document = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "packages": packages,
        "devices": devices,
        "renderer": _or_problem(renderer_name),
        "soundfont": _or_problem(find_soundfont),
        "groove_home": os.environ.get("GROOVE_HOME"),
    }
    rows = [["python", str(document["python"])], ["platform", str(document["platform"])]]
    rows += [[name, version or "not installed"] for name, version in versions.items()]
    rows += [[name, version] for name, version in packages.items()]
    rows += [
        ["devices", ", ".join(devices) or "no torch: pip install 'groove-core[torch]'"],
        ["renderer", str(document["renderer"])],
        ["soundfont", str(document["soundfont"])],
        ["GROOVE_HOME", str(document["groove_home"] or "not set")],
    ]
    _print(document, json, columns(rows))


def info_package(name: str, json: bool) -> None:
    """List the actions of a package and everything that can be named in them."""
    from groove_core.actions.naming import choices_of
    from groove_core.plugins import loader

    plugin = loader.load(name)
    choices = choices_of(plugin)
    about = {
        "name": plugin.package.name,
        "version": plugin.source.version,
        "summary": plugin.package.summary,
        "actions": [
            {"name": action.name, "summary": action.summary, "choices": choices[action.name]}
            for action in plugin.actions.values()
        ],
    }
    actions = columns([["  " + one.name, one.summary] for one in plugin.actions.values()])
    # What several actions take alike is listed once.
    alike: dict[tuple[str, str], list[str]] = {}
    for action, flags in choices.items():
        for flag, listed in flags.items():
            alike.setdefault((flag, ", ".join(listed)), []).append(action)
    lines = [f"{plugin.package.name} {plugin.source.version}  {plugin.package.summary}", actions]
    for (flag, names), actions_of in sorted(alike.items()):
        where = "all actions" if len(actions_of) == len(choices) else ", ".join(actions_of)
        lines += ["", f"{flag}  ({where})", _wrapped(names)]
    lines += ["", f"groove run {plugin.package.name} ACTION --help tells what an action takes."]
    _print(about, json, "\n".join(lines))


def _wrapped(text: str) -> str:
    import textwrap

    look = {"width": 78, "initial_indent": "  ", "subsequent_indent": "  "}
    return textwrap.fill(text, break_long_words=False, break_on_hyphens=False, **look)  # type: ignore[arg-type]


def _or_problem(question: Callable[[], object]) -> str:
    """Answer a question, or tell what stands in the way."""
    try:
        return str(question())
    except GrooveError as error:
        return f"{error.message} {error.hint}"


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def doctor(json: bool) -> None:
    """Try everything and give a hint for what fails; exits with 1 if something does."""
    checks: list[dict[str, str]] = []

    def attempt(name: str, hint: str, trial: Callable[[], str]) -> None:
        try:
            checks.append({"check": name, "status": "ok", "detail": trial(), "hint": ""})
        except GrooveError as error:
            checks.append(
                {"check": name, "status": "failed", "detail": error.message, "hint": error.hint}
            )
        except ModuleNotFoundError as error:
            # An extra that was not asked for is no fault.
            detail = f"{error.name} is not installed"
            status = "failed" if "force-reinstall" in hint else "absent"
            checks.append({"check": name, "status": status, "detail": detail, "hint": hint})
        except Exception as error:
            detail = " ".join(f"{type(error).__name__}: {error}".split())
            checks.append({"check": name, "status": "failed", "detail": detail, "hint": hint})

    attempt("sound files", "pip install --force-reinstall soundfile", _try_soundfile)
    attempt("midi", "pip install --force-reinstall groove-core", _try_midi)
    attempt("soundfont", "pip install --force-reinstall midirenderer pretty_midi", _try_render)
    attempt("plots", 'pip install "groove-core[plot]"', _try_plot)
    attempt("device", 'pip install "groove-core[torch]"', _try_device)
    _try_packages(attempt)
    rows = [[c["status"], c["check"], c["detail"]] for c in checks]
    text = columns(rows)
    hints = [f"hint for {c['check']}: {c['hint']}" for c in checks if c["hint"]]
    failed = any(c["status"] == "failed" for c in checks)
    _print({"ok": not failed, "checks": checks}, json, "\n".join([text, *hints]))
    if failed:
        raise typer.Exit(1)


def _try_soundfile() -> str:
    import tempfile

    import numpy as np

    from groove_core.values.sound.audio import Audio

    tone = np.sin(np.arange(4410) / 10).astype(np.float32) * 0.5
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("wav", "flac", "ogg"):
            path = Audio(tone, 44100).save(Path(folder, f"tone.{suffix}"))
            if not 0.3 < Audio.read(path).peak < 0.7:
                raise RuntimeError(f"{suffix} comes back changed")
    return "wrote and read wav, flac, ogg"


def _beat() -> Any:
    from groove_core.drums.pattern import DrumPattern

    return DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def _try_midi() -> str:
    from groove_core.drums.pattern import DrumPattern
    from groove_core.values.scores.score import Score

    beat = _beat()
    if DrumPattern.from_score(Score.from_midi(beat.to_score().to_midi())) != beat:
        raise RuntimeError("a beat comes back changed")
    return "wrote and read a beat"


def _try_render() -> str:
    from groove_core.render.soundfont import render, renderer_name

    audio = render(_beat().to_score())
    if audio.peak < 0.1:
        raise RuntimeError("a beat renders to silence")
    return f"{renderer_name()}: {audio.to_text()}"


def _try_plot() -> str:
    import io

    import matplotlib  # noqa: F401

    buffer = io.BytesIO()
    _beat().plot().figure.savefig(buffer)
    return f"drew {len(buffer.getvalue())} bytes"


def _try_device() -> str:
    import torch  # noqa: F401

    from groove_core.devices import available, resolve

    return f"{resolve('auto')} (works: {', '.join(available())})"


def _try_packages(attempt: Callable[[str, str, Callable[[], str]], None]) -> None:
    from groove_core.plugins import loader
    from groove_core.storage import checkpoints

    for entry in loader.installed():

        def load(name: str = entry.name) -> str:
            plugin = loader.load(name)
            for action in plugin.actions.values():
                loader.resolve(action.run, owner=plugin.source)
            return f"{len(plugin.actions)} actions"

        attempt(f"package {entry.name}", f"pip install --force-reinstall {entry.name}", load)
    for stored in checkpoints.available():

        def check(path: Path = stored.path) -> str:
            return f"sha256 {checkpoints.verify(path)['sha256'][:12]}"

        attempt(f"weights {stored.package}/{stored.name}", "", check)


def _find(name: str) -> Path:
    from groove_core.storage import checkpoints

    if Path(name).is_dir():
        return Path(name)
    package, separator, model = name.partition("/")
    if not separator:
        named = [s for s in checkpoints.available() if s.name == name]
        if len({s.package for s in named}) == 1:
            return named[0].path
        choices = [f"{s.package}/{s.name}" for s in checkpoints.available()]
        raise CheckpointError(
            f"There is no checkpoint {name!r}.", hint=f"Choose one of {', '.join(choices)}."
        )
    return checkpoints.find(package, model).path


def models_list(json: bool) -> None:
    """List the checkpoints that can be named."""
    from groove_core.storage import checkpoints

    rows = []
    for stored in checkpoints.available():
        row: dict[str, Any] = {
            "name": f"{stored.package}/{stored.name}",
            "origin": stored.origin,
            "path": str(stored.path),
        }
        try:
            card = checkpoints.read_card(stored.path)
            checkpoints.read_header(stored.path)
            size = (stored.path / checkpoints.WEIGHTS).stat().st_size
            about = {k: card[k] for k in ("version", "license", "limits")}
            row |= {"status": "ok", "bytes": size, **about}
        except CheckpointError as error:
            row |= {"status": "broken", "reason": error.message, "hint": error.hint}
        rows.append(row)
    text = columns(
        [
            [r["name"], r["version"], f"{r['bytes'] / 1e6:.2f} MB", r["license"], r["origin"]]
            if r["status"] == "ok"
            else [r["name"], "broken", r["reason"], r["hint"], r["origin"]]
            for r in rows
        ]
    )
    _print({"models": rows}, json, text or "No checkpoints are there.")


def models_show(name: str, json: bool) -> None:
    """Show card and tensors of a checkpoint."""
    from groove_core.storage import checkpoints

    path = _find(name)
    card, header = checkpoints.read_card(path), checkpoints.read_header(path)
    lines = [
        f"{key}: {value}" for key, value in card.items() if not isinstance(value, (dict, list))
    ]
    for key in ("config", "data"):
        lines += [f"{key}:", *(f"  {k}: {v}" for k, v in dict(card[key]).items())]
    report = card["metrics"].get("report")
    if report:
        from groove_core.values.results import Report

        try:
            lines += ["", Report.from_document(report, path / checkpoints.CARD).to_text(), ""]
        except InputError as error:
            raise CheckpointError(error.message, hint="Copy the checkpoint again.") from error
    lines += [f"{k}  {v['dtype']} {v['shape']}" for k, v in header.items()]
    _print({"path": str(path), "card": card, "tensors": header}, json, "\n".join(lines))


def models_verify(name: str | None, json: bool) -> None:
    """Verify one checkpoint or all; exits with 5 if one fails."""
    from groove_core.storage import checkpoints

    paths = [_find(name)] if name else [s.path for s in checkpoints.available()]
    rows, problem = [], None
    for path in paths:
        try:
            card = checkpoints.verify(path)
            rows.append({"path": str(path), "status": "ok", "sha256": card["sha256"]})
        except CheckpointError as error:
            problem = problem or error
            rows.append({"path": str(path), "status": "failed", "reason": error.message})
    _print({"models": rows}, json, columns([[r["status"], r["path"]] for r in rows]) or "none")
    if problem:
        raise problem
