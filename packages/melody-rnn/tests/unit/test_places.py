"""Kinds of steps against a literal look at each, and their bits against the whole."""

from __future__ import annotations

import pytest

from groove_core.errors import InputError
from melody_rnn.evaluation import bits_of
from melody_rnn.lessons import Lesson
from melody_rnn.lines import HOLD, windows
from melody_rnn.places import kinds_of, placed


def literal_kinds(events: list[int], step: int) -> set[str]:
    """Name the kinds of one step by looking back bar by bar."""
    if events[step] == HOLD:
        return {"nothing happens"}
    beat = {0: "on the first beat", 4: "on another beat", 8: "on another beat",
            12: "on another beat"}.get(step % 16, "between beats")  # fmt: skip
    names = ("as one bar ago", "as two bars ago", *["as three or four bars ago"] * 2)
    for back, name in enumerate(names, 1):
        if step >= 16 * back and events[step - 16 * back] == events[step]:
            return {beat, name}
    return {beat, "as none of these"}


def test_kinds_are_those_of_a_literal_look(line_of):
    lines = [line_of(16 * n, lead=lead, seed=n) for n, lead in ((2, 0), (5, 12), (9, 0))]
    some = windows(lines, 160)
    found = kinds_of(some)
    for row, number in enumerate(some.line.tolist()):
        line = lines[number]
        events = line.events.tolist()
        for step in range(160):
            kinds = {name for name, which in found.items() if which[row, step]}
            inside = line.lead <= step < len(events)
            assert kinds == (literal_kinds(events, step) if inside else set())


def test_the_bits_of_all_kinds_are_all_bits(networks, tunes_of):
    lesson = Lesson(tunes_of(["train"] * 3 + ["test"] * 3, bars=8), "basic")
    report = placed({name: networks[name] for name in ("lookback", "transformer")}, lesson)
    lines, _ = lesson.part("test")
    for column, name in enumerate(("lookback", "transformer"), 1):
        bits, counts = bits_of(networks[name], lines)
        by_repeat = [row for row in report.rows if row[0].startswith(("as ", "nothing"))]
        by_place = [row for row in report.rows if not row[0].startswith("as ")]
        for rows in (by_repeat, by_place):
            assert sum(row[-1] for row in rows) == counts[:, 0].sum()
            total = sum(row[column].value * row[-1] for row in rows)
            assert total == pytest.approx(bits.sum(), rel=1e-5)


def test_nothing_to_measure_on(networks, tunes_of):
    with pytest.raises(InputError, match="No tune of the test split"):
        placed(networks, Lesson(tunes_of(["train"] * 3, bars=8), "basic"))
