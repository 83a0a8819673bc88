"""Sets of tunes: packed and unpacked, refused where they are damaged, and divided anew."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.learning import PARTS, Split
from groove_core.tunes.sets import KINDS, Tune, TuneSet
from groove_core.tunes.stretches import Stream
from groove_core.values import LeadSheet


def sheet(seed: int, **settings) -> LeadSheet:
    """Draw a melody with rests."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    starts = np.cumsum(rng.integers(1, 9, n)) - 1
    gaps = np.diff(starts, append=starts[-1] + 5)
    rows = np.stack([starts, rng.integers(1, gaps + 1), rng.integers(30, 100, n), np.full(n, 80)])
    return LeadSheet(rows.T, **settings)


MELODIES = [
    sheet(1, key="F#m", tempo_bpm=87.65, chords=((0, "F#m"), (3, "D"), (4, "E7/G#"))),
    sheet(2, metre=(6, 8), pickup=5, length=400, name="with a pickup"),
    sheet(3, steps_per_quarter=3, metre=(3, 4), key="Eb", chords=((2, "Eb"),)),
    LeadSheet(np.zeros((0, 4), np.int64), length=64),
    sheet(4, key="C"),
]
TUNES = [
    Tune("a/one", "book", "one", "train", tuple(MELODIES[:2])),
    Tune("héllo", "book", "héllo", "validation", ()),
    Tune("two", "other", "two", "test", tuple(MELODIES[2:])),
]


@pytest.fixture
def tunes() -> TuneSet:
    return TuneSet.of(TUNES, {"notes off the grid": 3, "songs in 5/4": 1})


def same(one: TuneSet, other: TuneSet) -> bool:
    return all(
        np.array_equal(one.arrays[name], other.arrays[name])
        and one.arrays[name].dtype == other.arrays[name].dtype
        for name in KINDS
    )


def test_melodies_come_back(tunes):
    assert len(tunes) == 3
    assert tunes.counts.tolist() == [2, 0, 3]
    for number, melody in enumerate(MELODIES):
        back = tunes.melody(number)
        assert back.to_json() == melody.to_json()
        assert back.name == tunes.heads[tunes.tune_of[number]].name
    for number, tune in enumerate(TUNES):
        back = tunes.tune(number)
        assert (back.name, back.corpus, back.group, back.part) == (
            tune.name, tune.corpus, tune.group, tune.part
        )  # fmt: skip
        assert [m.to_json() for m in back.melodies] == [m.to_json() for m in tune.melodies]
    assert tunes.left_out == {"notes off the grid": 3, "songs in 5/4": 1}
    assert tunes.corpora == ["book", "other"]


def test_parts_and_corpora_can_be_chosen(tunes):
    assert tunes.of_part("train").tolist() == [0, 1]
    assert tunes.of_part("validation").tolist() == []
    assert tunes.of_part(*PARTS).tolist() == [0, 1, 2, 3, 4]
    assert tunes.of_part("train", "test", corpus="other").tolist() == [2, 3, 4]


def test_saved_and_loaded(tunes, tmp_path):
    for name in ("tunes.npz", "tunes.json"):
        tunes.save(tmp_path / name)
        assert same(TuneSet.read(tmp_path / name), tunes)
    assert same(TuneSet.from_json(tunes.to_json()), tunes)
    document = tunes.to_document()
    assert (document["tunes"], document["left_out"]["songs in 5/4"]) == (3, 1)
    text = tunes.to_text().splitlines()
    assert text[0] == f"3 tunes, 5 melodies, {sum(len(m.notes) for m in MELODIES)} notes"
    assert text[1].split() == ["book", "1", "train,", "1", "validation,", "0", "test"]


def test_no_tunes():
    nothing = TuneSet.of([])
    assert (len(nothing), nothing.corpora, nothing.left_out) == (0, [], {})
    assert same(TuneSet.from_json(nothing.to_json()), nothing)
    assert len(nothing.stream([]).events) == 0


def test_a_stream_is_the_events_of_its_melodies(tunes):
    chosen = [4, 0, 3, 1]
    found = tunes.stream(chosen)
    wanted = Stream.of([tunes.melody(number).events for number in chosen])
    assert np.array_equal(found.events, wanted.events)
    assert np.array_equal(found.starts, wanted.starts)


def damaged(tunes: TuneSet) -> dict[str, dict[str, np.ndarray]]:
    """Return arrays each of which is wrong in one way."""
    arrays = tunes.arrays
    about, big = arrays["about"].reshape(-1, 10), np.iinfo("u2").max

    def put(column: int, value: int, row: int = 0) -> np.ndarray:
        other = about.copy()
        other[row, column] = value
        return other

    return {
        name: {**arrays, **wrong}
        for name, wrong in {
            "a note too few": {"pitch": arrays["pitch"][:-1]},
            "a length too few": {"length": arrays["length"][:-1]},
            "a wait too few": {"wait": arrays["wait"][:-1]},
            "a chord too few": {"chord": arrays["chord"][:-1]},
            "a place of a chord too few": {"chord_at": arrays["chord_at"][:-1]},
            "an unknown chord": {"chord": arrays["chord"] + 9},
            "a chord that cannot be read": {"symbols": np.frombuffer(b"C\nH\nX!\nQ\nR", "u1")},
            "a melody too few": {"about": about[:-1]},
            "no whole melody": {"about": about.ravel()[:-1]},
            "another count of melodies": {"melodies_of_tune": arrays["melodies_of_tune"] + 1},
            "a count below none": {"melodies_of_tune": np.array([-1, 3, 3])},
            "a tune without a part": {"tunes": np.frombuffer(b"a\tb\tc\nd\te\tf\ng\th\ti", "u1")},
            "a tune in no known part": {"tunes": np.frombuffer(
                b"a\tb\tc\ttrain\nd\te\tf\ttraining\ng\th\ti\ttest", "u1")},
            "a tune too few": {"tunes": np.frombuffer(b"a\tb\tc\ttrain", "u1")},
            "names that are no text": {"tunes": np.array([255, 254], "u1")},
            "a note above MIDI": {"pitch": np.where(arrays["pitch"] > 90, 200, arrays["pitch"])},
            "a note before the last ends": {"length": np.full_like(arrays["length"], 30)},
            "a note of no length": {"length": np.zeros_like(arrays["length"])},
            "notes behind the end": {"wait": np.full_like(arrays["wait"], big)},
            "no such metre": {"about": put(2, 5)},
            "no such grid": {"about": put(0, 0)},
            "a pickup of a bar": {"about": put(4, 16)},
            "no tempo": {"about": put(5, 0)},
            "no such key": {"about": put(6, 40)},
            "a chord behind the end": {"about": put(3, 1), "chord_at": arrays["chord_at"] + 9000},
            "a length below nothing": {"about": put(3, -1)},
        }.items()
    }  # fmt: skip


@pytest.mark.parametrize("what", damaged(TuneSet.of(TUNES)))
def test_damaged_arrays_are_refused(what, tunes, tmp_path):
    """When they are read, and not when a melody is asked for in the middle of a training."""
    path = tmp_path / "tunes.npz"
    np.savez(path, **damaged(tunes)[what])
    with pytest.raises(InputError) as error:
        TuneSet.read(path)
    assert str(path) in error.value.message
    assert len(error.value.message.splitlines()) == 1
    assert error.value.hint == "Make one of a folder of songs, with the action dataset."


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "tunes.npz"
    np.savez(path, notes=np.zeros(3))
    with pytest.raises(InputError):
        TuneSet.read(path)
    path.write_bytes(b"no arrays")
    with pytest.raises(InputError):
        TuneSet.read(path)
    path = tmp_path / "tunes.json"
    packed = base64.b64encode(b"\1").decode()
    path.write_text('{"kind": "tune-set", ' + ", ".join(f'"{n}": "{packed}"' for n in KINDS) + "}")
    with pytest.raises(InputError):
        TuneSet.read(path)


def tunes_of(parts: list[str]) -> TuneSet:
    """Make a set of one melody a tune."""
    return TuneSet.of([
        Tune(f"tune {n}", "mine", f"group {n}", part, (sheet(n),)) for n, part in enumerate(parts)
    ])  # fmt: skip


def test_tunes_are_divided_by_what_several_networks_know():
    tunes = tunes_of(["test"] * 5)
    sides = {"one": {"train": [0], "test": [1]}, "two": {"train": [3], "validation": [0, 4]}}
    one, two = (
        {"name": name, "data": Split("tune").card(tunes.groups, parts)}
        for name, parts in sides.items()
    )
    found = tunes.as_learnt([one, two])
    assert [head.part for head in found.heads] == ["train", "test", "test", "train", "validation"]
    assert TuneSet.from_json(found.to_json()).heads == found.heads
    assert [head.part for head in tunes.heads] == ["test"] * 5
    assert found.melody(3) == tunes.melody(3)
    with pytest.raises(InputError, match="one was trained on this data: mine/tune 0"):
        tunes_of(["test"]).as_learnt([one])


def test_tunes_that_no_network_knows_keep_their_parts(capsys):
    tunes = tunes_of(["train", "validation", "test"])
    found = tunes.as_learnt([{"name": "net", "data": Split("tune").card(["a"], {"train": [0]})}])
    assert found.heads == tunes.heads
    assert "net learnt from none of this data" in capsys.readouterr().err
