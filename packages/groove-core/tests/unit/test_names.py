"""Names of files are data: in tables, pages, pictures and terminals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from groove_core.console import displayed
from groove_core.storage import files, tables
from groove_core.values.results import Codes, Report

NAME = '=1+1</script><!--<script>"\x1b[2J\u202e\udcff.wav'


def test_names_in_tables():
    rows = [[NAME, -0.5], ["-2", "'=x"], ["@a", "\ta"]]
    text = tables.csv_text(rows)
    cells = [cell for line in text.splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell.lstrip('"')[:1] in "=+@\t"]
    assert [tables.unescaped(cell) for cell in cells[2:]] == ["-2", "'=x", "@a", "\ta"]


def test_labels_come_back(tmp_path):
    codes = Codes(np.eye(4), ("=1+1", "'=1", "-2", "a,b"), "net")
    assert Codes.read(codes.save(tmp_path / "a.csv")) == codes


def test_names_in_scripts():
    text = files.in_script({"name": NAME})
    assert "<" not in text
    assert json.loads(text) == {"name": NAME}


def test_names_in_a_terminal():
    shown = displayed(NAME + "\r\x9b1A\x07\tJosé\n")
    assert shown.endswith("\\r\\x9b1A\\x07\tJosé\n")
    assert not any(one in shown for one in "\x1b\u202e\r\x9b\x07")


def test_names_in_markdown():
    report = Report("names", ("name",), (("a|b\n<script>alert(1)</script> < 1",),))
    assert report.to_markdown().splitlines()[-1] == (
        "| a\\|b &lt;script>alert(1)&lt;/script> < 1 |"
    )


def test_names_in_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    report = Report("$\\frac{$ \x1b[2J", ("name", "n"), (("$\\bad$", 1),))
    assert report.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
