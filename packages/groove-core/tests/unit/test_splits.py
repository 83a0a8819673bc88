"""Splits: stable, balanced, never a group on two sides; and what a checkpoint has learnt."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.errors import CheckpointError, InputError
from groove_core.learning.splits import (
    PARTS,
    Split,
    content_name,
    divide,
    fingerprint,
    hashed,
    parts_for,
    refuse_learnt,
)
from groove_core.storage import checkpoints

torch = pytest.importorskip("torch")

SONGS = [f"song {n}" for n in range(2000)]
CARD = {
    "name": "net", "version": "1", "package": "tests", "data": {}, "metrics": {}, "seed": 1,
    "made_with": {}, "license": "MIT", "intended_use": "-", "limits": "-", "paper": "-",
}  # fmt: skip


class Net(torch.nn.Linear):
    def __init__(self, width=3):
        super().__init__(width, 1)
        self.config = {"width": width}


def _learnt(groups, parts, **more):
    return {**CARD, "data": Split("song").card(groups, parts, **more)}


def test_a_group_stays_where_it_is_when_others_come_and_go():
    whole = dict(zip(SONGS, divide(SONGS, [0.8, 0.1, 0.1]).tolist(), strict=True))
    rng = np.random.default_rng(1)
    for size in (50, 300, 1999):
        some = rng.permutation(SONGS)[:size].tolist()
        here = divide(some, [0.8, 0.1, 0.1]).tolist()
        assert here == [whole[group] for group in some]


@pytest.mark.parametrize("shares", [[0.8, 0.1, 0.1], [0.1] * 10, [1, 1, 1]])
def test_shares_are_as_a_die_would_throw_them(shares):
    expected = np.array(shares) / sum(shares) * len(SONGS)
    for seed in range(20):
        counts = np.bincount(divide(SONGS, shares, salt=str(seed)), minlength=len(shares))
        # The 99.99 % quantile of chi-square with 9 degrees of freedom is 33.7.
        assert ((counts - expected) ** 2 / expected).sum() < 33.7
    # Twenty salts are twenty different divisions, each independent of the first.
    first, other = (divide(SONGS, [1, 1], salt=salt) for salt in ("0", "1"))
    assert abs((first == other).mean() - 0.5) < 0.06


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=60),
    st.lists(st.sampled_from([0.8, 0.1, 0.3]), min_size=1, max_size=5),
)
def test_no_group_is_on_two_sides_and_no_label_lacks_a_part(items, shares):
    groups = [f"{label}/{group}" for group, label in items]
    labels = [label for _, label in items]
    part = divide(groups, shares, labels=labels).tolist()
    assert len({*zip(groups, part, strict=True)}) == len(set(groups))
    for label in set(labels):
        mine = {g for g, n in zip(groups, labels, strict=True) if n == label}
        filled = {p for g, p in zip(groups, part, strict=True) if g in mine}
        assert len(filled) == min(len(shares), len(mine)) or len(mine) > len(filled) >= 1
        if len(mine) >= len(shares):
            assert len(filled) == len(shares)


def test_order_and_copies_do_not_matter():
    some = SONGS[:40]
    straight = dict(zip(some, divide(some, [1, 1, 1]).tolist(), strict=True))
    back = [*reversed(some), *some]
    assert divide(back, [1, 1, 1]).tolist() == [straight[group] for group in back]


def test_a_file_that_moved_is_the_same_group(tmp_path):
    for name in ("a.mid", "b.mid"):
        (tmp_path / name).write_bytes(b"MThd")
    assert content_name(tmp_path / "a.mid") == content_name(tmp_path / "b.mid")
    assert content_name(tmp_path / "a.mid") == content_name(b"MThd") != content_name(b"MTrk")
    assert hashed("caf\udce9") != hashed("caf")  # a name that is no text


def test_the_fingerprint_changes_if_and_only_if_groups_or_rule_do():
    split = Split("song")
    mark = split.card(SONGS, split.parts(SONGS))["learnt"]["fingerprint"]
    shuffled = np.random.default_rng(1).permutation(SONGS).tolist()
    assert split.card(shuffled, split.parts(shuffled))["learnt"]["fingerprint"] == mark
    for other, songs in (
        (split, SONGS[1:]), (split, [*SONGS, "new"]), (Split("song", seed=1), SONGS),
        (Split("song", shares=(0.8, 0.1, 0.2)), SONGS), (Split("piece"), SONGS),
        (Split("song", published=True), SONGS),
    ):  # fmt: skip
        assert other.card(songs, other.parts(songs))["learnt"]["fingerprint"] != mark
    moved = {part: {"x"} if part == "train" else {"y"} for part in PARTS}
    assert fingerprint(moved, {}) != fingerprint({**moved, "validation": {"x"}}, {})


def test_a_checkpoint_remembers_what_it_learnt(tmp_path, capsys):
    split = Split("song")
    parts = split.parts(SONGS)
    checkpoints.save(tmp_path / "net", Net(), _learnt(SONGS, parts))
    stored = checkpoints.read_card(tmp_path / "net")["data"]["learnt"]
    assert "groups" not in stored
    assert stored["counts"] == {part: len(parts[part]) for part in PARTS}
    _, card = checkpoints.load("tests", tmp_path / "net", Net)
    again = parts_for(card, SONGS, otherwise={})
    assert all((again[part] == parts[part]).all() for part in PARTS)
    # Of other data all is tested, whatever the hash says.
    others = parts_for(card, ["x", "y", SONGS[parts["train"][0]]], otherwise={})
    assert [others[part].tolist() for part in PARTS] == [[2], [], [0, 1]]
    assert "learnt" not in capsys.readouterr().err


def test_data_that_was_learnt_is_refused_by_name():
    split = Split("song")
    parts = split.parts(SONGS)
    card = _learnt(SONGS, parts)
    taught = [SONGS[i] for i in (*parts["train"][:4], *parts["validation"][:1])]
    files = [f"{name}.wav" for name in taught]
    with pytest.raises(
        InputError, match=f"{files[0]}, {files[1]}, {files[2]} and 2 more"
    ) as caught:
        parts_for(card, taught, names=files, otherwise={})
    assert caught.value.exit_code == 4
    assert caught.value.hint
    with pytest.raises(InputError, match=f"net was trained on this data: {files[0]}.$"):
        refuse_learnt(card, ["new", *taught[:1] * 2], names=["new.wav", *files[:1] * 2])
    refuse_learnt(card, ["new"])


def test_what_it_started_from_is_known_too():
    first = _learnt(["a", "b", "c"], {"train": [0], "validation": [1], "test": [2]})
    then = _learnt(["d", "c"], {"train": [0], "test": [1]}, start=first)
    found = parts_for(then, list("abcde"), otherwise={})
    assert [found[part].tolist() for part in PARTS] == [[0, 3], [1], [2, 4]]


def test_an_old_card_does_not_know(tmp_path, capsys):
    checkpoints.save(tmp_path / "net", Net(), CARD)
    _, card = checkpoints.load("tests", tmp_path / "net", Net)
    wanted = {"train": [1], "validation": [], "test": [0]}
    found = parts_for(card, ["a", "b"], otherwise=wanted)
    assert {part: some.tolist() for part, some in found.items()} == wanted
    assert "net does not say what it learnt from" in capsys.readouterr().err
    refuse_learnt(card, ["a"])


def test_hashes_that_were_lost_or_changed(tmp_path, capsys):
    parts = {"train": [0], "validation": [], "test": [1]}
    checkpoints.save(tmp_path / "net", Net(), _learnt(["a", "b"], parts))
    side = tmp_path / "net/learnt.json"
    content = side.read_bytes()
    side.write_bytes(content.replace(hashed("a").encode(), hashed("b").encode()))
    with pytest.raises(CheckpointError, match="not the one its card speaks of"):
        checkpoints.load("tests", tmp_path / "net", Net)
    side.unlink()
    _, card = checkpoints.load("tests", tmp_path / "net", Net)
    parts_for(card, ["a", "b"], otherwise=parts)
    assert "does not say what it learnt from" in capsys.readouterr().err
    # A later checkpoint in the folder that remembers nothing is not taken for one that does.
    side.write_bytes(content)
    checkpoints.save(tmp_path / "net", Net(), CARD)
    assert "learnt" not in checkpoints.load("tests", tmp_path / "net", Net)[1]["data"]


@pytest.mark.parametrize("learnt", [5, "x", [], {"groups": 5}, {"sha256": 5}, {"sha256": None}])
def test_a_card_that_lies(tmp_path, learnt):
    checkpoints.save(tmp_path / "net", Net(), CARD)
    path = tmp_path / "net/card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": {"learnt": learnt}}))
    _, card = checkpoints.load("tests", tmp_path / "net", Net)
    parts_for(card, ["a"], otherwise={part: [] for part in PARTS})
