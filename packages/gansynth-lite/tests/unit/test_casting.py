"""Which instrument plays which track."""

from __future__ import annotations

import numpy as np
import pytest

from gansynth_lite.casting import cast
from gansynth_lite.encoded import Instruments
from gansynth_lite.envelope import SIZE
from groove_core import Score, Track
from groove_core.errors import InputError, UsageError
from groove_core.values import Audio, Codes

NOTES = np.array([[0, 100, 60, 100]])
SONG = Score((Track(NOTES, name="Piano"), Track(NOTES), Track(NOTES, is_drum=True, name="Kit")))
FAMILIES = ("reed", "string", "synth_lead")


def test_tracks_have_families_and_files(tmp_path):
    mine = Instruments(np.ones((1, 4)), np.zeros((1, SIZE)), ["mine"])
    old = Codes(np.ones((1, 4)))
    mine.save(tmp_path / "mine.json")
    old.save(tmp_path / "old.json")
    old.save(tmp_path / "old.csv")
    Audio(np.zeros(100), 16_000).save(tmp_path / "note.wav")
    assert cast("piano=Strings, 2 = synth lead", SONG, FAMILIES) == {0: "string", 1: "synth_lead"}
    assert cast(f"2={tmp_path}/mine.json", SONG, FAMILIES) == {1: mine}
    for name in ("old.json", "old.csv"):
        assert cast(f"1={tmp_path}/{name}", SONG, FAMILIES) == {0: old}
    assert isinstance(cast(f"1={tmp_path}/note.wav", SONG, FAMILIES)[0], Audio)


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("3=reed", "is drums", "Leave it out"),
        ("4=reed", "no track '4'", "Tracks: 1 Piano, 2, 3 Kit."),
        ("pino=reed", "no track 'pino'", "Piano"),
        ("1=harp", "neither a file nor a family", "Families: reed, string"),
        ("1=sting", "neither a file nor a family", "string"),
        ("1=reed,piano=string", "two instruments", "Give each track one."),
        ("1reed", "not TRACK=INSTRUMENT", "--instruments 1="),
        ("1=reed,", "not TRACK=INSTRUMENT", "--instruments 1="),
        ("1=", "not TRACK=INSTRUMENT", "--instruments 1="),
    ],
)
def test_mistakes_have_a_hint(text, found, hint):
    with pytest.raises(UsageError, match=found) as error:
        cast(text, SONG, FAMILIES)
    assert hint in error.value.hint


def test_a_missing_file_is_said(tmp_path):
    for name in ("no.json", "no.csv", "no.wav"):
        with pytest.raises(InputError, match="no"):
            cast(f"1={tmp_path}/{name}", SONG, FAMILIES)
