"""The classes of voices."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums import DRUMS, DrumPattern
from groove_core.errors import UsageError
from groove_core.values import HOLD, OFF, Melody
from music_vae.alphabets import (
    ALPHABETS,
    drum_classes,
    drum_hits,
    melody_classes,
    melody_events,
    without_lone_offs,
)


def test_every_event_of_a_melody_has_its_class():
    events = [HOLD, OFF, *range(21, 109)]
    classes = melody_classes(events)
    assert classes.tolist() == list(range(90))
    assert melody_events(classes).tolist() == events
    assert ALPHABETS["melody"].classes == ALPHABETS["bass"].classes == 90


@pytest.mark.parametrize("pitch", [20, 109])
def test_what_no_piano_has_is_refused(pitch):
    with pytest.raises(UsageError, match="1 of 2 notes lie outside MIDI 21 to 108"):
        melody_classes([60, pitch])


def test_a_melody_comes_back():
    melody = Melody.from_text("M:4/4 L:1/16 C4 - . E4 - - G4 . . . . . . . . .")
    assert Melody.from_events(melody_events(melody_classes(melody.events))) == melody


def test_bits_of_drums_are_the_nine_of_a_kit():
    beat = DrumPattern.from_masks([1, 2, 256, 511, 1 << 9, 3 | 1 << 13, 0, 0] * 4)
    classes = drum_classes(beat.hits)
    assert classes[:8].tolist() == [1, 2, 256, 511, 0, 3, 0, 0]
    assert ALPHABETS["drums"].classes == 512
    hits = drum_hits(classes)
    assert hits.shape == (32, len(DRUMS))
    assert (hits[:, :9] == beat.hits[:, :9]).all()
    assert not hits[:, 9:].any()
    assert [DRUMS[0].name, DRUMS[8].name] == ["kick", "ride"]


@pytest.mark.parametrize("bad", [-1, 512])
def test_other_classes_are_no_drums(bad):
    with pytest.raises(UsageError, match="0 to 511"):
        drum_hits([bad])


def test_networks_read_drums_by_their_hits():
    table = ALPHABETS["drums"].table()
    assert table.shape == (513, 10)
    assert table[0].tolist() == [0.0] * 9 + [1.0]
    assert table[5].tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert not table[512].any()  # the start of a piece


def test_networks_read_melodies_one_hot():
    table = ALPHABETS["melody"].table()
    assert (table[:90] == np.eye(90)).all()
    assert not table[90].any()


def test_only_offs_that_end_a_note_are_kept():
    assert without_lone_offs([1, 0, 50, 1, 0, 1, 51, 0, 52, 1]).tolist() == [
        0, 0, 50, 1, 0, 0, 51, 0, 52, 1
    ]  # fmt: skip
    assert without_lone_offs([0, 0]).tolist() == [0, 0]
