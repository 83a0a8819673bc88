"""Corpora of rendered scores, and notes of a soundfont."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.render import (
    Clip,
    corpora,
    find_soundfont,
    find_soundfonts,
    notes,
    render_clips,
    render_notes,
    soundfont_rights,
)
from groove_core.values import Audio, Score, Track

RATE, SAMPLES = 16_000, 15_616


def clip(name: str, notes: int, program: int = 0) -> Clip:
    rows = np.array([[480 * i, 200, 60, 100] for i in range(notes)])
    score = Score((Track(rows, program=program),))
    return Clip(name, lambda: score, find_soundfont(), {"piece": name, "notes": notes})


def test_clips_have_one_length_and_a_manifest(tmp_path):
    clips = [clip("a/short.flac", 1), clip("a/long.wav", 9, 16)]
    render_clips(tmp_path, clips, duration_s=2.5, jobs=1)
    with (tmp_path / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1] == {"path": "a/long.wav", "piece": "a/long.wav", "notes": "9"}
    for row in rows:
        sound = Audio.read(tmp_path / row["path"])
        assert sound.samples.shape == (1, 2.5 * 22_050)
        assert sound.peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert not Audio.read(tmp_path / "a/short.flac").samples[:, 2 * 22_050 :].any()


def test_what_an_interrupted_run_has_finished_stays(tmp_path):
    def refuses() -> Score:
        raise InputError("No such song.", hint="Give another.")

    broken = Clip("b.flac", refuses, find_soundfont(), {"piece": "b", "notes": 0})
    clips = [clip("a.flac", 1), broken]
    with pytest.raises(InputError, match="No such song"):
        render_clips(tmp_path, clips, duration_s=1, jobs=1)
    assert [one.name for one in tmp_path.iterdir()] == ["a.flac"]
    before = (tmp_path / "a.flac").stat().st_mtime_ns
    render_clips(tmp_path, [clips[0], clip("b.flac", 1)], duration_s=1, jobs=1)
    assert (tmp_path / "a.flac").stat().st_mtime_ns == before
    assert {one.name for one in tmp_path.iterdir()} == {"a.flac", "b.flac", "manifest.csv"}


def test_a_soundfont_is_found_once(tmp_path, monkeypatch):
    usual = find_soundfont()
    other = tmp_path / "other.sf2"
    shutil.copy(usual, tmp_path / usual.name)
    shutil.copy(usual, other)
    installed = (tmp_path / "none.sf2", tmp_path / usual.name, other)
    monkeypatch.setattr(corpora, "INSTALLED", installed)
    assert find_soundfonts() == {usual.name: usual, "other.sf2": other}


def test_notes_start_on_a_sample_and_do_not_ring_into_the_next(monkeypatch):
    made = []
    real = notes.decode
    monkeypatch.setattr(notes, "decode", lambda wav: made.append(real(wav)) or made[-1])
    options = {"program": 95, "velocity": 100, "samples": SAMPLES, "sample_rate": RATE}
    cut = list(render_notes(find_soundfont(), range(60, 65), **options))  # a pad rings for seconds
    assert len(cut) == 5
    assert all(one.samples.shape[1] > SAMPLES and one.sample_rate == RATE for one in cut)
    [sound] = made
    assert sound.sample_rate == notes.RATE
    gap = notes.GAP_TICKS * notes.BLOCK
    step = SAMPLES * 3 + 2 * gap
    for start in gap + notes.BLOCK + step * np.arange(5):
        assert not sound.samples[:, start - gap // 2 : start].any()
        assert sound.samples[:, start : start + notes.RATE // 10].any()


def test_rights_are_what_the_soundfont_says(tmp_path):
    def chunk(name, content):
        return name + len(content).to_bytes(4, "little") + content

    about = chunk(b"INAM", b"Mine\0\0") + chunk(b"ICOP", b"A. Smith\0\0")
    about += chunk(b"ICMT", b"Public  domain.\0")
    path = tmp_path / "mine.sf2"
    path.write_bytes(chunk(b"RIFF", b"sfbk" + chunk(b"LIST", b"INFO" + about) + bytes(20)))
    assert soundfont_rights(path) == "A. Smith; Public domain."
    assert soundfont_rights(find_soundfont()) == ""
