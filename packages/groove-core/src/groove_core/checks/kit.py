"""Small values to try things on, and files of them."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from groove_core.drums.pattern import TICKS_PER_STEP, DrumPattern
from groove_core.plugins import kinds, loader
from groove_core.tunes.sets import Tune, TuneSet
from groove_core.tunes.takes import Take
from groove_core.tunes.tracing import Trace, Tracer
from groove_core.values.base import Value
from groove_core.values.melodies.leadsheet import LeadSheet
from groove_core.values.melodies.melody import Melody
from groove_core.values.results import Codes, Report
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound.audio import Audio

__all__ = [
    "tiny_audio", "tiny_beat", "tiny_codes", "tiny_lead_sheet", "tiny_line", "tiny_melody",
    "tiny_report", "tiny_song", "tiny_take", "tiny_trace", "tiny_tunes", "write",
]  # fmt: skip

QUARTER = 4 * TICKS_PER_STEP


def tiny_audio() -> Audio:
    """Return a second of four clicks, each a burst of 440 Hz; mono, 22,050 Hz."""
    rate, click = 22_050, 1102  # 50 ms
    time_s = np.arange(click) / rate
    burst = 0.5 * np.sin(2 * np.pi * 440 * time_s) * np.hanning(click)
    samples = np.zeros(rate, dtype=np.float32)
    for start in range(0, rate, rate // 4):
        samples[start : start + click] += burst[: rate - start]
    return Audio(samples, rate)


def tiny_beat() -> DrumPattern:
    """Return two bars of a rock beat at 120 bpm."""
    return DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def tiny_melody() -> Score:
    """Return two bars of quarter notes, up and down a major scale, at 120 bpm."""
    pitches = [60, 62, 64, 65, 67, 65, 64, 62]
    notes = [(QUARTER * at, QUARTER, pitch, 90) for at, pitch in enumerate(pitches)]
    return Score(
        (Track(np.array(notes), name="melody"),),
        ticks_per_quarter=QUARTER,
        tempos=np.array([[0, 500_000]]),
        time_signatures=np.array([[0, 4, 4]]),
    )


def tiny_line() -> Melody:
    """Return `tiny_melody` as a line on a grid of sixteenths."""
    return Melody.from_score(tiny_melody())


def tiny_lead_sheet() -> LeadSheet:
    """Return two bars of 3/4 with a pickup, two chords and words."""
    return LeadSheet.from_text(
        'M:3/4 L:1/8 Q:100 K:G D4 - | "G" G4 - B4 - D5 - | "D7/F#" C5 - A4 - . . |\nw: La- la la la'
    )


def tiny_take() -> Take:
    """Return two bars of which one was given."""
    sheet = LeadSheet.from_text("L:1/8 K:C C4 - E4 - G4 - E4 - | A4 - F4 - G4 - - -")
    values = {field.name: getattr(sheet, field.name) for field in fields(LeadSheet)}
    return Take(**values, given=((0, 8),))


def tiny_tunes() -> TuneSet:
    """Return a set of one tune."""
    return TuneSet.of([Tune("tune", "kit", "tune", "train", (_tune(),))])


def tiny_trace() -> Trace:
    """Return what the tune of `tiny_tunes` quotes of itself: all of it."""
    return Tracer(tiny_tunes(), [0], "itself").trace(_tune())


def _tune() -> LeadSheet:
    return LeadSheet.of_melody(tiny_line())


def tiny_song() -> Score:
    """Return the beat with the melody on it: a score for whoever needs either."""
    beat = tiny_beat().to_score()
    return replace(beat, tracks=(*beat.tracks, *tiny_melody().tracks))


def tiny_report() -> Report:
    """Return a table of two rows."""
    return Report("tiny", ("name", "value"), (("one", 1), ("half", 0.5)))


def tiny_codes() -> Codes:
    """Return three points of a plane."""
    return Codes(np.array([[0.0, 0.0], [1.0, 0.5], [-0.5, 2.0]]), model="tiny")


def examples() -> dict[str, Value]:
    """Return a small value of each known kind that has an example, by kind."""
    return {
        kind.name: loader.resolve(kind.example, owner=plugin.source)()
        for kind, plugin in kinds.every()
        if kind.example
    }


def write(folder: Path) -> dict[str, Path]:
    """Write a file of each of the `examples`, and return the files by kind."""
    files = {}
    for kind, value in examples().items():
        # The first ending that can be read and written: wav of sound, mid of what has notes.
        suffix = next(suffix for suffix in (*value.suffixes, "json") if suffix in value.formats())
        files[kind] = value.save(folder / f"tiny-{kind}.{suffix}")
    return files
