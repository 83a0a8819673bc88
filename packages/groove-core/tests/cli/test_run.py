"""``groove run``: options, files, documents, errors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from groove_core.drums.pattern import DrumPattern
from groove_core.values.sound.audio import Audio

DOCUMENT = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "schema", "package", "version", "action", "options", "seed", "device", "checkpoint",
        "versions", "inputs", "result", "files",
    ],
    "properties": {
        "schema": {"const": "groove.result/1"},
        "package": {"type": "string"},
        "version": {"type": "string"},
        "action": {"type": "string"},
        "options": {"type": "object"},
        "seed": {"type": ["integer", "null"]},
        "device": {"type": ["string", "null"]},
        "checkpoint": {"type": ["object", "null"]},
        "versions": {"type": "object", "required": ["groove-core", "numpy"]},
        "inputs": {"type": "array", "items": {"required": ["option", "file", "sha256"]}},
        "result": {"type": ["object", "array"]},
        "files": {"type": "array", "items": {"type": "string"}},
        "failed": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "message", "hint"],
                "properties": {
                    name: {"type": "string"} for name in ("file", "message", "hint")
                },
            },
        },
    },
}  # fmt: skip


@pytest.fixture
def good(site, groove):
    path = site("groove-good")
    return lambda *arguments, **kwargs: groove("run", "good", *arguments, path=path, **kwargs)


def test_files_terminal_and_document(good, tmp_path):
    result = good("beat", "--seed", "3")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "groove-out/good-beat-seed3"
    assert "4 files in groove-out/good-beat-seed3" in result.stdout
    assert "x...x..." in result.stdout
    assert "seed 3" in result.stderr
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["beat-001.mid", "beat-001.wav", "beat-002.mid", "beat-002.wav", "result.json"]
    document = json.loads((folder / "result.json").read_text())
    jsonschema.validate(document, DOCUMENT)
    for item, name in zip(document["result"], ("beat-001", "beat-002"), strict=True):
        beat = DrumPattern.from_json(item)
        assert DrumPattern.read(folder / f"{name}.mid") == beat
        assert Audio.read(folder / f"{name}.wav").peak > 0.5


def test_json_is_one_document_and_stable(good, tmp_path):
    first, again, other = (good("beat", "--json", "--seed", s) for s in ("1", "1", "2"))
    jsonschema.validate(json.loads(first.stdout), DOCUMENT)
    assert first.stdout == again.stdout != other.stdout
    assert not list(tmp_path.iterdir())


def test_a_drawn_seed_is_shown_stored_and_makes_the_same_again(good, groove, site, tmp_path):
    result = good("beat", "--out", "first", "--format", "json,txt")
    document = json.loads((tmp_path / "first/result.json").read_text())
    assert f"seed {document['seed']}" in result.stderr
    again = groove("rerun", "first/result.json", path=site("groove-good"))
    assert again.returncode == 0, again.stderr
    for name in ("beat-001.json", "beat-002.json", "beat-001.txt"):
        same = (tmp_path / "first-again" / name).read_bytes()
        assert same == (tmp_path / "first" / name).read_bytes()


def test_existing_output_needs_overwrite(good, tmp_path):
    assert good("beat", "--out", "x", "--format", "txt").returncode == 0
    before = (tmp_path / "x/result.json").read_bytes()
    result = good("beat", "--out", "x", "--format", "txt")
    assert result.returncode == 2
    assert "--overwrite" in result.stderr
    assert (tmp_path / "x/result.json").read_bytes() == before
    assert good("beat", "--out", "x", "--format", "txt", "--overwrite").returncode == 0


def test_help_shows_units_ranges_and_defaults(good):
    text = " ".join(good("beat", "--help").stdout.split())
    assert "Make beats from a seed." in text
    assert "at least" not in text
    assert "[1 to 9999 beats]" in text
    assert "[default: 2]" in text
    assert "rock|funk" in text
    for option in ("--out", "--format", "--json", "--quiet", "--overwrite"):
        assert option in text


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["beat", "--count", "0"], 2, "count must be at least 1, not 0", "--count 1"),
        (["beat", "--count", "two"], 2, "count cannot be 'two'", "integer, 1 to 9999"),
        (["beat", "--style", "fnk"], 2, "rock, funk", "Did you mean --style funk?"),
        (["beat", "--cuont", "2"], 2, "--cuont", "Did you mean --count?"),
        (["beet"], 2, "no action 'beet'", "Did you mean beat?"),
        (["bars"], 2, "Missing argument", "--help"),
        (["bars", "missing.mid"], 4, "missing.mid does not exist", "path"),
        (["bars", "."], 4, "holds no", "subfolders"),
        (["beat", "--format", "xyz"], 2, "cannot be written as .xyz", "mid"),
        (["bars", "missing.mid", "--format", "mid"], 4, "missing.mid does not exist", "path"),
        (["fail", "--format", "mid"], 2, "A report cannot be written as .mid", "csv"),
        (["keep", "--rate", "20"], 2, "rate must be one of 16, 24, not '20'", "--rate 16"),
        (["beat", "--out", "beat.mid"], 2, "not a folder", "--format mid"),
        (["beat", "--out", "/proc/nowhere"], 2, "Cannot write", "--out"),
        (["fail"], 1, "out of cheese", "--debug"),
        (["heavy"], 3, "needs the module 'groove_good_nowhere'", "pip install"),
        (["lost"], 3, "no attribute 'lost'", "pip install"),
        (["fail", "--how", "type"], 1, "of type int", "--debug"),
    ],
)
def test_errors_are_two_lines_and_a_code(good, tmp_path, arguments, code, message, hint):
    result = good(*arguments)
    assert result.returncode == code
    lines = [line for line in result.stderr.splitlines() if not line.startswith("seed")]
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_misspelt_package(groove, site):
    result = groove("run", "goood", "beat", path=site("groove-good"))
    assert result.returncode == 3
    assert "Did you mean good?" in result.stderr


def test_debug_shows_the_traceback(good):
    result = good("fail", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_a_list_takes_files_or_a_folder(good, tmp_path):
    for name in ("b", "a"):
        DrumPattern.from_masks([1] * 32).save(tmp_path / f"in/{name}.mid")
    DrumPattern.from_masks([1] * 16).save(tmp_path / "in/c.mid")
    rows = json.loads(good("bars", "in", "--json").stdout)["result"]["rows"]
    assert rows == [["0", 2], ["1", 2], ["2", 1]]
    rows = json.loads(good("bars", "in/c.mid", "in/a.mid", "--json").stdout)["result"]["rows"]
    assert rows == [["0", 1], ["1", 2]]


def test_a_bad_file_costs_only_itself(good, groove, site, tmp_path):
    for name in ("a", "c"):
        DrumPattern.from_masks([1] * 32).save(tmp_path / f"in/{name}.mid")
    bad = Path(os.fsdecode(b"in/b\xe9.mid"))
    (tmp_path / bad).write_bytes(b"<html>404</html>")
    (tmp_path / "in/._a.mid").write_bytes(b"\0\5\x16\7")
    result = good("bars", "in", "gone.mid", "--out", "o")
    assert result.returncode == 4
    assert result.stderr.splitlines() == [
        "passed over in in: 1 hidden",
        "left out: in/b\\udce9.mid is not a MIDI file.",
        "left out: gone.mid does not exist.",
        "error: 2 of 4 files were left out.",
        'hint: Look at "failed" in o/result.json for the reasons.',
    ]
    document = json.loads((tmp_path / "o/result.json").read_text())
    jsonschema.validate(document, DOCUMENT)
    assert document["result"]["rows"] == [["0", 2], ["1", 2]]
    assert [one["file"] for one in document["failed"]] == [str(bad), "gone.mid"]
    again = groove("rerun", "o/result.json", "--json", path=site("groove-good"))
    assert again.returncode == 4
    assert json.loads(again.stdout)["failed"] == document["failed"]
    quiet = good("bars", "in", "--json", "--quiet")
    assert (quiet.returncode, len(json.loads(quiet.stdout)["failed"])) == (4, 1)
    assert quiet.stderr.startswith("error: 1 of 3 files were left out.")


def test_of_bad_files_only_nothing_is_written(good, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mid").write_bytes(b"<html>404</html>")
    result = good("bars", "a.mid", "b.mid", "--out", "o")
    assert result.returncode == 4
    assert "error: None of the 2 files can be used. The first: a.mid is not" in result.stderr
    assert not (tmp_path / "o").exists()


def test_quiet(good):
    result = good("beat", "--quiet", "--format", "txt")
    assert result.returncode == 0
    assert not result.stderr


def test_completion_script_is_printed(groove):
    result = groove("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert result.returncode == 0
    assert "groove" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("groove run ", "good"),
        ("groove run good b", "beat"),
        ("groove run good beat --co", "--count"),
        ("groove run good beat --style ", "funk"),
        ("groove run good beat --style FU", "funk"),
        ("groove run good beat --count 2 --", "--style"),
        ("groove info ", "good"),
        ("groove models ", "verify"),
    ],
)
def test_completion_of_names(groove, site, words, expected):
    result = groove(
        path=site("groove-good"),
        _GROOVE_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
        _TYPER_COMPLETE_ARGS=words,
    )
    assert expected in result.stdout.split(), result.stderr


def test_completion_reads_a_package_once_and_again_when_it_changes(site, tmp_path, monkeypatch):
    from groove_core.cli import completion

    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(site("groove-good"))
    words = ["run", "good", "beat", "--style"]
    assert completion.complete(words, "") == [("rock", ""), ("funk", "")]
    monkeypatch.setattr(completion, "_actions", None)  # it would be called in vain
    assert completion.complete(words, "r") == [("rock", "")]
    [kept] = (tmp_path / "home/cache/completion").iterdir()
    kept.write_text(kept.read_text().replace('"of": {"', '"of": {"/nowhere/'))
    with pytest.raises(TypeError):
        completion.complete(words, "")


def test_a_package_without_run_is_told_how(groove, site):
    path = site("groove-good")
    result = groove("good", "beat", "--style", "a b", path=path)
    assert result.returncode == 2
    assert "hint: groove run good beat --style 'a b'" in result.stderr
    assert "Did you mean groove doctor?" in groove("doctr", path=path).stderr


def test_info_lists_the_choices_of_a_package(groove, site):
    result = groove("info", "good", path=site("groove-good"))
    assert result.returncode == 0, result.stderr  # though two of its actions are not there
    assert "--style  (beat)\n  rock, funk\n" in result.stdout
    assert "Need a module that is not there." in result.stdout


def test_the_same_command_again_replaces_its_result(good, tmp_path):
    options = ("beat", "--seed", "1", "--out", "o", "--format", "txt")
    assert good(*options, "--style", "FUNK").returncode == 0
    assert good(*options, "--style", "funk").returncode == 0
    assert good(*options, "--style", "rock").returncode == 2
    mine = tmp_path / "o/beat-001.txt"
    os.utime(mine, ns=(0, mine.stat().st_mtime_ns + 10**10))  # changed by its owner
    assert "exists already" in good(*options, "--style", "funk").stderr


def test_doctor_info_and_models(groove, site):
    path = site("groove-good", "groove-import")
    result = groove("doctor", "--json", path=path)
    checks = {c["check"]: c for c in json.loads(result.stdout)["checks"]}
    assert checks["sound files"]["status"] == "ok"
    assert checks["soundfont"]["status"] == "ok"
    assert checks["midi"]["status"] == "ok"
    assert checks["package good"]["status"] == "failed"  # two of its actions are not there
    assert checks["package import-fails"]["status"] == "failed"
    assert "pip" in checks["package import-fails"]["hint"]
    assert result.returncode == 1
    info = json.loads(groove("info", "--json", path=path).stdout)
    assert info["versions"]["groove-core"]
    assert info["packages"]["good"] == "1.2.3"
    assert Path(info["soundfont"]).is_file()
    assert "models" in json.loads(groove("models", "list", "--json", path=path).stdout)


def test_rerun_refuses_what_is_no_result(groove, tmp_path):
    (tmp_path / "a.json").write_text('{"schema": "other"}')
    (tmp_path / "b.json").write_text("{")
    assert groove("rerun", "a.json").returncode == 4
    assert groove("rerun", "b.json").returncode == 4
    assert groove("rerun", "c.json").returncode == 4


def test_overwriting_with_fewer_leaves_none_of_the_earlier(good, tmp_path):
    assert good("beat", "--count", "3", "--out", "o", "--format", "txt").returncode == 0
    (tmp_path / "o/mine.txt").write_text("not Groove's")
    assert (
        good("beat", "--count", "1", "--out", "o", "--format", "txt", "--overwrite").returncode == 0
    )
    names = sorted(p.name for p in (tmp_path / "o").iterdir())
    assert names == ["beat-001.txt", "mine.txt", "result.json"]


def test_a_file_in_the_way_stops_before_the_work(good, tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/beat-002.txt").write_text("mine")
    assert good("beat", "--out", "o", "--format", "txt").returncode == 2
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["beat-002.txt"]
    assert good("beat", "--out", "v0.1", "--format", "txt").returncode == 0


def test_from_python_with_objects_and_again(site, monkeypatch, tmp_path):
    import sys

    import numpy as np

    import groove_core

    monkeypatch.syspath_prepend(site("groove-good"))
    monkeypatch.chdir(tmp_path)
    document = groove_core.run(
        "good", "beat", count=np.int64(1), seed=2, out="o", formats="txt,json"
    )
    assert document["options"]["count"] == 1
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "beat-001.json", "beat-001.txt", "result.json",
    ]  # fmt: skip
    beat = DrumPattern.read("o/beat-001.json")
    first = groove_core.run("good", "bars", beats=[beat])
    assert groove_core.run("good", "bars", **first["options"]) == first
    with pytest.raises(groove_core.UsageError, match="multiple values"):
        sys.modules["groove_good_actions"].bars([beat], beats=[beat])


def test_every_run_has_a_folder_of_its_own_and_a_failed_one_has_none(good, tmp_path):
    for _ in range(2):
        assert good("beat", "--seed", "3").returncode == 0
    failed = good("beat", "--seed", "4", GROOVE_SOUNDFONT="/nowhere.sf2")
    assert failed.returncode == 4
    names = sorted(p.name for p in (tmp_path / "groove-out").iterdir())
    assert names == ["good-beat-seed3", "good-beat-seed3-2"]


def test_a_seed_that_the_signature_names_is_not_drawn(site, monkeypatch):
    import groove_core
    from groove_core.plugins import loader

    monkeypatch.syspath_prepend(site("groove-good"))
    seeds = [groove_core.run("good", "beat")["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]
    beat = loader.resolve("groove_good_actions:beat")
    monkeypatch.setitem(beat.__wrapped__.__kwdefaults__, "seed", 7)
    assert groove_core.run("good", "beat")["seed"] == 7
    assert groove_core.run("good", "beat", seed=3)["seed"] == 3


def test_a_document_names_what_is_too_large_for_it(site, monkeypatch):
    """Without files, too: an hour of samples is no text to print."""
    import groove_core

    monkeypatch.syspath_prepend(site("groove-good"))
    monkeypatch.setattr(DrumPattern, "to_document", lambda self: {"kind": self.kind, "sha256": "x"})
    document = groove_core.run("good", "beat", count=2, seed=1)
    assert document["result"] == 2 * [{"kind": "drum-pattern", "sha256": "x"}]


def test_what_a_plugin_prints_is_not_in_the_result(good):
    result = good("keep", "--rate", "24", "--json")
    assert json.loads(result.stdout)["result"]["rows"] == [["one", 24]]
    assert "written by a plugin" in result.stderr


def test_from_python_nothing_is_redirected(site, monkeypatch, capsys):
    import groove_core

    monkeypatch.syspath_prepend(site("groove-good"))
    groove_core.run("good", "keep")
    assert capsys.readouterr().out == "written by a plugin\n"


def test_an_overwriting_run_that_fails_leaves_the_earlier_result(good, tmp_path):
    assert good("beat", "--out", "o", "--format", "txt,wav", "--seed", "1").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    failed = good(
        "beat", "--out", "o", "--format", "txt,wav", "--seed", "2", "--overwrite",
        GROOVE_SOUNDFONT="/nowhere.sf2",
    )  # fmt: skip
    assert failed.returncode == 4
    assert {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()} == before


def test_a_rank_without_others_is_no_reason_to_be_silent(good):
    assert "files in" in good("beat", "--format", "txt", LOCAL_RANK="1").stdout
    assert not good("beat", "--format", "txt", LOCAL_RANK="1", WORLD_SIZE="2").stdout
