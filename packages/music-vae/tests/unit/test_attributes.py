"""Attributes against slow, literal versions, and readings of codes made for them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from groove_core.drums import DrumPattern
from groove_core.values import Melody
from music_vae.alphabets import drum_classes, melody_classes
from music_vae.attributes import ATTRIBUTES, attributes_of, fit_readings, measure
from music_vae.evaluation import codes_of

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


@pytest.fixture(scope="module")
def made():
    """Make codes of eight dimensions that say three attributes, which hang together."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(8, 8))
    codes = rng.normal(size=(4000, 8)) @ mix
    weights = rng.normal(size=(8, 3))
    weights[:, 2] += weights[:, 0]
    values = codes @ weights + np.array([10.0, -3.0, 0.0]) + 0.1 * rng.normal(size=(4000, 3))
    return torch.from_numpy(codes), values


def test_readings_say_what_was_measured(made):
    codes, values = made
    readings = fit_readings(codes, values)
    np.testing.assert_allclose(readings.read(codes).numpy(), values, atol=0.6)
    low, high = readings.ranges.T.numpy()
    np.testing.assert_allclose(low, np.quantile(values, 0.01, axis=0), atol=0.5)
    np.testing.assert_allclose(high, np.quantile(values, 0.99, axis=0), atol=0.5)
    beyond = readings.beyond(codes).double().mean(dim=0)
    assert beyond.tolist() == pytest.approx([0.02] * 3, abs=0.002)


def test_steps_are_the_regression_of_codes_on_attributes(made):
    codes, values = made
    steps = fit_readings(codes, values).steps.numpy()
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    design = np.column_stack([scaled, np.ones(len(scaled))])
    rows = np.linalg.lstsq(design, codes.numpy(), rcond=None)[0][:3]
    inverse = np.linalg.inv(np.cov(codes.numpy().T))
    lengths = np.sqrt(np.einsum("ij,jk,ik->i", rows, inverse, rows))
    np.testing.assert_allclose(steps, rows / lengths[:, None], atol=0.06)


def test_a_step_moves_what_codes_say_of_one_attribute(made):
    """Where codes say all of it, the other readings stay."""
    codes, values = made
    readings = fit_readings(codes, values)
    moves = (readings.steps @ readings.weights.T).numpy() / values.std(axis=0)
    assert (np.diag(moves) > 0.15).all()
    np.testing.assert_allclose(moves - np.diag(np.diag(moves)), 0, atol=0.02)


def test_what_codes_hardly_say_does_not_lead_a_step_astray(made):
    """A fourth attribute is noise, with a trace of the first: its reading is that of the first."""
    codes, values = made
    noise = np.random.default_rng(1).normal(size=len(values)) * values[:, 0].std()
    more = np.column_stack([values, noise + 0.1 * values[:, 0]])
    first, again = (fit_readings(codes, some).steps[0] for some in (values, more))
    torch.testing.assert_close(again, first, atol=0.05, rtol=0)


def test_pieces_without_a_number_do_not_count(made):
    codes, values = made
    spoilt = values.copy()
    spoilt[::2, 1] = np.nan
    some, every = fit_readings(codes, spoilt), fit_readings(codes[1::2], values[1::2])
    torch.testing.assert_close(some.steps, every.steps)


def test_what_does_not_vary_is_not_moved(made):
    codes, values = made
    still = values.copy()
    still[:, 1] = 7.0
    readings = fit_readings(codes, still)
    assert not readings.steps[1].any()
    assert readings.steps[0].any()
    assert readings.read(codes)[:, 1].tolist() == pytest.approx([7.0] * len(codes))
    nothing = fit_readings(codes[:1], values[:1])
    assert not nothing.steps.any()


def test_a_training_ends_with_readings(learnt):
    model, windows = learnt
    assert model.attributes == ("density", "syncopation", "register", "interval", "scale")
    found = fit_readings(codes_of(model, windows.events), measure(windows.events, windows.voices))
    torch.testing.assert_close(model.readings.steps, found.steps.float(), atol=0.01, rtol=0.01)
    torch.testing.assert_close(model.readings.ranges, found.ranges.float(), atol=0.01, rtol=0.01)
    register = model.attributes.index("register")
    assert model.readings.steps[register].any()
    assert not model.readings.steps[model.attributes.index("density")].any()
