"""The corpus: what songs are made of, and that MMA plays them."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest

from genre_map.libraries import LIBRARIES, Groove, find_grooves
from genre_map.rendered import _arranged, _chords, _source, build, plan_songs
from genre_map.songs import open_songs
from groove_core.errors import InputError, UsageError
from groove_core.values import Track

GROOVES = [
    Groove(genre, f"stdlib/{genre}{library}", f"{genre}{library}{number}", library == 0)
    for genre in LIBRARIES
    for library in range(3)
    for number in range(4)
]


def test_a_plan_depends_on_the_seed_alone():
    one = plan_songs(GROOVES, ["a", "b"], songs=12, seed=1)
    assert one == plan_songs(GROOVES, ["a", "b"], songs=12, seed=1)
    assert one != plan_songs(GROOVES, ["a", "b"], songs=12, seed=2)
    # the first songs of a larger corpus are those of a smaller one
    few = plan_songs(GROOVES, ["a", "b"], songs=3, seed=1)
    assert [plan for plan in one if int(plan.path[-10:-5]) < 3] == few


def test_libraries_and_soundfonts_come_in_turn():
    plans = plan_songs(GROOVES, ["a", "b"], songs=24, seed=1)
    mine = [plan for plan in plans if plan.genre == "jazz"]
    assert len({plan.library for plan in mine[:3]}) == 3
    assert Counter(plan.groove for plan in mine).most_common()[-1][1] == 2
    for groove in {plan.groove for plan in mine}:
        assert {plan.soundfont for plan in mine if plan.groove == groove} == {"a", "b"}
    assert {plan.accompaniment for plan in mine} == {"plain", "own"}


def test_nothing_but_the_groove_depends_on_the_genre():
    plans = plan_songs(GROOVES, ["a", "b"], songs=200, seed=1)
    tempos = {g: np.array([p.tempo_bpm for p in plans if p.genre == g]) for g in LIBRARIES}
    means = [tempo.mean() for tempo in tempos.values()]
    assert max(means) - min(means) < 15
    assert all(tempo.min() < 80 and tempo.max() > 165 for tempo in tempos.values())


def test_chords_are_mma_s():
    rng = np.random.default_rng(0)
    drawn = [_chords(rng) for _ in range(300)]
    assert {len(chords) for chords in drawn} == {4, 8, 12}
    names = {name.rstrip("m7M") for chords in drawn for name in chords}
    assert names == {"C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"}


def test_three_beats_have_no_fourth():
    groove = Groove("rock", "zoom/rock34", "ROCK28", True)
    for plan in plan_songs([groove], ["a"], songs=12, seed=1):
        assert "; 4 " not in _source(plan)


def test_instruments_stay_in_their_family():
    notes = np.array([[0, 10, 60, 100], [90, 10, 62, 100]])
    programs = set()
    for seed in range(60):
        track = _arranged(Track(notes, program=26), 50, np.random.default_rng(seed))
        assert len(track.notes) == 1
        assert 1 <= track.notes[0, 3] <= 127
        programs.add(track.program)
    assert programs == set(range(24, 32))


def test_without_mma_or_a_second_soundfont(monkeypatch, tmp_path):
    monkeypatch.setattr("genre_map.libraries.shutil.which", lambda name: None)
    with pytest.raises(InputError, match="not installed") as error:
        find_grooves()
    assert "apt install mma" in error.value.hint
    monkeypatch.setattr("genre_map.rendered.find_grooves", list)
    monkeypatch.setattr("groove_core.render.corpora.INSTALLED", ())
    with pytest.raises(InputError, match="only one soundfont") as error:
        build(tmp_path, songs=1, seed=1)
    assert "apt install fluid-soundfont-gm" in error.value.hint


@pytest.mark.skipif(not shutil.which("mma"), reason="needs MMA")
def test_songs_are_rendered_and_continued(tmp_path, monkeypatch):
    from groove_core.render import find_soundfont
    from groove_core.values import Audio

    two = [find_soundfont(), tmp_path / "other.sf2"]
    shutil.copy(two[0], two[1])
    report = build(tmp_path / "songs", songs=1, seed=1, soundfonts=two, jobs=2)
    assert [row[3] for row in report.rows] == [1] * 10
    songs = open_songs(tmp_path / "songs")
    assert songs.kind == "corpus"
    assert set(songs.counts().values()) == {1}
    sounds = [Audio.read(song.path) for song in songs]
    assert {(sound.duration_s, sound.sample_rate) for sound in sounds} == {(30.0, 22_050)}
    assert all(np.sqrt((sound.samples**2).mean()) > 0.005 for sound in sounds)
    before = songs.songs[0].path.stat().st_mtime_ns
    songs.songs[1].path.unlink()
    build(tmp_path / "songs", songs=1, seed=1, soundfonts=two)
    assert songs.songs[0].path.stat().st_mtime_ns == before
    assert Audio.read(songs.songs[1].path) == sounds[1]
    with pytest.raises(UsageError, match="other settings"):
        build(tmp_path / "songs", songs=2, seed=1, soundfonts=two)
