"""The shipped tunes: whole, with no tune on two sides, and opened where no others are named."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from groove_core.learning import PARTS
from groove_core.tunes import GRIDS, METRES, windows
from groove_core.tunes.grouping import SAME
from melody_rnn.tunes import SHIPPED, learnt, open_tunes, shipped


def test_the_shipped_file_is_compact():
    assert SHIPPED.stat().st_size < 800_000
    assert Path(SHIPPED.with_name("LICENSES.md")).stat().st_size > 1000


def test_no_shipped_tune_stands_on_two_sides():
    sides = defaultdict(set)
    for head in shipped().heads:
        assert head.part in PARTS
        sides[head.group].add(head.part)
    assert max(map(len, sides.values())) == 1
    assert {(head.corpus, head.part) for head in shipped().heads} == {
        (corpus, part) for corpus in shipped().corpora for part in PARTS
    }


def test_shipped_notes_are_valid():
    """All at once; each melody is made in the tests of lines."""
    tunes = shipped()
    ends = tunes.starts + tunes.lengths
    melody = np.repeat(np.arange(len(tunes.about)), tunes.about[:, 8])
    assert tunes.lengths.min() >= 1
    assert tunes.starts.min() >= 0
    assert tunes.pitches.max() <= 127
    within = melody[1:] == melody[:-1]
    assert (ends[:-1] <= tunes.starts[1:])[within].all()
    assert (ends <= tunes.about[melody, 3]).all()
    assert set(tunes.about[:, 0].tolist()) == set(GRIDS)
    assert {tuple(metre) for metre in tunes.about[:, 1:3].tolist()} <= set(METRES)
    bars = 4 * tunes.about[:, 0] * tunes.about[:, 1] / tunes.about[:, 2]
    assert (bars == bars.astype(int)).all()
    assert (tunes.about[:, 4] < bars).all()
    assert (tunes.about[:, 8] >= 5).all()


def test_shipped_test_tunes_are_not_in_what_is_learnt():
    """No tune of validation or test has more than half of its windows in one that is learnt.

    Each eighth of those that are learnt is looked at; with 1 instead of 8, all of them.
    """
    tunes, every = shipped(), 8

    def windows_of(number: int) -> set[bytes]:
        return {window for melody in tunes.tune(number).melodies for window in windows(melody)}

    held = [n for n, head in enumerate(tunes.heads) if head.part != "train"]
    learnt = [n for n, head in enumerate(tunes.heads) if head.part == "train"][::every]
    where = defaultdict(set)
    sizes = {}
    for number in learnt:
        sizes[number] = len(found := windows_of(number))
        for window in found:
            where[window].add(number)
    for number in held:
        mine = windows_of(number)
        shared = Counter(other for window in mine for other in where.get(window, ()))
        for other, count in shared.items():
            assert count <= SAME * min(len(mine), sizes[other])


def test_the_shipped_tunes_are_opened_where_no_others_are_named(tunes_of, tmp_path):
    assert open_tunes() is shipped()
    mine = tunes_of(["train", "test"])
    mine.save(tmp_path / "mine.npz")
    assert open_tunes(tmp_path / "mine.npz").to_json() == mine.to_json()


def test_only_tunes_that_were_learnt_are_traced():
    numbers = [number for some in learnt().numbers.values() for number in some]
    assert sorted(numbers) == shipped().of_part("train").tolist()
