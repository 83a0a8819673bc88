"""The programs of the folder examples run in an empty folder, and are small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"beat_to_song", "watch_runs"}
WRITES = {
    "beat_to_song": ["song.mid", "song.wav"],
    "busier_phrase": ["busier.mid", "busier.wav", "busier.png"],
    "genre_border": ["border.png", "border.wav", "border.json"],
    "instrument_from_sound": ["bell.wav", "instrument.json", "tune.wav", "kit.sfz"],
    "least_quoted_melody": ["melody.mid", "melody.wav", "melody.png", "sources.txt"],
    "library_ranking": ["library/flute-0.wav", "ranking.json", "ranking.m3u8", "ranking.png"],
    "map_of_beats": ["map.html", "map.png"],
    "morph_beats": ["morph.wav", "morph.png", "morph-7.mid"],
    "watch_runs": ["diary.txt", "beats/sample-001.mid"],
}
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))


def test_all_programs_are_run():
    assert [path.stem for path in PROGRAMS] == sorted(WRITES)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_they_are_small_and_say_what_they_do(path):
    text = path.read_text()
    assert len(text.splitlines()) < 60
    assert text.startswith('"""')
    assert all(Path(name).name.split(".")[0].split("-")[0] in text for name in WRITES[path.stem])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else [pytest.mark.slow])
        for p in PROGRAMS
    ],
)
def test_they_run(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "GROOVE_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for name in WRITES[path.stem]:
        assert (tmp_path / name).stat().st_size > 0
    if path.stem == "library_ranking":  # the listener likes flutes
        ranked = done.stdout.splitlines()[1:]
        flutes = [" flute-" in line.partition("%")[0] for line in ranked]
        assert flutes == [True, True, False, False]
