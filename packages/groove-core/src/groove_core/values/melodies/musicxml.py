"""Melodies and lead sheets as MusicXML, written by music21; the extra ``groove-core[musicxml]``.

`groove_core.values.scores.musicxml` reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from groove_core.errors import UsageError
from groove_core.values.chords import Chord
from groove_core.values.melodies.line import Line
from groove_core.values.pitches import key_sharps
from groove_core.values.scores.musicxml import FIELD, KINDS, LOWEST, import_music21

__all__ = ["write_musicxml"]


def write_musicxml(melody: Line) -> bytes:
    """Write a melody, or a lead sheet, as MusicXML.

    Raises
    ------
    UsageError
        If music21 is not installed, or a note is below C0, the lowest of MusicXML.
    """
    music21 = import_music21()
    if len(melody.notes) and melody.notes[:, 2].min() < LOWEST:
        raise UsageError(
            f"MusicXML has no MIDI pitch {melody.notes[:, 2].min()}; its lowest is C0, {LOWEST}.",
            hint="Transpose the melody up.",
        )
    steps = melody.steps_per_quarter
    part = music21.stream.Part()
    part.partName = "melody"
    part.id = "P1"
    size = melody.steps_per_bar
    lines = [0] if melody.pickup else []
    lines += [*range(melody.pickup, melody.length, size)]
    for number, (start, end) in enumerate(zip(lines, [*lines[1:], melody.length], strict=True)):
        measure = music21.stream.Measure(number + (not melody.pickup))
        if not number:
            if melody.key:
                sharps, minor = key_sharps(melody.key)
                signature = music21.key.KeySignature(sharps)
                measure.insert(0, signature.asKey("minor" if minor else "major"))
            top, bottom = melody.metre
            measure.insert(0, music21.meter.TimeSignature(f"{top}/{bottom}"))
            measure.insert(0, music21.tempo.MetronomeMark(number=melody.tempo_bpm))
        for symbol in _symbols(melody, start, end, music21):
            measure.insert(*symbol)
        for at, one in _bar(melody, start, end, music21):
            measure.insert(Fraction(at - start, steps), one)
        missing = Fraction(size - (end - start), steps)
        if missing:  # else music21 writes rests
            begins = melody.pickup and not number
            measure.paddingLeft, measure.paddingRight = (missing, 0) if begins else (0, missing)
        part.append(measure)
    score = music21.stream.Score([part])
    score.metadata = music21.metadata.Metadata()
    score.metadata.addCustom(FIELD, f"{steps},{melody.pickup},{melody.length}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content: bytes = music21.musicxml.m21ToXml.GeneralObjectExporter(score).parse()
    return content


def _bar(melody: Line, start: int, end: int, music21: Any) -> Iterator[tuple[int, Any]]:
    """Yield the notes and rests of a bar, with the steps at which they begin."""
    steps, at = melody.steps_per_quarter, start
    lyrics = dict(getattr(melody, "lyrics", ()))
    inside = (melody.notes[:, 0] < end) & (melody.notes[:, :2].sum(axis=1) > start)
    for begin, length, pitch, velocity in melody.notes[inside].tolist():
        first, last = max(begin, start), min(begin + length, end)
        if first > at:
            yield at, music21.note.Rest(quarterLength=Fraction(first - at, steps))
        one = music21.note.Note(pitch, quarterLength=Fraction(last - first, steps))
        one.volume.velocity = velocity
        into, on = begin < first, begin + length > last
        if into or on:
            one.tie = music21.tie.Tie("continue" if into and on else "stop" if into else "start")
        if not into and (text := lyrics.get(begin)):
            syllabic = "begin" if text.endswith("-") and text != "-" else "single"
            text = text[:-1] if syllabic == "begin" else text
            one.lyrics = [music21.note.Lyric(text, applyRaw=True, syllabic=syllabic)]
        yield first, one
        at = last
    if at == start and start < end - 1 and end - start < melody.steps_per_bar:
        # A lone whole rest is read as that of a whole bar.
        at = start + (end - start) // 2
        yield start, music21.note.Rest(quarterLength=Fraction(at - start, steps))
    if at < end:
        yield at, music21.note.Rest(quarterLength=Fraction(end - at, steps))


def _symbols(melody: Line, start: int, end: int, music21: Any) -> Iterator[tuple[Fraction, Any]]:
    """Yield the chord symbols of a bar."""
    kinds = {quality: kind for kind, quality in reversed(KINDS.items())}
    for step, chord in getattr(melody, "chords", ()):
        if not start <= step < end:
            continue
        at = Fraction(step - start, melody.steps_per_quarter)
        if not chord.root:
            yield at, music21.harmony.NoChord()
            continue
        base, changes = chord.parts
        # What a chord does not have cannot be taken from it; its text keeps the word.
        whole = Chord(chord.root, base).pitch_classes
        changes = tuple(
            change
            for change in changes
            if change[0] != "no" or Chord(chord.root, f"{base}no{change[2]}").pitch_classes != whole
        )
        if base not in kinds:
            base, changes = _SPELLED[base][0], (*_SPELLED[base][1], *changes)
        symbol = music21.harmony.ChordSymbol(
            root=chord.root.replace("b", "-"),
            bass=(chord.bass or chord.root).replace("b", "-"),
            kind=kinds[base],
            kindStr=chord.quality,
        )
        for word, sign, degree in changes:
            kind = {"no": "subtract", "add": "add"}.get(word, "alter" if degree == 5 else "add")
            alter = {"#": 1, "b": -1, "": 0}[sign] + (degree == 7 and kind == "add")
            change = music21.harmony.ChordStepModification(kind, degree, alter)
            symbol.addChordStepModification(change, updatePitches=False)
        yield at, symbol


_SPELLED: dict[str, tuple[str, tuple[tuple[str, str, int], ...]]] = {
    "6/9": ("6", (("add", "", 9),)),
    "m6/9": ("m6", (("add", "", 9),)),
    "mmaj9": ("mmaj7", (("add", "", 9),)),
    "maj7#5": ("maj7", (("", "#", 5),)),
    "7sus4": ("sus4", (("add", "b", 7),)),
    "7sus2": ("sus2", (("add", "b", 7),)),
    "9sus4": ("sus4", (("add", "b", 7), ("add", "", 9))),
    "13sus4": ("sus4", (("add", "b", 7), ("add", "", 9), ("add", "", 13))),
}
"""Qualities that MusicXML has no name for: another one, and degrees."""
