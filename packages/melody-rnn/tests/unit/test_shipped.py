"""The shipped networks: whole, small, and with the numbers that they had when they came."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

import melody_rnn
from groove_core.learning import PARTS
from groove_core.storage import checkpoints
from groove_core.tunes import TuneSet
from groove_core.values import Report
from melody_rnn.evaluation import bits_of, measured
from melody_rnn.lessons import Lesson
from melody_rnn.loading import NETWORKS, load
from melody_rnn.tunes import shipped

GOLDEN = Path(__file__).parents[1] / "golden/networks.json"
WEIGHTS = Path(melody_rnn.__file__).parent / "weights"
KNOWN: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text())
CORPORA = ("pop909", "open-hymnal")
LINES = 4
"""Melodies of each corpus whose bits are golden numbers."""
MEGABYTES = 4
SMALL = "simutrans-midi"
"""The corpus on which the figures of the cards are measured again."""
every_network = pytest.mark.parametrize("name", sorted(KNOWN))


@functools.cache
def lesson() -> Lesson:
    """Return some test tunes: the first ones of each corpus, and all of the small one."""
    tunes = shipped()
    chosen = [
        number
        for corpus in (*CORPORA, SMALL)
        for number in [i for i in tunes.parts["test"].tolist() if tunes.heads[i].corpus == corpus]
        [: None if corpus == SMALL else LINES]
    ]  # fmt: skip
    return Lesson(TuneSet.of([tunes.tune(number) for number in chosen]), "basic")


def numbers(name: str) -> dict[str, Any]:
    """Return what a network writes, and the bits that it gives."""
    network, card = load(name, None, "cpu")
    found: dict[str, Any] = {"sha256": card["sha256"]}
    for corpus in CORPORA:
        bits, counts = bits_of(network, lesson().part("test", corpus=corpus)[0][:LINES])
        found[corpus] = [round(b / n, 5) for b, n in zip(bits, counts[:, 1], strict=True)]
    [take] = melody_rnn.sample(model=name, bars=4, count=1, seed=1, device="cpu")
    found["sample"] = take.to_text()
    return found


@every_network
def test_the_numbers_of_a_network(name):
    """The seventh digit of a logit may be another one on another processor."""
    found, known = numbers(name), KNOWN[name]
    assert found["sha256"] == known["sha256"], "other weights: see tests/golden/README.md"
    for corpus in CORPORA:
        assert found[corpus] == pytest.approx(known[corpus], abs=2e-3)
    assert found["sample"] == known["sample"]


@every_network
def test_a_card_says_what_is_measured(name):
    network, card = load(name, None, "cpu")
    told = Report.from_json(card["metrics"]["report"])
    [row] = [row for row in told.rows if row[1] == SMALL]
    some = Lesson(lesson().tunes, name)
    [again] = [r for r in measured(network, some, name).rows if r[1] == SMALL]
    assert again[4] == row[4]
    for now, then in zip(again[2:4], row[2:4], strict=True):
        assert now.value == pytest.approx(then.value, abs=2e-3)


@every_network
def test_a_network_is_whole_small_and_licensed(name):
    card = checkpoints.verify(WEIGHTS / name)
    size = sum(path.stat().st_size for path in (WEIGHTS / name).iterdir())
    assert size < MEGABYTES * 1e6
    assert card["license"] == "MIT"
    assert card["data"]["name"] == "melody-tunes"
    assert card["metrics"]["split"] == "test"


def test_all_that_is_shipped_is_known():
    assert {path.name for path in WEIGHTS.iterdir()} == set(KNOWN) == set(NETWORKS)


def test_they_learnt_from_the_published_parts():
    """So what `evaluate` measures them on is the published test split, and all of it."""
    cards = [load(name, None, "cpu")[1] for name in KNOWN]
    found = shipped().as_learnt(cards)
    assert {part: found.parts[part].tolist() for part in PARTS} == {
        part: shipped().parts[part].tolist() for part in PARTS
    }


def test_the_transformer_knows_more_than_the_best_original():
    bits = {name: sum(KNOWN[name][CORPORA[0]]) for name in KNOWN}
    assert min(bits, key=lambda name: bits[name]) == "transformer"


if __name__ == "__main__":
    made = {name: numbers(name) for name in reversed(NETWORKS)}
    GOLDEN.write_text(json.dumps(made, indent=2) + "\n")
