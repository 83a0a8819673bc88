"""Measuring the tables of a package again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import remeasure
from monorepo import ROOT, Package, Stop, packages

from groove_core.storage.files import read_json
from groove_core.values import Estimate, Report

COMMANDS = """
[[table]]
name = "steps"
run = "python steps.py {walks}"
minutes = 1
clock = ["minutes"]

[[table]]
card = ["one", "two"]
run = "python cards.py {out}"
minutes = 2

[[table]]
name = "anew"
run = "python -c 'raise SystemExit(3)'"
minutes = 3
needs = "a training"

[data]
walks = "a folder of walks"
"""
STEPS = """
import json, pathlib, sys
lengths = json.loads(pathlib.Path(sys.argv[1], "walks.json").read_text())
rows = [[name, {"value": v, "low": v - 1, "high": v + 1}, 7, 0.5] for name, v in lengths.items()]
columns = ["walk", "steps", "legs", "minutes"]
print(json.dumps(dict(kind="report", title="t", columns=columns, rows=rows, notes=[], data={})))
"""
CARDS = """
import json, pathlib, sys
assert pathlib.Path(sys.argv[1]).is_dir()
rows = [["one", 0.5], ["two", 0.25], ["chance", 0.125]]
report = dict(kind="report", title="t", columns=["", "share"], rows=rows, notes=[], data={})
print(json.dumps({"action": "evaluate", "result": report}))
"""


@pytest.fixture
def mini(tmp_path, monkeypatch) -> Package:
    package = Package(tmp_path, "mini")
    files = {
        "steps.py": STEPS,
        "cards.py": CARDS,
        "walks/walks.json": '{"long": 20, "short": 3}',
        "packages/mini/pyproject.toml": "",
        "packages/mini/measured/commands.toml": COMMANDS,
        "packages/mini/src/mini/weights/one/card.json": '{"name": "one", "metrics": {"seed": 1}}',
        "packages/mini/src/mini/weights/two/card.json": '{"name": "two", "metrics": {"seed": 1}}',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(remeasure, "ROOT", tmp_path)
    monkeypatch.setattr(remeasure, "packages", lambda root: {"mini": package})
    return package


def test_tables_are_measured_written_and_compared(mini, capsys):
    walks = f"walks={mini.root / 'walks'}"
    assert remeasure.main(["mini", "--data", walks]) == 0
    assert "anew: left out, needs a training (--all)" in capsys.readouterr().out
    kept = Report.from_json(read_json(mini.folder / "measured/steps.json"))
    assert kept.cell("long", "steps") == Estimate(20, 19, 21)
    # Each card has the row of its own weights, and the controls.
    cards = [read_json(mini.source / f"weights/{name}/card.json") for name in ("one", "two")]
    rows = [[row[0] for row in card["metrics"]["report"]["rows"]] for card in cards]
    assert rows == [["one", "chance"], ["two", "chance"]]
    assert [card["metrics"]["seed"] for card in cards] == [1, 1]
    # The same again, with nothing to say and nothing written.
    (mini.root / "steps.py").write_text(STEPS.replace("0.5]", "0.75]"))  # another machine
    before = (mini.folder / "measured/steps.json").read_bytes()
    assert remeasure.main(["mini", "--check", "--data", walks]) == 0
    shown = capsys.readouterr().out
    assert "4 figures: 4 as kept, 0 moved within the interval, 0 outside" in shown
    assert "3 figures: 3 as kept" in shown
    assert (mini.folder / "measured/steps.json").read_bytes() == before


def test_a_figure_outside_its_interval_fails_the_check(mini, capsys):
    walks = ["--data", f"walks={mini.root / 'walks'}", "--only", "steps"]
    remeasure.main(["mini", *walks])
    table = mini.root / "walks/walks.json"
    table.write_text('{"long": 20.5, "short": 3}')
    assert remeasure.main(["mini", "--check", *walks]) == 0
    assert "| long: steps | 20 ±1 | 20.5 ±1.000 | 0.500 |  |" in capsys.readouterr().out
    table.write_text('{"long": 17, "other": 3}')
    assert remeasure.main(["mini", "--check", *walks]) == 1
    shown = capsys.readouterr().out
    assert "| long: steps | 20 ±1 | 17 ±1 | -3.000 | outside |" in shown
    assert "| short: legs | 7 | - | - | outside |" in shown
    assert "| other: legs | - | 7 | - | outside |" in shown


def test_figures_without_an_interval_may_be_a_hundredth_off():
    assert not remeasure.Figure("", 100, 100.9).outside
    assert remeasure.Figure("", 100, 101.1).outside
    assert remeasure.Figure("", "yes", "no").outside
    assert not remeasure.Figure("", 0.0, 0.0).moved
    same = Report("", ("a", "b", "x"), [("p", "q", 1), ("p", "q", 2)])
    names = [figure.name for figure in remeasure.figures(same, same)]
    assert names == ["p, q: x", "p, q (2): x"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "steps is measured on walks, which is not in the package: a folder of walks.",
         "Give --data walks=FOLDER"),
        (["--data", "walks=nowhere"], "--data walks=nowhere: there is no such folder.", "NAME="),
        (["--only", "stpes"], "There is no table stpes.", "Known: steps; one, two; anew."),
        (["--only", "anew"], "ended with 3.", "See what it says"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_is_measured(mini, arguments, message, hint):
    with pytest.raises(Stop) as stop:
        remeasure.main(["mini", *arguments])
    assert message in stop.value.message
    assert hint in stop.value.hint


def test_a_faulty_list_of_commands_is_refused(mini):
    path = mini.folder / "measured/commands.toml"
    path.write_text(COMMANDS.replace('name = "steps"', 'nmae = "steps"'))
    with pytest.raises(Stop, match="nmae"):
        remeasure.read_commands(mini)
    path.write_text(COMMANDS.replace('name = "steps"\n', ""))
    with pytest.raises(Stop, match="has no name"):
        remeasure.read_commands(mini)
    path.unlink()
    with pytest.raises(Stop, match=re.escape("mini has no measured/commands.toml")):
        remeasure.read_commands(mini)


LISTED = [one for one in packages().values() if (one.folder / remeasure.COMMANDS).is_file()]


@pytest.mark.parametrize("package", LISTED, ids=lambda one: one.name)
def test_every_kept_table_has_its_command(package, capsys):
    assert remeasure.main([package.name, "--list"]) == 0
    tables, about = remeasure.read_commands(package)
    kept = {path.stem for path in package.folder.glob("measured/*.json")}
    assert {table.name for table in tables if table.name} == kept
    shown = "".join(path.read_text("utf-8") for path in package.folder.glob("*.md"))
    named = re.findall(rf"<!-- generated: evaluation {package.name} (.*) -->", shown)
    cards = {name for one in named for name in one.split()}
    assert {name for table in tables for name in table.card} == cards
    assert {name for table in tables for name in table.data} == about.keys()
    assert sum(table.minutes for table in tables if not table.needs) <= 15
    for table in tables:
        first, second, *_ = table.run.split()
        assert first == "groove" or (ROOT / second).is_file()
        assert not Path(first).is_absolute()
