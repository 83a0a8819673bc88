"""What is written from codes that nobody has encoded: style, structure, and what was copied."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from groove_core.drums import KIT_DRUMS, STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.tunes import HISTOGRAMS, MEASURES, Sheet, Stream, Stretches, mean_of_known
from groove_core.tunes.measures import BARS_AGO, repetition
from groove_core.values import Cell, Estimate, Report
from music_vae.alphabets import ALPHABETS, LOWEST, NOTE, drum_hits, melody_events
from music_vae.coding import codes_of, decoded, free_running
from music_vae.evaluation.keys import pitch_classes, scale_of
from music_vae.model import MusicVAE
from music_vae.windows import WindowSet

__all__ = [
    "SIZES", "TEMPERATURE", "Copies", "drawn_by", "evenly", "histograms_of", "pieces_beside",
    "sampled", "sheet_of",
]  # fmt: skip

SIZES = (16, 32)
"""Steps of stretches that are looked for in what was learnt."""
TEMPERATURE = 0.5
"""As `sample` has it by default."""
MOMENTS = 5000
"""Pieces whose codes say what the moments are, at most."""
RIDGE = 1e-4
"""Variance that is added to every dimension, so that those which say nothing are no obstacle."""
DRUMS, PLACES = "drums", "places in a bar"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Line(NamedTuple):
    """A melody as `groove_core.tunes.measures` reads it."""

    events: Ints
    bar: int = STEPS_PER_BAR
    grid: int = STEPS_PER_BAR // 4


def histograms_of(voice: str) -> tuple[str, ...]:
    """Return what the histograms of `sheet_of` count."""
    return (DRUMS, PLACES) if voice == "drums" else (*HISTOGRAMS, PLACES)


def drawn_by(
    model: MusicVAE, prior: str, count: int, *, seed: int, temperature: float = TEMPERATURE
) -> Ints:
    """Draw pieces as `sample` does.

    Parameters
    ----------
    prior : ``fitted`` or ``normal``

    Returns
    -------
    int array [shape=(count, voices, steps)]
    """
    generator = torch.Generator().manual_seed(seed)
    if prior == "fitted":
        codes = model.prior.draw(count, generator)
    else:
        codes = torch.randn(count, model.latent, generator=generator)
    return decoded(model, codes, temperature=temperature, generator=generator)


def evenly(size: int, count: int) -> Ints:
    """Return at most `count` numbers below `size`, evenly spaced.

    >>> evenly(10, 4).tolist(), evenly(3, 4).tolist()
    ([0, 2, 5, 7], [0, 1, 2])
    """
    return np.arange(min(size, count)) * size // max(min(size, count), 1)


def sheet_of(rows: Ints, voice: str, owners: npt.ArrayLike | None = None) -> Sheet:
    """Measure pieces of one voice [shape=(n, steps)].

    Melodies and basses are measured in the C of the major scale that holds most of their notes.
    """
    owner = np.arange(len(rows)) if owners is None else np.unique(owners, return_inverse=True)[1]
    if voice == "drums":
        hits = drum_hits(rows.reshape(-1)).reshape(*rows.shape, -1)[..., : len(KIT_DRUMS)]
        per_bar = hits.sum(axis=(1, 2)) * STEPS_PER_BAR / rows.shape[1]
        # One hit is class 1, which would be a note off in a melody.
        ago = [[repetition(2 * row, n, STEPS_PER_BAR) for n in BARS_AGO] for row in rows]
        measures = np.full((len(rows), len(MEASURES)), np.nan)
        measures[:, : len(BARS_AGO)] = ago
        measures[:, list(MEASURES).index("notes a bar")] = per_bar
        places = hits.sum(axis=2).reshape(len(rows), -1, STEPS_PER_BAR).sum(axis=1)
        return Sheet(measures, [hits.sum(axis=1).astype(float), places.astype(float)], owner)
    down = scale_of(pitch_classes(rows[:, None], [voice]))[:, None]
    sheet = Sheet.of([Line(row) for row in np.where(rows >= NOTE, rows + LOWEST - down, rows)])
    begins = (rows >= NOTE).reshape(len(rows), -1, STEPS_PER_BAR).sum(axis=1)
    return Sheet(sheet.rows, [*sheet.counts, begins.astype(float)], owner)


class Copies:
    """Stretches of the pieces that were learnt, of one voice, to look others up in.

    Melodies are compared in all keys, as `groove_core.tunes.Stretches` does; beats step by step,
    from each quarter note on, where a stretch has hits in a quarter of its steps.

    Parameters
    ----------
    rows : int array [shape=(n, steps)]
    """

    def __init__(self, rows: Ints, voice: str) -> None:
        self.voice = voice
        if voice == "drums":
            self.beats = {size: np.unique(_beats(rows, size)[0]) for size in SIZES}
        else:
            stream = _stream(rows)
            self.lines = {size: Stretches(stream, size) for size in SIZES}

    def shares(self, rows: Ints) -> list[Floats]:
        """Return the share of the stretches of each size that are known, of each piece.

        NaN for a piece without a stretch that counts.
        """
        if self.voice != "drums":
            stream = _stream(rows)
            return [stretches.share(stream) for stretches in self.lines.values()]
        found = []
        for size, known in self.beats.items():
            hashes, counts = _beats(rows, size)
            is_known = np.isin(hashes, known) & counts
            with np.errstate(invalid="ignore"):
                found.append(is_known.sum(axis=1) / counts.sum(axis=1))
        return found

    def estimates(self, rows: Ints, owners: npt.ArrayLike | None = None) -> list[Estimate]:
        """Return the mean of `shares` with an interval over the owners of the pieces."""
        mine = np.arange(len(rows)) if owners is None else owners
        return [mean_of_known(each, mine) for each in self.shares(rows)]


def _stream(rows: Ints) -> Stream:
    return Stream.of(list(melody_events(rows)))


def _beats(rows: Ints, size: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Return a hash of the stretch that begins at each quarter, and which stretches count.

    Returns
    -------
    uint64 array [shape=(n, stretches)]
    bool array [shape=(n, stretches)]
    """
    cut = np.lib.stride_tricks.sliding_window_view(rows, size, axis=1)[:, :: STEPS_PER_BAR // 4]
    factors = np.random.default_rng(0).integers(1, 2**63, size, dtype=np.uint64)
    with np.errstate(over="ignore"):
        hashes = (cut.astype(np.uint64) * factors).sum(axis=2)
    return hashes, (cut > 0).sum(axis=2) * 4 >= size


def pieces_beside(
    model: MusicVAE, windows: WindowSet, *, count: int, seed: int
) -> dict[str, tuple[Ints, Ints | None]]:
    """Return drawn pieces, and real pieces, copies and chance to compare them with.

    Parameters
    ----------
    count : int
        Pieces of each kind, at most.

    Returns
    -------
    dict of str to (int array [shape=(n, voices, steps)], int array [shape=(n,)] or None)
        Pieces, and the song of each where songs are to be drawn together.

    Raises
    ------
    InputError
        If the windows have no training or no test split.
    """
    (real, song), (learnt, _) = windows.part("test"), windows.part("train")
    if not len(real) or not len(learnt):
        raise InputError(
            f"There are {len(learnt)} windows that were learnt and {len(real)} that were not.",
            hint="Give more songs, or the data that the network has learnt from.",
        )
    rng = np.random.default_rng(seed)
    chosen = evenly(len(real), count)
    held_out, owner = real[chosen].astype(np.int64), song[chosen]
    steps = held_out.shape[2]
    chance = [rng.integers(0, ALPHABETS[voice].classes, (count, steps)) for voice in windows.voices]
    return {
        "held-out songs": (held_out, owner),
        "learnt songs": (learnt[rng.integers(0, len(learnt), count)].astype(np.int64), None),
        "chance": (np.stack(chance, axis=1), None),
        "the codes of held-out songs": (free_running(model, held_out), owner),
        "the fitted prior": (drawn_by(model, "fitted", count, seed=seed), None),
        "a Gaussian, without the flow": (_by_moments(model, learnt, count, seed), None),
        "N(0, I)": (drawn_by(model, "normal", count, seed=seed), None),
    }


def _by_moments(model: MusicVAE, learnt: npt.ArrayLike, count: int, seed: int) -> Ints:
    """Draw pieces from the Gaussian with the mean and the covariance of codes of learnt pieces."""
    generator = torch.Generator().manual_seed(seed)
    rows = np.asarray(learnt)
    codes = codes_of(model, rows[evenly(len(rows), MOMENTS)]).double()
    factor = torch.linalg.cholesky(torch.cov(codes.T) + RIDGE * torch.eye(codes.shape[1]))
    noise = torch.randn(count, codes.shape[1], generator=generator).double()
    drawn = (codes.mean(dim=0) + noise @ factor.T).float()
    return decoded(model, drawn, temperature=TEMPERATURE, generator=generator)


def sampled(
    model: MusicVAE, windows: WindowSet, name: str, *, count: int = 1000, seed: int = 1
) -> Report:
    """Describe what is written from drawn codes, beside real pieces, copies of them and chance.

    Parameters
    ----------
    count : int
        Pieces of each kind, at most.

    Raises
    ------
    InputError
        If the windows have no training or no test split.
    """
    pieces = pieces_beside(model, windows, count=count, seed=seed)
    learnt, _ = windows.part("train")
    held_out, owner = pieces["held-out songs"]
    histograms = (*HISTOGRAMS, DRUMS, PLACES)
    columns = (
        "pieces of", *MEASURES, *(f"{one}, like real ones" for one in histograms),
        *(f"copied, {size} steps" for size in SIZES), "pieces",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for number, voice in enumerate(windows.voices):
        copies = Copies(learnt[:, number].astype(np.int64), voice)
        like = sheet_of(held_out[:, number], voice, owner)
        for kind, (made, mine) in pieces.items():
            sheet = sheet_of(made[:, number], voice, mine)
            alike = dict(zip(histograms_of(voice), sheet.overlaps(like), strict=True))
            rows.append([
                f"{voice}, {kind}", *sheet.estimates(), *(alike.get(one) for one in histograms),
                *copies.estimates(made[:, number], mine), len(made),
            ])  # fmt: skip
    shown = Report("", columns, rows).rows  # in which what is no number is None
    kept = [at for at in range(len(columns)) if any(row[at] is not None for row in shown)]
    names = [columns[at] for at in kept]
    return Report(
        f"{name}: pieces that are written from drawn codes",
        names,
        [[row[at] for at in kept] for row in shown],
        notes=(
            *(f"{one}: {what}." for one, what in MEASURES.items() if one in names),
            "Notes are counted in the C of the major scale that holds most of them; of drums, hits "
            "are counted.",
            "like real ones: area that is common to the histogram and that of held-out songs.",
            "copied: share of stretches that stand in a learnt piece, melodies in whatever key; "
            "that of held-out songs is what songs share without copying.",
            f"Pieces are drawn at a temperature of {TEMPERATURE}; those of the codes of held-out "
            "songs are the likeliest.",
            about_intervals("pieces, of held-out songs over songs"),
        ),
    )  # fmt: skip
