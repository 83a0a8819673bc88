"""Envelopes of recorded notes: measured, stored, and told in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansynth_lite.encoded import Instruments
from gansynth_lite.envelope import (
    ATTACK_S,
    BODY,
    HARMONICS,
    SIZE,
    TIMES_S,
    _weights,
    fine_levels,
    finished,
    measured,
)
from gansynth_lite.holding import frames_of
from gansynth_lite.layout import LAYOUTS
from gansynth_lite.likeness import Heard, Likeness
from groove_core.errors import InputError
from groove_core.values import Audio, Codes, Value

SMALL = LAYOUTS["small"]
RATE = SMALL.sample_rate


def tone(pitch: float, *, fall_db: float = 0.0, rise_s: float = 0.0, samples: int = SMALL.samples):
    """Make a note that falls by some dB a second, its upper partials twice as fast."""
    time_s = torch.arange(samples) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(
        (2 * torch.pi * k * f0 * time_s).sin() / k * 10 ** (-fall_db * (1 + (k > 4)) * time_s / 20)
        for k in range(1, 9)
    )
    return 0.3 * sound * (time_s / rise_s).clamp(max=1) if rise_s else 0.3 * sound


def test_weights_are_those_of_straight_lines():
    knots, at = torch.tensor([0.0, 1.0, 4.0, 5.0]), torch.linspace(-1, 7, 33)
    values = torch.tensor([3.0, -2.0, 5.0, 1.0])
    expected = np.interp(at.numpy(), knots.numpy(), values.numpy())
    assert np.allclose((values @ _weights(knots, at)).numpy(), expected, atol=1e-5)


def test_a_steady_note_becomes_one_that_falls():
    """An organ is drawn, a piano was recorded; played at another pitch, it falls as much."""
    organ, piano = tone(57), tone(57, fall_db=20, rise_s=0.03)
    envelope = measured(
        SMALL.to_pictures(organ[None])[0], piano, SMALL, 57.0, end_s=SMALL.duration_s
    )[None]
    frames = frames_of(SMALL.samples, SMALL)
    for pitch in (57, 61):
        pictures = SMALL.to_pictures(tone(pitch)[None])
        made = finished(
            pictures, SMALL, frames, hold=True, pitches=torch.tensor([float(pitch)]),
            envelopes=envelope,
        )[0, : SMALL.samples]  # fmt: skip
        wanted = tone(pitch, fall_db=20, rise_s=0.03)
        real, heard = (fine_levels(one, RATE, pitch) for one in (wanted, made))
        away = (heard - heard[100:200].mean()) - (real - real[100:200].mean())
        assert away[5:450].abs().max() < 3
        assert away[20:450].square().mean().sqrt() < 1


def test_without_an_envelope_a_note_is_as_drawn():
    pictures = SMALL.to_pictures(tone(57)[None])
    for size in (0, SIZE):
        made = finished(
            pictures, SMALL, SMALL.frames, hold=False, pitches=torch.tensor([57.0]),
            envelopes=torch.zeros(1, size),
        )  # fmt: skip
        assert torch.equal(made, SMALL.to_samples(pictures))


def test_behind_what_was_recorded_it_goes_on_falling():
    """A note of a second that falls 20 dB in it: after four, it has fallen by the most there is."""
    organ, piano = tone(57), tone(57, fall_db=20)
    envelope = measured(
        SMALL.to_pictures(organ[None])[0], piano, SMALL, 57.0, end_s=SMALL.duration_s
    )
    body = envelope[:BODY].reshape(len(HARMONICS), len(TIMES_S))[0]
    at = torch.tensor(TIMES_S)
    slope = (body[at > 1.2][0] - body[at > 0.3][0]) / (at[at > 1.2][0] - at[at > 0.3][0])
    assert slope == pytest.approx(-20, abs=3)
    assert (torch.diff(body[5:]) <= 0.5).all()


def test_instruments_come_back_from_a_file_and_become_codes(tmp_path):
    rng = np.random.default_rng(0)
    envelopes = 5 * rng.normal(size=(2, SIZE))
    points = rng.normal(size=(2, 16))
    value = Instruments(points, envelopes, ("a", "b"), "notes", ("C4, near", "D4, near"))
    again = Instruments.read(value.save(tmp_path / "two.json"))
    assert again == value
    assert np.abs(again.envelopes - envelopes).max() <= 0.005
    assert again.to_text() == "a: C4, near\nb: D4, near"
    codes = Codes.read(tmp_path / "two.json")
    assert np.array_equal(codes.points, points)
    assert codes.labels == ("a", "b")
    newer = (tmp_path / "two.json").read_text().replace('"format": 1', '"format": 2')
    (tmp_path / "newer.json").write_text(newer)
    with pytest.raises(InputError, match="format"):
        Instruments.read(tmp_path / "newer.json")
    with pytest.raises(Exception, match="finite numbers"):
        Instruments(points, envelopes[:, 1:])
    assert isinstance(value, Value)


def test_what_is_heard_is_told_in_words():
    real = tone(60, fall_db=20, rise_s=0.02, samples=4 * RATE)
    heard = Heard.of(real, RATE, 60)
    assert heard.cents == pytest.approx(0, abs=1)
    assert heard.attack_s == pytest.approx(0.014, abs=0.01)
    assert heard.falls_db[0] == pytest.approx(-19, abs=2)
    assert heard.falls_db[1] == pytest.approx(-57, abs=4)
    same = Likeness.of(real, real, RATE, 60.0, 3.0)
    assert same.words().startswith("C4, very near (0.0 dB apart): in tune, attack as recorded")
    assert np.isnan(same.real.falls_db[1])  # it is held for less
    other = Likeness.of(real, tone(60.3, rise_s=0.2, samples=4 * RATE), RATE, 60.0)
    words = other.words()
    for part in ("far from it", "30 cents sharp", "attack slower", "(recorded -", "brighter"):
        assert part in words
    assert len(ATTACK_S) + BODY == SIZE
    assert Audio(real.numpy(), RATE).duration_s == 4
