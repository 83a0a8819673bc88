"""What lies between two pieces, in the space and beside it.

A good way from one piece to another leaves the first one step by step, without jumps, and stays in
a key of the two. Mixing their steps leaves the first piece evenly by construction, and so does
cutting from one to the other, which adds nothing new; a piece of another song does neither. Mixed
steps are what A. Roberts et al. compare with ("A Hierarchical Latent Vector Model for Learning
Long-Term Structure in Music", 2018, 1803.05428, section 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.tunes import mean_of_known
from groove_core.values import Cell, Report
from music_vae.coding import codes_of, decoded
from music_vae.evaluation.keys import in_key_of, pitch_classes
from music_vae.evaluation.shifts import rank_correlations
from music_vae.matching import key_of, moved, way_to
from music_vae.model import MusicVAE
from music_vae.prior import slerp
from music_vae.ways import evenly_apart, shares_for
from music_vae.windows import WindowSet

__all__ = ["POINTS", "interpolated", "pairs_of", "ways_between"]

POINTS = 9
"""Pieces of a way with both ends; the middle one is as far from one end as from the other."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def pairs_of(song: Ints, count: int, seed: int) -> tuple[Ints, Ints]:
    """Draw pairs of windows of different songs; each window begins at most one of them.

    Parameters
    ----------
    song : int array [shape=(n,)]
        Song of each window.

    Returns
    -------
    first, second : int array [each shape=(pairs,)]

    Raises
    ------
    InputError
        If all windows are of one song.
    """
    if len(np.unique(song)) < 2:
        raise InputError(
            f"All {len(song)} windows to interpolate between are of one song.",
            hint="Give more songs: one in ten is kept.",
        )
    rng = np.random.default_rng(seed)
    first = rng.permutation(len(song))[:count]
    second = [rng.choice(np.flatnonzero(song != song[one])) for one in first]
    return first, np.array(second)


def ways_between(
    model: MusicVAE, events: npt.ArrayLike, pairs: tuple[Ints, Ints], *, seed: int
) -> dict[str, Ints]:
    """Return pieces on several ways from one window to another.

    All ways join what the network remembers of the two windows, the second one in the key
    signature of the first.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]
    pairs : two int arrays [each shape=(pairs,)]
        Numbers of the windows to begin with, and to arrive at.

    Returns
    -------
    dict of str to int array [each shape=(pairs, POINTS, voices, steps)]
    """
    real = np.asarray(events, np.int64)
    first, second = (real[numbers] for numbers in pairs)
    second = _in_key_of(second, first, model.voices)
    starts, ends = codes_of(model, first), codes_of(model, second)
    shares, fine = torch.linspace(0, 1, POINTS), shares_for(POINTS)
    a, b = (codes.repeat_interleave(POINTS, dim=0) for codes in (starts, ends))
    along = shares.repeat(len(starts))
    shape = len(starts), POINTS, -1
    made = np.stack([_morph(model, *both, fine) for both in zip(starts, ends, strict=True)])
    start, end = made[:, :1], made[:, -1:]
    rng, share = np.random.default_rng(seed), shares.numpy()[:, None, None]
    late = rng.random(start.shape)
    at = np.arange(real.shape[2]) / real.shape[2]
    others = real[rng.integers(0, len(real), (len(starts), POINTS))]
    others[:, 0], others[:, -1] = start[:, 0], end[:, 0]
    return {
        "arc in the space": made,
        "arc, not spaced": _written(model, model.prior.between(a, b, along).reshape(shape)),
        "arc of codes, without the flow": _written(model, slerp(a, b, along).reshape(shape)),
        "line of codes": _written(model, torch.lerp(a, b, along[:, None]).reshape(shape)),
        "mixed step by step": np.where(late < share, end, start),
        "cut from one to the other": np.where(at < 1 - share, start, end),
        "pieces of other songs": others,
    }


def _morph(model: MusicVAE, start: Tensor, end: Tensor, shares: Tensor) -> Ints:
    """Return what `interpolate` writes [shape=(POINTS, voices, steps)]."""
    every = decoded(model, model.prior.between(start, end, shares))
    return every[evenly_apart(every, POINTS)]


def _in_key_of(events: Ints, others: Ints, voices: Sequence[str]) -> Ints:
    """Move pieces to the key signatures of others, as `interpolate` does."""
    found = []
    for one, other in zip(events, others, strict=True):
        mine, wanted = key_of(one, voices), key_of(other, voices)
        by = 0 if mine is None or wanted is None else way_to(wanted[0], mine[0])
        found.append(moved(one, voices, by))
    return np.stack(found)


def _written(model: MusicVAE, codes: Tensor) -> Ints:
    """Return what is written from codes [shape=(pairs, points, latent)]."""
    made = decoded(model, codes.flatten(0, 1))
    return made.reshape(*codes.shape[:2], *made.shape[1:])


def interpolated(
    model: MusicVAE, windows: WindowSet, name: str, *, count: int = 500, seed: int = 1
) -> Report:
    """Measure the ways between pairs of windows of the test split.

    Raises
    ------
    InputError
        If it has no windows of two songs.
    """
    events, song = windows.part("test")
    pairs = pairs_of(song, count, seed)
    ways, owner = ways_between(model, events, pairs, seed=seed), song[pairs[0]]
    rows: list[tuple[Cell, ...]] = []
    for way, made in ways.items():
        notes = pitch_classes(made, windows.voices)
        in_key = in_key_of(notes[:, POINTS // 2], notes[:, [0, -1]])
        measures = (*_path(made), in_key)
        rows.append((way, *(mean_of_known(each, owner) for each in measures)))
    remembered = pitch_classes(ways["arc in the space"], windows.voices)[:, 0]
    own_key = in_key_of(remembered, remembered[:, None])
    rows.append(("the first piece itself", *[None] * 4, mean_of_known(own_key, owner)))
    return Report(
        f"{name}: ways between {len(owner)} pairs of pieces that were not learnt",
        ("", "leaves step by step", "rank correlation", "largest jump", "pieces", "in key"),
        rows,
        notes=(
            f"A way has {POINTS} pieces with both ends, which are the same for all ways: what the "
            "network remembers of two pieces, the second in the key signature of the first.",
            "arc in the space: as `interpolate` goes, in even steps; not spaced: as it comes, in "
            "even steps of the space.",
            "leaves step by step: share of ways, seen from each end, on which no piece is nearer "
            "to the end than the one before; near is what has most equal steps.",
            "rank correlation: Spearman's, of the distance to an end with the order of the pieces.",
            "largest jump: the most that changes from one piece to the next, as a share of what "
            "differs between the ends. Even steps would be "
            f"{1 / (POINTS - 1):.3f}.",
            "pieces: different ones on a way.",
            "in key: share of the notes of the middle piece in a major scale that holds most notes "
            "of one of the ends.",
            about_intervals("songs"),
        ),
        data={
            # Of each piece from the first one, the mean over all pairs: the curve of the paper.
            "distance": {
                way: (made != made[:, :1]).mean(axis=(0, 2, 3)).tolist()
                for way, made in ways.items()
            }
        },
    )


def _path(made: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Return how evenly ways [shape=(pairs, POINTS, voices, steps)] go, each shape=(pairs,).

    Of a way between equal pieces, which goes nowhere, nothing can be said: NaN.
    """
    differs = (made[:, :, None] != made[:, None]).mean(axis=(3, 4))
    whole = differs[:, 0, -1]
    leaves = (np.diff(differs[:, 0], axis=1) >= 0).all(axis=1)
    arrives = (np.diff(differs[:, -1], axis=1) <= 0).all(axis=1)
    order = rank_correlations(differs[:, 0]) - rank_correlations(differs[:, -1])
    jump = np.diagonal(differs, offset=1, axis1=1, axis2=2).max(axis=1)
    # A piece is new on its way if it differs from each before it.
    before = np.tril(np.ones((POINTS, POINTS), bool), -1)
    pieces = (~((differs == 0) & before).any(axis=2)).sum(axis=1)
    somewhere = whole > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            np.where(somewhere, np.mean([leaves, arrives], axis=0), np.nan),
            np.where(somewhere, order / 2, np.nan),
            np.where(somewhere, jump / whole, np.nan),
            np.where(somewhere, pieces, np.nan),
        )
