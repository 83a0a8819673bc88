"""What benchmarks say of their rounds: the median, the range, and what they ran on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")

PATH = Path(__file__).parents[1] / "benchmarks" / "pairs.py"
spec = importlib.util.spec_from_file_location("pairs", PATH)
pairs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pairs)


@pytest.fixture
def clock(monkeypatch):
    """Let calls take as many seconds as they say."""
    now = [0.0]
    monkeypatch.setattr(pairs.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(pairs.time, "perf_counter", lambda: now[0])

    def lasting(*seconds: float):
        left = [*seconds]

        def run() -> None:
            now[0] += left.pop(0)

        return run

    return lasting


def test_ratios_are_of_neighbours_and_have_a_range(clock):
    # The first of each warms up.
    row = pairs.pair("a / b", clock(9, 1, 2, 4), clock(9, 4, 4, 40), 1, faster=True)
    assert row["times as fast"] == pairs.Estimate(4, 2, 10)
    assert row["ours, s"] == pairs.Estimate(2, 1, 4)
    row = pairs.pair("a / b", clock(9, 1, 2, 4), clock(9, 4, 4, 40), 3)
    assert row["times its time"] == pairs.Estimate(0.25, 0.1, 0.5)


def test_a_table_has_a_column_for_all_and_names_the_processor(clock, capsys):
    rows = [
        {"name": "one", "ours, s": pairs.times(clock(5, 1, 2, 3), 2)},
        {"name": "two", "MB": 7},
    ]
    pairs.show("Speed", rows, as_json=False)
    shown = capsys.readouterr().out
    assert "2.000 ±1.000" in shown
    assert "threads of torch" in shown
    report = pairs.table("Speed", rows)
    assert report.columns == ("", "ours, s", "MB")
    assert report.cell("one", "MB") is None
