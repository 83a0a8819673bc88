"""The shipped performances, and those of a folder."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.values import Score, Track
from groove_vae.performances import SPLITS, build, drum_of_pitch, load, save


def test_the_shipped_set_is_the_published_one():
    assert [len(load(split, None)) for split in SPLITS] == [897, 124, 129]
    assert len(load(time_signature=None)) == 1150
    assert len(load()) == 1138
    assert sum(len(one.tick) for one in load(time_signature=None)) == 446_311
    assert sum(one.dropped for one in load(time_signature=None)) == 0
    assert {one.drummer for one in load()} == {f"drummer{n}" for n in range(1, 11)}
    session = [one for one in load("test") if one.session == "eval_session"]
    assert len(session) == 40
    assert len({one.styles for one in session}) == 10


def test_the_nine_drums():
    assert [drum.name for drum in KIT_DRUMS[:3]] == ["kick", "snare", "closed hi-hat"]
    assert drum_of_pitch([36, 40, 22, 44, 26, 58, 56, 0]).tolist() == [0, 1, 2, 2, 5, 3, -1, -1]


def test_onsets_in_seconds_are_those_of_the_score():
    one = load("test")[3]
    score = one.to_score()
    np.testing.assert_allclose(score.seconds(score.tracks[0].notes[:, 0]), one.onset_s, atol=2e-4)
    np.testing.assert_array_equal(score.tracks[0].notes[:, 2], one.pitch)
    assert Score.from_midi(score.to_midi()) == score


def test_saved_and_read(tmp_path):
    some = load("validation")[:3]
    again = load(data=save(some, tmp_path / "some.npz"))
    for one, two in zip(some, again, strict=True):
        assert (one.id, one.styles, one.bpm, one.split) == (two.id, two.styles, two.bpm, two.split)
        for name in ("tick", "pitch", "velocity"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_folder_of_files(folder):
    found = build(folder)
    assert len(found) == 24
    assert {one.style for one in found} == {"rock", "funk"}
    assert {one.time_signature for one in found} == {"4-4"}
    assert len({one.split for one in found}) > 1


def test_a_folder_with_the_table_of_the_data_set(tmp_path):
    notes = np.array([[0, 9, 36, 90], [480, 9, 38, 80], [960, 9, 76, 70]])
    Score((Track(notes, is_drum=True),)).save(tmp_path / "d/a.mid")
    (tmp_path / "info.csv").write_text(
        "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,split\n"
        "drummer3,drummer3/session1,drummer3/session1/1,rock/indie,100,beat,4-4,d/a.mid,test\n"
    )
    [one] = build(tmp_path)
    assert (one.drummer, one.session, one.style, one.split) == (
        "drummer3", "session1", "rock", "test",
    )  # fmt: skip
    assert one.pitch.tolist() == [36, 38]
    assert one.dropped == 1
    np.testing.assert_allclose(one.onset_s, [0, 0.6])


def test_bad_data(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load(data=tmp_path / "nowhere")
    (tmp_path / "broken.npz").write_text("no")
    with pytest.raises(InputError, match="not a file of performances"):
        load(data=tmp_path / "broken.npz")
    Score((Track(np.array([[0, 9, 60, 90]])),)).save(tmp_path / "piano.mid")
    with pytest.raises(InputError, match="no drum performance"):
        build(tmp_path)


def test_a_performance_stays_on_its_side_when_it_moves(folder, tmp_path):
    """Under another name and among fewer files, the split is the same."""
    before = {one.group: one.split for one in build(folder)}
    files = sorted(folder.rglob("*.mid"))[::2]
    for number, path in enumerate(files):
        (tmp_path / f"{number}.mid").write_bytes(path.read_bytes())
    after = {one.group: one.split for one in build(tmp_path)}
    assert len(after) == len(files)
    assert sum(before[group] != split for group, split in after.items()) <= 1  # see `divide`
