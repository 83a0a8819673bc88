"""``groove data`` and ``groove map``: many files, ten of them bad, and interruptions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from groove_core.drums.pattern import DrumPattern
from groove_core.storage.cache import Cache

COUNT = 200
NAMES = [f"beats/{n:03d}.json" for n in range(COUNT)]
"""Named one by one: in a folder, foreign JSON is passed over."""
BAD = [13 + 19 * n for n in range(10)]


def _sounds(folder: Path) -> set[str]:
    """Write 200 small sound files, ten of them bad in ten ways; gives the names of those."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = [folder / f"{n:03d}.wav" for n in range(COUNT)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.3, 0.3, 9600), 8000)
    song = rng.uniform(-0.3, 0.3, 32000)
    soundfile.write(paths[0], song, 8000)
    empty, text, cut, damaged, nan, silent, current, clipped, short, again = (paths[n] for n in BAD)
    empty.write_bytes(b"")
    text.write_text("not a sound " * 99)
    cut.write_bytes(cut.read_bytes()[:18000])
    soundfile.write(damaged, rng.uniform(-0.3, 0.3, 32000), 8000, format="FLAC")
    damaged.write_bytes(damaged.read_bytes()[:20000])
    sound = rng.uniform(-0.3, 0.3, 9600)
    soundfile.write(nan, np.where(np.arange(9600) == 5000, np.nan, sound), 8000, "FLOAT")
    soundfile.write(silent, 1e-4 * sound, 8000)
    soundfile.write(current, 0.5 + 0 * sound, 8000)
    soundfile.write(clipped, 9 * sound, 8000)
    soundfile.write(short, sound[:4000], 8000)
    soundfile.write(again, 0.1 * song[8000:], 8000, format="OGG", subtype="VORBIS")
    return {paths[n].name for n in BAD}


def _beats(folder: Path) -> set[str]:
    """Write 200 drum patterns, ten of them bad in ten ways; gives the names of those."""
    folder.mkdir(parents=True)
    paths = [folder.parent / name for name in NAMES]
    for n, path in enumerate(paths):
        DrumPattern.from_masks([n % 7 + 1, 0, 4, 0] * 8).save(path)
    whole = paths[0].read_bytes()
    contents = [
        b"", b"{", b"[]", b"null", b"\xff\xfe", whole[:-20], whole.replace(b"drum", b"bass"),
        b'{"kind": "drum-pattern"}', b'"text"', b"\0" * 100,
    ]  # fmt: skip
    for n, content in zip(BAD, contents, strict=True):
        paths[n].write_bytes(content)
    return {paths[n].name for n in BAD}


@pytest.fixture
def start(tmp_path):
    """Start the command in a process group of its own."""
    running = []

    def run(*arguments: object, path: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "groove_core", *map(str, arguments)],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "GROOVE_HOME": str(tmp_path / "home")},
        )  # fmt: skip
        running.append(process)
        return process

    yield run
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _stop_half_way(begin, journal: Path, number: int) -> tuple[subprocess.Popen[str], float]:
    """Begin and send a signal after 50 files; gives also when it was sent.

    An interruption goes to the whole group, as from a terminal; a kill to the parent alone.

    Where the machine is so busy that all files were done by then, begin again.
    """
    for _ in range(10):
        process = begin()
        while process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") > 50:
                (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)
                sent = time.monotonic()
                process.wait(timeout=10)
                if len(_files_in(journal)) < COUNT:
                    return process, sent
            time.sleep(0.002)
        shutil.rmtree(journal.parent)
    raise AssertionError("it was always finished before it could be stopped")


def _all_gone(group: int) -> bool:
    """Tell whether every process of a group ends; some systems take seconds to bury orphans."""
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def _spoil(files: list[Path]) -> None:
    """Change the content of files, but neither size nor time: who looks again, sees it."""
    for file in files:
        about = file.stat()
        file.write_bytes(b"\1" * about.st_size)
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def _files_in(journal: Path) -> list[Path]:
    lines = journal.read_bytes().splitlines(keepends=True)[1:]
    return [Path(json.loads(line)["file"]) for line in lines if line.endswith(b"\n")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_check_finds_ten_of_200_and_continues_after_a_kill(start, tmp_path, jobs):
    bad = _sounds(tmp_path / "music")
    arguments = ("data", "check", "music", "--json", "--jobs", jobs, "--out")
    whole = start(*arguments, "whole.jsonl")
    expected, noise = whole.communicate(timeout=60)
    assert (whole.returncode, noise) == (4, "")
    document = json.loads(expected)
    assert document["schema"] == "groove.data-check/1"
    reasons = {f["file"]: f["reasons"] for f in document["files"] if f["reasons"]}
    assert reasons.keys() == bad
    assert sorted(r for several in reasons.values() for r in several) == sorted(
        [
            "clipped", "damaged", "duplicate", "not finite", "silent", "silent", "too short",
            "truncated", "unreadable", "unreadable",
        ]
    )  # fmt: skip
    journal = tmp_path / "killed" / "out.jsonl"
    killed, _ = _stop_half_way(lambda: start(*arguments, journal), journal, signal.SIGKILL)
    assert _all_gone(killed.pid)  # the workers end with their parent
    done = _files_in(journal)
    assert 50 <= len(done) < COUNT
    _spoil([file for file in done if file.stat().st_size])
    again = start(*arguments, journal)
    assert again.communicate(timeout=60) == (expected, "")
    assert journal.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_an_interrupted_check_leaves_no_process_and_no_half_line(start, tmp_path):
    _sounds(tmp_path / "music")
    journal = tmp_path / "out" / "out.jsonl"
    arguments = ("data", "check", "music", "--jobs", 2, "--out", journal)
    process, sent = _stop_half_way(lambda: start(*arguments), journal, signal.SIGINT)
    assert time.monotonic() - sent < 5
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "interrupted; finished files stay."
    assert _all_gone(process.pid)
    assert journal.read_bytes().endswith(b"\n")
    assert 50 <= len(_files_in(journal)) < COUNT


def test_check_in_words(groove, tmp_path):
    _sounds(tmp_path / "music")
    home = str(tmp_path / "home")
    result = groove("data", "check", "music", GROOVE_HOME=home)
    assert result.returncode == 4, result.stderr
    *table, empty, summary = result.stdout.splitlines()
    assert len(table) == 10
    assert empty == ""
    assert summary.startswith("190 of 200 files are usable (0.06 of 0.07 hours); 1 clipped, 1 dam")
    assert {line.split()[0] for line in table} == {f"{n:03d}.wav" for n in BAD}
    _spoil(sorted((tmp_path / "music").iterdir())[20:30])  # measured already
    assert groove("data", "check", "music", GROOVE_HOME=home).stdout == result.stdout
    for n in BAD:
        (tmp_path / "music" / f"{n:03d}.wav").unlink()
    assert groove("data", "check", "music", GROOVE_HOME=home).returncode == 0
    assert groove("data", "check", "nowhere", GROOVE_HOME=home).returncode == 4
    for wrong in (("--jobs", "0"), ("--min-s", "-1"), ("--jbos", "2")):
        result = groove("data", "check", "music", *wrong, GROOVE_HOME=home)
        assert result.returncode == 2
        assert "hint:" in result.stderr


def test_the_cache_is_shown_trimmed_and_emptied(groove, tmp_path):
    home = str(tmp_path / "home")
    cache = Cache(tmp_path / "home" / "cache", 10**9)
    for n in range(5):
        cache.get(cache.key({"n": n}, b""), lambda: np.zeros(10**5))
    mine = tmp_path / "home" / "cache" / "notes.txt"
    mine.write_text("mine")
    result = groove("data", "cache", "--json", GROOVE_HOME=home, GROOVE_CACHE_GB="2")
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path / "home" / "cache"),
        "entries": 5,
        "bytes": 5 * 800_128,
        "limit_bytes": 2 * 10**9,
    }
    assert "size     0.004 GB" in groove("data", "cache", GROOVE_HOME=home).stdout
    trimmed = groove("data", "cache", "--limit-gb", "0.002", GROOVE_HOME=home)
    assert "removed 3 entries" in trimmed.stderr
    assert "entries  2" in trimmed.stdout
    cleared = groove("data", "cache", "--clear", GROOVE_HOME=home)
    assert "entries  0" in cleared.stdout
    assert mine.read_text() == "mine"
    assert groove("data", "cache", GROOVE_HOME=home, GROOVE_CACHE_GB="much").returncode == 2
    assert groove("data", "cache", "--limit-gb", "-1", GROOVE_HOME=home).returncode == 2


def test_map_runs_an_action_for_200_files_and_continues_after_a_kill(start, site, tmp_path):
    path = site("groove-good")
    bad = _beats(tmp_path / "beats")
    arguments = ("map", "good", "bars", *NAMES, "--jobs", 2, "--out")
    whole = start(*arguments, "whole", path=path)
    out, err = whole.communicate(timeout=60)
    assert (whole.returncode, err) == (4, "")
    done, failed = out.splitlines()
    assert done == "190 of 200 files done; results in whole"
    assert set(re.findall(r"\d+\.json", failed)) == bad
    journal = tmp_path / "whole/results.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()][1:]
    assert [line["file"] for line in lines] == [f"beats/{n:03d}.json" for n in range(COUNT)]
    assert {Path(line["file"]).name for line in lines if "error" in line} == bad
    saved = json.loads((tmp_path / "whole/000/result.json").read_text())
    assert saved == lines[0]["result"]
    assert {p.name + ".json" for p in (tmp_path / "whole").iterdir() if p.is_dir()} == {
        Path(line["file"]).name for line in lines if "result" in line
    }

    made = tmp_path / "whole/000/result.json"
    made.unlink()  # a journal does not replace the files that it names
    (tmp_path / "whole/000/000.bars.json").unlink()
    again = start(*arguments, "whole", path=path)
    again.communicate(timeout=60)
    assert again.returncode == 4
    assert json.loads(made.read_text()) == saved

    journal = tmp_path / "killed/results.jsonl"
    killed, _ = _stop_half_way(
        lambda: start(*arguments, "killed", path=path), journal, signal.SIGKILL
    )
    assert _all_gone(killed.pid)
    before = _files_in(journal)
    assert 50 <= len(before) < COUNT
    _spoil([tmp_path / file for file in before if (tmp_path / file).stat().st_size])
    again = start(*arguments, "killed", path=path)
    out_again, err = again.communicate(timeout=60)
    assert (out_again.replace("killed", "whole"), err) == (out, "")
    assert (
        journal.read_text().replace('"killed/', '"whole/')
        == (tmp_path / "whole/results.jsonl").read_text()
    )


def test_map_names_the_file_that_takes_too_long(groove, site, tmp_path):
    DrumPattern.from_masks([5, 0, 4, 0] * 8).save(tmp_path / "a.mid")
    options = ("--slow", "--timeout", "0.5", "--out", "out")
    result = groove("map", "good", "bars", "a.mid", "gone.mid", *options, path=site("groove-good"))
    assert result.returncode == 4, result.stderr
    assert result.stdout.splitlines() == [
        "0 of 2 files done; results in out",
        "failed: a.mid, gone.mid; reasons in out/results.jsonl",
    ]
    first = json.loads((tmp_path / "out/results.jsonl").read_text().splitlines()[1])
    assert (first["file"], first["error"]["kind"]) == ("a.mid", "Timeout")
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["results.jsonl"]


def test_map_knows_what_a_former_name_stands_for(groove, site, tmp_path):
    DrumPattern.from_masks([5, 0, 4, 0] * 8).save(tmp_path / "a.mid")
    options = ("--timeout", "0.5", "--out", "out")
    result = groove("map", "good", "wait", "a.mid", *options, path=site("groove-good"))
    assert "good wait is now bars --slow" in result.stderr
    settings, first = map(json.loads, (tmp_path / "out/results.jsonl").read_text().splitlines())
    assert first["error"]["kind"] == "Timeout"
    assert settings["settings"]["options"] == {"slow": True}


def test_check_names_the_file_that_takes_too_long(groove, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one.wav", "two.wav"):
        soundfile.write(tmp_path / name, rng.uniform(-0.3, 0.3, 16000), 8000)
    hasty = groove("data", "check", ".", "--timeout", "1e-6")
    assert hasty.returncode == 4, hasty.stderr
    assert len(re.findall(r"(?:one|two)\.wav +timed out", hasty.stdout)) == 2, hasty.stdout
    assert groove("data", "check", ".", "--timeout", "60").returncode == 0
    assert groove("data", "check", ".", "--timeout", "0").returncode == 2


def test_an_interrupted_map_keeps_what_is_finished(start, site, tmp_path):
    _beats(tmp_path / "beats")
    journal = tmp_path / "out/results.jsonl"
    arguments = ("map", "good", "bars", *NAMES, "--jobs", 2, "--out", "out")
    path = site("groove-good")
    process, _ = _stop_half_way(lambda: start(*arguments, path=path), journal, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.strip() == "interrupted; finished files stay."
    assert _all_gone(process.pid)
    assert not [p for p in (tmp_path / "out").rglob(".*") if p.is_file()]
    for line in journal.read_text().splitlines()[1:]:
        for file in json.loads(line).get("result", {}).get("files", []):
            assert (tmp_path / file).is_file()


def test_map_takes_the_options_of_the_action_and_checks_them_first(groove, site, tmp_path):
    path = site("groove-good")
    beat = DrumPattern.from_masks([5, 0, 4, 0] * 8)
    for name in ("a/one.mid", "b/one.mid", "b/one.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        beat.save(tmp_path / name)
    for passed_over in ("b/result.json", "b/.one.mid"):
        (tmp_path / passed_over).write_text("{}")

    def run(*arguments: str):
        return groove("map", "good", *arguments, path=path)

    result = run("bars", "a/one.mid", "b", "--out", "out", "--format", "txt", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "schema": "groove.map/1",
        "files": 3,
        "failed": {},
        "results": "out/results.jsonl",
    }
    assert sorted(p.as_posix() for p in (tmp_path / "out").rglob("*.txt")) == [
        f"{tmp_path}/out/{name}/one.bars.txt" for name in ("a/one", "b/one-json", "b/one-mid")
    ]
    other = run("bars", "b", "--out", "out")
    assert other.returncode == 2
    assert "--overwrite" in other.stderr
    assert run("bars", "b", "--out", "out", "--overwrite", "--jobs", "2").returncode == 0
    foreign = run("bars", "b", "--out", "a")
    assert foreign.returncode == 2
    assert "not empty" in foreign.stderr
    for wrong in (
        ("bars", "b", "--styel", "rock"),
        ("bras", "b"),
        ("beat", "b"),
        ("bars", "b", "--jobs", "0"),
        ("bars", "b", "--format", "xyz", "--out", "new"),
    ):
        result = run(*wrong)
        assert result.returncode == 2, (wrong, result.stdout)
        assert "hint:" in result.stderr
    missing = run("bars", "nowhere.mid", "--out", "lost")
    assert missing.returncode == 4
    assert "failed: nowhere.mid" in missing.stdout
    text = run("bars", "--help").stdout
    assert "Count the bars" in text
    assert "--jobs" in text
    assert "FILES" in text  # what they are, old typer does not say


def test_help_is_light(groove):
    probe = (
        "import sys; from groove_core.cli.app import run_cli; run_cli({}); "
        "print(sorted({{'torch', 'librosa', 'scipy', 'numba', 'numpy'}} & sys.modules.keys()))"
    )
    for arguments in (["--help"], ["data", "--help"], ["map", "--help"], ["data", "check", "-h"]):
        result = subprocess.run(
            [sys.executable, "-c", probe.format(arguments)], capture_output=True, text=True
        )
        assert result.stdout.splitlines()[-1] == "[]", arguments
    assert "exits with 4" in groove("data", "check", "--help").stdout
