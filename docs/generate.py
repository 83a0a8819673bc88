"""Write the generated parts of the documentation, or check them: python docs/generate.py [--check].

A part stands between ``<!-- generated: NAME ARGUMENTS -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

from groove_core.actions import markdown_table
from groove_core.drums import DRUMS
from groove_core.hookspecs import GrooveHooks
from groove_core.plugins import loader
from groove_core.storage import checkpoints, read_json
from groove_core.values import Report

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def drums() -> str:
    """List the 14 drums and the notes folded onto each."""
    rows = ["| bit | drum | note | folded notes |", "| --- | --- | --- | --- |"]
    for bit, drum in enumerate(DRUMS):
        rows.append(f"| {bit} | {drum.name} | {drum.note} | {', '.join(map(str, drum.folded))} |")
    return "\n".join(rows)


def hooks() -> str:
    """List the hooks and what each is for."""
    rows = ["| hook | what it is for |", "| --- | --- |"]
    for name, hook in inspect.getmembers(GrooveHooks, inspect.isfunction):
        arguments = ", ".join(p for p in inspect.signature(hook).parameters if p != "self")
        rows.append(f"| `{name}({arguments})` | {inspect.getdoc(hook)} |")
    return "\n".join(rows)


def actions(package: str) -> str:
    """Describe every action of a package and its options."""
    parts = []
    plugin = loader.load(package)
    for action in plugin.actions.values():
        table = markdown_table(loader.resolve(action.run))
        parts.append(f"### {action.name}\n\n{action.summary}\n\n{table}")
    return "\n\n".join(parts)


def evaluation(package: str, *names: str) -> str:
    """Put the tables of the shipped cards into one: models, then controls.

    With names, of those cards alone; where they measure different things, one at a time.
    """
    reports = {
        stored.name: Report.from_json(checkpoints.read_card(stored.path)["metrics"]["report"])
        for stored in checkpoints.available(package)
        if stored.origin == "packaged" and (not names or stored.name in names)
    }
    first = next(iter(reports.values()))
    rows = [report.rows[0] for report in reports.values()] + list(first.rows[1:])
    table = Report(first.title, first.columns, tuple(rows), first.notes)
    if len(table.rows) < len(table.columns):
        table = table.turned()
    return table.to_markdown() + "\n\n" + "\n".join(f"- {note}" for note in table.notes)


def kept(package: str, name: str) -> Report:
    """Read the table of an evaluation that was kept in the folder ``measured`` of a package."""
    document = read_json(ROOT / "packages" / package / "measured" / f"{name}.json")
    return Report.from_json(document.get("result", document))


def measured(package: str, name: str, *, across: bool = False) -> str:
    """Return a kept table as Markdown; with `across`, its rows stand side by side."""
    table = kept(package, name)
    table = table.turned() if across else table
    notes = "\n".join(f"- {note}" for note in table.notes)
    return f"**{table.title[:1].upper()}{table.title[1:]}**\n\n{table.to_markdown()}\n\n{notes}"


def pivoted(package: str, name: str, cell: str) -> str:
    """Return one column of a kept table: its first column down, its second one across."""
    table = kept(package, name)
    at = table.columns.index(cell.replace("-", " "))
    found = {(row[0], row[1]): row[at] for row in table.rows}
    down, across = (list(dict.fromkeys(column)) for column in zip(*found, strict=True))
    rows = [(name, *(found.get((name, other)) for other in across)) for name in down]
    return Report("", (table.columns[0], *map(str, across)), rows).to_markdown()


def lines(package: str, name: str) -> str:
    """Give what a benchmark printed, as it was kept in the folder ``measured`` of a package."""
    printed = (ROOT / "packages" / package / "measured" / f"{name}.txt").read_text(encoding="utf-8")
    return f"```\n{printed.rstrip()}\n```"


def tastes(package: str) -> str:
    """Give, of a measurement of tastes that was kept, the area after 20 ratings by kind."""
    document = read_json(ROOT / "packages" / package / "measured" / "tastes.json")
    kinds = document.get("result", document)["data"]["kinds"]
    methods = [name for name in next(iter(kinds.values())) if name != "listeners"]
    rows = [
        (kind, len(found["listeners"]), *(found[name]["AUC after 20"] for name in methods))
        for kind, found in kinds.items()
    ]
    return Report("", ("taste", "listeners", *methods), tuple(rows)).to_markdown()


def genres() -> str:
    """List the genres that the shipped spaces can draw, and how many patterns taught each."""
    from collections import Counter

    from drum_space import space
    from drum_space.data import open_patterns

    known, patterns = space.genres(), open_patterns()
    counts = Counter(patterns.genre_of()[patterns.part("train")].tolist()).most_common()
    return ", ".join(f"{genre} ({count})" for genre, count in counts if genre in known) + "."


def feels() -> str:
    """List the styles and drummers that the shipped twin of groove-vae knows."""
    [stored] = [s for s in checkpoints.available("groove-vae") if s.name == "symbolic"]
    config = checkpoints.read_card(stored.path)["config"]
    return f"{', '.join(config['styles'])}; {', '.join(config['drummers'])}."


def posterior(package: str, name: str) -> str:
    """Say what the card tells of the latent variable: KL of each dimension, active units."""
    [stored] = [s for s in checkpoints.available(package) if s.name == name]
    found = checkpoints.read_card(stored.path)["posterior"]
    kl = found["kl_per_dimension"]
    return (
        f"{found['active_units']} of {len(kl)} dimensions active, KL {sum(kl):.1f} nats "
        f"({', '.join(f'{one:.2f}' for one in sorted(kl, reverse=True))}); "
        f"{'collapsed' if found['collapsed'] else 'not collapsed'}."
    )


def spaces() -> str:
    """List what the networks of music-vae are made of, and how they are trained."""
    from music_vae.model import MusicVAE
    from music_vae.training import PRESETS

    columns = (
        "", "numbers of a code", "of them for each bar", "encoder", "conductor", "plan of a step",
        "decoder of a voice", "flow", "free bits", "β", "pieces with layered drums", "epochs",
        "million weights",
    )  # fmt: skip
    rows = [
        (
            f"`{name}`", one.latent, one.latent // one.bars if one.plan else None, one.encoder,
            one.conductor or None, one.plan or None, one.decoder, one.flow, int(one.free_bits),
            f"{one.beta:g}", f"{one.layered:.0%}" if one.layered else None, one.epochs,
            f"{sum(p.numel() for p in MusicVAE(**one.network).parameters()) / 1e6:.1f}",
        )
        for name, one in PRESETS.items()
    ]  # fmt: skip
    return Report("", columns, tuple(rows)).turned().to_markdown()


PARTS: dict[str, Callable[..., str]] = {
    "drums": drums,
    "hooks": hooks,
    "actions": actions,
    "evaluation": evaluation,
    "genres": genres,
    "lines": lines,
    "measured": measured,
    "turned": functools.partial(measured, across=True),
    "pivoted": pivoted,
    "feels": feels,
    "posterior": posterior,
    "spaces": spaces,
    "tastes": tastes,
}


def main() -> int:
    """Write or check; gives 1 if something is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    check = parser.parse_args().check
    stale = []
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("packages/*/*.md")]):
        text = path.read_text(encoding="utf-8")

        def fill(found: re.Match[str]) -> str:
            name, *arguments = found[2].split()
            return f"{found[1]}{PARTS[name](*arguments)}\n{found[3]}"

        new = PART.sub(fill, text)
        if new != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(new, encoding="utf-8")
    if stale and check:
        print(f"out of date: {', '.join(stale)}; python docs/generate.py", file=sys.stderr)
    return int(bool(stale and check))


if __name__ == "__main__":
    sys.exit(main())
