"""Pitch by measurement: tones whose fundamental is known, and librosa's YIN."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch

from gansynth_lite.pitch import aperiodicity, cents, detect_f0, hz, note_name, parse_note_name
from groove_core.errors import UsageError

RATE = 16_000
PITCHES = torch.arange(24, 85)
SPECTRA = {
    "sine": [1.0],
    "sawtooth": [1 / k for k in range(1, 41)],
    "square": [k % 2 / k for k in range(1, 41)],
    "weak fundamental": [0.05, 1.0, 0.7, 0.5, 0.4],
    "no fundamental": [0.0, *(1 / k for k in range(2, 20))],
    "weak odd partials": [0.3, 1.0, 0.15, 0.5, 0.1, 0.3],
    "flat": [1.0] * 30,
}


def tone(f0_hz, partials, seconds=1.0, decay=0.0, rate=RATE):
    """Sum partials below half of the rate, each with a phase of its own."""
    time_s = torch.arange(int(seconds * rate)) / rate
    made = torch.zeros_like(time_s)
    for number, level in enumerate(partials, 1):
        if number * f0_hz < 0.49 * rate:
            made += level * torch.sin(2 * math.pi * number * f0_hz * time_s + number**2)
    return made * torch.exp(-decay * time_s)


@pytest.mark.parametrize("name", SPECTRA)
def test_every_pitch_is_measured_within_two_cents(name):
    tones = torch.stack([tone(hz(float(pitch)), SPECTRA[name]) for pitch in PITCHES])
    # Half a cent is what is found; parabolas through few points of a sine err by more.
    assert cents(detect_f0(tones, RATE), PITCHES).abs().max() < 2


def test_detuned_notes_measure_as_detuned():
    tones = torch.stack([tone(hz(p + 0.3), SPECTRA["sawtooth"]) for p in (30.0, 57.0, 80.0)])
    off = cents(detect_f0(tones, RATE), torch.tensor([30, 57, 80]))
    torch.testing.assert_close(off, torch.full((3,), 30.0), atol=1.0, rtol=0)


def test_short_decays_noise_and_vibrato_do_not_matter():
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(RATE) / RATE
    noise = torch.randn(RATE, generator=generator)
    notes = torch.stack(
        [
            tone(220.0, [1, 0.5, 0.3], decay=20),
            tone(220.0, [1, 0.5, 0.3]) + 0.1 * noise,
            torch.sin(2 * math.pi * 220 * time_s + 2 * torch.sin(2 * math.pi * 5 * time_s)),
            torch.cat([torch.zeros(RATE // 2), tone(220.0, [1, 0.5], seconds=0.5)]),
            1e-3 * tone(220.0, [1, 0.5]) + 0.5,  # far from zero
        ]
    )
    assert (1200 * torch.log2(detect_f0(notes, RATE) / 220)).abs().max() < 15


def test_the_attack_is_not_looked_at():
    note = tone(220.0, [1, 0.5])
    note[:800] = 3 * tone(310.0, [1, 0.5])[:800]
    assert detect_f0(note[None], RATE).item() == pytest.approx(220, abs=0.3)


def test_what_has_no_pitch_in_the_range_has_none():
    noise = torch.randn(8, RATE, generator=torch.Generator().manual_seed(1))
    assert detect_f0(noise, RATE).isnan().all()
    assert detect_f0(torch.zeros(2, RATE), RATE).isnan().all()
    assert detect_f0(torch.ones(1, RATE), RATE).isnan().all()
    high = tone(2_093.0, [1.0])[None]
    assert detect_f0(high, RATE).isnan().all()
    assert detect_f0(high, RATE, high_hz=4_000).item() == pytest.approx(2_093, rel=1e-3)
    assert detect_f0(torch.zeros(0, RATE), RATE).shape == (0,)


def test_integers_other_rates_and_short_notes_are_fine():
    one = tone(110.0, [1, 0.5], rate=44_100)
    assert detect_f0((20_000 * one).to(torch.int16)[None], 44_100).item() == pytest.approx(
        110, abs=0.1
    )
    assert detect_f0(tone(440.0, [1, 0.5], seconds=0.1)[None], RATE).item() == pytest.approx(
        440, abs=1
    )


def test_notes_do_not_depend_on_their_neighbours():
    tones = torch.stack([tone(hz(float(p)), SPECTRA["flat"], decay=3) for p in range(30, 40)])
    each = torch.cat([detect_f0(one[None], RATE) for one in tones])
    torch.testing.assert_close(detect_f0(tones, RATE), each, rtol=1e-5, atol=0)


def test_a_range_that_is_none_is_refused():
    with pytest.raises(UsageError, match="No pitch can be found"):
        detect_f0(torch.zeros(1, RATE), RATE, low_hz=500, high_hz=100)
    with pytest.raises(UsageError, match="No pitch can be found"):
        detect_f0(torch.zeros(1, RATE), RATE, high_hz=5_000)


@pytest.mark.slow  # numba compiles it
@pytest.mark.parametrize("pitch", [28, 45, 62, 79])
def test_librosa_s_yin_agrees(pitch):
    note = tone(hz(pitch + 0.1), SPECTRA["sawtooth"], decay=1)
    theirs = librosa.yin(note.numpy(), fmin=25, fmax=1200, sr=RATE, frame_length=2048)
    mine = detect_f0(note[None], RATE).item()
    # Theirs has parabolas at one period only, of a few samples at high pitches: 10 cents.
    assert abs(1200 * math.log2(mine / np.median(theirs))) < 10


def test_aperiodicity_is_low_at_periods_only():
    note = tone(220.0, SPECTRA["sawtooth"])[None]
    found = {f0: aperiodicity(note, RATE, torch.tensor([f0])).item() for f0 in (220, 110, 150, 440)}
    assert found[220] < 0.01
    assert found[110] < 0.01  # two periods are a period, too
    assert found[150] > 0.5
    assert found[440] > 0.2
    assert aperiodicity(note[:0], RATE, torch.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("C4", 60), ("A#3", 58), ("Bb2", 46), ("C-1", 0), ("Fs4", 66), ("Dsharp3", 51),
        ("G9", 127), ("eb5", 75), ("Eflat5", 75), ("B♭2", 46), ("F♯4", 66), ("Cb4", 59),
        ("G#9", None), ("Cb-1", None), ("H4", None), ("C", None), ("4", None), ("C44", None),
    ],
)  # fmt: skip
def test_names_of_notes(name, pitch):
    assert parse_note_name(name) == pitch


def test_names_and_numbers_are_inverse():
    assert [parse_note_name(note_name(pitch)) for pitch in range(128)] == list(range(128))


def test_frequencies_and_cents_are_inverse():
    assert hz(69) == 440
    off = cents(hz(PITCHES.double() + 0.25), PITCHES)
    torch.testing.assert_close(off, torch.full_like(off, 25.0))
