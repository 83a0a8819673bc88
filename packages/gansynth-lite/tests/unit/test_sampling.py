"""Notes for samplers: what is held, what fades, how loud, how dark and how in tune they are."""

from __future__ import annotations

import numpy as np
import pytest

from gansynth_lite import sampling

RATE = 16_000
T = np.arange(4 * RATE) / RATE


def tone(f0, *, decay=0.0, partials=20):
    """Make a tone of partials below 7 kHz, 6 dB softer for each octave."""
    numbers = [n for n in range(1, partials + 1) if n * f0 < 7000]
    sound = sum(np.sin(2 * np.pi * n * f0 * T + n) / n for n in numbers)
    return (0.2 * np.exp(-decay * T) * sound).astype(np.float32)


def level(sound):
    return 10 * np.log10(np.mean(np.square(sound)))


def repeated(note, seconds):
    """Play a looped note as a sampler does, one sample after the other."""
    at, (start, end) = np.arange(round(seconds * sampling.RATE)), note.loop
    return note.samples[np.where(at < end, at, start + (at - start) % (end - start))]


def test_what_sounds_on_is_held_and_in_tune():
    cents_sharp = 12.0
    wanted = 220 * 2 ** (cents_sharp / 1200)
    soft, hard = sampling.for_sampler([tone(wanted)], [57], RATE)
    assert (soft.velocity, hard.velocity) == (sampling.SOFT, 127)
    assert hard.tune == pytest.approx(-cents_sharp, abs=0.5)
    for one in (soft, hard):
        assert one.samples[0] == 0
        assert np.abs(one.samples).max() <= 10 ** (-1 / 20) + 1e-6
        held = repeated(one, 10)
        begin, *others = (level(held[at : at + 4410]) for at in range(22_050, 435_000, 4410))
        assert np.abs(np.array(others) - begin).max() < 0.5
        # A seam would be a jump: second differences are no larger there than anywhere.
        jumps = np.abs(np.diff(held, 2))
        before = jumps[4410 : one.loop[0]].max()
        assert jumps[one.loop[0] :].max() < 1.1 * before


def test_what_is_struck_fades_and_is_not_looped():
    for one in sampling.for_sampler([tone(220.0, decay=4.0)], [57], RATE):
        assert one.loop is None
        assert len(one.samples) / sampling.RATE == pytest.approx(66 / (4.0 * 8.686), rel=0.1)
        assert abs(one.samples[-1]) < 1e-6


def test_keys_are_equally_loud():
    notes = [tone(110.0), 0.05 * tone(220.0), tone(440.0, partials=2)]
    made = sampling.for_sampler(notes, [45, 57, 69], RATE)
    levels = [level(one.samples[20_000:40_000]) for one in made]
    assert np.ptp(levels) < 0.3


def test_softer_is_darker():
    sound = tone(200.0)
    darker = sampling.softened(sound, RATE, 200.0)
    whole = [np.abs(np.fft.rfft(one)) for one in (sound, darker)]
    step = len(T) // RATE
    for octave in range(5):
        at = 200 * 2**octave * step
        lost = 20 * np.log10(whole[1][at] / whole[0][at])
        assert lost == pytest.approx(octave * sampling.SOFT_DB, abs=0.1)


def test_partials_go_on_above_what_was_drawn():
    f0, rate = 250.0, sampling.RATE
    t = np.arange(3 * rate) / rate
    sound = sum(np.sin(2 * np.pi * n * f0 * t) / n for n in range(1, 29)).astype(np.float32)
    longer = sampling.extended(sound, rate, f0)
    before, after = (np.abs(np.fft.rfft(one)) / len(t) * 2 for one in (sound, longer))
    kept = slice(0, 3 * 7000)
    assert np.abs(before[kept] - after[kept]).max() < 1e-3
    for n in range(30, 64):  # up to 16 kHz, where they would have been
        near = after[round(3 * n * f0) - 3 : round(3 * n * f0) + 4].max()
        assert 20 * np.log10(near * n) == pytest.approx(0, abs=6)
    between = after[round(3 * 40.5 * f0) - 60 : round(3 * 40.5 * f0) + 60].max()
    assert between < 0.1 / 40


def test_a_dip_is_filled_and_a_swell_is_not():
    f0 = 400.0
    sound = np.sin(2 * np.pi * f0 * T[:RATE])
    dip = 1 - 0.8 * np.exp(-(((T[:RATE] - 0.06) / 0.012) ** 2))
    for envelope, changes in ((dip, True), (np.minimum(T[:RATE] / 0.25, 1), False)):
        made = sampling.filled((envelope * sound).astype(np.float32), RATE, f0)
        there = level(made[round(0.05 * RATE) : round(0.07 * RATE)])
        before = level((envelope * sound)[round(0.05 * RATE) : round(0.07 * RATE)])
        if changes:
            assert there > before + 6
            assert there == pytest.approx(level(sound), abs=2)
        else:
            assert np.abs(made - envelope * sound).max() < 0.02


@pytest.mark.parametrize("sound", [0 * T, T == 0, np.ones(len(T))])
def test_odd_sounds(sound):
    for one in sampling.for_sampler([sound.astype(np.float32)], [60], RATE):
        assert np.isfinite(one.samples).all()
        assert len(one.samples)
