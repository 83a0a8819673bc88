"""Songs from folders and zip files, each in its part; one that cannot be read costs only itself."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.learning import content_name
from groove_core.tunes.reading import open_tunes, read_tunes
from groove_core.tunes.sets import TuneSet
from groove_core.values import LeadSheet, Score, Track


def sheet(seed: int, bars: int = 4, **settings) -> LeadSheet:
    """Draw a tune of eighths."""
    rng = np.random.default_rng(seed)
    n = 8 * bars
    columns = [np.arange(n) * 2, np.full(n, 2), 60 + rng.integers(0, 12, n), np.full(n, 80)]
    return LeadSheet(np.stack(columns, axis=1), **{"key": "G", **settings})


def band(seed: int) -> Score:
    """Return a song with a tune, a bass line called so, and a tune called otherwise."""
    tracks = [
        Track(sheet(seed + n).notes * np.array([120, 120, 1, 1]) - [0, 0, low, 0], name=name)
        for n, (name, low) in enumerate([("lead vocals", 0), ("bass", 30), ("flute", -7)])
    ]
    return Score(tuple(tracks), 480, name="band")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of two songs and a folder in it with a third."""
    root = tmp_path / "mine"
    for seed, name in enumerate(["one.mid", "two.mid", "more/three.mid"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        sheet(seed).save(root / name)
    return root


def pitches(tunes, name: str) -> list[int]:
    [tune] = [one for one in tunes if one.name == name]
    return tune.melodies[0].notes[:, 2].tolist()


def test_a_folder_is_a_corpus(folder):
    tunes, counts = read_tunes([folder])
    assert read_tunes([folder], jobs=2) == (tunes, counts)  # in processes of their own
    assert sorted((tune.corpus, tune.name) for tune in tunes) == [
        ("mine", "more/three"), ("mine", "one"), ("mine", "two")
    ]  # fmt: skip
    assert pitches(tunes, "two") == sheet(1).notes[:, 2].tolist()
    assert tunes[0].melodies[0].key == "G"
    assert counts == {}
    assert {tune.part for tune in tunes} == {"train", "validation", "test"}


def test_a_zip_file_is_a_corpus(folder, tmp_path):
    archive = tmp_path / "book.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in folder.rglob("*.mid"):
            out.write(path, path.relative_to(folder))
        out.writestr("__MACOSX/._one.mid", b"no song")
        out.writestr("LICENSE", "CC0")
    for where in (archive, tmp_path):  # the other one is found in the folder beside it
        tunes, counts = read_tunes([where])
        of_book = [tune for tune in tunes if tune.corpus == "book"]
        assert sorted(tune.name for tune in of_book) == ["more/three", "one", "two"]
        assert pitches(of_book, "more/three") == sheet(2).notes[:, 2].tolist()
        assert counts == {}


def test_annotations_put_a_song_on_its_beats(tmp_path):
    """In a zip file beside that of the songs, as POP909 has them, or beside the file."""
    plain = sheet(5)
    late = Score(
        (Track(plain.notes * [130, 130, 1, 1] + [500, 0, 0, 0], name="MELODY"),), 480,
        tempos=np.array([[0, 500_000]]),
    )  # fmt: skip
    beats = "".join(
        f"{(500 + beat * 520) / 960:.6f} 0.0 {float(beat % 4 == 0)}\n" for beat in range(17)
    )
    inside, loose = tmp_path / "inside", tmp_path / "loose" / "007"
    loose.mkdir(parents=True)
    inside.mkdir()
    with zipfile.ZipFile(inside / "songs.zip", "w") as out:
        out.writestr("POP/007.mid", late.to_midi())
    with zipfile.ZipFile(inside / "annotations.zip", "w") as out:
        out.writestr("POP/007/beat_midi.txt", beats)
        out.writestr("POP/008/beat_midi.txt", "no beats")
    (loose / "007.mid").write_bytes(late.to_midi())
    (loose / "beat_midi.txt").write_text(beats)
    for root, corpus, name in ((inside, "songs", "POP/007"), (loose, "007", "007")):
        [tune], counts = read_tunes([root])
        assert (tune.corpus, tune.name) == (corpus, name)
        assert tune.melodies[0].notes[:, :3].tolist() == plain.notes[:, :3].tolist()
        assert counts == {}
    (loose / "beat_midi.txt").unlink()
    _, counts = read_tunes([inside, loose])
    assert counts["notes off the grid"] + counts["notes moved to the grid"] > 0


def broken(folder: Path) -> set[str]:
    """Add files that hold no melody, and return the names of those that cannot be read."""
    (folder / "text.mid").write_text("no MIDI")
    (folder / "empty.mid").write_bytes(b"")
    (folder / "broken.zip").write_text("no zip file")
    with zipfile.ZipFile(folder / "some.zip", "w") as out:
        out.writestr("inner.mid", b"MThd and no more")
        out.writestr("four.mid", sheet(4).to_score().to_midi())
    drums = Track(np.array([[0, 10, 36, 90]]), is_drum=True, name="drums")
    (folder / "drums.mid").write_bytes(Score((drums,), 480).to_midi())
    (folder / "bad.abc").write_text("X:1\n")
    return {"mine/text", "mine/empty", "broken.zip", "some/inner", "mine/drums", "mine/bad"}


def test_one_bad_file_costs_only_itself(folder, capsys):
    names = broken(folder)
    sheet(3, bars=1).save(folder / "short.mid")
    tunes, counts = read_tunes([folder])
    assert sorted(tune.name for tune in tunes) == ["four", "more/three", "one", "two"]
    assert counts["songs that cannot be used"] == len(names) - 1
    assert counts["songs without a usable melody"] == 1
    assert counts["notes of too short lines"] == 8
    shown = [line for line in capsys.readouterr().err.splitlines() if "left out:" in line]
    assert len(shown) == len(names)
    assert all(any(name in line for line in shown) for name in names)


def test_a_folder_without_a_usable_song(tmp_path):
    sheet(3, bars=1).save(tmp_path / "mine/short.mid")
    with pytest.raises(InputError, match="No song has a usable melody") as error:
        read_tunes([tmp_path / "mine"])
    assert "8 notes of too short lines" in error.value.message
    assert "--track" in error.value.hint


@pytest.mark.parametrize("track", ["flute", 3])
def test_the_track_can_be_named_or_numbered(tmp_path, track):
    for number in range(2):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / f"mine/{number}.mid").write_bytes(band(10 * number).to_midi())
    sheet(77).save(tmp_path / "mine/solo.mid")
    tunes, _ = read_tunes([tmp_path / "mine"])
    assert pitches(tunes, "0") == sheet(0).notes[:, 2].tolist()
    tunes, counts = read_tunes([tmp_path / "mine"], line=track)
    assert pitches(tunes, "1") == (sheet(12).notes[:, 2] + 7).tolist()
    # The song that has no such track is left out.
    assert counts == {"songs that cannot be used": 1}


def test_a_quartet_is_its_first_violin(tmp_path):
    (tmp_path / "mine").mkdir()
    score = band(20)
    names = ("violin-2", "violin-1", "melody")
    tracks = tuple(
        Track(track.notes, name=name) for track, name in zip(score.tracks, names, strict=True)
    )
    (tmp_path / "mine/quartet.mid").write_bytes(Score(tracks, 480).to_midi())
    tunes, _ = read_tunes([tmp_path / "mine"])
    assert pitches(tunes, "quartet") == (sheet(21).notes[:, 2] - 30).tolist()


def test_musicxml_and_abc(tmp_path):
    pytest.importorskip("music21")
    root = tmp_path / "mine"
    one = sheet(6, chords=((0, "G"), (16, "D7")))
    one.save(root / "xml.musicxml")
    (root / "tune.abc").write_text(
        "X:1\nT:A tune\nM:6/8\nL:1/8\nK:D\n"
        "DEF AGF|EFG BAG|FGA d2f|edc d3|dcB ABG|FED EFG|FGA d2f|edc d3|\n"
    )
    tunes, counts = read_tunes([root])
    assert pitches(tunes, "xml") == one.notes[:, 2].tolist()
    [tune] = [tune for tune in tunes if tune.name == "xml"]
    assert [(at, str(chord)) for at, chord in tune.melodies[0].chords] == [(0, "G"), (16, "D7")]
    [tune] = [tune for tune in tunes if tune.name == "tune"]
    [melody] = tune.melodies
    assert (melody.metre, melody.key, melody.steps_per_quarter) == ((6, 8), "D", 4)
    assert melody.notes[:4, :3].tolist() == [[0, 2, 62], [2, 2, 64], [4, 2, 66], [6, 2, 69]]
    assert melody.length == 8 * 12
    assert counts == {}


# --- parts -----------------------------------------------------------------------------------


def test_copies_of_a_tune_are_in_one_part(tmp_path):
    root = tmp_path / "mine"
    for number in range(12):
        sheet(number).save(root / f"{number}.mid")
        sheet(number).transpose(number - 6).save(root / f"copy of {number}.mid")
    tunes, _ = read_tunes([root])
    assert len(tunes) == 24
    of = {tune.name: tune for tune in tunes}
    for number in range(12):
        one, other = of[str(number)], of[f"copy of {number}"]
        assert (one.group, one.part) == (other.group, other.part)
    assert len({tune.group for tune in tunes}) == 12


def test_a_song_has_its_group_wherever_it_lies(tmp_path):
    """In another folder, under another name or in a zip file: a checkpoint remembers it."""
    one, other = tmp_path / "one/deep", tmp_path / "other"
    one.mkdir(parents=True)
    other.mkdir()
    sheet(1).save(one / "a.mid")
    content = (one / "a.mid").read_bytes()
    (other / "b.mid").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
        archive.writestr("c/d.mid", content)
    places = (tmp_path / "one", other, tmp_path / "songs.zip")
    groups = [read_tunes([place])[0][0].group for place in places]
    assert groups == [content_name(content)] * 3


def test_published_tables_say_the_part(folder, tmp_path):
    """By the path in the corpus, or by the name alone; what no table names goes by its hash."""
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "mine.tsv").write_text(
        "id\tsplit\tgroup\none\ttest\tthat tune\nmore/three.mid\tvalidation\t\n"
    )
    tunes, _ = read_tunes([folder], splits=splits)
    of = {tune.name: tune for tune in tunes}
    assert (of["one"].part, of["one"].group) == ("test", "that tune")
    assert (of["more/three"].part, of["more/three"].group) == ("validation", "mine/more/three")
    (splits / "mine.tsv").write_text("id\tsplit\tgroup\nthree\ttest\t\n")
    tunes, _ = read_tunes([folder], splits=splits)
    assert {tune.name: tune.part for tune in tunes}["more/three"] == "test"


def test_a_table_with_an_unknown_part(folder, tmp_path):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/mine.tsv").write_text("id\tsplit\tgroup\none\ttraining\t\n")
    with pytest.raises(InputError, match="training") as error:
        read_tunes([folder], splits=tmp_path / "splits")
    assert "train, validation or test" in error.value.hint


def test_opening_tunes(folder, tmp_path):
    made = open_tunes(folder)
    assert len(made) == 3
    made.save(tmp_path / "tunes.npz")
    assert open_tunes(tmp_path / "tunes.npz").to_json() == made.to_json()
    assert isinstance(made, TuneSet)
