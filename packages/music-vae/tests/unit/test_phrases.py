"""Phrases: their roles by the letters that return, and reading POP909's labels."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.learning import Split
from groove_core.tunes import Tune, TuneSet
from groove_core.values import LeadSheet
from music_vae import sets
from music_vae.phrases import PhraseSet, labels, read_structure, roles

SONG = {
    "human_label1": "i1A1B1A1B1C1x1\n",
    "finalized_chord": "C:maj [0, 4, 7] 0 24\nA:min7 [9, 0, 4, 7] 9 4\n",
    # Silence, a pickup of one step into bar 1, and a note that sounds from bar 1 into bar 2.
    "melody": "0 15\n60 1\n62 8\n64 12\n0 60\n65 4\n",
    "analyzed_key": "A:min\nC:maj\n",
    "tempo": "90",
}
TABLE = {
    "001": {"split": "train", "group": ""},
    "002": {"split": "test", "group": "one"},
}


def archive(folder, **songs):
    path = folder / "structure.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, texts in songs.items():
            for what, text in texts.items():
                file.writestr(f"{name.lstrip('s')}/{what}.txt", text)
    return path


@pytest.mark.parametrize(
    ("letters", "found"),
    [
        ("iABABo", {"A": "verse", "B": "chorus"}),  # of two that return as often, the later one
        ("AABAA", {"A": "chorus", "B": "bridge"}),
        ("AXBXB", {"A": "bridge", "X": "bridge", "B": "chorus"}),  # X says that it does not return
        ("AaaaB", {"A": "bridge", "B": "bridge"}),  # lower case is not sung
        ("io", {}),
    ],
)
def test_roles(letters, found):
    assert roles(list(letters)) == found


@pytest.mark.parametrize("text", ["", "A", "A4 B4", "4A"])
def test_labels_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="no labels"):
        labels(text)


def test_a_song_is_as_long_as_its_phrases(tmp_path):
    found = read_structure(archive(tmp_path, s001=SONG), TABLE)
    song = found.song(0)
    assert song.length == 7 * 16
    assert song.notes[:, :3].tolist() == [[15, 1, 60], [16, 8, 62], [24, 12, 64], [96, 4, 65]]
    assert [(at, str(chord)) for at, chord in song.chords] == [(0, "C"), (96, "Am7")]
    assert (song.key, song.tempo_bpm) == ("Am", 90)
    assert not found.tunes.left_out
    assert [(p.letter, p.role, p.bar, p.bars) for p in found.phrases] == [
        ("A", "verse", 1, 1), ("B", "chorus", 2, 1), ("A", "verse", 3, 1), ("B", "chorus", 4, 1),
        ("C", "bridge", 5, 1),
    ]  # fmt: skip


def test_a_phrase_alone_has_the_notes_that_begin_in_it(tmp_path):
    found = read_structure(archive(tmp_path, s001=SONG), TABLE)
    first = found.melody(found.phrases[0])
    assert first.notes[:, :3].tolist() == [[0, 8, 62], [8, 8, 64]]
    # The note that sounds on began before.
    assert not len(found.melody(found.phrases[1]).notes)


def test_parts_are_those_of_the_table(tmp_path):
    found = read_structure(archive(tmp_path, s001=SONG, s002=SONG), TABLE)
    assert [(head.part, head.group) for head in found.tunes.heads] == [
        ("train", "pop909/POP909/001"), ("test", "one")
    ]  # fmt: skip
    assert {phrase.song for phrase in found.of_part("test")} == {1}
    assert len(found.of_part("train", "test")) == len(found.phrases)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"human_label1": "i1A1B1A1B1C2x3"}, "differ by over a bar"),
        ({"human_label1": "what"}, "cannot be read"),
        ({"melody": "0 4"}, "without a melody"),
        ({"melody": "60 four"}, "cannot be read"),
    ],
)
def test_songs_in_doubt_are_left_out_and_counted(tmp_path, change, reason):
    path = archive(tmp_path, s001=SONG, s002={**SONG, **change}, s003=SONG)
    found = read_structure(path, TABLE)
    assert len(found) == 1
    counts = found.tunes.left_out
    assert [count for why, count in counts.items() if reason in why] == [1]
    assert counts["songs that the split does not name"] == 1


def test_notes_behind_the_last_phrase_are_counted(tmp_path):
    song = {**SONG, "melody": "60 108\n62 8\n64 4\n"}
    found = read_structure(archive(tmp_path, s001=song), TABLE)
    assert found.song(0).notes[:, :3].tolist() == [[0, 108, 60], [108, 4, 62]]
    assert found.tunes.left_out == {"notes behind the last phrase": 1}


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no labelled songs"):
        read_structure(archive(tmp_path, s003=SONG), TABLE)


def test_what_was_saved_comes_back(tmp_path):
    found = read_structure(archive(tmp_path, s001=SONG, s002=SONG), TABLE)
    for suffix in ("npz", "json"):
        assert PhraseSet.read(found.save(tmp_path / f"phrases.{suffix}")) == found
    assert "4 of a chorus, 4 of a verse, 2 of a bridge" in found.to_text()
    assert found.to_document()["phrases"] == {"chorus": 4, "verse": 4, "bridge": 2}


def test_what_does_not_fit_is_refused(tmp_path):
    melody = LeadSheet(np.array([[0, 4, 60, 80]]), 4, (4, 4), 16)
    tunes = TuneSet.of([Tune("a", "b", "c", "train", (melody,))])
    for texts, why in ((["A2"], "longer or shorter"), (["A1", "A1"], "labels"), ([], "labels")):
        with pytest.raises(ValueError, match=why):
            PhraseSet(tunes, texts)
    with pytest.raises(InputError, match="not a set of phrases"):
        PhraseSet.read(tunes.save(tmp_path / "tunes.npz"))


def test_the_shipped_phrases():
    found = sets.phrases()
    assert len(found) == 781
    first = found.song(0)
    # "001": i4A4B8A4A4b4...; its first notes are a pickup to bar 4, where A begins.
    assert found.phrases[0].bar == 4
    assert first.notes[:4, [0, 2]].tolist() == [[60, 61], [61, 63], [62, 66], [63, 68]]
    sung = np.concatenate([
        np.isin(np.arange(p.bar, p.bar + p.bars), found.song(p.song).notes[:, 0] // 16)
        for p in found.phrases[:500]
    ])  # fmt: skip
    assert sung.mean() > 0.9


def test_phrases_and_melodies_of_a_song_are_one_group_in_one_part():
    """What a network learnt from the melodies is known of the phrases, too."""
    part = {head.group: head.part for head in sets.tunes().heads}
    assert all(part[head.group] == head.part for head in sets.phrases().tunes.heads)


def test_phrases_are_divided_by_what_a_checkpoint_has_learnt(tmp_path):
    found = read_structure(archive(tmp_path, s001=SONG, s002=SONG), TABLE)
    card = {"name": "net", "data": Split("song").card(["one"], {"train": [0]})}
    heads = found.as_learnt([card]).tunes.heads
    assert [head.part for head in heads] == ["test", "train"]
