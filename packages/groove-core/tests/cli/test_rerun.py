"""A result made again: from the same inputs or not at all, whoever wrote the document."""

from __future__ import annotations

import hashlib
import json

import pytest

from groove_core.drums.pattern import DrumPattern

BEAT, OTHER = (DrumPattern.from_masks([mask] * 16) for mask in (1, 4))
DOCUMENT = {
    "schema": "groove.result/1", "package": "good", "version": "1.2.3", "action": "beat",
    "options": {"count": 1, "seed": 1}, "files": ["beat-001.txt"],
}  # fmt: skip


@pytest.fixture
def made(site, groove, tmp_path):
    """Count the bars of two beats in a folder, and give a function that reruns the result."""
    for name in "ab":
        BEAT.save(tmp_path / f"in/{name}.mid")
    path = site("groove-good")
    assert groove("run", "good", "bars", "in", "--out", "r", path=path).returncode == 0

    def again(*arguments: str, **options):
        return groove("rerun", str(tmp_path / "r/result.json"), *arguments, path=path, **options)

    return again


def test_the_document_knows_each_file_by_name_and_content(made, tmp_path):
    document = json.loads((tmp_path / "r/result.json").read_text())
    sha256 = hashlib.sha256((tmp_path / "in/a.mid").read_bytes()).hexdigest()
    assert document["inputs"] == [
        {"option": "beats", "file": f"in/{name}.mid", "sha256": sha256} for name in "ab"
    ]
    result = made("--out", "again")
    assert result.returncode == 0, result.stderr
    for name in ("in.bars.json", "in.bars.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "r" / name).read_bytes()
    assert json.loads((tmp_path / "again/result.json").read_text()) == {
        **document, "files": ["again/in.bars.json", "again/in.bars.txt"],
    }  # fmt: skip


def test_another_content_is_refused(made, tmp_path):
    OTHER.save(tmp_path / "in/b.mid")
    result = made("--json")
    assert result.returncode == 4
    assert "in/b.mid is not the file" in result.stderr
    assert "groove run" in result.stderr


def test_another_file_of_the_same_name_elsewhere_is_refused(made, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    for name in "ab":
        OTHER.save(elsewhere / f"in/{name}.mid")
    assert made("--json", cwd=elsewhere).returncode == 4


def test_a_file_beside_the_document_is_found(made, tmp_path):
    (tmp_path / "in/a.mid").rename(tmp_path / "r/a.mid")
    result = made("--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)["options"]["beats"]
    assert found == [str(tmp_path / "r/a.mid"), "in/b.mid"]


@pytest.mark.parametrize(("change", "said"), [("less", "is not there"), ("more", "other files")])
def test_a_folder_that_holds_less_or_more_is_refused(made, tmp_path, change, said):
    if change == "less":
        (tmp_path / "in/a.mid").unlink()
    else:
        BEAT.save(tmp_path / "in/c.mid")
    result = made("--json")
    assert result.returncode == 4
    assert said in result.stderr


def test_an_older_document_still_works_with_a_warning(made, tmp_path):
    path = tmp_path / "r/result.json"
    document = json.loads(path.read_text())
    del document["inputs"]
    path.write_text(json.dumps(document))
    result = made("--json")
    assert result.returncode == 0
    assert "warning" in result.stderr
    assert "beats" in result.stderr


def test_other_versions_are_named(made, tmp_path):
    path = tmp_path / "r/result.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"versions": {"numpy": "0.1", "evil": "1"}}))
    result = made("--json")
    assert result.returncode == 0
    assert "made with numpy 0.1, this is " in result.stderr
    assert "evil" not in result.stderr


def test_a_file_that_changes_during_the_run_is_not_named(tmp_path, monkeypatch, capsys, site):
    monkeypatch.syspath_prepend(site("groove-good"))
    monkeypatch.chdir(tmp_path)
    from groove_core.actions import runs

    BEAT.save("a.mid")
    started = runs.start("good", "bars", {"beats": ["a.mid"]}, write=False)
    OTHER.save("a.mid")
    assert list(started.values)
    assert started.document is not None
    assert started.document["inputs"] == []
    assert "a.mid changed during the run" in capsys.readouterr().err


def _rerun(groove, site, tmp_path, document, *arguments: str):
    (tmp_path / "r").mkdir()
    (tmp_path / "r/result.json").write_text(json.dumps(document))
    return groove("rerun", "r/result.json", *arguments, path=site("groove-good"))


def test_no_file_is_removed_because_a_document_names_it(groove, site, tmp_path):
    document = {**DOCUMENT, "files": ["thesis.txt", "beat-001.txt", "../beat-002.txt"]}
    for name in ("r-again/thesis.txt", "beat-002.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "r-again/result.json").write_text(json.dumps(document))
    result = _rerun(groove, site, tmp_path, document, "--out", "r-again", "--overwrite", "-q")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "r-again/thesis.txt").read_text() == "mine"
    assert (tmp_path / "beat-002.txt").read_text() == "mine"
    assert (tmp_path / "r-again/beat-001.txt").is_file()


def test_a_place_to_write_to_is_asked_for_again(groove, site, tmp_path):
    document = {**DOCUMENT, "action": "keep", "options": {"into": "victim"}, "files": []}
    refused = _rerun(groove, site, tmp_path, document)
    assert refused.returncode == 2
    assert "--option into=victim" in refused.stderr
    assert not (tmp_path / "victim").exists()
    path = site("groove-good")
    wrong = groove("rerun", "r/result.json", "--option", "rate=24", path=path)
    assert wrong.returncode == 2
    asked = groove("rerun", "r/result.json", "--option", "into=mine", "--json", path=path)
    assert asked.returncode == 0, asked.stderr
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize(
    "odd",
    [
        {"files": [5]}, {"files": None}, {"options": [1]}, {"action": ["a"]}, {"package": None},
        {"version": 1}, {"versions": 1}, {"schema": []}, {"inputs": 3},
        {"inputs": [{"option": "beats"}]},
    ],
)  # fmt: skip
def test_a_document_of_other_types_is_an_input_error(groove, site, tmp_path, odd):
    result = _rerun(groove, site, tmp_path, DOCUMENT | odd)
    assert result.returncode == 4
    assert "is not a result of a run" in result.stderr


def test_values_of_a_document_are_checked(groove, site, tmp_path):
    options = {"beats": [{"kind": "drum-pattern", "masks": "?"}]}
    document = {**DOCUMENT, "action": "bars", "options": options}
    result = _rerun(groove, site, tmp_path, document)
    assert result.returncode == 4
    assert "not a valid drum-pattern" in result.stderr


def test_json_nested_without_end_is_an_input_error(groove, tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000 + "]" * 100_000)
    result = groove("rerun", "a.json")
    assert result.returncode == 4
    assert "nested too deeply" in result.stderr


def test_rerun_says_which_folder_of_data_has_no_hash(site, groove, tmp_path):
    path = site("groove-good")
    (tmp_path / "data").mkdir()
    arguments = ("run", "good", "keep", "--data", "data", "--format", "txt", "--out", "o")
    assert groove(*arguments, path=path).returncode == 0
    result = groove("rerun", "o/result.json", path=path)
    assert result.returncode == 0, result.stderr
    assert "o/result.json has no hash of data, which may have changed since" in result.stderr
