"""The Python API as Markdown, read from the sources without importing them.

Not griffe: its numpydoc parser drops the word ``optional`` of a parameter, and the Markdown,
which is most of this module, would still be made here.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Module", "attributes", "docstring_markdown", "module_page", "public_modules"]

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
HIDDEN = ("cli", "template", "__main__", "__about__", "progressive", "progressive_training")
"""Parts of packages that are no API: the command line, and what is there to be compared with."""
PROPERTIES = {"property", "cached_property", "functools.cached_property"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module, its source and the names it exports."""

    name: str
    path: Path
    tree: ast.Module
    exported: tuple[str, ...]

    def defined(self) -> list[ast.stmt]:
        """Give the exported names that are defined here, in the order of the source."""
        found: list[ast.stmt] = []
        for node in self.tree.body:
            if isinstance(node, (ast.ClassDef, Function)):
                if node.name in self.exported:
                    found.append(node)
            elif _assigned(node) in self.exported:
                found.append(node)
        return found


def _assigned(node: ast.stmt) -> str:
    target: ast.expr | None = None
    if isinstance(node, ast.AnnAssign):
        target = node.target
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


@cache
def _read(path: Path) -> Module:
    source = PACKAGES / path.relative_to(PACKAGES).parts[0] / "src"
    name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exported: tuple[str, ...] = ()
    for node in tree.body:
        if _assigned(node) == "__all__" and isinstance(node, (ast.Assign, ast.AnnAssign)):
            exported = tuple(ast.literal_eval(node.value)) if node.value else ()
    return Module(name, path, tree, exported)


def public_modules(package: str) -> list[Module]:
    """List the modules of a package that export something of their own."""
    source = PACKAGES / package / "src" / package.replace("-", "_")
    modules = []
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if any(p in HIDDEN or (p[0] == "_" and p != "__init__") for p in parts):
            continue
        module = _read(path)
        if module.defined() and "plugin" not in parts:
            modules.append(module)
    return modules


def attributes(module: Module, name: str) -> Iterator[tuple[str, str, str, str]]:
    """Give name, type, default and text of the fields of a class."""
    [node] = [n for n in module.tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    for index, field in enumerate(node.body):
        if not isinstance(field, ast.AnnAssign) or _assigned(field).startswith("_"):
            continue
        after = node.body[index + 1] if index + 1 < len(node.body) else None
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = str(after.value.value)
        default = ast.unparse(field.value) if field.value else ""
        yield _assigned(field), ast.unparse(field.annotation), default, _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def signature(node: Function, *, method: bool = False) -> str:
    """Give ``name(arguments) -> type``, broken into lines where it is long."""
    arguments = ast.unparse(node.args)
    if method:
        arguments = re.sub(r"^(self|cls)(, )?", "", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({arguments}){returns}"
    if len(line) <= 88:
        return line
    broken = ",\n    ".join(_split(arguments))
    return f"{node.name}(\n    {broken},\n){returns}"


def _split(arguments: str) -> list[str]:
    """Split at the commas that stand in no bracket or text."""
    parts, depth, quoted, start = [], 0, "", 0
    for index, sign in enumerate(arguments):
        if quoted:
            quoted = "" if sign == quoted else quoted
        elif sign in "'\"":
            quoted = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(arguments[start:index].strip())
            start = index + 1
    return [*parts, arguments[start:].strip()]


def docstring_markdown(docstring: str | None) -> str:
    """Turn a docstring in numpydoc's form into Markdown."""
    if not docstring:
        return ""
    lines = _code(docstring.strip().splitlines())
    out: list[str] = []
    index, listing = 0, False
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if line and re.fullmatch(r"-{3,}", following.strip()) and not line.startswith((" ", "```")):
            out += ["", f"**{line.strip()}**", ""]
            listing = line.strip() not in ("Examples", "Notes", "Source", "References", "See Also")
            index += 2
        elif listing and line.startswith("    "):
            out.append(f"    {line.strip()}")
            index += 1
        elif listing and line.strip():
            name, _, kind = line.strip().partition(" : ")
            marked = f"`{name}`" if re.match(r"[\w.*, |\[\]]+$", name) else name
            # An escaped bracket is no link.
            out += ["", f"- {marked}" + (f": {_escape(kind)}" if kind else ""), ""]
            index += 1
        else:
            out.append(line)
            index += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).replace("``", "`").strip()


def _escape(text: str) -> str:
    return re.sub(r"(?<!`)([\[\]])", r"\\\1", text)


def _code(lines: list[str]) -> list[str]:
    """Fence examples, which in docstrings are known by their prompts."""
    out: list[str] = []
    inside = False
    for line in lines:
        if line.lstrip().startswith(">>> ") and not inside:
            out += ["", "~~~pycon"]
            inside = True
        elif inside and not line.strip():
            out += ["~~~", ""]
            inside = False
            continue
        out.append(textwrap.dedent(line) if inside and line.startswith("    ") else line)
    return [*out, "~~~"] if inside else out


def _member(node: ast.stmt, level: int, prefix: str) -> Iterator[str]:
    mark = "#" * level
    if isinstance(node, Function):
        decorators = {ast.unparse(d).split("(")[0] for d in node.decorator_list}
        is_property = bool(decorators & PROPERTIES)
        kind = "property" if is_property else "classmethod" if "classmethod" in decorators else ""
        yield f"{mark} {prefix}{node.name}" + (f" *{kind}*" if kind else "")
        if is_property:
            returns = f": {ast.unparse(node.returns)}" if node.returns else ""
            yield f"~~~python\n{node.name}{returns}\n~~~"
        else:
            yield f"~~~python\n{signature(node, method=bool(prefix))}\n~~~"
        yield docstring_markdown(ast.get_docstring(node))
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        yield f"{mark} {node.name}"
        start = next(
            (n for n in node.body if isinstance(n, Function) and n.name == "__init__"), None
        )
        shown = f"class {node.name}({bases})" if bases else f"class {node.name}"
        if start is not None:
            shown += "\n" + signature(start, method=True).replace("__init__", node.name)
            shown = shown.removesuffix(" -> None")
        yield f"~~~python\n{shown}\n~~~"
        yield docstring_markdown(ast.get_docstring(node))
        for member in node.body:
            public = isinstance(member, Function) and not member.name.startswith("_")
            if isinstance(member, Function) and public and ast.get_docstring(member):
                yield from _member(member, level + 1, f"{node.name}.")
    elif name := _assigned(node):
        yield f"{mark} {name}"
        value = ""
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
            value = ast.unparse(node.value)
        yield f"~~~python\n{name} = {value if len(value) < 200 else '...'}\n~~~"


def _text_after(module: Module, node: ast.stmt) -> str:
    body = module.tree.body
    after = body[body.index(node) + 1 :]
    if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
        return docstring_markdown(str(after[0].value.value))
    return ""


def module_page(module: Module) -> str:
    """Describe a module: what it is for, and everything that it exports."""
    parts = [f"## {module.name}", docstring_markdown(ast.get_docstring(module.tree))]
    for node in module.defined():
        parts += _member(node, 3, "")
        if not isinstance(node, (ast.ClassDef, Function)):
            parts.append(_text_after(module, node))
    return "\n\n".join(part for part in parts if part)
