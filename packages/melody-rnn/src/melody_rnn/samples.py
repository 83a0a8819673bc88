"""What networks write when nobody holds their hand: style, structure, and what they copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.tunes import HISTOGRAMS, MEASURES, Sheet, Stream, Stretches, mean_of_known
from groove_core.values import Cell, Estimate, Report
from melody_rnn.conditions import conditions_of, opened
from melody_rnn.lessons import Lesson
from melody_rnn.lines import CLASSES, HOLD, LOWEST, NOTE, OFF, OPEN_ROOT, Line, Windows, windows
from melody_rnn.ngrams import NGrams
from melody_rnn.recurrent import Recurrent
from melody_rnn.transformer import DENSITIES, REGISTERS, Transformer
from melody_rnn.writing import draws, write

__all__ = ["copied", "drawn", "harmony", "sampled", "stream_of"]

Network = Recurrent | Transformer
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
BARS, BAR, GRID = 16, 16, 4
SIZES = (8, 16, 32)
"""Steps of stretches that are looked for in what was learnt."""
AT_ONCE = 64
TOP_P = 0.98
"""As actions that write have it by default."""


def long_lines(lines: Sequence[Line], owners: Sequence[int]) -> tuple[list[Line], list[int]]:
    """Return the first sixteen bars of lines that have so many, without their pickups."""
    size = BARS * BAR
    found = [
        (replace(line, events=line.events[at : at + size], root=line.root[at : at + size],
                 chord=line.chord[at : at + size], lead=0), owner)
        for line, owner in zip(lines, owners, strict=True)
        for at in [BAR if line.lead else 0]
        if line.for_originals and len(line) >= at + size
    ]  # fmt: skip
    return [line for line, _ in found], [owner for _, owner in found]


def drawn(
    network: Network, like: Windows, seed: int, *, top_p: float = TOP_P, chords: bool = False
) -> Ints:
    """Write a melody for each of some windows, in its metre and mode [shape=(n, steps)].

    Parameters
    ----------
    chords : bool
        Whether the Transformer is told their chords, too.
    """
    found = []
    steps = like.events.shape[1]
    device = next(network.parameters()).device
    network.eval()
    batches = np.array_split(np.arange(len(like)), -(-len(like) // AT_ONCE))
    for which in track(batches, "writing melodies"):
        some, on = like.pick(which), None
        if isinstance(network, Transformer):
            on = conditions_of(some, device)
            on = opened(on) if not chords else on._replace(
                density=torch.full_like(on.density, DENSITIES),
                register=torch.full_like(on.register, REGISTERS),
            )  # fmt: skip
        random = draws([seed + int(i) for i in which], steps)
        found.append(write(network, steps, random, on=on, top_p=top_p))
    return np.concatenate(found)


def lines_of(events: Ints) -> list[Line]:
    """Make lines in 4/4 of events [shape=(n, steps)]."""
    open_root, none = np.full(events.shape[1], OPEN_ROOT), np.zeros(events.shape[1], np.int64)
    return [Line(row, 0, BAR, GRID, 0, 2, open_root, none, 0) for row in events]


def stream_of(lines: Sequence[Line]) -> Stream:
    """Put lines one behind the other, to look for their stretches."""
    return Stream.of([
        np.where(e >= NOTE, e - NOTE + LOWEST, np.where(e == OFF, -1, -2))
        for e in (line.events for line in lines)
    ])  # fmt: skip


def copied(
    learnt: Mapping[int, Stretches], lines: Sequence[Line], owners: npt.ArrayLike | None = None
) -> list[Estimate]:
    """Return the share of stretches of each size that stand in what was learnt, transposed or not.

    It is the mean over melodies that have such a stretch.
    """
    stream = stream_of(lines)
    mine = np.arange(len(lines)) if owners is None else np.asarray(owners)
    return [mean_of_known(stretches.share(stream), mine) for stretches in learnt.values()]


def sampled(networks: Mapping[str, Network], lesson: Lesson, *, count: int, seed: int) -> Report:
    """Describe what networks write, beside real tunes, copies of them, n-grams and chance.

    Parameters
    ----------
    networks : dict of str to network
    lesson : Lesson
        Of the originals, so that all are in 4/4.
    count : int
        Melodies of sixteen bars.

    Raises
    ------
    InputError
        If there are no tunes of sixteen bars to compare with.
    """
    held_out, owners = long_lines(*lesson.part("test"))
    train, train_owners = long_lines(*lesson.part("train"))
    if not held_out or not train:
        raise InputError("No test tune has sixteen bars of 4/4.", hint="Give longer songs.")
    # As networks learn them: in all metres, and brought into 36 notes.
    every = stream_of([line for line in Lesson(lesson.tunes).lines if line.grid == GRID])
    learnt = {size: Stretches(every, size) for size in SIZES}
    real = Sheet.of(held_out, owners)
    rng = np.random.default_rng(seed)
    drawn_from = rng.integers(0, len(train), count).tolist()
    copies = [train[i] for i in drawn_from]
    steps = BARS * BAR
    rows: list[tuple[Cell, ...]] = []

    def add(name: str, lines: list[Line], mine: Sequence[int] | None = None) -> None:
        sheet = Sheet.of(lines, mine)
        cells = [*sheet.estimates(), *sheet.overlaps(real), *copied(learnt, lines, mine)]
        rows.append((name, *cells, len(lines)))

    add("held-out tunes", held_out, owners)
    add("training tunes", copies, [train_owners[i] for i in drawn_from])
    add("chance", lines_of(rng.integers(0, CLASSES, (count, steps))))
    counted = NGrams(lesson.lines).tuned(lesson.part("validation")[0] or held_out)
    written = counted.sample(count, steps, BAR, GRID, rng=rng, top_p=TOP_P)
    add("n-grams", lines_of(written))
    like = windows(copies, steps)
    for name, network in networks.items():
        add(name, lines_of(drawn(network, like, seed)))
    columns = (
        "melodies of", *MEASURES, *(f"{name}, like real ones" for name in HISTOGRAMS),
        *(f"copied, {size} steps" for size in SIZES), "melodies",
    )  # fmt: skip
    return Report(
        f"Melodies of {BARS} bars, written without a primer", columns, rows,
        notes=(
            *(f"{name}: {what}." for name, what in MEASURES.items()),
            "like real ones: area that is common to the histogram and that of held-out tunes.",
            "copied: share of stretches that stand in a training tune, transposed or not; that of "
            "held-out tunes is what tunes share without copying.",
            f"n-grams: of up to {counted.order} steps, which is best on validation songs.",
            f"Networks and n-grams draw from the likeliest events, of {TOP_P} together.",
            f"Real tunes are the first {BARS} bars of those that are so long and rest for no bar.",
            about_intervals("melodies, of tunes over tunes"),
        ),
    )  # fmt: skip


def harmony(transformer: Transformer, lesson: Lesson, *, seed: int) -> Report:
    """Measure how often the strong beats of what is written hold a tone of the chord.

    Raises
    ------
    InputError
        If fewer than two test tunes have chords.
    """
    lines, owners = long_lines(*lesson.part("test"))
    chosen = [i for i, line in enumerate(lines) if (line.chord > 0).mean() > 0.9]
    if len({owners[i] for i in chosen}) < 2:
        raise InputError(
            "Fewer than two test tunes of sixteen bars have chords.",
            hint="Give more songs with chords.",
        )
    like = windows([lines[i] for i in chosen], BARS * BAR)
    owner = [owners[i] for i in chosen]
    under_chords = drawn(transformer, like, seed, chords=True)
    ways = {
        "the tune itself": like.events,
        "told the chords": under_chords,
        "not told": drawn(transformer, like, seed),
        "told, of another tune": under_chords[_of_others(owner)],
    }
    rows = [(name, mean_of_known(_chord_tones(e, like.chord), owner), len(chosen))
            for name, e in ways.items()]  # fmt: skip
    return Report(
        "Share of strong beats, of those that sound, on a tone of the chord",
        ("melody", "chord tones", "melodies"), rows, notes=(about_intervals("tunes"),),
    )  # fmt: skip


def _of_others(owners: Sequence[int]) -> list[int]:
    """Return for each melody the number of the next one of another tune."""
    n = len(owners)
    around = [*range(n), *range(n)]
    return [
        next(j for j in around[i : i + n] if owners[j] != owner) for i, owner in enumerate(owners)
    ]


def _chord_tones(events: Ints, chord: Ints) -> Floats:
    """Return the share of first and third beats that sound with a tone of the chord.

    Only beats count at which a chord is known; without any, it is NaN.
    """
    steps = events.shape[1]
    last = np.maximum.accumulate(np.where(events != HOLD, np.arange(steps), -1), axis=1)
    sounding = np.where(last < 0, OFF, np.take_along_axis(events, last.clip(0), axis=1))
    beats = slice(0, steps, BAR // 2)
    pitch = (sounding[:, beats] - NOTE + LOWEST) % 12
    counts = (sounding[:, beats] >= NOTE) & (chord[:, beats] > 0)
    hits = (chord[:, beats] >> pitch & 1).astype(bool) & counts
    with np.errstate(invalid="ignore"):
        return np.asarray(hits.sum(axis=1) / counts.sum(axis=1), np.float64)
