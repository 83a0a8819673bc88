"""The table of recordings, and the benchmark on two tracks and songs that are made here."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from genre_map.evaluation import Heard  # noqa: E402
from genre_map.genres import GENRES  # noqa: E402
from genre_map.model import GenreClassifier  # noqa: E402
from groove_core.errors import InputError  # noqa: E402
from groove_core.storage import checkpoints  # noqa: E402
from groove_core.values import Audio  # noqa: E402

PATH = Path(__file__).parents[1] / "benchmarks" / "recordings.py"
LICENSES = {
    "CC-BY-3.0", "CC-BY-SA-3.0", "GPL-2.0-or-later", "LicenseRef-public-domain", "MIT",
}  # fmt: skip
RATE = 22_050


@pytest.fixture(scope="module")
def recordings():
    spec = importlib.util.spec_from_file_location("recordings", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["recordings"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["recordings"]


@pytest.fixture(scope="module")
def tracks(recordings):
    return [recordings.Track(**row) for row in recordings.rows_of(recordings.TABLE)]


def tone(hertz: float, seconds: float) -> Audio:
    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.01, len(time_s))
    return Audio(0.4 * np.sin(2 * np.pi * hertz * time_s) + noise, RATE)


def test_table_is_whole(recordings, tracks):
    assert len({(track.package, track.file) for track in tracks}) == len(tracks)
    assert {track.license for track in tracks} <= LICENSES
    assert {track.genre for track in tracks} <= {*GENRES, recordings.NO_GENRE}
    assert {track.sound for track in tracks} <= {"recorded", "synthesised", "unknown"}
    for track in tracks:
        assert track.author
        assert not track.file.startswith("/")
        known = track.stated != recordings.NO_GENRE
        assert known == (track.where != recordings.NO_GENRE)
        assert known or track.genre == recordings.NO_GENRE


def test_genre_is_what_tag_or_title_says(tracks):
    for track in tracks:
        words = track.stated.lower().replace("-", "").split()
        said = [genre for genre in GENRES if genre in words]
        if "repertoire" not in track.where:
            assert said == ([track.genre] if track.genre in GENRES else [])


def test_what_is_left_out_is_counted_once(recordings):
    rows = recordings.rows_of(recordings.LEFT_OUT)
    assert len({(row["package"], row["stated"], row["why"]) for row in rows}) == len(rows)
    for row in rows:
        assert int(row["tracks"]) > 0
        nothing = row["stated"] == recordings.NO_GENRE
        assert row["why"] == (recordings.NOTHING if nothing else recordings.OTHER)


def test_missing_packages_are_named(recordings, tracks, tmp_path):
    with pytest.raises(InputError, match=r"marsshooter-data.*wesnoth") as caught:
        recordings.find_all(tracks, [tmp_path])
    assert "Unpack" in caught.value.hint


def test_stems_sound_together_and_long_tracks_are_cut(recordings, tmp_path):
    tone(220, 70).save(tmp_path / "song.wav")
    tone(880, 71).save(tmp_path / "guitar.wav")
    cut = list(recordings.excerpts([tmp_path / "song.wav", tmp_path / "guitar.wav"]))
    assert [round(one.duration_s) for one in cut] == [30, 30]
    spectrum = np.abs(np.fft.rfft(cut[1].samples[0][:RATE]))
    assert {220, 880} == {*np.argsort(spectrum)[-2:].tolist()}


def test_excerpts_of_a_track_count_as_one(recordings):
    heard = Heard(
        np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]]),
        np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0]),
    )  # fmt: skip
    found = recordings.by_track(heard, np.array([4, 4, 7]))
    assert found.truth.tolist() == [0, 1]
    np.testing.assert_allclose(found.mean, [[0.6, 0.4], [0.2, 0.8]])
    np.testing.assert_allclose(found.windows, [0.5, 1])


def test_two_tracks_are_measured(recordings, tracks, tmp_path, monkeypatch):
    """From files in a folder to a report, beside a baseline that learns from two songs."""
    for genre, hertz in (("blues", 200), ("metal", 900)):
        for number in range(2):
            (tmp_path / "corpus" / genre).mkdir(parents=True, exist_ok=True)
            tone(hertz + 5 * number, 4).save(tmp_path / "corpus" / genre / f"{number}.wav")
    one = replace(tracks[0], package="p", author="a", genre="blues", file="x.wav", sound="recorded")
    two = replace(one, author="b", genre="metal", file="y.wav")
    folk = replace(one, file="z.wav", genre="-", stated="Folk")
    (tmp_path / "p").mkdir()
    tone(210, 5).save(tmp_path / "p" / "x.wav")
    tone(910, 5).save(tmp_path / "y.wav")
    torch.manual_seed(0)
    model = GenreClassifier(("blues", "metal")).eval()
    monkeypatch.setattr(checkpoints, "load", lambda *_: (model, {"name": "tiny"}))
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    report = recordings.measure([one, two, folk], [tmp_path], tmp_path / "corpus", None)
    assert report.columns[-2:] == ("blues, 1", "metal, 1")
    rows = {row[0]: row[1:] for row in report.rows}
    assert list(rows) == ["tiny", recordings.BASELINE, "always the most frequent",
                          "by chance"]  # fmt: skip
    assert rows[recordings.BASELINE][0].value == 1
    assert [track["genre"] for track in report.data["tracks"]] == ["blues", "metal"]
    left = sum(int(row["tracks"]) for row in recordings.rows_of(recordings.LEFT_OUT))
    assert any(f"Left out: {left + 1} tracks" in note for note in report.notes)
