"""Crosses of two pieces, against slow, literal versions and on pieces made for it."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.values import Melody
from music_vae.alphabets import melody_classes
from music_vae.crossing import endings, harmony, kept, with_endings, with_harmony

MELODY = ("melody",)
TRIO = ("melody", "bass", "drums")


def row(text: str) -> np.ndarray:
    return melody_classes(Melody.from_text("M:4/4 L:1/16 " + text).events)[None]


def slow_harmony(events, voices) -> list[set[int]]:
    """Walk through the steps, and write down what sounds in each bar."""
    bars: list[set[int]] = [set() for _ in range(events.shape[1] // 16)]
    for voice, line in zip(voices, events.tolist(), strict=True):
        sounding = None
        for step, event in enumerate(line):
            if voice == "drums":
                continue
            if event:
                sounding = event + 19 if event >= 2 else None
            if sounding is not None:
                bars[step // 16].add(sounding % 12)
    for bar, found in enumerate(bars):
        if not found:
            before = [one for one in bars[:bar] if one]
            after = [one for one in bars[bar:] if one]
            bars[bar] = before[-1] if before else after[0] if after else set()
    return bars


def test_harmony_is_what_sounds_in_each_bar(events_of):
    events = events_of(TRIO, 6, 256).numpy()
    events[1, :, :40] = 0
    events[2, :2, 60:140] = 1
    events[3] = 0
    for one in events:
        found = [set(np.flatnonzero(bar).tolist()) for bar in harmony(one, TRIO)]
        assert found == slow_harmony(one, TRIO)


def test_a_melody_moves_to_the_harmony_of_another():
    one = row("C4 - D4 - E4 - F4 - G4 - - - . . . . " + "A4 - G4 - F4 - E4 - D4 - - - C4 - - - ")
    other = row("C4 - - - Eb4 - - - G4 - - - - - - - " + "F4 - - - Ab4 - - - C5 - - - - - - - ")
    made = with_harmony(one, other, MELODY)
    pitches = made[0][made[0] >= 2] + 19
    # F is as near to Eb as to G: the note before decides.
    assert pitches[:5].tolist() == [60, 63, 63, 63, 67]
    assert pitches[5:].tolist() == [68, 68, 65, 65, 60, 60]
    assert (np.flatnonzero(made[0]) == np.flatnonzero(one[0])).all()


def test_rhythm_and_contour_stay_on_any_harmony(events_of):
    events = events_of(MELODY, 16, 256).numpy()
    for one, other in zip(events, np.roll(events, 1, axis=0), strict=True):
        made = with_harmony(one, other, MELODY)
        assert ((made < 2) == (one < 2)).all()
        assert (made[made < 2] == one[one < 2]).all()
        allowed = slow_harmony(other, MELODY)
        steps = np.flatnonzero(made[0] >= 2)
        assert all((made[0, s] + 19) % 12 in allowed[s // 16] for s in steps)
        old, new = np.diff(one[0, steps]), np.diff(made[0, steps])
        assert not ((np.sign(old) * np.sign(new)) < 0).any()
        found = kept(one, other, made, MELODY)
        assert (found["rhythm"], found["harmony"]) == (1, 1)


def test_a_trio_takes_the_bass_too(events_of):
    one, other = events_of(TRIO, 2, 256).numpy()
    made = with_harmony(one, other, TRIO)
    assert (made[1] == other[1]).all()
    assert (made[2] == one[2]).all()


def test_without_notes_there_is_no_harmony_to_take(events_of):
    [one] = events_of(MELODY, 1, 32).numpy()
    assert (with_harmony(one, np.zeros_like(one), MELODY) == one).all()


@pytest.mark.parametrize(
    ("steps", "expected"), [(32, [range(24, 32)]), (256, [range(at, at + 16) for at in (48, 112,
                                                                                       176, 240)])]
)  # fmt: skip
def test_the_ends_of_phrases_come_from_the_second(events_of, steps, expected):
    one, other = events_of(TRIO, 2, steps).numpy()
    inside = {step for some in expected for step in some}
    assert set(np.flatnonzero(endings(steps)).tolist()) == inside
    made = with_endings(one, other)
    for step in range(steps):
        assert (made[:, step] == (other if step in inside else one)[:, step]).all()
    assert kept(one, other, made, TRIO)["endings"] == 1


def test_what_is_kept_is_counted():
    one = row("C4 - - - D4 - - - E4 - - - F4 - - - ")
    other = row("C4 - - - Eb4 - - - G4 - - - . . . . ")
    made = row("C4 - - - B3 - D4 - E4 - - - G4 - - - ")
    found = kept(one, other, made, MELODY)
    assert found["rhythm"] == pytest.approx(2 * 4 / (4 + 5))
    assert found["contour"] == pytest.approx(2 / 3)  # where D fell to B
    assert found["harmony"] == pytest.approx(2 / 5)
    assert found["endings"] == 0
    assert set(kept(one, other, made, ("drums",))) == {"rhythm", "endings"}
    assert set(kept(one, other, 0 * made, MELODY)) == {"rhythm", "endings"}
