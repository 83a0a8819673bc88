"""Attributes against slow, literal versions, and vectors of neighbours made for them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from groove_core.drums import DrumPattern
from groove_core.values import Melody
from music_vae.alphabets import drum_classes, melody_classes
from music_vae.attributes import ATTRIBUTES, attributes_of, measure, ranges_of, vectors_of

SCALES = [{(tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)} for tonic in range(12)]


def weight(step: int) -> int:
    """Return the weight of a step: how often 16 halves before it is met."""
    size, weight = 16, 0
    while step % size:
        size, weight = size // 2, weight - 1
    return weight


def slow_syncopation(begins: list[int], steps: int) -> float:
    total = 0
    for at, follower in zip(begins, [*begins[1:], steps], strict=False):
        between = [weight(step) for step in range(at + 1, follower)]
        total += max([other - weight(at) for other in between if other > weight(at)], default=0)
    return total / (steps / 16)


def slow_melody(row: list[int]) -> list[float]:
    begins = [step for step, event in enumerate(row) if event >= 2]
    pitches = [row[step] + 19 for step in begins]
    jumps = [abs(b - a) for a, b in itertools.pairwise(pitches)]
    inside = [sum(pitch % 12 in scale for pitch in pitches) for scale in SCALES]
    return [
        len(begins) / (len(row) / 16), slow_syncopation(begins, len(row)),
        sum(pitches) / len(pitches) if pitches else math.nan,
        sum(jumps) / len(jumps) if jumps else math.nan,
        max(inside) / len(pitches) if pitches else math.nan,
    ]  # fmt: skip


def slow_drums(row: list[int]) -> list[float]:
    hits = sum(bin(event).count("1") for event in row)
    begins = [step for step, event in enumerate(row) if event & 1 or event & 2]
    return [hits / (len(row) / 16), slow_syncopation(begins, len(row))]


@pytest.mark.parametrize(("voices", "slow"), [(["melody"], slow_melody), (["drums"], slow_drums)])
@pytest.mark.parametrize("steps", [16, 32, 256])
def test_attributes_are_their_literal_versions(events_of, voices, slow, steps):
    events = events_of(voices, 12, steps).numpy()
    events[1] = 0
    events[2, :, 3:] = 0
    events[3, :, ::2] = 0
    expected = np.array([slow(row.tolist()) for row in events[:, 0]])
    np.testing.assert_allclose(measure(events, voices), expected, rtol=1e-12)


def test_attributes_of_known_pieces():
    tune = Melody.from_text("M:4/4 L:1/16 " + "C4 - - - E4 - - - G4 - - - C5 - - - " * 2)
    late = Melody.from_text("M:4/4 L:1/16 " + ". . C4 - - - E4 - - - G4 - - - C#5 - " * 2)
    rows = np.stack([melody_classes(one.events) for one in (tune, late)])[:, None]
    first, second = measure(rows, ["melody"])
    # From C5 back to C4 is an octave; the other intervals are 4, 3 and 5 semitones.
    assert first.tolist() == [4, 0, 65.75, pytest.approx((2 * (4 + 3 + 5) + 12) / 7), 1]
    # An eighth early each: over the second and fourth beat by 1, over the middle of the bar by 2,
    # and into the next bar by 3; the last one ends with the piece.
    assert second[1] == pytest.approx((2 * (1 + 2 + 1) + 3) / 2)
    assert second[4] == pytest.approx(6 / 8)
    beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)
    assert measure(drum_classes(beat.hits)[None, None], ["drums"]).tolist() == [[12, 0]]


def test_a_trio_has_the_attributes_of_its_melody(events_of):
    trio = ["melody", "bass", "drums"]
    events = events_of(trio, 3, 256).numpy()
    assert attributes_of(trio) is ATTRIBUTES["melody"]
    np.testing.assert_array_equal(measure(events, trio), measure(events[:, :1], ["melody"]))


# --- vectors -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made():
    """Make neighbours of eight dimensions and three attributes, the last two of which go along."""
    rng = np.random.default_rng(0)
    e = rng.normal(size=(4000, 8))
    weights = rng.normal(size=(8, 3))
    weights[:, 2] += weights[:, 1]
    return torch.from_numpy(e), e @ weights + np.array([10.0, -3.0, 0.0]), weights


def test_vectors_are_the_regression_of_neighbours_on_attributes(made):
    e, values, _ = made
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    rows = np.linalg.lstsq(scaled, e.numpy(), rcond=None)[0]
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(e, values).numpy(), expected, atol=0.03)


def test_a_vector_moves_one_attribute_and_leaves_the_others(made):
    e, values, weights = made
    moves = vectors_of(e, values).double().numpy() @ weights / values.std(axis=0)
    assert (np.diag(moves) > 0.4).all()
    np.testing.assert_allclose(moves - np.diag(np.diag(moves)), 0, atol=0.05)


def test_pieces_without_a_number_do_not_count(made):
    e, values, _ = made
    spoilt = values.copy()
    spoilt[::2, 1] = np.nan
    torch.testing.assert_close(vectors_of(e, spoilt), vectors_of(e[1::2], values[1::2]))
    assert not vectors_of(e, np.full_like(values, np.nan)).any()


def test_what_does_not_vary_is_not_moved(made):
    e, values, _ = made
    still = values.copy()
    still[:, 1] = 7.0
    found = vectors_of(e, still)
    assert not found[1].any()
    assert found[[0, 2]].norm(dim=1).tolist() == pytest.approx([1, 1])


def test_ranges_leave_out_the_outer_hundredths():
    values = np.column_stack([np.arange(101.0), np.full(101, np.nan)])
    values[7, 0] = np.nan
    low, high = ranges_of(values)[0]
    assert (low, high) == pytest.approx((1, 99), abs=0.1)
    assert np.isnan(ranges_of(values)[1]).all()


def test_a_training_ends_with_the_ranges_of_what_was_learnt(learnt):
    model, windows = learnt
    assert model.attributes == ("density", "syncopation", "register", "interval", "scale")
    expected = ranges_of(measure(windows.events, windows.voices))
    np.testing.assert_allclose(model.attribute_ranges.numpy(), expected, rtol=2e-3)
