"""From scores to what networks read, and from what they write to scores.

The melody is the line that one would hum, the bass the lowest notes of the track with a bass
program that has most notes, and drums are those of a kit. Only what is in 4/4 (or 2/2) and not in
triplets is read. Notes are read on the nearest sixteenth, and those that no piano has in the
nearest octave that has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import (
    KIT_DRUMS,
    STEPS_PER_BAR,
    DrumPattern,
    Onsets,
    drum_tracks,
    find_onsets,
    is_triplet,
    marked_span,
    meters,
    no_drums,
    to_grid,
)
from groove_core.errors import InputError
from groove_core.tunes import Passage
from groove_core.values import LeadSheet, Melody, Score, Track, extract_melodies, skyline
from music_vae.alphabets import (
    HIGHEST,
    LOWEST,
    NOTE,
    OFF_CLASS,
    drum_classes,
    drum_hits,
    folded,
    melody_classes,
    melody_events,
)
from music_vae.frames import Frame
from music_vae.windows import Song, of_drums, of_melodies

__all__ = ["Stretch", "begins", "score_of", "song_of", "stretches"]

BASSES = range(32, 40)
"""General MIDI programs of bass instruments."""
BASS, MELODY = 33, 0
"""Programs that voices are played with: fingered bass and grand piano."""
METRES = ((4, 4), (2, 2))
"""Of a bar of sixteen sixteenths, four beats or two halves."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Bars of a piece that can be read, without a gap.

    Parameters
    ----------
    rows : int array [shape=(voices, steps)]
        Events. The first step begins a bar.
    bar : int
        Number of the first bar in the piece, from 1; 0 for a pickup.
    tempo_bpm : float
    key : str
        As the file says it; empty where it does not.
    name : str
        Of the piece, for messages.
    frame : Frame or None
        Where it stands in a song; None for a melody alone.
    """

    rows: Ints
    bar: int
    tempo_bpm: float
    key: str
    name: str
    frame: Frame | None

    @property
    def bars(self) -> int:
        """Number of its bars."""
        return int(self.rows.shape[1]) // STEPS_PER_BAR


def song_of(score: Score, voices: Sequence[str], *, group: str = "") -> Song:
    """Read the voices of a score to learn from, cut where the metre is not 4/4.

    Here triplets are brought to sixteenths, and melodies that leave the piano are left out.

    Raises
    ------
    InputError
        If it has no such voice.
    """
    group = group or score.name
    if tuple(voices) == ("melody",):
        return of_melodies(
            group, [made for _, made in extract_melodies(Melody, score, steps_per_quarter=4)]
        )
    if tuple(voices) == ("drums",):
        return of_drums(group, [DrumPattern.from_score(score)])
    band, found = _Band.of(score), []
    for start, melody in extract_melodies(Melody, band.rest, steps_per_quarter=4):
        for rows in of_melodies("", [melody]).stretches:
            lead = (-melody.pickup % STEPS_PER_BAR) * score.ticks_per_quarter / 4
            found.append(band.with_melody(rows[0], start - lead))
    return Song(group, found)


def stretches(
    given: Score | LeadSheet,
    voices: Sequence[str],
    *,
    track: str | None = None,
    quiet: bool = False,
) -> list[Stretch]:
    """Read what of a piece can be read, and say what was not taken as it is.

    Parameters
    ----------
    given : Score or LeadSheet
        A melody has no bass and no drums.
    track : str, optional
        Name or number (from 1) of the track with the melody.
    quiet : bool
        Say nothing.

    Raises
    ------
    InputError
        If there is nothing to read, or a voice is missing.
    UsageError
        If there is no such track.
    """
    left_out: Counter[str] = Counter()
    if tuple(voices) == ("melody",):
        found = list(_melodies(given, track, left_out, quiet=quiet))
    elif isinstance(given, LeadSheet):
        raise InputError(
            f"{given.name} is a melody; the model reads {' and '.join(voices)}.",
            hint="Give a MIDI file that has them, or use a model of melodies: --model mel-2bar",
        )
    elif tuple(voices) == ("drums",):
        found = list(_beats(given, left_out))
    else:
        found = list(_trios(given, track, left_out, quiet=quiet))
    sounding = [one for one in found if begins(one.rows, voices).any()]
    if not found:
        why = ", ".join(left_out) or "without a whole bar"
        raise InputError(
            f"{given.name} is {why}; the models have learnt 4/4 in sixteenths.",
            hint="Give a piece in 4/4 without triplets.",
        )
    if not sounding:
        raise InputError(f"{given.name} is silent.", hint="Give a piece with notes.")
    return sounding


def _melodies(
    given: Score | LeadSheet, track: str | None, left_out: Counter[str], *, quiet: bool
) -> Iterator[Stretch]:
    """Yield the stretches of a melody in 4/4."""
    for passage in Passage.of(given, track, quiet=quiet, grid=4):
        melody = passage.melody
        if melody.metre not in METRES:
            left_out[f"in {melody.metre[0]}/{melody.metre[1]}"] += 1
        elif melody.steps_per_quarter != 4 or is_triplet(_beats_of(passage, given)):
            left_out["in triplets"] += 1
        else:
            inside = folded(melody.notes[:, 2])
            if (moved := int((inside != melody.notes[:, 2]).sum())) and not quiet:
                note(f"{melody.name}: {moved} notes lie outside of MIDI {LOWEST} to {HIGHEST}; the "
                     "network reads them in another octave")  # fmt: skip
            notes = np.column_stack([melody.notes[:, :2], inside, melody.notes[:, 3]])
            lead = -melody.pickup % STEPS_PER_BAR
            rest = -(lead + melody.length) % STEPS_PER_BAR
            # A longer melody has a note off where the last note would else sound into the rest.
            whole = replace(melody, notes=notes, length=melody.length + rest)
            rows = np.pad(melody_classes(whole.events), (lead, 0))[None]
            place, frame = passage.place, None
            if place is not None:
                frame = Frame(place.song, place.start, ((place.track,),), ("melody",)).later(-lead)
            bar = passage.bars_before + (0 if melody.pickup else 1)
            yield Stretch(rows, bar, melody.tempo_bpm, melody.key, melody.name, frame)


def _beats_of(passage: Passage, given: Score | LeadSheet) -> npt.NDArray[np.float64]:
    """Return when the notes of a passage begin, in quarter notes: not as they were rounded."""
    place = passage.place
    if place is not None:
        quarter = place.song.ticks_per_quarter
        ticks = place.song.tracks[place.track].notes[:, 0] - place.start
        ticks = ticks[(ticks >= 0) & (ticks < passage.melody.length * quarter / 4)]
        return np.asarray(ticks / quarter - passage.melody.pickup / 4)
    if isinstance(given, LeadSheet):
        return np.asarray((given.notes[:, 0] - given.pickup) / given.steps_per_quarter)
    ticks = np.concatenate([track.notes[:, 0] for track in given.tracks if track.name == "melody"])
    return np.asarray(ticks / given.ticks_per_quarter)


def _beats(score: Score, left_out: Counter[str]) -> Iterator[Stretch]:
    """Yield the stretches of the drums of a score in 4/4."""
    onsets = find_onsets(score)
    _check_kit(score.name, onsets)
    quarter, (marked, steps) = score.ticks_per_quarter, marked_span(score)
    early = quarter / 8  # half a step: such an early hit belongs to the next bar
    spans = meters(score) if steps is None else [(marked, np.inf, 4, 4)]
    for start, end, top, bottom in spans:
        here = (onsets.tick >= start - early) & (onsets.tick < end - early)
        ticks = onsets.tick[here] - start
        if not here.any():
            continue
        if (top, bottom) not in METRES:
            left_out[f"in {top}/{bottom}"] += 1
        elif steps is None and is_triplet(ticks / quarter):
            left_out["in triplets"] += 1
        else:
            last = steps if np.isinf(end) else int((end - start) * 4 / quarter)
            grid = to_grid(ticks, onsets.drum[here], onsets.velocity[here], quarter, last)
            rows = drum_classes(grid.velocity > 0)[None]
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % STEPS_PER_BAR)))
            frame = Frame(score, start, (_drum_tracks(score),), ("drums",))
            yield Stretch(rows, _bar(score, start), float(score.tempo_at(start)), "", score.name,
                          frame)  # fmt: skip


def _check_kit(name: str, onsets: Onsets) -> None:
    """Refuse drums of which none is of a kit."""
    if not (onsets.drum < len(KIT_DRUMS)).any():
        raise no_drums(name, len(onsets.tick) + onsets.unknown, of=len(KIT_DRUMS))


def _drum_tracks(score: Score) -> tuple[int, ...]:
    """Return the numbers of the tracks with drums, first that with the most hits."""
    drums = {id(track) for track in drum_tracks(score)}
    found = [n for n, track in enumerate(score.tracks) if id(track) in drums]
    return tuple(sorted(found, key=lambda n: -len(score.tracks[n].notes)))


def _bar(score: Score, tick: float) -> int:
    """Return the number of the bar that begins at a tick, from 1."""
    bars = score.bar_ticks(np.arange(score.bars + 1))
    return int(np.searchsorted(bars, tick)) + 1


@dataclass(frozen=True)
class _Band:
    """The bass and the drums of a score, and the score without that bass."""

    score: Score
    number: int
    onsets: Onsets
    rest: Score

    @classmethod
    def of(cls, score: Score) -> _Band:
        basses = [
            number
            for number, track in enumerate(score.tracks)
            if not track.is_drum and track.program in BASSES and len(track.notes)
        ]
        if not basses:
            raise InputError(
                f"{score.name} has no bass.",
                hint="Set its track to a bass, General MIDI program 33 to 40.",
            )
        number = max(basses, key=lambda one: len(score.tracks[one].notes))
        onsets = find_onsets(score)
        if not len(onsets.tick):
            raise no_drums(score.name, onsets.unknown)
        silent = replace(score.tracks[number], notes=score.tracks[number].notes[:0])
        tracks = tuple(silent if n == number else track for n, track in enumerate(score.tracks))
        return cls(score, number, onsets, replace(score, tracks=tracks, source=None))

    def with_melody(self, row: Ints, begin: float) -> Ints:
        """Return melody, bass and drums [shape=(3, steps)]; step 0 is at tick `begin`."""
        quarter, onsets = self.score.ticks_per_quarter, self.onsets
        grid = to_grid(onsets.tick - begin, onsets.drum, onsets.velocity, quarter, len(row))
        low = _lowest(self.score.tracks[self.number], quarter, begin, len(row))
        return np.stack([row, low, drum_classes(grid.velocity > 0)])


def _trios(
    score: Score, chosen: str | None, left_out: Counter[str], *, quiet: bool
) -> Iterator[Stretch]:
    """Yield the stretches of melody, bass and drums in 4/4."""
    band = _Band.of(score)
    _check_kit(score.name, band.onsets)
    for stretch in _melodies(band.rest, chosen, left_out, quiet=quiet):
        frame = stretch.frame
        if frame is None:
            raise InputError(
                f"{score.name} is a melody without other tracks.", hint="--model mel-16bar"
            )
        whole = Frame(
            score, frame.start, (*frame.tracks, (band.number,), _drum_tracks(score)),
            ("melody", "bass", "drums"),
        )  # fmt: skip
        yield replace(stretch, rows=band.with_melody(stretch.rows[0], frame.start), frame=whole)


def _lowest(track: Track, ticks_per_quarter: int, begin: float, steps: int) -> Ints:
    """Return the lowest notes of a track as classes [shape=(steps,)]; step 0 is at tick `begin`."""
    line, _ = skyline(track.notes, ticks_per_quarter, bottom=True)
    edges = np.stack([line[:, 0], line[:, 0] + line[:, 1]])
    begins, ends = np.floor((edges - begin) * 4 / ticks_per_quarter + 0.5).astype(np.int64)
    # Of two notes that begin at one step, the later one counts.
    kept = np.append(begins[1:] > begins[:-1], True)[: len(begins)]
    kept &= (begins >= 0) & (begins < steps)
    begins, pitches = begins[kept], line[kept, 2]
    ends = np.maximum(ends[kept], begins + 1)
    row = np.zeros(steps, np.int64)
    row[ends[ends < steps]] = OFF_CLASS
    row[begins] = folded(pitches) - LOWEST + NOTE
    return row


def begins(rows: Ints, voices: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return the steps at which each voice begins a note [shape=(..., voices, steps)]."""
    least = np.array([1 if voice == "drums" else NOTE for voice in voices])
    found: npt.NDArray[np.bool_] = rows >= least[:, None]
    return found


def score_of(
    events: Ints, voices: Sequence[str], *, tempo_bpm: float = 120.0, key: str = ""
) -> Score:
    """Return the score of what a network wrote.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
    """
    parts: list[Score] = []
    for voice, row in zip(voices, events, strict=True):
        if voice == "drums":
            parts.append(DrumPattern(drum_hits(row), tempo_bpm=tempo_bpm).to_score())
            continue
        line = Melody.from_events(melody_events(row), tempo_bpm=tempo_bpm, key=key).to_score()
        program = BASS if voice == "bass" else MELODY
        [track] = line.tracks
        parts.append(replace(line, tracks=(replace(track, name=voice, program=program),)))
    # The frames are equal: both begin at tick 0, have 480 ticks per quarter, and whole bars.
    return replace(parts[0], tracks=tuple(track for part in parts for track in part.tracks))
