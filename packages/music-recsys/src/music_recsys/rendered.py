"""Material with known tastes: performances and songs, rendered so that one thing tells them apart.

A made-up listener likes one drummer, or one instrument. Kits, soundfonts and accompaniment are
drawn alike for all, so that the taste cannot be guessed from them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from groove_core.actions import leave_out
from groove_core.batch.engines import LOCAL
from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.render import DRUM_KITS, Clip, find_soundfonts, render_clips
from groove_core.storage import member, read_table, zip_members
from groove_core.values import Report, Score, Track

__all__ = ["LEADS", "build"]

EXCERPT_S = 24.0
EXCERPTS = 3
"""Of one performance, at most."""
LEADS = {
    "vibraphone": 11, "organ": 19, "guitar": 24, "violin": 40,
    "trumpet": 56, "saxophone": 65, "clarinet": 71, "flute": 73,
}  # fmt: skip
"""Instruments that play the melody, with their General MIDI programs."""


def _clip(path: str, score: Score, start_s: float, soundfont: Path, **known: str) -> Clip:
    """Describe a clip; those of one piece stand on one side of every split."""
    columns = dict.fromkeys(("piece", "drummer", "style", "instrument"), "") | known
    tempo_bpm = float(score.tempo_at(score.tick_at(start_s)))
    return Clip(
        path,
        functools.partial(_excerpt, score, start_s),
        soundfont,
        {**columns, "soundfont": soundfont.name, "tempo_bpm": round(tempo_bpm, 1)},
    )


def _excerpt(score: Score, start_s: float) -> Score:
    """Cut `EXCERPT_S` seconds out of a score; what sounds at the start is left out."""
    start, end = score.tick_at([start_s, start_s + EXCERPT_S]).tolist()

    def cut(one: Track) -> Track:
        notes = one.notes[(one.notes[:, 0] >= start) & (one.notes[:, 0] < end)] - [start, 0, 0, 0]
        controls = one.controls[(one.controls[:, 0] >= start) & (one.controls[:, 0] < end)]
        moved = (controls - [start, 0, 0]).astype(np.int64)
        return Track(notes.astype(np.int64), one.name, one.program, one.is_drum, moved)

    tempo = int(60e6 / float(score.tempo_at(start)))
    tempos = score.tempos[(score.tempos[:, 0] > start) & (score.tempos[:, 0] < end)] - [start, 0]
    return Score(
        tuple(cut(one) for one in score.tracks),
        score.ticks_per_quarter,
        tempos=np.concatenate([[[0, tempo]], tempos]),
    )


def _performances(folder: Path, fonts: Sequence[Path], seed: int) -> Iterator[Clip]:
    """Give drum performances of the Groove MIDI Dataset, each on a kit of its own."""
    columns = ("id", "drummer", "style", "beat_type", "midi_filename", "duration")
    table = read_table(folder / "info.csv", columns, what="the table of the Groove MIDI Dataset")
    for index, row in enumerate(row for row in table if row["beat_type"] == "beat"):
        excerpts = min(EXCERPTS, _seconds(row["duration"]) // EXCERPT_S)
        if excerpts < 1:
            continue
        try:
            score = Score.read(member(folder, row["midi_filename"]))
        except InputError as error:
            leave_out(row["midi_filename"], error)
            continue
        rng = np.random.default_rng((seed, 0, index))
        kit, font = int(rng.choice(DRUM_KITS)), fonts[int(rng.integers(len(fonts)))]
        score = replace(score, tracks=tuple(replace(t, program=kit) for t in score.tracks))
        for number in range(int(excerpts)):
            yield _clip(
                f"drums/{row['id'].replace('/', '-')}-{number}.flac",
                score,
                number * EXCERPT_S,
                font,
                piece=row["id"],
                drummer=row["drummer"],
                style=row["style"].partition("/")[0],
            )


def _seconds(text: str) -> float:
    """Return the duration that a table says; 0 where it says none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _songs(archive: Path, fonts: Sequence[Path], count: int, seed: int) -> Iterator[Clip]:
    """Give songs of POP909, the melody of each played by an instrument that is drawn."""
    members = zip_members(archive, lambda name: name.endswith(".mid"))
    for index, (name, content) in enumerate(islice(members, count)):
        rng = np.random.default_rng((seed, 1, index))
        try:
            score = Score.from_midi(content(), name=name)
        except InputError as error:
            leave_out(name, error)
            continue
        melodies = [one for one in score.tracks if one.name.upper() == "MELODY"]
        if not melodies or not len(melodies[0].notes):
            note(f"left out: {name} has no track called MELODY")
            continue
        lead = str(rng.choice(list(LEADS)))
        first_s = float(score.seconds(melodies[0].notes[0, 0]))
        yield _clip(
            f"songs/{Path(name).stem}-{lead}.flac",
            replace(score, tracks=tuple(_led(one, LEADS[lead]) for one in score.tracks)),
            max(0.0, min(first_s, score.duration_s - EXCERPT_S)),
            fonts[int(rng.integers(len(fonts)))],
            piece=Path(name).stem,
            instrument=lead,
        )


def _led(one: Track, program: int) -> Track:
    """Give the melody to an instrument, and play the rest on a softer piano."""
    if one.name.upper() == "MELODY":
        return replace(one, program=program)
    notes = one.notes.copy()
    notes[:, 3] = np.clip(notes[:, 3] * 0.6, 1, 127)
    return replace(one, notes=notes, program=0)


def build(
    into: Path,
    *,
    drums: Path | None,
    songs: Path | None,
    count: int,
    seed: int,
    jobs: int | None = None,
    engine: str = LOCAL,
) -> Report:
    """Render performances and songs into a folder; what an interrupted run has finished is kept.

    Parameters
    ----------
    drums : path of the Groove MIDI Dataset's folder, optional
    songs : path of a zip file of MIDI songs with tracks called MELODY, as POP909, optional
    count : int
        Songs of the zip file, at most.

    Raises
    ------
    InputError
        If there is nothing to render, or it cannot be read.
    """
    if drums is None and songs is None:
        raise UsageError("There is nothing to render.", hint="--drums FOLDER or --songs ZIP")
    fonts = list(find_soundfonts().values())
    clips = [
        *(_performances(drums, fonts, seed) if drums else ()),
        *(_songs(songs, fonts, count, seed) if songs else ()),
    ]
    if not clips:
        raise InputError(
            "Nothing is long enough to render.", hint=f"Give pieces of {EXCERPT_S:g} s or more."
        )
    render_clips(into, clips, duration_s=EXCERPT_S, jobs=jobs, engine=engine)
    kinds = {
        what: [clip.facts[what] for clip in clips if clip.facts[what]]
        for what in ("drummer", "style", "instrument")
    }
    return Report(
        f"{len(clips)} clips of {EXCERPT_S:g} s in {into}",
        ("taste", "kinds", "clips"),
        tuple((what, len(set(found)), len(found)) for what, found in kinds.items()),
        data={"folder": str(into)},
    )
