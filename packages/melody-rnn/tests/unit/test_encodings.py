"""What the originals are told, against a slow version of note-seq's encoders.

It was written from their description, works on note-seq's own events (-2 no event, -1
note-off, pitches), and looks at the whole past of one melody anew at every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from melody_rnn.encodings import (
    Encoding,
    KeyEncoding,
    LookbackEncoding,
    OneHot,
    counter,
    labels,
    told,
)
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF, encode
from melody_rnn.recurrent import bars_ago, event_chances
from melody_rnn.tunes import shipped

NO_EVENT, NOTE_OFF = -2, -1
MAJOR = {0, 2, 4, 5, 7, 9, 11}
REPEATS = [OneHot, LookbackEncoding, KeyEncoding]


def one_hot(event: int) -> list[float]:
    row = [0.0] * 38
    row[event + 2 if event < 0 else event - 48 + 2] = 1.0
    return row


def binary(number: int, bits: int) -> list[float]:
    return [1.0 if number // 2**i % 2 else -1.0 for i in range(bits)]


def repeated(events: list[int], position: int) -> list[float]:
    return [float(position >= n and events[position] == events[position - n]) for n in (16, 32)]


def keys_of(pitches: list[int]) -> list[float]:
    """Mark the major keys that the most notes belong to."""
    counts = [sum((pitch - key) % 12 in MAJOR for pitch in pitches) for key in range(12)]
    return [float(count == max(counts)) for count in counts]


def basic_input(events: list[int], position: int) -> list[float]:
    return one_hot(events[position])


def lookback_input(events: list[int], position: int) -> list[float]:
    """121 numbers: the event, what followed 1 and 2 bars ago, 5 counters, 2 repetitions."""
    follows = [events[position + 1 - n] if position + 1 >= n else NO_EVENT for n in (16, 32)]
    return [
        *one_hot(events[position]), *one_hot(follows[0]), *one_hot(follows[1]),
        *binary(position + 1, 5), *repeated(events, position),
    ]  # fmt: skip


def attention_input(events: list[int], position: int) -> list[float]:
    """74 numbers: pitch, note or silence, attack, direction, repetitions, place, two times keys."""
    past = events[: position + 1]
    notes = [event for event in past if event >= 0]
    current, direction = None, 0.0
    for event in past:
        if event == NOTE_OFF:
            current = None
        elif event != NO_EVENT:
            current = event
    for one, other in itertools.pairwise(notes):
        if one != other:
            direction = 1.0 if other > one else -1.0
    three: list[int] = []
    for note in reversed(notes):
        if note not in three and len(three) < 3:
            three.append(note)
    pitch = [0.0] * 36
    if current is not None:
        pitch[current - 48] = 1.0
    return [
        *pitch, float(current is not None), float(current is None), float(past[-1] >= 0),
        direction, *repeated(events, position), *binary(position + 1, 7),
        float((position + 1) % 16 == 0), *keys_of(notes), *keys_of(three),
    ]  # fmt: skip


def literal_label(events: list[int], position: int) -> int:
    """Two bars ago beats one bar ago beats the event; an early "no event" is the longest repeat."""
    if position < 32 and events[position] == NO_EVENT:
        return 39
    for number, distance in ((1, 32), (0, 16)):
        if position >= distance and events[position] == events[position - distance]:
            return 38 + number
    return one_hot(events[position]).index(1.0)


LITERAL: dict[type[Encoding], Callable[[list[int], int], list[float]]] = {
    OneHot: basic_input, LookbackEncoding: lookback_input, KeyEncoding: attention_input,
}  # fmt: skip


def raw(classes: np.ndarray) -> list[int]:
    return [int(c) - 2 if c < NOTE else int(c) - NOTE + 48 for c in classes]


def shipped_lines(every: int) -> list[np.ndarray]:
    """Return events of some shipped melodies that the originals can read."""
    tunes = shipped()
    lines = [encode(tunes.melody(i)) for i in range(0, len(tunes.about), every)]
    return [line.events for line in lines if line.for_originals]


def batch(steps: int = 80) -> np.ndarray:
    """Return lines that repeat themselves, lines drawn at random, and two that were written."""
    rng = np.random.default_rng(8)
    events = rng.choice([HOLD] * 20 + [OFF] * 4 + [*range(NOTE, CLASSES)], (6, 80))
    events[0, 16:32] = events[0, :16]
    events[1, 32:64] = events[1, :32]
    events[2, 16:24], events[2, 40:60] = HOLD, events[2, 8:28]
    written = [line[:80] for line in shipped_lines(500) if len(line) >= 80][:2]
    return np.concatenate([events, written])[:, :steps]


@pytest.mark.parametrize("kind", LITERAL, ids=lambda kind: kind.__name__)
def test_inputs_are_those_of_note_seq(kind):
    events = batch()
    found = told(kind, events)
    assert found.shape == (*events.shape, {OneHot: 38, LookbackEncoding: 121}.get(kind, 74))
    assert found.dtype == np.float32
    assert not found[:, 0].any()
    for row, line in zip(found, events, strict=True):
        played = raw(line)
        for position in range(len(played) - 1):
            wanted = LITERAL[kind](played, position)
            np.testing.assert_array_equal(row[position + 1], wanted, f"step {position}")


def test_the_fields_of_the_attention_input_stand_in_their_order():
    """By hand: D4, C4, and E4 on the last step of a bar."""
    events = np.full((1, 17), HOLD)
    events[0, [0, 4, 15]] = np.array([62, 60, 64]) - 48 + NOTE
    found = told(KeyEncoding, events)[0, 16]
    assert np.flatnonzero(found[:36]).tolist() == [64 - 48]
    assert found[36:40].tolist() == [1, 0, 1, 1]  # a note, no silence, begins, goes up
    assert found[40:42].tolist() == [0, 0]
    assert found[42:50].tolist() == [-1, -1, -1, -1, 1, -1, -1, 1]  # step 16 begins a bar
    assert np.flatnonzero(found[50:62]).tolist() == [0, 5, 7]  # C, F and G major have all three
    assert found[62:].tolist() == found[50:62].tolist()


def test_the_last_three_notes_differ():
    """A note that comes again moves to the end and pushes none out."""
    encoding = KeyEncoding(1)
    for pitch in (60, 62, 64, 62, 62, 65):
        encoding.step(np.array([pitch - 48 + NOTE]))
    assert (encoding.last[0] + 48).tolist() == [64, 62, 65]


@pytest.mark.parametrize("kind", REPEATS, ids=lambda kind: kind.__name__)
def test_playing_and_training_are_told_the_same(kind):
    """What a step is told doesn't depend on what follows."""
    events = batch()
    whole = told(kind, events)
    encoding = kind(len(events))
    for step in range(20):
        np.testing.assert_array_equal(encoding.step(events[:, step]), whole[:, step + 1])


@pytest.mark.parametrize("steps", [1, 16, 17, 32, 33, 80])
@pytest.mark.parametrize("kind", REPEATS[1:], ids=lambda kind: kind.__name__)
def test_labels_are_those_of_note_seq(kind, steps):
    events = batch(steps=steps)
    found = labels(kind, events)
    for row, line in zip(found, events, strict=True):
        played = raw(line)
        assert row.tolist() == [literal_label(played, position) for position in range(steps)]


def test_the_basic_network_has_no_labels_of_repetition():
    events = batch()
    assert np.array_equal(labels(OneHot, events), events)


def test_early_silence_is_the_longest_repetition():
    events = np.full((1, 40), HOLD)
    events[0, 0] = NOTE
    # Step 32 is no repetition of the note at the beginning, but of the silence one bar ago.
    assert labels(LookbackEncoding, events)[0].tolist() == [NOTE, *[39] * 31, 38, *[39] * 7]
    events[0, 16] = NOTE
    assert labels(LookbackEncoding, events)[0, [16, 17, 32]].tolist() == [38, 39, HOLD]


def test_labels_of_shipped_lines_can_be_read_back():
    """A repetition is read from what was read before it, as when a network plays."""
    repetitions = 0
    for events in shipped_lines(60):
        found = labels(LookbackEncoding, events[None])[0]
        read: list[int] = []
        for label in found.tolist():
            if label >= CLASSES:
                back = (16, 32)[label - CLASSES]
                read.append(read[-back] if len(read) >= back else HOLD)
            else:
                read.append(label)
        assert read == events.tolist()
        repetitions += int((found[32:] >= CLASSES).sum())
    assert repetitions > 1000


def test_chances_of_labels_become_chances_of_events():
    events = torch.from_numpy(batch(steps=40))
    chances = torch.rand(*events.shape, 40, generator=torch.Generator().manual_seed(1))
    chances /= chances.sum(dim=-1, keepdim=True)
    found = event_chances(chances, bars_ago(events)).numpy()
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)
    for row in range(len(events)):
        for step in range(40):
            wanted = chances[row, step, :38].numpy().copy()
            for number, back in enumerate((16, 32)):
                event = int(events[row, step - back]) if step >= back else HOLD
                wanted[event] += float(chances[row, step, 38 + number])
            np.testing.assert_allclose(found[row, step], wanted, atol=1e-6)


def test_counters():
    assert counter(5, 5).tolist() == [1, -1, 1, -1, -1]
    assert counter(32, 5).tolist() == [-1] * 5
