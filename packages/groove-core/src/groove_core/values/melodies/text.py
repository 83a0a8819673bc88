"""Melodies as text: a word for each step.

``C4 E4 G4 -``: a name begins a note, ``-`` holds it, ``.`` is a rest. That is the note-on, no-event
and note-off alphabet of note-seq in letters. Around it stands what ABC notation has: header fields
(``M:6/8 L:1/8 Q:96 K:Dm``), bar lines, chords in quotes before their step, and syllables in lines
that begin with ``w:``, one for each note, ``*`` for none. ABC's ``z`` and TidalCycles' ``~`` are
rests, too. ``_`` is refused: to some it is a rest, to others a hold. A line that begins with ``%``
is a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from groove_core.errors import InputError
from groove_core.values.chords import Chord
from groove_core.values.melodies.line import DEFAULT_VELOCITY, Line
from groove_core.values.pitches import key_sharps, note_name, parse_note_name

__all__ = ["format_phrase", "is_phrase", "parse_phrase"]

HOLDS, RESTS = ("-",), (".", "z", "~")
BARS = re.compile(r"\|[|\]:]?|:\|")
_FIELD = re.compile(r"([MLQKPN]):(\S+)")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\|[|\]:]?|:\||[^\s|]+')
_SYLLABLE = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_PLAIN = re.compile(r'[^\s"*|][^\s"|]*')
_NOTE_AND_VELOCITY = re.compile(r"([^:]+):(\d{1,3})")

M = TypeVar("M", bound=Line)


def format_phrase(melody: Line) -> str:
    """Write a melody as text; `parse_phrase` reads it back.

    A line holds four bars. Tempo and key stand in the header where they are not the default;
    the length of the pickup is told by the first bar line, and a velocity by ``C4:90``.
    """
    top, bottom = melody.metre
    header = [f"M:{top}/{bottom}", f"L:1/{4 * melody.steps_per_quarter}"]
    header += [f"Q:{melody.tempo_bpm:.10g}"] + ([f"K:{melody.key}"] if melody.key else [])
    flats = bool(melody.key) and key_sharps(melody.key)[0] < 0
    words = ["."] * melody.length
    for start, length, pitch, velocity in melody.notes.tolist():
        name = note_name(pitch, flats=flats)
        words[start] = name if velocity == DEFAULT_VELOCITY else f"{name}:{velocity}"
        words[start + 1 : start + length] = ["-"] * (length - 1)
    chords = dict(getattr(melody, "chords", ()))
    syllables = dict(getattr(melody, "lyrics", ()))
    words = [f'"{chords[at]}" {word}' if at in chords else word for at, word in enumerate(words)]
    onsets = melody.notes[:, 0].tolist()
    lines, size = [" ".join(header)], melody.steps_per_bar
    starts = [*([0] if melody.pickup else []), *range(melody.pickup, melody.length, size)]
    bars = [(at, melody.pickup if at < melody.pickup else at + size) for at in starts]
    groups = [bars[at : at + 4] for at in range(0, len(bars), 4)]
    for group in groups:
        lines.append(" | ".join(" ".join(words[at:end]) for at, end in group) + " |")
        here = [at for at in onsets if group[0][0] <= at < group[-1][1]]
        sung = [_syllable(syllables[at]) if at in syllables else "*" for at in here]
        if set(sung) - {"*"}:
            lines.append("w: " + " ".join(sung))
        elif here and syllables:
            lines.append("w:")  # what follows is sung by later notes
    return "\n".join(lines)


def _syllable(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text != "*" else json.dumps(text, ensure_ascii=False)


def is_phrase(text: str) -> bool:
    """Return whether a text has a word that is a note, as a phrase has and a path hardly ever."""
    return any(_pitch_and_velocity(word) is not None for word in text.split())


def parse_phrase(kind: type[M], text: str, *, name: str = "the phrase", **settings: Any) -> M:
    """Read a melody from text; see the module.

    Raises
    ------
    InputError
        If a word cannot be read, or a bar line is not where the metre has one.
    """
    fields: dict[str, Any] = {"steps_per_quarter": 4, "metre": (4, 4), **settings}
    steps: list[str] = []
    places: list[str] = []  # of the steps
    bars: list[tuple[int, str]] = []
    chords: list[tuple[int, Chord]] = []
    sung: list[tuple[int, str]] = []
    waiting = 0  # the first step whose syllable has not come
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("%"):
            continue
        if line.lstrip().startswith("w:"):
            onsets = [at for at in range(waiting, len(steps)) if _begins(steps[at])]
            sung += _sung(line.lstrip()[2:], onsets, f"{name}, line {number}")
            waiting = len(steps)
            continue
        for count, match in enumerate(_WORD.finditer(line), 1):
            word = match[0]
            place = f"word {count} of line {number} (character {match.start() + 1}), {word!r}"
            if field := _FIELD.fullmatch(word):
                fields.update(_field(field[1], field[2], f"{name}: {place}"))
            elif BARS.fullmatch(word):
                bars.append((len(steps), place))
            elif word.startswith('"') and word.endswith('"') and len(word) > 1:
                chords.append((len(steps), _chord(word[1:-1], f"{name}: {place}")))
            else:
                steps.append(word)
                places.append(place)
    notes: list[list[int]] = []
    sounds = False
    for at, (word, place) in enumerate(zip(steps, places, strict=True)):
        if word in HOLDS:
            if sounds:
                notes[-1][1] += 1
            elif at and steps[at - 1] in RESTS:
                raise _wrong(f"{name}: {place}", "holds a rest", "Write . for each step of a rest.")
            else:
                raise _wrong(f"{name}: {place}", "holds nothing", "Begin with a note or a rest.")
        elif word in RESTS:
            sounds = False
        else:
            pitch, velocity = _note(word, f"{name}: {place}")
            notes.append([at, 1, pitch, velocity])
            sounds = True
    fields["pickup"] = _pickup(bars, fields, name, len(steps))
    made = kind(np.array(notes, np.int64).reshape(-1, 4), length=len(steps), **fields, name=name)
    return made.with_words(chords, sung)


def _begins(word: str) -> bool:
    return word not in HOLDS and word not in RESTS


def _wrong(place: str, what: str, hint: str) -> InputError:
    return InputError(f"{place}, {what}.", hint=hint)


def _note(word: str, place: str) -> tuple[int, int]:
    found = _pitch_and_velocity(word)
    if found is None:
        raise _wrong(
            place, "is no note, hold or rest",
            "Write a step a word: C4 begins a note, - holds it, . is a rest.",
        )  # fmt: skip
    return found


def _pitch_and_velocity(word: str) -> tuple[int, int] | None:
    """Read a word such as ``F#4`` or ``C4:90``; None if it is no note."""
    match = _NOTE_AND_VELOCITY.fullmatch(word)
    pitch = parse_note_name(match[1] if match else word)
    velocity = int(match[2]) if match else DEFAULT_VELOCITY
    return (pitch, velocity) if pitch is not None and 1 <= velocity <= 127 else None


def _chord(text: str, place: str) -> Chord:
    try:
        return Chord.parse(text)
    except InputError as error:
        raise InputError(f"{place}: {error.message}", hint=error.hint) from error


def _field(letter: str, value: str, place: str) -> dict[str, Any]:
    try:
        if letter == "M":
            value = {"C": "4/4", "C|": "2/2"}.get(value, value)
            top, bottom = value.split("/")
            return {"metre": (int(top), int(bottom))}
        if letter == "L":
            steps = 1 / (4 * Fraction(value))
            if steps.denominator == 1:
                return {"steps_per_quarter": int(steps)}
        if letter == "Q":
            return {"tempo_bpm": float(value.removeprefix("1/4="))}
        if letter == "K":
            return {"key": value}
    except (ValueError, ZeroDivisionError):
        pass
    raise _wrong(place, "cannot be read", "Write the header as M:6/8 L:1/16 Q:96 K:Dm.")


def _pickup(bars: list[tuple[int, str]], fields: dict[str, Any], name: str, length: int) -> int:
    """Return how many steps come before the first whole bar, and check the bar lines."""
    size = 4 * fields["steps_per_quarter"] * fields["metre"][0] / fields["metre"][1]
    if not bars or size != int(size):
        return 0
    first = bars[0][0]
    # A first bar that is short is a pickup, unless it is all there is.
    pickup = first if 0 < first < size and first < length else 0
    for at, place in bars:
        if (at - pickup) % size and at != length:
            raise InputError(
                f"{name}: {place}, comes {(at - pickup) % size:g} steps into a bar of {size:g}.",
                hint="Count a step for each word, or leave the bar lines out.",
            )
    return int(pickup)


def _sung(line: str, onsets: list[int], place: str) -> Iterator[tuple[int, str]]:
    words = _SYLLABLE.findall(line)
    if len(words) > len(onsets):
        raise _wrong(
            place, f"has {len(words)} syllables for {len(onsets)} notes",
            "Write one for each note, * for a note without.",
        )  # fmt: skip
    for at, word in zip(onsets, words, strict=False):
        if word != "*":
            yield at, json.loads(word) if word.startswith('"') else word
