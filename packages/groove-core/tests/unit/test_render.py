"""Scores become sound, with no system library."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.drums.pattern import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.render.loops import render_loop
from groove_core.render.soundfont import TAIL_S, render, renderer_name
from groove_core.values.scores.score import Score, Track
from groove_core.values.scores.writing import write
from groove_core.values.sound.audio import Audio

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4, tempo_bpm=120)


@pytest.fixture(autouse=True)
def _wheel_renderer(monkeypatch):
    monkeypatch.setenv("GROOVE_RENDERER", "midirenderer")


def test_a_beat_is_loud_enough_and_as_long_as_it_is():
    audio = render(ROCK.to_score())
    assert audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert audio.duration_s == pytest.approx(ROCK.to_score().duration_s + TAIL_S, abs=0.02)
    assert audio.samples.shape[0] == 2
    # a kick at 0, 1, 2 and 3 s: the level rises there
    level = np.abs(audio.samples).max(axis=0)
    for second in range(4):
        at = int(second * audio.sample_rate)
        assert level[at : at + 2400].max() > 0.1


@pytest.mark.parametrize("pitch", [48, 60, 69, 81])
def test_notes_are_in_tune(pitch):
    score = Score((Track(np.array([[0, 1920, pitch, 100]]), program=73),))  # flute
    audio = render(score)
    mono = audio.samples.mean(axis=0)[4800 : 4800 + 65_536]
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 2**20))
    hz = spectrum.argmax() * audio.sample_rate / 2**20
    expected = 440 * 2 ** ((pitch - 69) / 12)
    # the flute's second harmonic may be the loudest: the pitch class counts
    cents = 1200 * np.log2(hz / expected)
    assert abs((cents + 600) % 1200 - 600) < 15


def test_the_same_bytes_again():
    first, again = render(ROCK.to_score()), render(ROCK.to_score())
    np.testing.assert_array_equal(first.samples, again.samples)


def test_the_last_notes_ring():
    crash = DrumPattern.from_masks([0] * 31 + [1 << 7])
    audio = render(crash.to_score())
    assert audio.duration_s == pytest.approx(4.0 + TAIL_S, abs=0.02)  # two bars at 120 bpm
    at = int((crash.to_score().duration_s + 0.5 * TAIL_S) * audio.sample_rate)
    assert np.abs(audio.samples[:, at : at + 2000]).max() > 0.02


@pytest.mark.parametrize("tempo", [120, 97.3, 240])
def test_a_beat_loops(tempo, tmp_path):
    hits = np.zeros((32, 14), bool)
    hits[0, 0] = hits[28, 7] = True  # a crash on the last beat rings over the end
    early = np.where(hits, -30, 0)
    beat = DrumPattern(hits, offset_ticks=early, tempo_bpm=tempo)
    audio = Audio.read(beat.save(tmp_path / "loop.wav"))
    assert abs(audio.samples.shape[1] - 8 * 60 / beat.tempo_bpm * audio.sample_rate) <= 1
    assert audio.sample_rate >= 44_100
    assert audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    # The early first hit is at the end, and the last sample leads to the first.
    around = np.roll(audio.samples, audio.samples.shape[1] // 2, axis=1)
    steps = np.abs(np.diff(around, axis=1)).max(axis=0)
    assert steps[len(steps) // 2] < np.quantile(steps, 0.999)
    early_s = 30 / 120 * 15 / tempo
    end = audio.samples[:, -round(0.9 * early_s * audio.sample_rate) :]
    assert np.abs(end).max() > 0.1
    without = DrumPattern(hits & (np.arange(14) != 7), offset_ticks=early, tempo_bpm=tempo)
    dry = render_loop(without)
    ringing = slice(int(0.8 * dry.sample_rate), int(0.85 * dry.sample_rate))
    assert np.abs(audio.samples[:, ringing]).max() > 5 * np.abs(dry.samples[:, ringing]).max()


def test_no_notes_are_silence():
    audio = render(DrumPattern.from_masks([0] * 32).to_score())
    assert audio.peak == 0
    assert audio.duration_s > 0


def test_bad_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_SOUNDFONT", str(tmp_path / "no.sf2"))
    with pytest.raises(InputError, match="does not exist"):
        render(ROCK.to_score())
    (tmp_path / "no.sf2").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot render"):
        render(ROCK.to_score())
    monkeypatch.setenv("GROOVE_RENDERER", "kazoo")
    with pytest.raises(UsageError, match="kazoo"):
        renderer_name()


def test_a_note_that_nothing_ends_is_not_rendered_for_ever():
    organ = bytes([0xC0, 19, 0x00, 0x90, 60, 100, 0x83, 0x60, 0xFF, 0x2F, 0x00])
    content = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0" + bytes([len(organ) + 1, 0]) + organ
    score = Score.from_midi(content)
    assert score.tracks[0].notes.tolist() == [[0, 480, 60, 100]]
    silenced = write(score).silenced()
    assert silenced.chunks[0].rows[-1].tolist() == [480, 0xB0, 120, 0]
    assert render(score).duration_s == pytest.approx(0.5 + TAIL_S, abs=0.01)


def test_more_instruments_than_a_port_has_channels_are_all_heard():
    # Fluidsynth and midirenderer play one port: without a second rendering, some would be lost.
    many = Score([Track([[480 * i, 400, 48 + i, 100]], program=(i * 7) % 96) for i in range(18)])
    audio = render(many)
    half_s = int(audio.sample_rate / 2)
    levels = [np.abs(audio.samples[:, i * half_s : (i + 1) * half_s]).max() for i in range(18)]
    alone = render(replace(many, tracks=many.tracks[17:]))
    start = slice(17 * half_s, 18 * half_s)
    one, other = audio.samples[:, start], alone.samples[:, start]
    assert min(levels) > 0.01
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
