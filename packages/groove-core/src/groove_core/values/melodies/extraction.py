"""From a score to a melody: which track, which notes, which grid, and what is not kept.

The line that one would hum is that of a track whose name says so (melody, vocals, soprano, ...);
among several, and where no name helps, that with the highest product of

- height: mean pitch of its line, from 0 at MIDI 36 to 1 at 84,
- monophony: share of its notes that are in the line, squared, and
- activity: square root of the share of the time in which it sounds.

Where several notes sound, the top one counts (or the bottom one): of notes that begin within a
sixty-fourth of each other the highest; under a note that is held on, for at least half of its
length, a lower note is accompaniment; else the new note ends the one before.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.values.chords import Chord
from groove_core.values.melodies.line import Line
from groove_core.values.pitches import key_name
from groove_core.values.scores.score import Score, Track
from groove_core.values.scores.symbols import MELODY, chord_symbols

__all__ = ["choose_track", "extract_melodies", "is_melody", "longest_melody", "skyline"]

GRIDS = (4, 3, 6, 8, 12, 24)
"""Steps per quarter that are tried, in this order."""
ON_GRID, ENOUGH = 0.03, 0.95
"""A grid fits if so large a share of the onsets is at most so many quarter notes away from it."""
STRUM = 16
"""Notes of a chord begin within this part of a quarter note."""
OWN = re.compile(MELODY + r"(\d+),(\d+),(\d+)")
_NAMES = re.compile(
    r"(?<![^\W\d_])(?:melod(?:y|ie|ia|ía)|mélodie|vocals?|voc|vox|voice|sing(?:er|ing)|lead|soprano"
    r"|sopran|gesang|singstimme|stimme|chant|canto|voz|voix|tune|theme|air)(?![^\W\d_])"
    r"|メロディ|ボーカル|歌|主旋律|旋律|人声|멜로디|보컬",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?<![^\W\d_])(?:back(?:ing|ground)?|choir|harmon(?:y|ies)|synth|pad|bass)"
                  r"(?![^\W\d_])", re.IGNORECASE)  # fmt: skip

M = TypeVar("M", bound=Line)
Rows = npt.NDArray[np.int64]
Voice = Literal["top", "bottom", "refuse"]


def is_melody(score: Score) -> bool:
    """Return whether a score was written from a melody, and not by another program."""
    return any(OWN.fullmatch(text) for _, text in score.markers)


def choose_track(score: Score, track: str | int | None = None) -> Track:
    """Choose the track of a line: by name, by number (from 1), or that one would hum.

    Raises
    ------
    InputError
        If no track but drums has notes.
    UsageError
        If there is no such track.
    """
    if track is not None:
        return score.find_tracks(track)[0]
    tracks = [t for t in score.tracks if len(t.notes)]
    pitched = [t for t in tracks if not t.is_drum]
    if not pitched:
        what = "no notes but drums" if tracks else "no notes"
        raise InputError(f"{score.name} has {what}.", hint="Give a file with a melody.")
    named = [t for t in pitched if _NAMES.search(t.name) and not _NOT.search(t.name)]
    among = named or pitched
    return among[0] if len(among) == 1 else max(among, key=lambda t: _hummed(score, t))


def _hummed(score: Score, track: Track) -> float:
    line, _ = skyline(track.notes, score.ticks_per_quarter)
    height = min(max((line[:, 2].mean() - 36) / 48, 0.0), 1.0)
    activity = line[:, 1].sum() / max(score.last_note_tick, 1)
    return float(height * (len(line) / len(track.notes)) ** 2 * math.sqrt(activity))


def skyline(
    notes: Rows, ticks_per_quarter: int, *, bottom: bool = False
) -> tuple[Rows, Counter[str]]:
    """Reduce notes to one line; see the module.

    Parameters
    ----------
    notes : int array [shape=(n, 4)]
        Start, duration, pitch and velocity, in ticks.

    Returns
    -------
    int array [shape=(m, 4)]
        Notes that do not overlap, each at least a tick long.
    Counter
        How many were left out as ``chord notes``, and how many ``overlaps`` were cut.
    """
    sign = -1 if bottom else 1
    strum = max(ticks_per_quarter // STRUM, 1)
    rows = notes[np.lexsort((-sign * notes[:, 2], notes[:, 0]))].tolist()
    line: list[list[int]] = []
    counts: Counter[str] = Counter()
    for start, duration, pitch, velocity in rows:
        one = [start, max(duration, 1), pitch, velocity]
        if line:
            last = line[-1]
            end, above = last[0] + last[1], sign * (pitch - last[2]) > 0
            if start == last[0] or (start - last[0] < strum and end > start + strum):
                counts["chord notes"] += 1
                if above:
                    line[-1] = [last[0], start + one[1] - last[0], pitch, velocity]
                continue
            if end > start:
                if sign * (last[2] - pitch) > 0 and 2 * (end - start) >= one[1]:
                    counts["chord notes"] += 1
                    continue
                last[1] = start - last[0]
                counts["overlaps"] += 1
        line.append(one)
    return np.array(line, np.int64).reshape(-1, 4), counts


@dataclass(frozen=True)
class _Span:
    """A stretch of a score in one metre."""

    start: int
    end: int
    metre: tuple[int, int]
    pickup: int = 0
    """Ticks before the first bar line."""

    def bar(self, ticks_per_quarter: int) -> float:
        return 4 * ticks_per_quarter * self.metre[0] / self.metre[1]


def _spans(score: Score) -> list[_Span]:
    """List the stretches of one metre.

    Bars shorter than their neighbours are how scores write pickups, and the bars that make up
    for them: before a stretch such a bar is its pickup, behind it its last bar, and two that
    make up a whole bar inside a stretch belong to it.
    """
    told = [
        _Span(start, end, (top, bottom))
        for start, end, top, bottom in score.metre_spans()
        if end > start
    ]

    def bar(span: _Span) -> float:
        return span.bar(score.ticks_per_quarter)

    spans: list[_Span] = []
    for place, span in enumerate(told):
        before = spans[-1] if spans else None
        if before is None:
            spans.append(span)
            continue
        filled = (before.end - before.start - before.pickup) % bar(before)
        length = span.end - span.start
        if before.metre == span.metre and not filled:
            spans[-1] = replace(before, end=span.end)
        elif filled and filled + length <= bar(before) and before.metre != span.metre:
            spans[-1] = replace(before, end=span.end)  # it completes a short bar
        elif len(spans) == 1 and before.end - before.start <= bar(before) < bar(span):
            spans[-1] = replace(span, start=before.start, pickup=before.end - before.start)
        elif (
            not filled
            and length <= bar(span) < bar(before)
            and (
                place + 1 == len(told)
                or _completed(span, told[place + 1 :], bar(before), before.metre)
            )
        ):
            spans[-1] = replace(before, end=span.end)
        else:
            spans.append(span)
    return spans


def _completed(span: _Span, after: list[_Span], bar: float, metre: tuple[int, int]) -> bool:
    """Return whether the bar behind a short one completes it, and the metre goes on."""
    both = after[0].end - span.start
    return both == bar and (len(after) == 1 or after[1].metre == metre)


def extract_melodies(
    kind: type[M],
    score: Score,
    track: str | int | None = None,
    steps_per_quarter: int | None = None,
    chords: Voice = "top",
) -> list[tuple[int, M]]:
    """Read a line of a score, cut where the metre changes.

    Parameters
    ----------
    kind : Melody or LeadSheet
    track, steps_per_quarter, chords
        As of `Melody.from_score`.

    Returns
    -------
    list of (int, Melody)
        With each melody the tick of the score at which it begins. Silence before the first note is
        part of it, up to the beginning of the metre. It ends with the bar of its last note, or with
        the file.
    """
    own = next((m for _, text in score.markers if (m := OWN.fullmatch(text))), None)
    if own is not None and track is None:  # the line may be silent, and the chords are not it
        mine = [t for t in score.tracks if t.name == "melody" and len(t.notes)]
        chosen = mine[0] if mine else Track(np.zeros((0, 4), np.int64), name="melody")
    else:
        chosen = choose_track(score, track)
    line, counts = skyline(chosen.notes, score.ticks_per_quarter, bottom=chords == "bottom")
    if chords == "refuse" and counts["chord notes"]:
        raise InputError(
            f"The track {chosen.name or '(no name)'} of {score.name} plays several notes at once, "
            f"{counts['chord notes']} of {len(chosen.notes)}.",
            hint="Choose another track, or take the top notes.",
        )
    symbols = chord_symbols(score.markers)
    others = [t for t in score.tracks if t is not chosen and not (symbols and t.name == "chords")]
    counts["notes of other tracks"] = sum(len(t.notes) for t in others)
    spans = _spans(score)
    if own is not None:
        start = next(tick for tick, text in score.markers if OWN.fullmatch(text))
        steps, pickup, length = map(int, own.groups())
        steps_per_quarter = steps_per_quarter or steps
        step = score.ticks_per_quarter / steps
        told = score.time_signatures[score.time_signatures[:, 0] <= start]
        metre = (int(told[-1, 1]), int(told[-1, 2])) if len(told) else (4, 4)
        # Another program may have added notes behind the end: then it is that of their last bar.
        size = max(1, 4 * steps * metre[0] // metre[1])
        last = math.floor((int(line[-1:, :2].sum()) - start) / step + 0.5) if len(line) else 0
        if last > length:
            length = pickup + -(-(last - pickup) // size) * size
        spans = [_Span(start, start + round(length * step), metre, round(pickup * step))]
    resolution = steps_per_quarter or _grid(line, spans, score.ticks_per_quarter)
    half = score.ticks_per_quarter / resolution / 2
    if own is None and spans:  # the last note may be brought to the grid behind the end
        last = int((line[:, 0] + np.maximum(line[:, 1], 2 * half)).max(initial=0) + half)
        spans[-1] = replace(spans[-1], end=max(spans[-1].end, last))
    # A note that is played a little before the metre changes belongs to what follows.
    starts = np.array([span.start for span in spans])
    which = np.maximum(np.searchsorted(starts, line[:, 0] + half, side="right") - 1, 0)
    melodies: list[tuple[int, M]] = []
    for number, span in enumerate(spans):
        mine = line[which == number]
        if 4 * resolution * span.metre[0] % span.metre[1]:
            continue  # no whole steps
        if not len(mine) and not own:
            continue
        made = _melody(kind, score, mine, span, resolution, symbols, own=bool(own))
        melodies.append((span.start, replace(made, name=score.name)))
    if not melodies:
        raise InputError(
            f"The metre of {score.name} has no whole steps at {resolution} per quarter.",
            hint="Use more steps per quarter.",
        )
    first = melodies[0][1]
    both = Counter(counts) + Counter(first.left_out)
    melodies[0] = (melodies[0][0], replace(first, left_out=dict(both)))
    return melodies


def longest_melody(
    kind: type[M],
    score: Score,
    track: str | int | None,
    steps_per_quarter: int | None,
    chords: Voice,
) -> M:
    """Read the longest stretch in one metre, and count what all others hold."""
    found = [made for _, made in extract_melodies(kind, score, track, steps_per_quarter, chords)]
    longest = max(found, key=lambda made: (len(made.notes), made.length))
    counts: Counter[str] = Counter()
    for made in found:
        counts.update(made.left_out)
        counts["notes in other metres"] += 0 if made is longest else len(made.notes)
    return replace(longest, left_out={reason: n for reason, n in counts.items() if n})


def _grid(line: Rows, spans: list[_Span], ticks_per_quarter: int) -> int:
    """Choose the coarsest grid that the onsets fit."""
    starts = np.array([span.start for span in spans])
    of = np.maximum(np.searchsorted(starts, line[:, 0], side="right") - 1, 0)
    quarters = (line[:, 0] - starts[of]) / ticks_per_quarter
    whole = [g for g in GRIDS if not any(4 * g * s.metre[0] % s.metre[1] for s in spans)]
    for grid in whole:
        off = np.abs(quarters * grid - np.round(quarters * grid)) / grid
        if (off <= ON_GRID).mean() >= ENOUGH:
            return grid
    return whole[0] if whole else GRIDS[0]


def _melody(
    kind: type[M],
    score: Score,
    mine: Rows,
    span: _Span,
    resolution: int,
    symbols: Sequence[tuple[int, Chord]],
    *,
    own: bool,
) -> M:
    """Bring the notes of one stretch to the grid."""
    per_tick = resolution / score.ticks_per_quarter
    onsets = (mine[:, 0] - span.start) * per_tick
    begins = np.floor(onsets + 0.5).astype(np.int64)
    ends = np.floor(onsets + mine[:, 1] * per_tick + 0.5).astype(np.int64)
    total = math.ceil((span.end - span.start) * per_tick - 1e-6)
    keep = np.append(begins[1:] > begins[:-1], True)[: len(begins)]  # of two, the later one
    keep &= begins < total
    counts = Counter({
        "onsets off the grid": int((np.abs(onsets - begins) > ON_GRID * resolution).sum()),
        "notes closer than a step": int((~keep).sum()),
    })  # fmt: skip
    mine, begins, ends = mine[keep], begins[keep], ends[keep]
    limit = np.append(begins[1:], total)[: len(begins)]
    lengths = np.minimum(np.maximum(ends - begins, 1), limit - begins)
    rows = np.stack([begins, lengths, mine[:, 2], np.maximum(mine[:, 3], 1)], axis=1)
    pickup = round(span.pickup * per_tick)
    size = 4 * resolution * span.metre[0] // span.metre[1]
    if own:
        length = total
    else:
        last = int((rows[-1:, 0] + rows[-1:, 1]).sum())
        length = min(pickup + -(-max(last - pickup, 0) // size) * size, max(total, last))
    at = int(mine[0, 0]) if len(mine) else span.start

    def changes(table: Rows) -> int:
        inside = (table[:, 0] > at) & (table[:, 0] < span.end)
        before = table[table[:, 0] <= at][-1:]
        told = np.concatenate([before, table[inside]])[:, 1:]
        return int((told[1:] != told[:-1]).any(axis=1).sum())

    counts["tempo changes"] = changes(score.tempos)
    counts["key changes"] = changes(score.key_signatures)
    keys = score.key_signatures
    keys = keys[keys[:, 0] <= at]
    settings: dict[str, Any] = {
        "metre": span.metre,
        "pickup": pickup,
        "length": length,
        "key": key_name(int(keys[-1, 1]), bool(keys[-1, 2])) if len(keys) else "",
        "tempo_bpm": float(np.clip(score.tempo_at(at), 3.58, 60_000)),
    }
    made = kind(rows, resolution, **settings)
    chords, words = {}, {}
    for tick, chord in symbols:
        if span.start <= tick < span.end:
            chords[math.floor((tick - span.start) * per_tick + 0.5)] = chord
    step_of = dict(zip(mine[:, 0].tolist(), begins.tolist(), strict=True))
    for tick, text in score.lyrics:
        if tick in step_of:
            words[step_of[tick]] = text.strip()
        elif span.start <= tick < span.end:
            counts["syllables"] += 1
    made = made.with_words(
        [(step, chord) for step, chord in chords.items() if step < made.length],
        list(words.items()),
    )
    kept = Counter(made.left_out) + counts
    return replace(made, left_out=dict(kept))
