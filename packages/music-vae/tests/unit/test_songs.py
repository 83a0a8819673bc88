"""Sets of songs in several voices: read from folders, divided, stored, and cut into windows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.tunes import Head
from groove_core.values import Melody
from music_vae import sets
from music_vae.alphabets import NOTE
from music_vae.pieces import score_of
from music_vae.songs import SongSet, read_songs
from music_vae.windows import WindowSet, of_melodies, transposed

TRIO = ("melody", "bass", "drums")
TWO = SimpleNamespace(voices=("drums",), bars=2)


def beat(seed: int, bars: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 512, (1, 16 * bars)) * (np.arange(16 * bars) % 2 == 0)


def songs(count: int = 3, part: str = "train") -> SongSet:
    heads = [Head(f"song {i}", "corpus", f"group {i}", part) for i in range(count)]
    return SongSet(("drums",), heads, [[beat(i), beat(i + 50, 4)] for i in range(count)], {"x": 2})


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_what_was_saved_comes_back(tmp_path, suffix):
    found = SongSet.read(songs().save(tmp_path / f"songs.{suffix}"))
    assert found == songs()
    assert [song.group for song in found] == ["group 0", "group 1", "group 2"]
    assert [rows.tolist() for rows in found.stretches[1]] == [
        beat(1).tolist(),
        beat(51, 4).tolist(),
    ]
    assert found.left_out == {"x": 2}


def test_the_empty_set(tmp_path):
    empty = SongSet(TRIO, [], [])
    assert SongSet.read(empty.save(tmp_path / "songs.npz")) == empty
    assert "0 songs, 0 bars" in empty.to_text()


def test_sets_are_joined():
    more = songs() + songs(2, "test")
    assert len(more) == 5
    assert more.left_out == {"x": 4}
    assert "song" in more.to_text()
    with pytest.raises(UsageError, match="do not go together"):
        songs() + SongSet(TRIO, [], [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"voices": ()}, "no voices"),
        ({"voices": ("drums", "melody")}, "no voices"),
        ({"heads": []}, "1 songs, not 0"),
        ({"heads": [Head("a", "b", "c", "dev")]}, "no part dev"),
        ({"stretches": [[beat(0)[:, :17]]]}, "whole bars"),
        ({"stretches": [[np.zeros((3, 16), int)]]}, "whole bars"),
        ({"stretches": [[np.full((1, 16), 512)]]}, "out of range"),
        ({"stretches": [[np.full((1, 16), -1)]]}, "out of range"),
    ],
)
def test_what_does_not_fit_is_refused(change, why):
    fine = {
        "voices": ("drums",), "heads": [Head("a", "b", "c", "train")], "stretches": [[beat(0)]]
    }  # fmt: skip
    SongSet(**fine)
    with pytest.raises(ValueError, match=why):
        SongSet(**{**fine, **change})


@pytest.mark.parametrize("name", ["steps", "stretches_of_song", "songs", "events"])
def test_damaged_files_are_refused(tmp_path, name):
    arrays = songs().arrays
    arrays[name] = arrays[name][:-5] if name == "songs" else arrays[name][:-1]
    np.savez(tmp_path / "songs.npz", **arrays)
    with pytest.raises(InputError, match="not a set of songs"):
        SongSet.read(tmp_path / "songs.npz")


def write(folder, name, events, voices):
    path = folder / f"{name}.mid"
    path.parent.mkdir(exist_ok=True, parents=True)
    return score_of(events, voices).save(path)


def test_a_folder_of_drums(tmp_path):
    for i in range(4):
        write(tmp_path, f"{i}", beat(i), ("drums",))
    write(tmp_path, "copy", beat(2), ("drums",))
    write(tmp_path, "tune", np.full((1, 32), NOTE + 40), ("melody",))
    found = read_songs([tmp_path], ("drums",))
    assert len(found) == 5
    assert found.left_out == {"songs without drums": 1}
    rows = dict(zip([head.name for head in found.heads], found.stretches, strict=True))
    assert rows["1"][0].tolist() == beat(1).tolist()
    one, two = (head for head in found.heads if head.name in ("2", "copy"))
    assert (one.group, one.part) == (two.group, two.part)
    assert len({head.group for head in found.heads}) == 4


def test_trios_are_copies_in_any_key(tmp_path, trio_of):
    from music_vae.pieces import song_of

    rows = song_of(trio_of(16, 1), TRIO).stretches[0]
    write(tmp_path, "one", rows, TRIO)
    write(tmp_path, "two", transposed(rows[None], TRIO, np.array([3]))[0], TRIO)
    trio_of(16, 2).save(tmp_path / "three.mid")
    found = read_songs([tmp_path], TRIO)
    groups = {head.name: head.group for head in found.heads}
    assert groups["one"] == groups["two"] != groups["three"]


def test_the_split_of_groove_midi_and_of_tables(tmp_path):
    folder = tmp_path / "groove-midi"
    for i, split in enumerate(["train", "validation", "test"]):
        write(folder, f"drummer1/{i}_rock_120_beat_4-4", beat(i), ("drums",))
        with (folder / "info.csv").open("a") as table:
            head = "midi_filename,split\n" if not i else ""
            table.write(f"{head}drummer1/{i}_rock_120_beat_4-4.mid,{split}\n")
    found = read_songs([folder], ("drums",))
    assert [head.part for head in found.heads] == ["train", "validation", "test"]
    assert found.heads[0].group == "groove-midi/drummer1/0_rock_120_beat_4-4"
    (tmp_path / "splits").mkdir()
    table = ["id\tsplit\tgroup", *(f"{i}_rock_120_beat_4-4.mid\ttest\tall" for i in range(3))]
    (tmp_path / "splits/other.tsv").write_text("\n".join(table))
    other = folder.rename(tmp_path / "other")
    (other / "info.csv").unlink()
    found = read_songs([other], ("drums",), splits=tmp_path / "splits")
    assert {(head.part, head.group) for head in found.heads} == {("test", "all")}


def test_a_folder_without_any(tmp_path):
    write(tmp_path, "tune", np.full((1, 32), NOTE + 40), ("melody",))
    with pytest.raises(InputError, match=r"None of 1 files has melody and bass and drums") as error:
        read_songs([tmp_path], TRIO)
    assert "1 songs without a bass" in error.value.message


def test_windows_of_a_folder_and_of_a_file(tmp_path):
    write(tmp_path / "beats", "a", beat(0), ("drums",))
    file = read_songs([tmp_path / "beats"], ("drums",)).save(tmp_path / "beats.npz")
    one, two = (sets.windows_of(TWO, data) for data in (tmp_path / "beats", file))
    assert one.events.tolist() == two.events.tolist()
    assert len(one) == 7
    with pytest.raises(InputError, match="has songs of drums, not of melody and bass and drums"):
        sets.windows_of(SimpleNamespace(voices=TRIO, bars=16), file)
    with pytest.raises(InputError, match="not a set of drums"):
        sets.windows_of(TWO, sets.DATA / "phrases.npz")


def test_two_minims_are_four_crotchets():
    rows = np.array([[4 * i, 2, 60 + i, 80] for i in range(8)])
    one, two = (of_melodies("a", [Melody(rows, metre=metre)]) for metre in ((4, 4), (2, 2)))
    assert one.stretches[0].tolist() == two.stretches[0].tolist()
    three = of_melodies("a", [Melody(rows, metre=(3, 4))])
    assert not three.stretches
    assert three.left_out == {"melodies not in 4/4 and sixteenths": 1}


def test_songs_that_are_too_short_are_named():
    with pytest.raises(InputError, match=r"no song has so many bars .*the longest has 8"):
        WindowSet.of(songs(), ("drums",), 16)


def test_a_training_needs_a_batch():
    windows = WindowSet.of(songs(), ("drums",), 2)
    windows.check_size(len(windows))
    with pytest.raises(InputError, match=r"30 windows of 2 bars, of 3 songs; a batch takes 31"):
        windows.check_size(31)


def test_the_shipped_sets():
    beats, trios = sets.beats(), sets.trios()
    assert beats.corpora == ["groove-midi"]
    assert trios.corpora == ["freedoom-midi", "made", "simutrans-midi"]
    # What is held out of one set is learnt from in none.
    for corpus in ("pop909", "simutrans-midi"):
        parts = {h.group: h.part for h in sets.tunes().heads if h.corpus == corpus}
        others = {h.group: h.part for h in trios.heads if h.group.startswith(corpus)}
        shared = parts.keys() & others
        assert shared
        assert all(parts[group] == others[group] for group in shared)
    assert {song.part for song in beats} == {"train", "validation", "test"}
