"""Trios that are made: sung melodies, a bass on their chords, and beats that somebody played.

Nobody may pass on trios of pop songs, so these are made by rules. What is drawn is drawn once a
song, from its name:

| what | how |
| --- | --- |
| drums | one of the performances nearest in tempo, of the same part of the split |
| bass, *held* | the bass note of each chord, until the next one |
| bass, *eighths* | the same note in eighths |
| bass, *kick* | the same note with each kick, and where a chord begins |
| bass, *fifths* | the same note on the first and third beat, the fifth of the chord on the others |

Phrases with the same letter have the same bars of the performance. A bass note is the one of its
name from E1 to D#3 that is nearest to the note before. But where it is held, a semitone below leads
into the next phrase for an eighth.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.tunes import Head
from groove_core.values import Chord, LeadSheet
from music_vae.alphabets import LOWEST, NOTE, OFF_CLASS, VOICES, melody_classes
from music_vae.phrases import PhraseSet, labels
from music_vae.songs import SongSet

__all__ = ["MADE", "STYLES", "made_trios"]

MADE = "made"
"""Name of the corpus of such trios."""
STYLES = ("held", "eighths", "kick", "fifths")
BASS_LOW, BASS_START, BASS_HIGH = 28, 36, 51
"""Lowest pitch of a bass, the one that the first note is near to, and the highest."""
KICK = 1
"""Bit of the kick in the class of a step."""
NEAREST = 16
"""Performances from which the drums of a song are drawn."""
LEAST_BARS, SECTION_BARS = 16, 8
"""Of a performance, and from one letter to the next."""
BEAT = re.compile(r"_(\d+)_beat_4-4$")
"""Name of a performance of the Groove MIDI Dataset that is no fill: its tempo is in it."""
LEAD = 2
"""Steps that lead into the next phrase."""

Ints = npt.NDArray[np.int64]


def made_trios(phrases: PhraseSet, beats: SongSet, *, seed: int = 1) -> SongSet:
    """Make a trio of each song.

    Parameters
    ----------
    phrases : PhraseSet
        Melodies, chords and phrases.
    beats : SongSet
        Of drums, of the Groove MIDI Dataset.
    seed : int

    Raises
    ------
    InputError
        If a part of the split has songs, but no performance of 16 bars.
    """
    found = dict[str, list[tuple[float, Ints]]]()
    for head, stretches in zip(beats.heads, beats.stretches, strict=True):
        for rows in stretches:
            if (told := BEAT.search(head.name)) and rows.shape[1] >= LEAST_BARS * STEPS_PER_BAR:
                found.setdefault(head.part, []).append((float(told[1]), rows[0]))
    heads, trios = [], []
    for number, head in enumerate(phrases.tunes.heads):
        if head.part not in found:
            raise InputError(
                f"No performance of {LEAST_BARS} bars is in the {head.part} split.",
                hint="Give the whole Groove MIDI Dataset.",
            )
        song, some = phrases.song(number), labels(phrases.labels[number])
        rng = np.random.default_rng([seed, zlib.crc32(head.name.encode())])
        near = sorted(found[head.part], key=lambda one: abs(np.log(one[0] / song.tempo_bpm)))
        _, played = near[int(rng.integers(min(NEAREST, len(near))))]
        style = STYLES[int(rng.integers(len(STYLES)))]
        drums = _drums(played, some)
        ends = np.cumsum([bars * STEPS_PER_BAR for _, bars in some])
        bass = _bass(song, style, drums, ends.tolist())
        heads.append(Head(head.name, MADE, head.group, head.part))
        trios.append([np.stack([melody_classes(song.events), bass, drums])])
    return SongSet(VOICES, heads, trios)


def _drums(played: Ints, some: Sequence[tuple[str, int]]) -> Ints:
    """Lay a performance under phrases: equal letters, whether sung or not, have equal bars."""
    bars = played.reshape(-1, STEPS_PER_BAR)
    letters = list(dict.fromkeys(letter.upper() for letter, _ in some))
    which = [
        (letters.index(letter.upper()) * SECTION_BARS + bar) % len(bars)
        for letter, length in some
        for bar in range(length)
    ]
    laid: Ints = bars[which].reshape(-1)
    return laid


def _bass(song: LeadSheet, style: str, drums: Ints, ends: Sequence[int]) -> Ints:
    """Return the bass of a song as classes; `ends` are the last steps of its phrases."""
    row = np.zeros(song.length, np.int64)
    pitch, held = BASS_START, list[tuple[int, int]]()
    for begin, end, chord in _spans(song):
        if not chord.root:
            row[begin] = OFF_CLASS
            continue
        pitch = _nearest(chord.bass_pitch_class, pitch)
        held.append((begin, pitch))
        for step in range(begin, end):
            if tone := _tone(style, step, step == begin, bool(drums[step] & KICK), chord, pitch):
                row[step] = tone - LOWEST + NOTE
    if style != "held":
        for end in ends[:-1]:
            following = [tone for begin, tone in held if begin == end]
            if following and row[end - LEAD :].any():
                row[end - LEAD : end] = 0
                row[end - LEAD] = max(following[0] - 1, BASS_LOW) - LOWEST + NOTE
    return row


def _spans(song: LeadSheet) -> Iterator[tuple[int, int, Chord]]:
    """Yield where each chord begins and ends."""
    begins = [begin for begin, _ in song.chords]
    for (begin, chord), end in zip(song.chords, [*begins[1:], song.length], strict=True):
        yield begin, end, chord


def _nearest(pitch_class: int, pitch: int) -> int:
    """Return the bass note of a pitch class that is nearest to a pitch."""
    lowest = BASS_LOW + (pitch_class - BASS_LOW) % 12
    return min(range(lowest, BASS_HIGH + 1, 12), key=lambda one: abs(one - pitch))


def _tone(style: str, step: int, begins: bool, kick: bool, chord: Chord, pitch: int) -> int:
    """Return the pitch that begins at a step; 0 for none."""
    beat, within = divmod(step % STEPS_PER_BAR, 4)
    if begins:
        return pitch
    if style == "eighths":
        return pitch if step % 2 == 0 else 0
    if style == "kick":
        return pitch if kick else 0
    if style == "fifths" and within == 0:
        fifth = pitch + 7 if pitch + 7 <= BASS_HIGH else pitch - 5
        return fifth if beat % 2 and fifth % 12 in chord.pitch_classes else pitch
    return 0
