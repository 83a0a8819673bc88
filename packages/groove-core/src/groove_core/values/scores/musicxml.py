"""Scores from MusicXML and ABC, and as MusicXML, by music21; the extra ``groove-core[musicxml]``.

Pitches are those that sound, ties are joined. Repeats are not played out; grace notes and unpitched
percussion are left out, and so are the words of ABC, which music21 does not read. A bar that is
short at the beginning is a pickup.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from groove_core.console import note as tell
from groove_core.errors import InputError, UsageError
from groove_core.storage.archives import zip_members
from groove_core.storage.files import check_file
from groove_core.values.chords import Chord
from groove_core.values.scores.symbols import CHORDS, MELODY
from groove_core.values.scores.tracks import Track

__all__ = ["FIELD", "KINDS", "SUFFIXES", "import_music21", "read_musicxml", "write_score"]

SUFFIXES = ("musicxml", "xml", "mxl", "abc")
MAX_BYTES = 16 * 2**20
MAX_QUARTERS = 100_000
"""Longer scores are mistakes: fourteen hours at 120 bpm."""
FIELD = "groove:melody"
"""Field in files that Groove wrote: the grid, the pickup and the length in steps."""
KINDS = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7",
    "dominant-seventh": "7", "major-seventh": "maj7", "minor-seventh": "m7",
    "diminished-seventh": "dim7", "augmented-seventh": "aug7", "half-diminished": "m7b5",
    "half-diminished-seventh": "m7b5", "major-minor": "mmaj7", "minor-major-seventh": "mmaj7",
    "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "9", "major-ninth": "maj9",
    "minor-ninth": "m9", "dominant-11th": "11", "major-11th": "maj11", "minor-11th": "m11",
    "dominant-13th": "13", "major-13th": "maj13", "minor-13th": "m13", "power": "5",
    "suspended-second": "sus2", "suspended-fourth": "sus4",
}  # fmt: skip
"""Qualities by the names that MusicXML and music21 have for them."""
LOWEST = 12
"""MIDI pitch of C0, the lowest of MusicXML."""
_ENTITY = "<!ENTITY"


def import_music21() -> Any:
    """Import music21, or say how to install it."""
    try:
        import music21
    except ModuleNotFoundError as error:
        raise UsageError(
            "MusicXML and ABC need music21, which is not installed.",
            hint='pip install "groove-core[musicxml]"',
        ) from error
    return music21


def read_musicxml(path: Path) -> dict[str, Any]:
    """Read the fields of a score from a MusicXML file, packed (``mxl``) or not, or from ABC.

    Raises
    ------
    InputError
        If the file is broken, too large, declares entities, which could unpack without end, or
        holds several tunes.
    UsageError
        If music21 is not installed.
    """
    music21 = import_music21()
    content = _content(path)
    if any(_ENTITY.encode(code) in content for code in ("ascii", "utf-16-le", "utf-16-be")):
        raise InputError(
            f"{path} declares XML entities, which no score needs.", hint="Export the score again."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix.lower() == ".abc":
                score = _tune(content.decode("utf-8", "replace"), music21, path)
            else:
                score = music21.converter.parseData(content, format="musicxml")
            return _fields(score.toSoundingPitch(), music21, path)
    except InputError:
        raise
    except Exception as error:  # music21 raises whatever comes of a broken file
        raise InputError(
            f"{path} is not a score that can be read: {error!r}.",
            hint="Export it again from the program that made it.",
        ) from error


def write_score(midi: bytes, tracks: Sequence[Track], name: str) -> bytes:
    """Write a score as MusicXML, for programs that set notes: times to sixteenths and triplets.

    Parameters
    ----------
    midi : bytes
        The score as a MIDI file.
    tracks : sequence of Track
        Its tracks, none of them drums.
    name : str
        What it is called in errors.

    Raises
    ------
    UsageError
        If music21 is not installed, there are no notes, or one is below C0.
    """
    music21 = import_music21()
    lowest = min((int(track.notes[:, 2].min()) for track in tracks if len(track.notes)), default=-1)
    if lowest < 0:
        raise UsageError(
            f"{name} has no pitched notes, and drums are not written as MusicXML.",
            hint="Write it as .mid.",
        )
    if lowest < LOWEST:
        raise UsageError(
            f"MusicXML has no MIDI pitch {lowest}; its lowest is C0, {LOWEST}.",
            hint="Transpose the score up.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = music21.converter.parseData(midi, format="midi", quarterLengthDivisors=(4, 3))
        content: bytes = music21.musicxml.m21ToXml.GeneralObjectExporter(read).parse()
    return content


def _tune(text: str, music21: Any, path: Path) -> Any:
    """Read a tune of ABC notation."""
    book = music21.converter.parseData(text, format="abc")
    if isinstance(book, music21.stream.Opus):
        raise InputError(
            f"{path} holds {len(book.scores)} tunes.", hint="Give each tune a file of its own."
        )
    if any(line.startswith("w:") for line in text.splitlines()):
        tell(f"{path}: the words of ABC are not read")
    return book


def _content(path: Path) -> bytes:
    if path.suffix.lower() != ".mxl":
        check_file(path, what="a score as MusicXML or ABC", max_bytes=MAX_BYTES)
        return path.read_bytes()

    def wanted(name: str) -> bool:
        return name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF")

    found = next(iter(zip_members(path, wanted, max_bytes=MAX_BYTES)), None)
    if found is None:
        raise InputError(f"{path} holds no MusicXML.", hint="Export the score again.")
    return found[1]()


def _fields(score: Any, music21: Any, path: Path) -> dict[str, Any]:
    """Turn a stream of music21 into the fields of a score."""
    parts = list(score.parts) or [score]
    flats = [part.flatten() for part in parts]
    measures = list(parts[0].getElementsByClass(music21.stream.Measure))
    length = Fraction(max((f.highestTime for f in flats), default=0))
    if length > MAX_QUARTERS:
        raise InputError(f"{path} lasts {float(length):,.0f} quarter notes.", hint="Cut it.")
    notes = [_notes(flat, music21) for flat in flats]

    metres = [
        (Fraction(one.offset), one.numerator, one.denominator)
        for one in flats[0].getElementsByClass(music21.meter.TimeSignature)
    ]
    top, bottom = metres[0][1:] if metres and not metres[0][0] else (4, 4)
    bar = Fraction(4 * top, bottom)
    first = Fraction(measures[0].duration.quarterLength) if len(measures) > 1 else bar
    last = max((row[0] + row[1] for part in notes for row in part), default=Fraction(0))
    own = _own(score, last, length, bar, first if first < bar else Fraction(0))
    times = [time for part in notes for row in part for time in row[:2]]
    grid = int(own.partition(",")[0] or 1)
    dens = math.lcm(grid, *(time.denominator for time in times))
    quarter = next((q for q in (math.lcm(480, dens), dens) if q < 2**15), 10_080)
    shift = bar - first if own and first < bar else Fraction(0)
    if not own and 0 < first < bar:
        # A bar of its own metre: so its bar line stays where it is.
        unit = next((u for u in (4, 8, 16, 32, 64) if not (first * u / 4) % 1), None)
        if unit:
            rest = [one for one in metres if one[0] >= first]
            if not rest or rest[0][0] > first:
                rest.insert(0, (first, top, bottom))
            metres = [(Fraction(0), int(first * unit / 4), unit), *rest]

    def tick(time: Any) -> int:
        return round((Fraction(time) + shift) * quarter) if time or shift else 0

    chords: dict[int, str] = {}
    lyrics: list[tuple[int, str]] = []
    tracks, unread = [], 0
    for place, (part, flat, rows) in enumerate(zip(parts, flats, notes, strict=True)):
        for symbol in flat.getElementsByClass(music21.harmony.ChordSymbol):
            read = _chord(symbol, music21)
            unread += read is None
            if read is not None and tick(symbol.offset) not in chords:
                chords[tick(symbol.offset)] = str(read)
        if not lyrics:  # the words of the first part that has some
            lyrics = [(tick(row[0]), row[4]) for row in rows if row[4]]
        instrument = part.getInstrument(returnDefault=False)
        name = "melody" if own and not place else str(part.partName or "")
        table = [
            (tick(start), tick(start + lasts) - tick(start), pitch, velocity)
            for start, lasts, pitch, velocity, _ in rows
        ]
        program = getattr(instrument, "midiProgram", None) or 0
        tracks.append(
            Track(
                np.array(table, np.int64).reshape(-1, 4),
                name,
                program if 0 <= program <= 127 else 0,
            )
        )
    if unread:
        tell(f"{path}: {unread} chord symbols cannot be read")
    marker = [(tick(0), f"{MELODY}{own}" if own else CHORDS)] if own or chords else []
    marks = flats[0].getElementsByClass(music21.tempo.MetronomeMark)
    tempos = [
        (tick(mark.offset) if mark.offset else 0, round(6e7 / bpm))
        for mark in marks
        if (bpm := mark.getQuarterBPM()) and 3.58 <= bpm <= 60_000_000
    ]
    keys = [
        (tick(key.offset) if key.offset else 0, key.sharps, int(_minor(key)))
        for key in flats[0].getElementsByClass(music21.key.KeySignature)
        if -7 <= key.sharps <= 7
    ]
    return {
        "tracks": tuple(tracks),
        "ticks_per_quarter": quarter,
        "tempos": tempos,
        "time_signatures": [(tick(at) if at else 0, t, b) for at, t, b in metres],
        "key_signatures": keys,
        "markers": (*marker, *sorted(chords.items())),
        "lyrics": lyrics,
        "end_tick": tick(length),
        "name": str(path),
    }


def _minor(key: Any) -> bool:
    return getattr(key, "mode", "major") == "minor"


def _own(score: Any, last: Fraction, length: Fraction, bar: Fraction, pickup: Fraction) -> str:
    """Return what Groove wrote of the grid of a melody, if it still holds.

    Programs, music21 among them, may fill a last bar that is short.
    """
    found = score.metadata.getCustom(FIELD) if score.metadata else ()
    text = str(found[0]) if found else ""
    numbers = [int(n) for n in text.split(",") if n.isdecimal() and len(n) < 7]
    if len(numbers) != 3 or not numbers[0]:
        return ""
    steps, begins, total = numbers
    bars = [math.ceil((end - pickup) / bar) for end in (length, Fraction(total, steps))]
    holds = pickup * steps == begins and last * steps <= total and bars[0] == bars[1]
    return f"{steps},{begins},{total}" if holds else ""


def _notes(flat: Any, music21: Any) -> list[tuple[Fraction, Fraction, int, int, str]]:
    """List start, length, pitch, velocity and syllable of the notes of a part, ties joined."""
    rows: list[list[Any]] = []
    tied: dict[int, list[Any]] = {}
    for one in flat.notes:
        if one.duration.isGrace or isinstance(one, music21.harmony.Harmony):
            continue
        start, lasts = Fraction(one.offset), Fraction(one.quarterLength)
        sung = one.lyrics[0] if one.lyrics else None
        text = str(sung.rawText if sung.text is None else sung.text) if sung else ""
        text += "-" if sung and text and sung.syllabic in ("begin", "middle") else ""
        for single in getattr(one, "notes", (one,)):
            if not hasattr(single, "pitch"):
                continue
            pitch = int(single.pitch.midi)
            tie = single.tie.type if single.tie else ""
            before = tied.get(pitch)
            if tie in ("stop", "continue") and before and before[0] + before[1] == start:
                before[1] += lasts
                continue
            velocity = single.volume.velocity or one.volume.velocity or 100
            rows.append([start, lasts, pitch, min(max(int(velocity), 1), 127), text])
            text = ""
            if tie:
                tied[pitch] = rows[-1]
    return [tuple(row) for row in rows]


def _chord(symbol: Any, music21: Any) -> Chord | None:
    """Read a chord symbol: by its parts, or by its text where both mean the same."""
    if isinstance(symbol, music21.harmony.NoChord):
        return Chord("")
    root = symbol.root().name.replace("-", "b")
    bass = symbol.bass().name.replace("-", "b")
    changes = ""
    for one in symbol.chordStepModifications:
        alter = int(one.interval.semitones) if one.interval else 0
        # What is added is counted from a dominant chord: its seventh is the minor one.
        alter -= one.degree == 7 and one.modType == "add"
        sign = {1: "#", -1: "b"}.get(alter, "")
        word = {"add": "add", "subtract": "no"}.get(one.modType, "")
        word = "" if sign and word == "add" and one.degree not in (5, 7) else word
        changes += f"{word}{sign}{one.degree}"
    made = None
    try:
        made = Chord(root, KINDS.get(symbol.chordKind, symbol.chordKind) + changes, bass)
        told = Chord(root, symbol.chordKindStr or "")
        same = set(told.pitch_classes) == set(made.pitch_classes)
        return Chord(root, told.quality, bass) if same else made
    except InputError:
        return made
