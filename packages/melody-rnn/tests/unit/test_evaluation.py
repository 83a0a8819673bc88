"""Bits of events against a literal sum, the controls, and what the right side of a gap tells."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from melody_rnn import evaluation
from melody_rnn.conditions import conditions_of, opened
from melody_rnn.encodings import told
from melody_rnn.evaluation import bits_of, compared, filled, measured, per
from melody_rnn.lessons import Lesson
from melody_rnn.lines import CLASSES, HOLD, windows
from melody_rnn.recurrent import Recurrent
from melody_rnn.transformer import UNKNOWN, Transformer

NAMES = ["basic", "lookback", "attention", "transformer"]


@pytest.fixture
def lines(line_of):
    """Lines of four lengths, one of them with a pickup."""
    return [line_of(16 * n, lead=lead, seed=n) for n, lead in ((2, 0), (5, 12), (3, 0), (9, 0))]


def literal_bits(network, line) -> float:
    """Add the bits of one line of up to 512 steps, step by step."""
    some = windows([line], len(line))
    events = torch.from_numpy(some.events)
    with torch.no_grad():
        if isinstance(network, Recurrent):
            rows = network(torch.from_numpy(told(network.encoding, some.events)))[0]
        else:
            rows = network(events, opened(conditions_of(some, "cpu")))
    chances = rows.double().softmax(dim=-1)[0].tolist()
    total = 0.0
    for step, event in enumerate(line.events.tolist()):
        p = chances[step][event]
        for number in range(len(chances[step]) - CLASSES):  # "as one bar ago", "as two bars ago"
            before = step - 16 * (number + 1)
            p += chances[step][CLASSES + number] * (
                event == (line.events[before] if before >= 0 else HOLD)
            )
        if step >= line.lead:
            total -= math.log2(p)
    return total


@pytest.mark.parametrize("name", NAMES)
def test_bits_are_the_literal_sum_of_each_line(networks, lines, name):
    bits, counts = bits_of(networks[name], lines)
    wanted = [literal_bits(networks[name], line) for line in lines]
    np.testing.assert_allclose(bits, wanted, rtol=1e-5)
    assert counts[:, 0].tolist() == [32, 68, 48, 144]
    events = [int((line.events[line.lead :] != HOLD).sum()) for line in lines]
    assert counts[:, 1].tolist() == events


@pytest.mark.parametrize("name", NAMES)
def test_batches_change_nothing(networks, lines, name, monkeypatch):
    whole = bits_of(networks[name], lines)
    monkeypatch.setattr(evaluation, "BATCH", 2)
    backwards = bits_of(networks[name], lines[::-1])
    np.testing.assert_allclose(backwards[0][::-1], whole[0], rtol=1e-6)
    assert np.array_equal(backwards[1][::-1], whole[1])


@pytest.mark.parametrize("bar", [16, 12])
def test_long_lines_are_measured_piece_by_piece(networks, line_of, bar):
    """Nothing is lost or counted twice at the edges, which are bar lines."""
    size = 512 // bar * bar
    line = line_of(2 * size + 3 * bar, bar=bar, lead=5)
    pieces = [line_of(line.events[:size], bar=bar, lead=5)]
    pieces += [line_of(line.events[at : at + size], bar=bar) for at in (size, 2 * size)]
    [bits], [counts] = bits_of(networks["transformer"], [line])
    each, counted = bits_of(networks["transformer"], pieces)
    assert bits == pytest.approx(each.sum(), rel=1e-6)
    assert counts.tolist() == counted.sum(axis=0).tolist()
    assert counts[0] == len(line) - 5


def test_what_is_conditioned_on_is_metre_and_mode_only(network, line_of):
    """Density, register and chords come from what is measured: nobody may tell them."""
    from dataclasses import replace

    line = line_of(64)
    told_chords = replace(line, root=np.full(64, 4), chord=np.full(64, 0b10010001))
    assert bits_of(network, [told_chords])[0] == bits_of(network, [line])[0]
    assert bits_of(network, [replace(line, mode=1)])[0] != bits_of(network, [line])[0]


# --- intervals -------------------------------------------------------------------------------


def test_per_divides_sums_and_draws_owners():
    bits, counts = np.array([1.0, 3.0, 8.0]), np.array([1.0, 1.0, 2.0])
    found = per(bits, counts, [7, 7, 4])  # 2 and 4 bits each
    assert found.value == 3
    assert (found.low, found.high) == (2, 4)
    one = per(bits, counts, [1, 1, 1])
    assert (one.low, one.value, one.high) == (3, 3, 3)


# --- controls --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lesson(tunes_of):
    return Lesson(tunes_of(["train"] * 5 + ["validation"] * 2 + ["test"] * 3, bars=8), "basic")


def test_controls_are_what_counting_knows(networks, lesson):
    report = compared({"tiny": networks["basic"]}, lesson)
    rows = {row[0]: row for row in report.rows}
    assert list(rows)[:2] == ["equal chances", "frequencies"]
    assert list(rows)[2] == "n-grams"
    assert list(rows)[3:] == ["tiny"]
    assert {(row[1], row[4]) for row in report.rows} == {("mine", 3)}
    chance = rows["equal chances"][2]
    assert (chance.low, chance.value, chance.high) == pytest.approx([math.log2(38)] * 3)
    learnt = np.concatenate([line.events for line in lesson.lines])
    counts = Counter(learnt.tolist())
    kinds, total = len(counts), len(learnt)
    test, _ = lesson.part("test")
    events = np.concatenate([line.events for line in test])
    p = np.array([(counts[e] + kinds / CLASSES) / (total + kinds) for e in events.tolist()])
    steps, notes = rows["frequencies"][2:4]
    assert steps.value == pytest.approx(-np.log2(p).mean())
    assert notes.value == pytest.approx(-np.log2(p).sum() / (events != HOLD).sum())
    assert rows[list(rows)[2]][2].value < steps.value < chance.value


def test_a_network_is_measured_alone_on_each_corpus(networks, lesson, tunes_of):
    from groove_core.tunes import TuneSet

    more = tunes_of(["test", "train"], corpus="theirs", seed=3)
    sets = [lesson.tunes, more]
    both = TuneSet.of([one.tune(i) for one in sets for i in range(len(one))])
    report = measured(networks["basic"], Lesson(both, "basic"), "tiny")
    assert [row[:2] for row in report.rows] == [("tiny", "mine"), ("tiny", "theirs")]
    alone = measured(networks["basic"], Lesson(more, "basic"), "tiny")
    assert alone.rows == report.rows[1:]


def test_without_a_test_tune_it_is_said(networks, tunes_of):
    with pytest.raises(InputError, match="No tune of the test split"):
        measured(networks["basic"], Lesson(tunes_of(["train"]), "basic"), "tiny")
    three = tunes_of(["train", "test"], metre=(3, 4))
    with pytest.raises(InputError, match="No tune of the test split"):
        measured(networks["basic"], Lesson(three, "basic"), "tiny")


# --- filling ---------------------------------------------------------------------------------


class Copier(Transformer):
    """Sing what stands two bars later, if it is given; else everything alike."""

    def __init__(self, later: int) -> None:
        super().__init__(size=32, heads=2, layers=1, encoder_layers=1)
        self.later, self.seen = later, []

    def forward(self, events, on, given=None):
        logits = torch.zeros(*events.shape, CLASSES)
        if given is None:
            return logits
        self.seen.append(given)
        source = torch.full_like(given, UNKNOWN)
        source[:, : given.shape[1] - self.later] = given[:, self.later :]
        known = source < CLASSES
        sung = torch.nn.functional.one_hot(source.clamp(max=CLASSES - 1), CLASSES)
        return logits + 60 * sung * known[..., None]


@pytest.fixture(scope="module")
def periodic(tunes_of):
    """Tunes of sixteen bars which repeat their first two."""
    from dataclasses import replace

    from groove_core.tunes import TuneSet

    tunes = tunes_of(["train", "test", "test"])
    made = []
    for number in range(len(tunes)):
        tune = tunes.tune(number)
        [sheet] = tune.melodies
        notes = np.array([[at, 2, sheet.notes[i % 16, 2], 80] for i, at in
                          enumerate(sheet.notes[:, 0])])  # fmt: skip
        made.append(replace(tune, melodies=(replace(sheet, notes=notes),)))
    return Lesson(TuneSet.of(made), "basic")


def test_both_sides_know_the_right_side(periodic):
    """Of 32 hidden steps with 16 notes, which all stand behind the gap."""
    report = filled(Copier(32), None, periodic)
    [row] = report.rows
    corpus, left, both, gain, tunes = row
    assert (corpus, tunes) == ("mine", 2)
    assert left.value == pytest.approx(math.log2(38) * 32 / 16)
    assert both.value == pytest.approx(0, abs=1e-9)
    assert gain.value == pytest.approx(1)


def test_the_gap_itself_is_not_given(periodic):
    """What reads the step itself knows nothing in the gap, and all outside, which is left out."""
    network = Copier(0)
    [row] = filled(network, None, periodic).rows
    assert row[1].value == row[2].value == pytest.approx(math.log2(38) * 2)
    assert row[3].value == pytest.approx(0, abs=1e-9)
    [given] = network.seen
    test, _ = periodic.part("test")
    for row, line in zip(given.tolist(), test, strict=True):
        wanted = line.events.tolist()
        wanted[7 * 16 : 9 * 16] = [UNKNOWN] * 32
        assert row == wanted + [UNKNOWN] * (len(row) - len(wanted))


def test_another_network_stands_beside_it(network, networks, periodic):
    report = filled(network, networks["basic"], periodic)
    [row] = report.rows
    assert report.columns[3] == "basic"
    test, _ = periodic.part("test")
    nats = evaluation.nats_of(networks["basic"], windows(test, 256))[:, 7 * 16 : 9 * 16]
    assert row[3].value == pytest.approx(nats.sum() / math.log(2) / 32, rel=1e-5)


def test_tunes_too_short_to_hide_bars_of(network, tunes_of):
    with pytest.raises(InputError, match="No test tune has 8 bars"):
        filled(network, None, Lesson(tunes_of(["test"], bars=7), "basic"))
    assert filled(network, None, Lesson(tunes_of(["test"], bars=8), "basic")).rows
