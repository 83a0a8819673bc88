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
from groove_core.errors import InputError, UsageError
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
    without_lone_offs,
)
from music_vae.frames import Frame
from music_vae.windows import Song, of_drums, of_melodies

__all__ = [
    "Excerpt", "Stretch", "at_each_bar", "begins", "chosen", "excerpts", "score_of", "song_of",
    "stretches",
]  # fmt: skip

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


@dataclass(frozen=True)
class Excerpt:
    """So many bars of a piece as a network reads.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
    bar : int
        Number of the first bar in the piece.
    bars : int
        Bars that the piece has; behind them, silence was filled in.
    stretch : Stretch
        That it was cut out of.
    """

    events: Ints
    bar: int
    bars: int
    stretch: Stretch

    @property
    def frame(self) -> Frame | None:
        """Where it stands in a song."""
        frame = self.stretch.frame
        return frame and frame.later((self.bar - self.stretch.bar) * STEPS_PER_BAR)

    def __str__(self) -> str:
        last = self.bar + self.bars - 1
        bars = f"bars {self.bar}-{last}" if last > self.bar else f"bar {self.bar}"
        return f"{bars} of {self.stretch.name}"


def song_of(score: Score, voices: Sequence[str], *, group: str = "") -> Song:
    """Read the voices of a score to learn from, cut where the metre is not 4/4.

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
    return Song(group, [stretch.rows for stretch in _trios(score, None, Counter(), quiet=True)])


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
    onsets = _hits(score)
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


def _hits(score: Score) -> Onsets:
    """Return the drum notes of a score, if any of them is of a kit."""
    onsets = find_onsets(score)
    if not (onsets.drum < len(KIT_DRUMS)).any():
        others = len(onsets.tick) + onsets.unknown
        raise no_drums(score.name, others, of=len(KIT_DRUMS))
    return onsets


def _drum_tracks(score: Score) -> tuple[int, ...]:
    """Return the numbers of the tracks with drums, first that with the most hits."""
    drums = {id(track) for track in drum_tracks(score)}
    found = [n for n, track in enumerate(score.tracks) if id(track) in drums]
    return tuple(sorted(found, key=lambda n: -len(score.tracks[n].notes)))


def _bar(score: Score, tick: float) -> int:
    """Return the number of the bar that begins at a tick, from 1."""
    bars = score.bar_ticks(np.arange(score.bars + 1))
    return int(np.searchsorted(bars, tick)) + 1


def _trios(
    score: Score, chosen: str | None, left_out: Counter[str], *, quiet: bool
) -> Iterator[Stretch]:
    """Yield the stretches of melody, bass and drums in 4/4."""
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
    bass = score.tracks[number]
    onsets = _hits(score)
    silent = replace(bass, notes=bass.notes[:0])
    tracks = tuple(silent if n == number else track for n, track in enumerate(score.tracks))
    rest = replace(score, tracks=tracks, source=None)
    for stretch in _melodies(rest, chosen, left_out, quiet=quiet):
        quarter, steps = score.ticks_per_quarter, stretch.rows.shape[1]
        frame = stretch.frame
        if frame is None:
            raise InputError(
                f"{score.name} is a melody without other tracks.", hint="--model mel-16bar"
            )
        grid = to_grid(onsets.tick - frame.start, onsets.drum, onsets.velocity, quarter, steps)
        rows = np.stack([
            stretch.rows[0], _lowest(bass, quarter, frame.start, steps),
            drum_classes(grid.velocity > 0),
        ])  # fmt: skip
        whole = Frame(
            score, frame.start, (*frame.tracks, (number,), _drum_tracks(score)),
            ("melody", "bass", "drums"),
        )  # fmt: skip
        yield replace(stretch, rows=rows, frame=whole)


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


def _cut(stretch: Stretch, voices: Sequence[str], first: int, bars: int) -> Excerpt:
    """Cut bars out of a stretch, from its bar `first` (from 0); silence fills up what is missing.

    A note that begins before the first bar is left out.
    """
    at, size = first * STEPS_PER_BAR, bars * STEPS_PER_BAR
    rows = stretch.rows[:, at : at + size]
    rows = np.pad(rows, ((0, 0), (0, size - rows.shape[1])))
    events = np.stack([
        row if voice == "drums" else without_lone_offs(row)
        for voice, row in zip(voices, rows, strict=True)
    ])  # fmt: skip
    return Excerpt(events, stretch.bar + first, min(bars, stretch.bars - first), stretch)


def _cuts(stretch: Stretch, voices: Sequence[str], bars: int) -> list[Excerpt]:
    """Cut a stretch into excerpts, from the first bar in which something begins.

    The last one is filled up with silence; one in which nothing happens is left out.
    """
    first = int(begins(stretch.rows, voices).any(axis=0).argmax()) // STEPS_PER_BAR
    found = [_cut(stretch, voices, at, bars) for at in range(first, stretch.bars, bars)]
    return [one for one in found if begins(one.events, voices).any()]


def excerpts(
    given: Score | LeadSheet,
    voices: Sequence[str],
    bars: int,
    *,
    track: str | None = None,
    quiet: bool = False,
) -> list[Excerpt]:
    """Cut a piece into excerpts of so many bars, from the first bar in which something begins.

    The last one of each stretch is filled up with silence, and one in which nothing happens is left
    out.

    Parameters
    ----------
    track, quiet : optional
        See `stretches`.

    Raises
    ------
    InputError
        If there is nothing to read, or the piece is shorter than an excerpt.
    """
    found = stretches(given, voices, track=track, quiet=quiet)
    every = [one for stretch in found for one in _cuts(stretch, voices, bars)]
    if (longest := max(one.bars for one in every)) < bars:
        raise InputError(
            f"{given.name} has {longest} of the {bars} bars that the model reads.",
            hint=f"Give pieces of {bars} bars or more, or use a model of two: --model mel-2bar",
        )
    return every


def chosen(
    given: Score | LeadSheet,
    voices: Sequence[str],
    bars: int,
    span: tuple[int, int] | None = None,
    *,
    track: str | None = None,
    option: str = "--bars",
) -> Excerpt:
    """Cut some bars out of a piece, or else the first in which something begins.

    Parameters
    ----------
    span : (int, int), optional
        Numbers of the first and of the last bar. Fewer bars than the model has are filled up with
        silence, which is said.
    option : str
        What the bars are called in hints.

    Raises
    ------
    InputError
        If there is nothing to read.
    UsageError
        If there are no such bars, or more than the model has.
    """
    if span is None:
        found = stretches(given, voices, track=track)
        longest = max(found, key=lambda one: int((one.rows > 0).sum()))
        every = _cuts(longest, voices, bars)
        if len(every) > 1 or len(found) > 1:
            note(f"using {every[0]}; other bars with {option}")
        return _padded(every[0], bars)
    first, last = span
    if last - first + 1 > bars:
        raise UsageError(
            f"Bars {first}-{last} are {last - first + 1} bars; the model has {bars}.",
            hint=f"{option} {first}-{first + bars - 1}",
        )
    found = stretches(given, voices, track=track)
    inside = [s for s in found if s.bar <= first and last < s.bar + s.bars]
    if not inside:
        listed = [f"{s.bar}-{s.bar + s.bars - 1}" for s in found]
        raise UsageError(
            f"Bars {first}-{last} are not in {given.name}, of which the model can read the bars "
            f"{', '.join(listed)}.",
            hint=f"{option} {listed[0]}",
        )
    whole = inside[0]
    until = replace(whole, rows=whole.rows[:, : (last + 1 - whole.bar) * STEPS_PER_BAR])
    excerpt = replace(_cut(until, voices, first - whole.bar, bars), stretch=whole)
    if not begins(excerpt.events, voices).any():
        raise UsageError(f"Nothing begins in {excerpt}.", hint=f"Choose bars with notes: {option}")
    return _padded(excerpt, bars)


def _padded(excerpt: Excerpt, bars: int) -> Excerpt:
    """Say where silence was filled in."""
    if excerpt.bars < bars:
        note(f"{excerpt}: silence fills up the {bars} bars of the model")
    return excerpt


def at_each_bar(found: Sequence[Stretch], voices: Sequence[str], bars: int) -> list[Excerpt]:
    """Cut an excerpt at each bar with which so many whole bars begin.

    Something begins in its first bar, and in three of four bars.
    """
    kept = []
    for stretch in found:
        for first in range(stretch.bars - bars + 1):
            excerpt = _cut(stretch, voices, first, bars)
            each = begins(excerpt.events, voices).reshape(-1, bars, STEPS_PER_BAR)
            busy = np.flatnonzero(each.any(axis=2).any(axis=0))
            if 0 in busy and 4 * len(busy) >= 3 * bars:
                kept.append(excerpt)
    return kept


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
