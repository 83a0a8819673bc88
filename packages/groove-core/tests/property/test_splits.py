"""Splits, for any names of groups: nothing moves, nothing is forgotten, nothing slips through."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.errors import InputError
from groove_core.learning import (
    PARTS,
    Split,
    divide,
    hashed,
    parts_for,
    parts_to_learn,
    refuse_learnt,
)

BASE = [f"song {number}" for number in range(300)]
"""So many that no part is empty by chance."""
NAMES = st.lists(st.text(max_size=12), max_size=12)
SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.0, 0.5), (1.0, 0.0, 0.0), (1, 1, 1)])
few = settings(deadline=None, max_examples=60, derandomize=True)


def side_of(split, groups):
    """Name the part of each group."""
    return {groups[i]: part for part, which in split.parts(groups).items() for i in which.tolist()}


def card_of(split, groups, parts, **more):
    return {"name": "net", "data": split.card(groups, parts, **more)}


@few
@given(NAMES, NAMES, SHARES, st.integers(0, 3))
def test_groups_that_come_or_go_move_no_other(some, others, shares, seed):
    split = Split("song", seed=seed, shares=shares)
    alone = side_of(split, [*BASE, *some])
    together = side_of(split, [*others, *some, *BASE])
    assert {group: together[group] for group in alone} == alone


@few
@given(st.sets(st.text(max_size=6), max_size=8), st.sets(st.text(max_size=6), max_size=8))
def test_of_few_groups_only_those_move_that_fill_an_empty_part(some, others):
    def empty(groups):
        whole = side_of(Split("song"), [*BASE, *groups])
        return 3 - len({whole[group] for group in groups})

    one, both = sorted(some), sorted(some | others)
    before, after = side_of(Split("song"), one), side_of(Split("song"), both)
    assert sum(before[g] != after[g] for g in one) <= empty(one) + empty(both)


@few
@given(NAMES, SHARES)
def test_an_empty_part_is_an_empty_array(groups, shares):
    split = Split("song", shares=shares)
    parts = split.parts(groups)
    assert tuple(parts) == PARTS
    assert sorted(np.concatenate([*parts.values()]).tolist()) == [*range(len(groups))]
    for part, share in zip(PARTS, shares, strict=True):
        assert parts[part].dtype == np.int64
        assert share or not len(parts[part])
    card = split.card(groups, parts)
    assert {part: card[part] for part in PARTS} == {part: len(parts[part]) for part in PARTS}


@few
@given(NAMES, NAMES, SHARES)
def test_what_was_learnt_is_never_a_test(groups, others, shares):
    split = Split("song", shares=shares)
    parts = split.parts(groups)
    card = card_of(split, groups, parts)
    learnt = {hashed(groups[i]) for part in PARTS[:2] for i in parts[part].tolist()}
    asked = [*groups, *others, "one that nobody knows"]
    found = parts_for(card, asked, otherwise={})
    assert {hashed(asked[i]) for i in found["test"].tolist()} == {
        hashed(one) for one in asked
    } - learnt
    known = [one for one in asked if hashed(one) in learnt]
    if known:
        with pytest.raises(InputError) as caught:
            refuse_learnt(card, known)
        assert known[0] in caught.value.message
    else:
        refuse_learnt(card, asked)


@few
@given(NAMES, NAMES, SHARES)
def test_what_is_new_is_divided_beside_what_was_learnt(groups, others, shares):
    before, now = Split("song", shares=shares), Split("song", seed=1)
    card = card_of(before, groups, before.parts(groups))
    learnt = {hashed(groups[i]): part for part in ("validation", "train")
              for i in before.parts(groups)[part].tolist()}  # fmt: skip
    asked = [*others, *BASE, *groups]
    found, fresh = parts_to_learn(card, asked, now.parts(asked)), side_of(now, asked)
    assert sorted(np.concatenate([*found.values()]).tolist()) == [*range(len(asked))]
    for part, which in found.items():
        assert {part} >= {learnt.get(hashed(asked[i]), fresh[asked[i]]) for i in which.tolist()}
    # Songs that no card knows are learnt, too, and not only measured on.
    assert len(found["train"]) > len(BASE) / 2
    unknown = parts_to_learn({"name": "old", "data": {}}, asked, now.parts(asked))
    assert {part: which.tolist() for part, which in unknown.items()} == {
        part: which.tolist() for part, which in now.parts(asked).items()
    }


@few
@given(NAMES, st.randoms(use_true_random=False))
def test_the_fingerprint_does_not_know_the_order(groups, random):
    split, shuffled = Split("song"), [*groups, *groups]
    random.shuffle(shuffled)
    one, other = (split.card(some, split.parts(some))["learnt"] for some in (groups, shuffled))
    assert one == other
    more = [*groups, "one that nobody knows"]
    assert split.card(more, split.parts(more))["learnt"]["fingerprint"] != one["fingerprint"]


def test_an_accent_is_one_letter_however_it_is_written_and_case_counts():
    composed, decomposed = (unicodedata.normalize(form, "Café.mid") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert hashed(composed) == hashed(decomposed)
    assert len({hashed("a"), hashed("A"), hashed("ａ")}) == 3
    for salt in map(str, range(20)):
        one, same, _ = divide([composed, decomposed, "x"], [1, 1], salt=salt)
        assert one == same
    split = Split("song", shares=(1.0, 0.0, 0.0))
    card = card_of(split, [composed], split.parts([composed]))
    with pytest.raises(InputError, match="net was trained on this data"):
        parts_for(card, [decomposed], otherwise={})
    assert parts_for(card, ["CAFÉ.MID"], otherwise={})["test"].tolist() == [0]
