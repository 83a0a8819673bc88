"""Notes of a soundfont: the one that comes with pretty_midi."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansynth_lite import rendered
from gansynth_lite.families import FAMILIES
from gansynth_lite.notes import FULL_SCALE
from gansynth_lite.pitch import cents, detect_f0, hz
from gansynth_lite.rendered import render_notes
from gansynth_lite.sources import open_notes
from groove_core.errors import InputError
from groove_core.render import find_soundfont
from groove_core.storage import Cache
from groove_core.values import Audio

RATE, SAMPLES = 16_000, 15_616


def off_by(notes):
    f0 = detect_f0(torch.from_numpy(np.array(notes.samples)), notes.sample_rate)
    return cents(f0, torch.from_numpy(notes.pitches))


@pytest.fixture(scope="module")
def notes():
    return render_notes(
        find_soundfont(), samples=SAMPLES, low=57, high=59, velocities=(50, 127),
        programs=[0, 73, 127], jobs=1,
    )  # fmt: skip


def test_every_pitch_and_velocity_of_every_melodic_program_is_there(notes):
    assert notes.samples.shape == (12, SAMPLES)
    assert notes.pitches.tolist() == [57, 58, 59] * 4
    assert notes.velocities.tolist() == ([50] * 3 + [127] * 3) * 2
    assert notes.instrument_names == (
        "000-Acoustic Grand Piano v50", "000-Acoustic Grand Piano v127",
        "073-Flute v50", "073-Flute v127",
    )  # fmt: skip
    assert notes.instruments.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert [FAMILIES[i] for i in notes.families] == ["keyboard"] * 6 + ["flute"] * 6
    assert notes.counts()["families"] == {"flute": 6, "keyboard": 6}
    assert (notes.source, notes.name) == ("soundfont", "TimGM6mb.sf2")


def test_notes_sound_as_written(notes):
    assert off_by(notes).abs().max() < 50


def test_notes_are_scaled_start_at_once_and_end_in_silence(notes):
    level = np.abs(notes.samples.astype(int))
    assert (level.max(axis=1) == FULL_SCALE).all()
    onset = (level > 0.02 * FULL_SCALE).argmax(axis=1)
    assert (onset[:6] < 0.01 * RATE).all()  # a piano's
    assert (level[:, -1] < 0.01 * FULL_SCALE).all()


def test_a_note_is_held_for_three_quarters(notes):
    flute = notes.samples[6:].astype(float)
    level = np.sqrt(np.square(flute[:, : SAMPLES // 16 * 16]).reshape(6, 16, -1).mean(axis=2))
    assert (level[:, 11] > 0.5 * level.max(axis=1)).all()
    assert (level[:, 15] < 0.1 * level.max(axis=1)).all()


def test_processes_and_cache_give_the_same(tmp_path, monkeypatch):
    options = {"samples": SAMPLES, "low": 60, "high": 60, "velocities": (100,), "programs": [0, 73]}
    cache = Cache(tmp_path)
    one = render_notes(find_soundfont(), jobs=2, cache=cache, **options)
    two = render_notes(find_soundfont(), jobs=1, **options)
    np.testing.assert_array_equal(one.samples, two.samples)
    monkeypatch.setattr(rendered, "_rendered", None)
    three = render_notes(find_soundfont(), cache=cache, **options)
    np.testing.assert_array_equal(three.samples, two.samples)
    assert three.counts() == two.counts()
    assert three.instrument_names == two.instrument_names


def test_a_soundfont_opens_as_notes():
    made = open_notes(
        find_soundfont(), samples=SAMPLES, low=60, high=60, families=["vocal"], jobs=1
    )
    assert set(made.velocities) == {50, 90, 127}
    assert set(made.counts()["families"]) == {"vocal"}


def fake(sounds):
    """Give a renderer of tones: by key, how many semitones away each sounds."""

    def sounds_of(soundfont, pitches, *, program, velocity, samples, sample_rate):
        time_s = np.arange(samples) / sample_rate
        for pitch in pitches:
            heard = sounds(pitch)
            phase = 2 * np.pi * hz(float(heard or 0)) * time_s
            tone = np.sin(phase) + 0.5 * np.sin(2 * phase)
            yield Audio(0.6 * (heard is not None) * tone, sample_rate)

    return sounds_of


@pytest.mark.parametrize(
    ("sounds", "kept", "dropped"),
    [
        (lambda key: key, 10, {}),
        (lambda key: key - 12, 10, {}),  # an organ of 16 feet: transposed
        (lambda key: key + 24, 10, {}),
        (lambda key: None if key == 55 else key, 9, {"silent": 1}),
        (lambda key: key + 0.7 * (key == 55), 9, {"out of tune": 1}),
        (lambda key: key + 12 * (key == 55), 9, {"out of tune": 1}),
        (lambda key: key + 5 * (key < 54), 6, {"out of tune": 4}),
    ],
)
def test_what_is_heard_decides(monkeypatch, sounds, kept, dropped):
    monkeypatch.setattr(rendered.render, "render_notes", fake(sounds))
    made = render_notes(
        find_soundfont(), samples=SAMPLES, low=50, high=59, velocities=(90,), programs=[0], jobs=1
    )
    assert len(made) == kept
    assert made.dropped == dropped
    assert off_by(made).abs().max() < 5


def test_a_program_that_is_out_of_tune_goes_altogether(monkeypatch, capsys):
    monkeypatch.setattr(rendered.render, "render_notes", fake(lambda key: key + 5 * (key < 56)))
    with pytest.raises(InputError, match="no melodic program"):
        render_notes(
            find_soundfont(), samples=SAMPLES, low=50, high=59, velocities=(90,), programs=[0],
            jobs=1,
        )  # fmt: skip
    said = capsys.readouterr().err
    assert "10 of programs out of tune" in said
    assert "000-Acoustic Grand Piano" in said


def test_what_is_no_soundfont_is_said(tmp_path):
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF nothing")
    with pytest.raises(InputError, match="cannot render"):
        render_notes(broken, programs=[0], low=60, high=60, jobs=1)
    with pytest.raises(InputError, match="does not exist"):
        render_notes(tmp_path / "none.sf2")
