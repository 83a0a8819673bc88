"""Material: who plays is known, what it sounds like is not."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest

from groove_core.errors import UsageError
from groove_core.values import Audio, Score, Track
from music_recsys.rendered import EXCERPT_S, LEADS, build
from music_recsys.songs import open_songs


def notes(seconds: int, pitch: int) -> np.ndarray:
    """Give two notes a second at 120 bpm."""
    return np.array([[480 * i, 200, pitch, 100] for i in range(2 * seconds)])


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "groove/d1").mkdir(parents=True)
    lines = ["drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,duration,split"]
    for name, seconds in (("a", 60), ("b", 10)):
        drums = Track(notes(seconds, 38), is_drum=True)
        Score((drums,)).save(tmp_path / f"groove/d1/{name}.mid")
        lines.append(f"d1,s,d1/{name},funk/x,120,beat,4-4,d1/{name}.mid,{seconds},train")
    (tmp_path / "groove/info.csv").write_text("\n".join(lines))
    melody = Track(notes(40, 72), name="MELODY")
    piano = Track(notes(40, 48), name="PIANO")
    with zipfile.ZipFile(tmp_path / "pop.zip", "w") as archive:
        archive.writestr("P/001.mid", Score((melody, piano)).to_midi())
        archive.writestr("P/002.mid", Score((piano,)).to_midi())
    return tmp_path


def test_clips_and_their_manifest(sources, capsys):
    into = sources / "m"
    report = build(
        into, drums=sources / "groove", songs=sources / "pop.zip", count=9, seed=1, jobs=1
    )
    assert "left out: P/002.mid" in capsys.readouterr().err
    with (into / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["piece"] for row in rows] == ["d1/a", "d1/a", "001"]  # b is too short
    assert [row["drummer"] for row in rows] == ["d1", "d1", ""]
    assert rows[2]["instrument"] in LEADS
    for row in rows:
        sound = Audio.read(into / row["path"])
        assert sound.duration_s == pytest.approx(EXCERPT_S)
        assert 0.5 < sound.peak <= 1
    assert report.cell("drummer", "clips") == 2
    assert {kind for song in open_songs(into).songs for kind in song.tastes} == {
        "drummer", "style", "instrument",
    }  # fmt: skip
    before = (into / rows[0]["path"]).stat().st_mtime_ns
    build(into, drums=sources / "groove", songs=None, count=9, seed=1)
    assert (into / rows[0]["path"]).stat().st_mtime_ns == before  # not rendered again


def test_nothing_to_render(tmp_path):
    with pytest.raises(UsageError, match="nothing to render"):
        build(tmp_path, drums=None, songs=None, count=1, seed=1)
