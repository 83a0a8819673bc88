"""Start-up stays within its budget with everything installed, and what is heavy is found."""

from __future__ import annotations

import json
import os

import import_budget
import pytest
from import_budget import Import
from monorepo import ROOT, packages

PRINTED = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   encodings
import time:        50 |         50 |       torch._C
import time:       900 |        950 |     torch
import time:        40 |        990 |   mini.model
import time:        10 |       1000 | mini
a line of the program itself
"""


def test_importers_are_read_from_the_indents():
    encodings, inner, torch, model, mini = import_budget.parse(PRINTED)
    assert torch == Import("torch", 900, 950, ("mini.model", "mini"))
    assert inner.importers == ("torch", "mini.model", "mini")
    assert model.importers == encodings.importers == ("mini",)
    assert mini.importers == ()
    assert import_budget.forbidden([encodings, inner, torch, model, mini]) == [torch]
    assert next(import_budget.why([torch, mini])).endswith("torch < mini.model < mini")


def test_a_forbidden_import_is_found_with_who_asked(tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("import torch.nn")
    (tmp_path / "torch/nn.py").write_text("")
    (tmp_path / "mini.py").write_text("import helper")
    (tmp_path / "helper.py").write_text("import torch")
    found = import_budget.imports(("-c", "import mini"), str(tmp_path))
    [one] = import_budget.forbidden(found)
    assert one.name == "torch"
    assert one.importers == ("helper", "mini")


def test_no_start_imports_what_is_forbidden():
    for name, arguments in import_budget.silent(list(packages(ROOT))).items():
        assert import_budget.forbidden(import_budget.imports(arguments)) == [], name


def test_ten_more_plugins_are_found_and_start_up_stays_within_its_budget(tmp_path):
    path = str(import_budget.make_crowd(tmp_path, 10))
    listed = json.loads(
        import_budget.python("-m", "groove_core", "plugins", "--json", path=path).stdout
    )
    names = {row["name"] for row in listed["plugins"] if row["status"] == "ok"}
    assert {f"groove-crowd-{i}" for i in range(10)} < names
    assert set(packages(ROOT)) - {"groove-core"} < names
    wanted = import_budget.starts(["drum-space", "groove-core"])
    for _ in range(3):  # a machine that is busy shows more than there is, never less
        rows = import_budget.measure(wanted, runs=3, path=path)
        if all(row.ok for row in rows):
            break
    assert [row for row in rows if not row.ok] == []


def test_help_does_not_look_at_plugins(tmp_path):
    """A plugin that cannot be imported costs `groove --help` nothing."""
    path = import_budget.make_crowd(tmp_path, 1)
    (path / "groove_crowd_0/plugin.py").write_text("raise SystemExit('looked at')")
    import_budget.python("-m", "groove_core", "--help", path=str(path))


@pytest.mark.skipif(os.name == "nt", reason="no processor time of children there")
def test_the_table_and_the_document(capsys, monkeypatch):
    rows = [import_budget.Row("groove --help", 0.1, "bare --help", 3.0, 2.5)]
    monkeypatch.setattr(import_budget, "measure", lambda *_, **__: rows)
    monkeypatch.setattr(import_budget, "imports", lambda *_: import_budget.parse(PRINTED))
    assert import_budget.main(["drum-space", "--check", "--why"]) == 1
    shown = capsys.readouterr().out
    assert "BAD groove --help" in shown
    assert "BAD import drum_space imports torch < mini.model < mini" in shown
    assert import_budget.main(["drum-space", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["times"][0]["ok"] is False
    assert document["forbidden"]["import drum_space"][0]["name"] == "torch"
