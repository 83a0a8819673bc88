"""Building sets of patterns, and the shipped one."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from drum_space import dataset, space
from drum_space.data import PatternSet, open_patterns, pack, rotations
from groove_core.drums import DrumPattern
from groove_core.errors import InputError
from groove_core.learning import PARTS


def test_the_shipped_set():
    patterns = open_patterns()
    assert len(patterns) >= 33_000
    assert len(set(pack(patterns.hits))) == len(patterns)
    assert patterns.hits.any(axis=(1, 2)).all()
    assert all(len(patterns.part(split)) > 3000 for split in PARTS)
    assert set(np.unique(patterns.source)) == set(range(len(patterns.sources)))


def test_no_pattern_and_no_performance_is_in_two_splits():
    patterns = open_patterns()
    sources, keys = {}, {}
    for split in PARTS:
        part = patterns.part(split)
        sources[split] = set(patterns.source[part].tolist())
        turned = rotations(patterns.hits[part])
        keys[split] = {key for hits in turned for key in pack(hits)}
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not sources[a] & sources[b]
        assert not keys[a] & keys[b]


def test_building_from_a_folder_keeps_genres_and_counts_what_it_drops(beats, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in beats.rglob("*.mid"):
        target = folder / path.relative_to(beats)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "broken.mid").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("not MIDI")
    patterns = dataset([folder])
    assert set(patterns.genre_of()) == {"rock", "funk"}
    assert patterns.dropped["files: not readable"] == 1
    assert len(patterns.sources) == 30
    assert "left out" in patterns.to_text()
    assert dataset([folder]) == patterns


def test_zip_files_are_read(beats, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(beats.rglob("*.mid")):
            archive.write(path, path.relative_to(beats).as_posix())
            archive.writestr(f"__MACOSX/._{path.name}", b"\0\5\x16\7")
    patterns = dataset([tmp_path])
    assert len(patterns) == len(dataset([beats]))
    assert "files: not readable" not in patterns.dropped


def test_a_pattern_that_is_also_held_out_is_not_learnt(tmp_path):
    """The same beat in every file, rotated by a bar in every other one."""
    beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 1] * 2 + [9, 0, 4, 0, 6, 0, 4, 0] * 2)
    swapped = DrumPattern.join([beat.slice_bars(1, 1), beat.slice_bars(0, 1)])
    for index in range(40):
        played = replace((beat, swapped)[index % 2], tempo_bpm=60 + index)
        played.save(tmp_path / f"{index}.mid")
    patterns = dataset([tmp_path])
    assert set(patterns.split.tolist()) == {PARTS.index("test")}
    assert patterns.dropped["patterns also in a split nearer to the test"] > 0


def split_of(patterns):
    return {patterns.groups[patterns.source[i]]: int(patterns.split[i])
            for i in range(len(patterns))}  # fmt: skip


def test_a_file_stays_in_its_split_when_it_is_moved_and_others_are_left_out(beats, tmp_path):
    before = split_of(dataset([beats]))
    assert len(set(before.values())) == 3
    for number, path in enumerate(sorted(beats.rglob("*.mid"))[::2]):
        shutil.copyfile(path, tmp_path / f"{number}.mid")
    after = split_of(dataset([tmp_path]))
    assert len(after) == 15
    # A part that would be empty gets one group, see `groove_core.learning.divide`.
    assert sum(before[group] != split for group, split in after.items()) <= 1


def test_the_shipped_set_is_divided_as_the_shipped_weights_learnt_it():
    patterns = open_patterns()
    cards = [space.load("", name, "cpu")[1] for name in ("acai", "vae", "ae", "acai16")]
    again = patterns.as_learnt(cards)
    assert Counter(again.split.tolist()) == {0: 28634, 1: 3315, 2: 3328}
    assert (again.split == patterns.split).all()
    assert (again.hits == patterns.hits).all()
    card = patterns.split_card()
    assert card["learnt"]["groups"] == cards[0]["data"]["learnt"]["groups"]
    assert {part: card[part] for part in PARTS} == {part: cards[0]["data"][part] for part in PARTS}


def test_data_is_divided_by_what_checkpoints_learnt(beats, tmp_path, capsys):
    patterns = dataset([beats])
    own = split_of(patterns)
    card = {"name": "mine", "data": patterns.split_card()}
    assert split_of(patterns.as_learnt([card])) == own
    # A second one that learnt from what the first was tested on leaves nothing but its own.
    swapped = replace(patterns, split=np.array([2, 1, 0])[patterns.split])
    other = {"name": "other", "data": swapped.split_card()}
    assert set(split_of(patterns.as_learnt([card, other])).values()) == {0, 1}
    # What neither knows keeps its split.
    strangers = replace(patterns, groups=tuple(f"new {group}" for group in patterns.groups))
    assert "warning" not in capsys.readouterr().err
    assert strangers.as_learnt([card, other]) == strangers
    assert "warning: mine and other learnt from none of this data" in capsys.readouterr().err
    # What chose a checkpoint is not measured on, though it learnt from nothing of the set.
    chosen = replace(patterns, split=np.array([2, 1, 1])[patterns.split])
    tuned = {"name": "tuned", "data": chosen.split_card()}
    tuned["data"]["learnt"]["groups"]["train"] = []
    assert set(split_of(patterns.as_learnt([tuned])).values()) == {0, 1}
    # A set that adds to what was learnt: all that is new is a test, and of that nothing is learnt.
    some = dataset([beats / "rock"])
    known = {"name": "rock", "data": some.split_card()}
    both = split_of(patterns.as_learnt([known]))
    rock = split_of(some)
    assert {group for group, split in both.items() if split < 2} <= rock.keys()
    assert all(split == rock.get(group, 2) for group, split in both.items())


def test_round_trips(beats, tmp_path):
    patterns = dataset([beats])
    assert PatternSet.read(patterns.save(tmp_path / "p.npz")) == patterns
    assert PatternSet.read(patterns.save(tmp_path / "p.json")) == patterns
    assert open_patterns(tmp_path / "p.npz") == patterns
    assert patterns.save(tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    first, again = (patterns.save(tmp_path / n).read_bytes() for n in ("a.npz", "b.npz"))
    assert first == again


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        dataset([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="holds no .mid"):
        dataset([tmp_path])
    (tmp_path / "x.mid").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not readable"):
        dataset([tmp_path])
    (tmp_path / "p.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="not a set of patterns"):
        open_patterns(tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(InputError, match="not a set of patterns"):
        open_patterns(tmp_path / "p.npz")


def test_what_is_broken_is_counted_and_left_out(beats, tmp_path, monkeypatch, capsys):
    """A broken zip file, a table of something else, and a folder whose name says drum."""
    folder = tmp_path / "drumloops"
    for path in sorted(beats.rglob("*.mid"))[:6]:
        target = folder / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "broken.mid").write_bytes(b"nothing")
    (folder / "broken.zip").write_bytes(b"nothing")
    (folder / "info.csv").write_bytes(b"a,b\n\xff,2\n")
    patterns = dataset([folder])
    (folder / "gone.mid").symlink_to(folder / "nowhere")
    patterns = dataset([folder])
    assert patterns.dropped["files: not readable"] == 3
    said = capsys.readouterr().err
    assert "left out: drumloops/broken.mid is not" in said
    assert "gone.mid does not exist" in said
    (folder / "gone.mid").unlink()
    assert "files: no drums" not in patterns.dropped
    assert set(patterns.genre_of()) == {"drumloops"}
    monkeypatch.chdir(folder)
    assert set(dataset(["."]).genre_of()) == {"drumloops"}


def test_a_zip_file_with_damaged_content_is_left_out(beats, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(beats.rglob("*.mid"))[:3]:
            archive.write(path, path.name)
        middle = archive.infolist()[1]
    content = bytearray((tmp_path / "all.zip").read_bytes())
    begin = middle.header_offset + 30 + len(middle.filename)
    content[begin : begin + 20] = b"\xff" * 20
    (tmp_path / "all.zip").write_bytes(content)
    patterns = dataset([tmp_path / "all.zip"])
    assert patterns.dropped["files: not readable"] == 1
    assert "all.zip cannot be read" in capsys.readouterr().err


def test_many_sources_do_not_wrap(tmp_path):
    patterns = open_patterns()
    many = replace(
        patterns, source=patterns.source + 70_000,
        sources=("x",) * 80_000, genres=("y",) * 80_000, groups=("z",) * 80_000,
    )  # fmt: skip
    assert PatternSet.read(many.save(tmp_path / "p.npz")).source.min() >= 70_000


def test_groove_midi_uses_its_own_split(tmp_path):
    for index, split in enumerate(PARTS):
        beat = DrumPattern.from_masks([index + 1, 4, 0, 0] * 8)
        beat.save(tmp_path / f"drummer1/{split}.mid")
    rows = [f"drummer1/{s}.mid,rock/halftime,{s}" for s in PARTS]
    (tmp_path / "info.csv").write_text("\n".join(["midi_filename,style,split", *rows]) + "\n")
    patterns = dataset([tmp_path])
    assert sorted(PARTS[s] for s in patterns.split) == sorted(PARTS)
    assert set(patterns.genre_of()) == {"rock"}


def test_members_of_a_zip_cost_only_themselves(tmp_path):
    beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4).save(tmp_path / "good.mid")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(beat, "good.mid")
        archive.writestr("bomb.mid", b"MThd" + bytes(20 * 2**20))
    (tmp_path / "b.zip").write_text("no zip file")
    beat.unlink()
    patterns = dataset([tmp_path])
    assert len(patterns) == 1
    assert patterns.dropped["files: not readable"] == 2


def test_a_table_names_files_in_its_own_folder(tmp_path):
    beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)
    beat.save(tmp_path / "secret.mid")
    beat.save(tmp_path / "data/a.mid")
    (tmp_path / "data/info.csv").write_text(
        "midi_filename,style,split\n../secret.mid,rock,test\na.mid,jazz\na\0.mid,funk,test\n"
    )
    patterns = dataset([tmp_path / "data"])
    assert patterns.genres == ("jazz",)
    assert patterns.dropped["files: not readable"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"source": [99]}, {"split": [9]}, {"genres": []}, {"bits": [[1]]}, {"half_bar": []},
        {"dropped": ["x=y"]},
    ],
)  # fmt: skip
def test_sets_whose_arrays_do_not_fit(tmp_path, changes):
    arrays = {
        "bits": np.ones((1, 56), np.uint8), "source": [0], "half_bar": [0], "split": [0],
        "sources": ["a"], "genres": ["b"], "dropped": ["x=1"],
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    assert len(PatternSet.read(tmp_path / "a.npz")) == 1
    np.savez(tmp_path / "a.npz", **arrays | changes)
    with pytest.raises(InputError, match="not a set of patterns"):
        PatternSet.read(tmp_path / "a.npz")
