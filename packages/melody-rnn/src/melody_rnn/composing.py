"""From what is asked for to melodies: conditions, rules, drawing, and back to notes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.tunes import GRIDS, METRES, Take, marked, spans_of
from groove_core.values import DEFAULT_VELOCITY, Chord, LeadSheet, Melody, pitch_class
from melody_rnn.conditions import density_level, register_level
from melody_rnn.lines import CLASSES, HIGHEST, LOWEST, NOTE, OFF, Line, encode, shift_of
from melody_rnn.recurrent import Recurrent
from melody_rnn.rules import Rules
from melody_rnn.transformer import (
    DENSITIES,
    ONSET,
    REGISTERS,
    UNKNOWN,
    Conditions,
    Transformer,
)
from melody_rnn.writing import draws, write

__all__ = ["SCALES", "Wish", "bars_of", "blank", "extend", "fill", "sample", "scale_of", "vary"]

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11), "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10), "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9), "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10), "chromatic": tuple(range(12)),
}  # fmt: skip
"""Semitones above the tonic."""
CONTEXT = 512
"""Steps that the networks saw at once when they learnt."""
NARROW = 24
"""A range of less semitones than these tells the network where the melody is to lie."""
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Network = Recurrent | Transformer
METRE = re.compile(r"(\d{1,2})/(\d{1,2})")
BARS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True)
class Wish:
    """How melodies are to be written.

    Parameters
    ----------
    low, high : int or None
        MIDI pitches; None for no bound.
    scale : bool array [shape=(12,)], optional
        Pitch classes that may be drawn.
    density : float, optional
        Notes per bar.
    temperature, top_p : float
        A repetition is left by an event that is unlikely at each of its steps: the lower
        `top_p`, the longer a melody repeats itself.
    """

    low: int | None = None
    high: int | None = None
    scale: npt.NDArray[np.bool_] | None = None
    density: float | None = None
    temperature: float = 1.0
    top_p: float = 0.98


def check_readable(network: Network, melody: Melody) -> None:
    """Refuse a melody that a network cannot read.

    Raises
    ------
    InputError
        If its metre or its grid is not among those that were learnt.
    """
    top, bottom = melody.metre
    if melody.metre not in METRES:
        known = ", ".join(f"{a}/{b}" for a, b in METRES)
        raise InputError(f"{melody.name} is in {top}/{bottom}, which no network has learnt.",
                         hint=f"Known metres: {known}.")  # fmt: skip
    if melody.steps_per_quarter not in GRIDS:
        raise InputError(
            f"{melody.name} has {melody.steps_per_quarter} steps per quarter note.",
            hint="Quantize it to sixteenths (4) or eighth triplets (3).",
        )
    if isinstance(network, Recurrent) and not encode(melody).for_originals:
        raise InputError(
            f"{melody.name} is in {top}/{bottom} at {melody.steps_per_quarter} steps per quarter; "
            "the original networks know 4/4 in sixteenths only.",
            hint="--model transformer",
        )


def written(
    network: Network,
    line: Line,
    rules: Rules,
    wish: Wish,
    seeds: Sequence[int],
    *,
    encoder: bool = False,
) -> Ints:
    """Write a line several times.

    Parameters
    ----------
    line : Line
        What is given where `rules` say so; its metre, mode and chords count everywhere.
    rules : Rules
    wish : Wish
    seeds : sequence of int
        Of each melody.
    encoder : bool
        Whether the Transformer is shown what is given behind a step, too.

    Returns
    -------
    int array [shape=(len(seeds), steps), 0 to 37]
    """
    n, steps = len(seeds), len(line)
    device = next(network.parameters()).device
    random = draws(seeds, steps)
    whole = np.tile(np.where(rules.given < CLASSES, rules.given, -1), (n, 1))
    for first, end in windows(rules.given >= CLASSES, line.bar):
        here, on, given = slice(first, end), None, None
        if isinstance(network, Transformer):
            part = replace(line, events=line.events[here], root=line.root[here],
                           chord=line.chord[here])  # fmt: skip
            on = conditions(part, n, wish, device)
        if encoder:
            seen = np.where(whole[:, here] < 0, rules.given[here], whole[:, here])
            given = torch.from_numpy(seen).to(device) if (seen != UNKNOWN).any() else None
        whole[:, here] = write(
            network, end - first, random[:, here], on=on, given=given, known=whole[:, here],
            allowed=functools.partial(_allowed, rules, whole, first),
            temperature=wish.temperature, top_p=wish.top_p,
        )  # fmt: skip
    return whole


def windows(missing: npt.NDArray[np.bool_], bar: int) -> Iterator[tuple[int, int]]:
    """Yield parts of a line that a network can see at once, so that all that is missing is in one.

    They begin at bars. Of a longer line, a network sees as much before what it begins to write
    as behind, and what was written is known to the next part.

    Parameters
    ----------
    missing : bool array [shape=(steps,)]
        What is to be written.
    bar : int
        Steps of a bar.
    """
    steps, size = len(missing), CONTEXT // bar * bar
    last = max(-(-(steps - size) // bar) * bar, 0)
    end = 0
    while (left := np.flatnonzero(missing[end:])).size:
        first = min(max((end + int(left[0]) - size // 2) // bar * bar, 0), last)
        end = min(first + size, steps)
        yield first, end


def _allowed(rules: Rules, whole: Ints, first: int, step: int, events: Ints) -> Bools:
    """Ask the rules of a whole line about a step of a part of it."""
    return rules(first + step, np.concatenate([whole[:, :first], events], axis=1))


def playable(shift: int, wish: Wish) -> Bools:
    """Return which classes of events may be drawn.

    Raises
    ------
    UsageError
        If no note is left.
    """
    low = 0 if wish.low is None else wish.low
    high = 127 if wish.high is None else wish.high
    if low > high:
        raise UsageError(f"The lowest note, {low}, is above the highest one, {high}.",
                         hint=f"--low {high} --high {low}")  # fmt: skip
    pitches = np.arange(LOWEST, HIGHEST + 1) - shift
    notes = (pitches >= low) & (pitches <= high)
    if wish.scale is not None:
        notes &= wish.scale[pitches % 12]
    if not notes.any():
        raise UsageError(
            f"No note of the scale lies between {low} and {high}.", hint="Give a wider range."
        )
    return np.concatenate([[True, True], notes])


def fitted(melody: LeadSheet, wish: Wish) -> Line:
    """Bring a melody to the 36 notes of the networks, so that they can write what is wished.

    It is moved by octaves so that as many notes of the wished range as can be are among them.
    Notes of the melody that are not are read in another octave, which is said; in what is
    written they are as they were.
    """
    shift = shift_of(melody)
    if wish.low is not None or wish.high is not None:
        low = 0 if wish.low is None else wish.low
        high = 127 if wish.high is None else wish.high
        shifts = shift + 12 * np.arange(-10, 11)
        inside = np.minimum(high, HIGHEST - shifts) - np.maximum(low, LOWEST - shifts)
        moved = melody.notes[:, 2] + shifts[:, None]
        outside = ((moved < LOWEST) | (moved > HIGHEST)).sum(axis=1)
        middle = (LOWEST + HIGHEST) / 2 - (low + high) / 2
        far = np.abs(shifts - (shift if len(melody.notes) else middle))
        shift = int(shifts[np.lexsort((far, outside, -inside))[0]])
    line = encode(melody, shift=shift)
    if line.folded:
        note(f"{melody.name}: {line.folded} of {len(melody.notes)} notes lie outside of MIDI "
             f"{LOWEST - shift} to {HIGHEST - shift}; the network reads them in another octave, "
             "and they stay as they are")  # fmt: skip
    return line


def conditions(line: Line, n: int, wish: Wish, device: torch.device) -> Conditions:
    """Return the conditions of a line, for each of n melodies."""

    def whole(value: int) -> Tensor:
        return torch.full((n,), value, device=device)

    def steps(values: Ints) -> Tensor:
        return torch.from_numpy(values).to(device).expand(n, -1)

    density = DENSITIES
    if wish.density is not None:
        density = int(density_level(torch.tensor(wish.density)))
    register = REGISTERS
    if wish.low is not None and wish.high is not None and wish.high - wish.low < NARROW:
        middle = torch.tensor((wish.low + wish.high) / 2 + line.shift)
        register = int(register_level(middle))
    return Conditions(
        whole(line.bar), whole(line.grid), whole(line.metre), whole(line.mode), whole(density),
        whole(register), steps(line.root), steps(line.chord),
    )  # fmt: skip


def scale_of(scale: str | None, key: str) -> npt.NDArray[np.bool_] | None:
    """Return the pitch classes of a scale on the tonic of a key; None where none is wanted."""
    if scale is None:
        return None
    tonic = pitch_class(key.removesuffix("m")) if key else 0
    found = np.zeros(12, bool)
    found[[(tonic + step) % 12 for step in SCALES[scale]]] = True
    return found


def blank(
    network: Network,
    bars: int,
    *,
    key: str = "C",
    metre: str = "4/4",
    grid: int = 4,
    chords: str = "",
    tempo_bpm: float = 100.0,
) -> LeadSheet:
    """Return a silent melody to be written on.

    Parameters
    ----------
    chords : str
        One a bar, or several a bar with bar lines: ``Am F | C G``. They begin again where there
        are more bars.
    """
    found = METRE.fullmatch(metre)
    if found is None:
        raise UsageError(f"There is no metre {metre!r}.", hint="--metre 6/8")
    top, bottom = (int(number) for number in found.groups())
    if grid == 3 and 12 * top % bottom:
        raise UsageError(f"A bar of {metre} has no whole number of triplet steps.",
                         hint="--steps-per-quarter 4")  # fmt: skip
    empty = LeadSheet(np.zeros((0, 4), np.int64), grid, (top, bottom), tempo_bpm=tempo_bpm,
                      key=key, name=f"a melody in {metre}")  # fmt: skip
    check_readable(network, empty)
    length = bars * empty.steps_per_bar
    return replace(empty, length=length, chords=tuple(_chords(chords, bars, empty.steps_per_bar)))


def _chords(text: str, bars: int, bar: int) -> Iterator[tuple[int, Chord]]:
    """Yield the chords of bars, with the steps at which they begin."""
    wanted: list[list[Chord]] = [[]]
    for match in re.finditer(r"[^\s|]+|\|", text):
        if match[0] != "|":
            wanted[-1].append(_chord(match[0], match.start(), text))
        if match[0] == "|" or "|" not in text:
            wanted.append([])
    wanted = [one for one in wanted if one]
    for number in range(bars if wanted else 0):
        here = wanted[number % len(wanted)]
        for place, chord in enumerate(here):
            yield number * bar + place * bar // len(here), chord


def _chord(word: str, at: int, text: str) -> Chord:
    try:
        return Chord.parse(word)
    except InputError as error:
        raise UsageError(
            f"The chord {word!r} at character {at + 1} of {text!r} cannot be read.",
            hint=error.hint,
        ) from error


def sample(
    network: Network, blank: LeadSheet, wish: Wish, count: int, seed: int, *, flat: bool = False
) -> list[Take]:
    """Write melodies on a silent one."""
    line = fitted(blank, wish)
    rules = Rules(np.full(len(line), UNKNOWN), playable(line.shift, wish))
    found = written(network, line, rules, wish, _seeds(seed, count))
    return [_take(events, line, blank, (), flat) for events in found]


def extend(
    network: Network,
    primer: LeadSheet,
    bars: int,
    wish: Wish,
    count: int,
    seed: int,
    *,
    flat: bool = False,
) -> list[Take]:
    """Continue a melody by whole bars, from the end of its last bar."""
    check_readable(network, primer)
    _check_notes(primer)
    whole = primer.pickup + primer.bars * primer.steps_per_bar
    length = whole + bars * primer.steps_per_bar
    longer = replace(primer, length=length)
    line = fitted(longer, wish)
    _say_long(line)
    end = line.lead + primer.length
    given = line.events.copy()
    given[end:] = UNKNOWN
    found = written(
        network, line, Rules(given, playable(line.shift, wish)), wish, _seeds(seed, count)
    )
    return [_take(events, line, longer, ((0, primer.length),), flat) for events in found]


def _say_long(line: Line) -> None:
    """Say how much of a long primer a network sees."""
    bars = CONTEXT // line.bar
    if len(line) > bars * line.bar:
        note(f"the network sees {bars} bars at once, and here the last {bars // 2} or more before "
             "what it writes")  # fmt: skip


def fill(
    network: Network,
    melody: LeadSheet,
    bars: tuple[int, int],
    wish: Wish,
    count: int,
    seed: int,
    *,
    flat: bool = False,
) -> list[Take]:
    """Write bars anew, from the first to the last one, counted from 1."""
    check_readable(network, melody)
    first, last = bars
    line = fitted(melody, wish)
    start = melody.pickup + (first - 1) * melody.steps_per_bar
    end = min(melody.pickup + last * melody.steps_per_bar, melody.length)
    given = line.events.copy()
    given[line.lead + start : line.lead + end] = UNKNOWN
    found = written(
        network,
        line,
        Rules(given, playable(line.shift, wish)),
        wish,
        _seeds(seed, count),
        encoder=True,
    )
    spans = tuple(s for s in ((0, start), (end, melody.length)) if s[0] < s[1])
    return [_take(events, line, melody, spans, flat) for events in found]


def bars_of(text: str) -> tuple[int, int]:
    """Return the first and the last bar that a text such as ``5-8`` or ``5`` names."""
    found = BARS.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise UsageError(f"{text!r} names no bars.", hint="--bars 5-8")
    return first, last


def vary(
    network: Network,
    melody: LeadSheet,
    keep: str,
    amount: float,
    wish: Wish,
    count: int,
    seed: int,
    *,
    flat: bool = False,
) -> list[Take]:
    """Write a share of the beats anew, within what is to be kept."""
    check_readable(network, melody)
    _check_notes(melody)
    line = fitted(melody, wish)
    pitches = melody.notes[:, 2]
    takes = []
    for number in _seeds(seed, count):
        opened = _opened(line, melody, amount, number)
        if keep == "contour":  # notes that networks cannot write have no other place in it
            moved = pitches + line.shift
            for start, length, *_ in melody.notes[(moved < LOWEST) | (moved > HIGHEST)].tolist():
                opened[line.lead + start : line.lead + start + length] = False
        given = line.events.copy()
        notes = line.events >= NOTE
        if keep in ("rhythm", "contour"):
            given[opened & notes] = ONSET
        else:
            given[opened] = UNKNOWN
        rules = Rules(given, playable(line.shift, wish))
        if keep == "contour":
            rules.follow(line.events, pitches + line.shift - LOWEST)
        elif keep == "pitch":
            rules.reorder(line.events)
        [events] = written(network, line, rules, wish, [number], encoder=True)
        take = _take(events, line, melody, spans_of(~opened[line.lead :]), flat)
        if keep == "pitch":  # also of notes that the network read in another octave
            take = replace(take, notes=np.insert(np.delete(take.notes, 2, 1), 2, pitches, axis=1))
        takes.append(take)
    return takes


def _opened(line: Line, melody: LeadSheet, amount: float, seed: int) -> npt.NDArray[np.bool_]:
    """Choose beats that are written anew."""
    beat = max(4 * line.grid // melody.metre[1], 1)
    count = -(-len(line) // beat)
    rng = np.random.default_rng([seed, 1])
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[: round(amount * count)]] = True
    opened: npt.NDArray[np.bool_] = np.repeat(chosen, beat)[: len(line)]
    opened[: line.lead] = False
    return opened


def _seeds(seed: int, count: int) -> list[int]:
    """Return a seed for each melody: the first is the seed itself."""
    return [(seed + number) % 2**32 for number in range(count)]


def _check_notes(melody: LeadSheet) -> None:
    if not len(melody.notes):
        raise InputError(f"{melody.name} has no notes.", hint="Give a melody to begin with.")


def _take(
    events: Ints, line: Line, like: LeadSheet, given: tuple[tuple[int, int], ...], flat: bool
) -> Take:
    """Turn events of a line into a melody; what was given keeps its own notes."""
    raw = np.where(events >= NOTE, events - NOTE + LOWEST - line.shift,
                   np.where(events == OFF, -1, -2))[line.lead :]  # fmt: skip
    made = LeadSheet.from_events(
        raw, steps_per_quarter=like.steps_per_quarter, metre=like.metre, pickup=like.pickup,
        tempo_bpm=like.tempo_bpm, key=like.key,
    )  # fmt: skip
    notes = made.notes.copy()
    before, same = np.searchsorted(like.notes[:, 0], notes[:, 0]), np.zeros(len(notes), bool)
    inside = before < len(like.notes)
    same[inside] = like.notes[before[inside], 0] == notes[inside, 0]
    old = like.notes[before[same]]
    # What is new is as loud as the note that was there, or as most are.
    notes[:, 3] = np.median(like.notes[:, 3]) if len(like.notes) else DEFAULT_VELOCITY
    notes[same, 3] = old[:, 3]
    kept = same & marked(given, made.length)[notes[:, 0]]
    old = like.notes[before[kept]]
    notes[kept, 1] = np.minimum(notes[kept, 1], old[:, 1])
    notes[kept, 2] = old[:, 2]  # it may have been folded into the range of the network
    return Take(
        notes, like.steps_per_quarter, like.metre, made.length, like.pickup, like.tempo_bpm,
        like.key, name=like.name, chords=like.chords, given=given, flat=flat,
    )  # fmt: skip
