"""`check`: every fault is found and named, nothing sound is blamed, nothing is measured twice."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from groove_core.data import check
from groove_core.data.check import measure
from groove_core.errors import InputError, UsageError
from groove_core.values.sound.audio import Audio

RATE = 22050
MODULE = sys.modules["groove_core.data.check"]  # the package has the function by this name


@pytest.fixture(autouse=True)
def _home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path_factory.mktemp("home")))


def tune(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Play random notes."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(RATE * 0.25)) / RATE
    notes = [
        sum(
            np.sin(2 * np.pi * n * 110 * 2 ** (rng.integers(36) / 12) * time_s) / n
            for n in range(1, 5)
        )
        * np.exp(-4 * time_s)
        for _ in range(int(4 * seconds))
    ]
    return (0.2 * np.concatenate(notes)).astype(np.float32)


def write(path: Path, sound: np.ndarray, rate: int = RATE, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **options)
    return path


def reasons(report) -> dict[str, list[str]]:
    return {row["file"]: row["reasons"] for row in report.data["files"] if row["reasons"]}


def test_every_fault_is_named(tmp_path):
    good = tune(0)
    write(tmp_path / "good.wav", good)
    write(tmp_path / "sub" / "quiet.flac", 0.01 * tune(1))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("This is not a sound.\n" * 50)
    (tmp_path / "text.wav").write_text("Nor is this.\n" * 50)
    write(tmp_path / "none.wav", good[:0])
    for name, share in (("cut.wav", 0.5), ("cut.flac", 0.5), ("cut.aiff", 0.7), ("cut.ogg", 0.6)):
        whole = write(tmp_path / name, tune(len(name) + int(100 * share), 4.0)).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    broken = good.copy()
    broken[40_000] = np.nan
    write(tmp_path / "nan.wav", broken, subtype="FLOAT")
    write(tmp_path / "zero.wav", 0 * good)
    write(tmp_path / "hiss.wav", 0.0005 * np.random.default_rng(0).uniform(-1, 1, 2 * RATE))
    write(tmp_path / "current.wav", 0.5 + 0 * good)
    write(tmp_path / "loud.wav", np.clip(8 * tune(2), -1, 1))
    write(tmp_path / "short.wav", tune(3)[: RATE // 2])
    write(tmp_path / "sub" / "same.wav", good)
    write(tmp_path / "sub" / "stereo.ogg", np.stack([good, good], axis=1))
    write(tmp_path / "z.mp3", 0.3 * soxr.resample(good[RATE // 2 :], RATE, 16000), 16000)
    report = check(tmp_path)
    assert reasons(report) == {
        "current.wav": ["silent"],
        "cut.aiff": ["truncated"],
        "cut.flac": ["damaged"],
        "cut.ogg": ["truncated"],
        "cut.wav": ["truncated"],
        "empty.wav": ["unreadable"],
        "hiss.wav": ["silent"],
        "loud.wav": ["clipped"],
        "nan.wav": ["not finite"],
        "none.wav": ["unreadable"],
        "short.wav": ["too short"],
        "sub/same.wav": ["duplicate"],
        "sub/stereo.ogg": ["duplicate"],
        "text.mp3": ["unreadable"],
        "text.wav": ["unreadable"],
        "z.mp3": ["duplicate"],
        "zero.wav": ["silent"],
    }
    by_file = {row["file"]: row for row in report.data["files"]}
    assert {by_file[f]["duplicate_of"] for f in ("sub/same.wav", "z.mp3")} == {"good.wav"}
    assert by_file["sub/same.wav"]["details"] == ["same bytes as good.wav"]
    assert by_file["cut.wav"]["details"] == ["the header says 4.00 s, 2.00 s are there"]
    assert by_file["text.mp3"]["details"] == ["text.mp3 is not an audio file that can be read."]
    assert "Format not recognised" in by_file["text.wav"]["details"][0]  # libsndfile's words
    about = by_file["good.wav"]
    assert (about["sample_rate"], about["channels"]) == (RATE, 1)
    assert about["seconds"] == len(good) / RATE
    assert about["peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(good).max()), abs=0.05)
    summary = report.data["summary"]
    assert (summary["files"], summary["usable"]) == (19, 2)
    assert summary["reasons"]["duplicate"] == 3
    assert [row[0] for row in report.rows] == list(reasons(report))
    json.dumps(report.to_json(), allow_nan=False)
    assert str(tmp_path) not in json.dumps(report.data["files"])  # paths are those in the folder


def test_a_copy_without_fault_is_the_original(tmp_path):
    song = np.tile(tune(0), 2)
    write(tmp_path / "a.wav", np.clip(8 * song, -1, 1))
    write(tmp_path / "b.wav", song)
    (tmp_path / "c.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    found = reasons(check(tmp_path))
    assert "duplicate" in found["c.wav"]
    assert "b.wav" not in found


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8"])
def test_full_scale_alone_is_not_clipped(tmp_path, subtype):
    time_s = np.arange(2 * 44100) / 44100
    for hz in (60, 440, 5000):
        sine = np.sin(2 * np.pi * hz * time_s)
        share = measure(write(tmp_path / "sine.wav", sine, 44100, subtype=subtype))["clipped_share"]
        if subtype != "PCM_U8":  # whose steps are so coarse that even a sine has plateaus
            assert share < 1e-3
        cut = np.clip(1.2 * sine, -0.99, 0.99)
        if hz < 5000:
            write(tmp_path / "cut.wav", cut, 44100, subtype=subtype)
            assert measure(tmp_path / "cut.wav")["clipped_share"] > 0.2


def test_runs_are_counted_across_blocks_channels_and_signs(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    sound = rng.uniform(-0.5, 0.5, (40_000, 2))
    expected = 0
    for start in range(100, 39_000, 97):
        run = int(rng.integers(1, 9))
        sound[start : start + run, start % 2] = 0.99 * (-1) ** start
        expected += run if run >= 3 else 0
    path = write(tmp_path / "cut.wav", sound, 8000, subtype="FLOAT")
    for block_s in (0.001, 0.0171, 1.0, 10.0):
        monkeypatch.setattr(MODULE, "BLOCK_S", block_s)
        assert measure(path)["clipped_share"] == pytest.approx(expected / 80_000)


def test_rates_and_channels_of_any_kind(tmp_path):
    rng = np.random.default_rng(0)
    for rate in (11, 100, 4000, 192_000, 1_000_000):
        for channels in (1, 7):
            path = write(tmp_path / "odd.wav", rng.uniform(-0.5, 0.5, (3 * rate, channels)), rate)
            about = measure(path)
            assert (about["seconds"], about["channels"], about["fault"]) == (3.0, channels, None)


def test_hidden_files_are_passed_over_and_counted(tmp_path, capsys):
    write(tmp_path / "song.wav", tune(0))
    (tmp_path / "._song.wav").write_bytes(b"\0\5\x16\7" * 100)
    write(tmp_path / ".trash" / "old.wav", tune(0))
    report = check(tmp_path)
    assert reasons(report) == {}
    assert report.data["summary"]["hidden"] == 2
    assert "2 hidden" in capsys.readouterr().err
    (tmp_path / "song.wav").unlink()
    with pytest.raises(InputError, match="hidden"):
        check(tmp_path)
    with pytest.raises(InputError):
        check(tmp_path / "missing")
    with pytest.raises(UsageError, match="min_s"):
        check(tmp_path, min_s=float("nan"))


def test_thresholds_measure_nothing_again_and_changes_do(tmp_path, monkeypatch):
    for n in range(3):
        write(tmp_path / f"{n}.wav", tune(n, 2.0))
    measured = []

    def counted(path):
        measured.append(path.name)
        return measure(path)

    monkeypatch.setattr(MODULE, "measure", counted)
    assert reasons(check(tmp_path)) == {}
    assert len(reasons(check(tmp_path, min_s=2.5))) == 3
    assert measured == ["0.wav", "1.wav", "2.wav"]
    write(tmp_path / "1.wav", 0 * tune(1))
    assert reasons(check(tmp_path)) == {"1.wav": ["silent"]}
    assert measured[3:] == ["1.wav"]
    monkeypatch.setattr(MODULE, "MEASUREMENT", 99)  # a later version
    check(tmp_path)
    assert measured[4:] == ["0.wav", "1.wav", "2.wav"]


def test_a_cache_folder_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch, capsys):
    write(tmp_path / "music" / "song.wav", tune(0))
    (tmp_path / "file").touch()
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "file"))
    assert reasons(check(tmp_path / "music")) == {}
    assert "not kept" in capsys.readouterr().err


def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).touch()
    write(tmp_path / "a.wav", tune(0))
    (row,) = check(tmp_path).rows
    assert row == ("caf\\udce9.wav", "unreadable: caf\\udce9.wav is empty.")


def test_of_copies_the_longest_is_kept(tmp_path):
    sound = tune(1, 6.0)
    write(tmp_path / "a-cut.wav", sound[RATE:])
    write(tmp_path / "b.wav", sound)
    assert reasons(check(tmp_path)) == {"a-cut.wav": ["duplicate"]}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_nothing_is_left_out_in_silence(tmp_path, capsys):
    Audio(0.5 * np.random.default_rng(0).standard_normal(16000), 8000).normalized().save(
        tmp_path / "good.wav"
    )
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("a.doc", "b.doc", "notes", ".hidden"):
        (tmp_path / name).write_text("x")
    report = check(tmp_path)
    bad = {row["file"]: row["reasons"] for row in report.data["files"] if row["reasons"]}
    assert bad == {"nowhere.wav": ["unreadable"], "pipe.wav": ["unreadable"]}
    assert report.data["summary"]["other_endings"] == {".doc": 2, "none": 1}
    assert "1 hidden, 3 others (.doc 2, none 1)" in capsys.readouterr().err


def test_only_what_was_cut_is_clipped(tmp_path):
    """Neither the jumps of a square wave nor floats above full scale are cut peaks."""
    time_s = np.arange(2 * 44_100) / 44_100
    pitch_hz = 220 * 2 ** (np.floor(time_s * 4) % 5 / 12)
    square = np.where((pitch_hz * time_s) % 1 < 0.5, 0.999, -0.999)
    pulse = np.where((pitch_hz * time_s) % 1 < 0.125, 0.5, -0.5)
    sine = np.sin(2 * np.pi * 220 * time_s)
    shares = {
        name: measure(write(tmp_path / "a.wav", sound, 44_100, subtype=subtype))["clipped_share"]
        for name, sound, subtype in (
            ("square", square, "PCM_16"),
            ("square in 8 bits", square, "PCM_U8"),
            ("two voices", 0.5 * square + 0.998 * pulse, "PCM_16"),
            ("hot", 1.5 * sine * np.exp(-time_s / 3), "FLOAT"),
            ("cut", np.clip(1.5 * sine, -1, 1), "PCM_16"),
            ("cut hot", np.clip(3 * sine, -1.2, 1.2), "FLOAT"),
        )
    }
    for name in ("square", "square in 8 bits", "two voices", "hot"):
        assert shares[name] < 1e-3, name
    # Two thirds of 1.5 sin(x) lie below 1: the rest is 1 - 2 arcsin(2/3) / pi, and of 1.2 in 3
    # it is 1 - 2 arcsin(0.4) / pi.
    assert shares["cut"] == pytest.approx(1 - 2 * np.arcsin(2 / 3) / np.pi, abs=0.01)
    assert shares["cut hot"] == pytest.approx(1 - 2 * np.arcsin(0.4) / np.pi, abs=0.01)


def test_channels_that_cancel_are_told_apart_from_silence_and_copies(tmp_path):
    sound, other = tune(1, 6.0), tune(2, 6.0)
    write(tmp_path / "both.wav", np.stack([sound, sound], 1))
    write(tmp_path / "opposite.wav", np.stack([other, -other], 1))
    write(tmp_path / "wide.wav", np.stack([tune(3, 6.0), tune(4, 6.0)], 1))
    report = check(tmp_path)
    assert reasons(report) == {"opposite.wav": ["cancelling"]}
    assert "softer when its channels are mixed" in report.to_text()
    write(tmp_path / "exact.wav", np.stack([tune(5, 6.0), -tune(5, 6.0)], 1), subtype="FLOAT")
    assert reasons(check(tmp_path))["exact.wav"] == ["cancelling"]
