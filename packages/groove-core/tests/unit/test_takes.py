"""What a take says of itself: what was given, what was copied, how it is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.checks.kit import tiny_take
from groove_core.tunes.performing import performed
from groove_core.tunes.quotations import Quotation
from groove_core.tunes.takes import Take
from groove_core.values import LeadSheet, from_json

ONE = Quotation(8, 16, 1, 2, "hymns", "old-tune", 17, 2)


@pytest.fixture
def take() -> Take:
    sheet = LeadSheet.from_text('K:C "C" C4 - E4 - G4 - E4 - | "F" A4 - F4 - G4 - - - ' * 4)
    return Take(**vars(sheet), given=((0, 16),), copied=(ONE, replace(ONE, start=20)))


def test_a_take_is_the_same_from_json_and_its_melody_from_text(take, tmp_path):
    assert from_json(take.to_json()) == take
    assert from_json(take.to_json()).copied == take.copied
    text = take.to_text()
    assert (
        text.splitlines()[-2:]
        == ["% bars 1-2 (16 steps) as in hymns/old-tune, bar 17, +2 semitones"] * 2
    )
    take.save(tmp_path / "take.txt")
    assert LeadSheet.read(tmp_path / "take.txt") == take.alone()
    assert replace(take, copied=()) != take
    assert replace(take, given=()) != take


def test_the_picture_shades_what_was_given_and_names_what_was_copied(take):
    plt = pytest.importorskip("matplotlib.pyplot")
    ax = take.plot()
    shades = [p for p in ax.patches if p.get_height() == 1 and p.get_width() == 16]
    assert [p.get_x() for p in shades] == [0]
    songs = [text for text in ax.texts if "old-tune" in text.get_text()]
    assert len(songs) == 2
    assert songs[0].get_position()[1] != songs[1].get_position()[1]  # they overlap
    marks = [line for line in ax.lines if line.get_linewidth() == 3]
    assert [line.get_xdata().tolist() for line in map(_array, marks)] == [[8, 24], [20, 36]]
    assert max(line.get_ydata()[0] for line in marks) < take.notes[:, 2].min()
    plt.close(ax.figure)


def _array(line):
    line.set_xdata(np.asarray(line.get_xdata()))
    return line


def test_what_moves_the_notes_moves_the_marks(take):
    up = take.transpose(3)
    assert [one.semitones for one in up.copied] == [5, 5]
    assert up.given == take.given
    part = take.slice_bars(0, 2)
    assert (part.given, part.copied) == (((0, 8),), ())  # without the pickup


def test_a_take_is_played_with_accents_unless_it_is_flat(take):
    assert take.performed() == performed(take)
    assert take.performed() != take.to_score()
    assert replace(take, flat=True).performed() == take.to_score()
    assert take.to_score() == take.alone().to_score()


def test_the_example_for_plugins():
    assert tiny_take().given == ((0, 8),)
