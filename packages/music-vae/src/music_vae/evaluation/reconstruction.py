"""How much of music comes back from its code, and how much the code says.

Most steps of a melody hold no event, so a guess of "nothing happens" is mostly right. Beside the
accuracy per step stand therefore the share of the *events* that come back (notes and note offs,
or combinations of hits) and F1 of events. The same is counted of pieces that are not the answer:
one that always holds, one from the code of another song, and the learnt piece that lies nearest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval, nearest
from groove_core.values import Cell, Estimate, Report
from music_vae.coding import (
    BATCH,
    batches,
    codes_of,
    decoded,
    teacher_forced,
)
from music_vae.loss import active_units, kl_divergence, reconstruction
from music_vae.model import MusicVAE
from music_vae.windows import WindowSet

__all__ = [
    "Space", "accuracy", "bits_of", "measured", "of_other_songs", "per", "per_rounds", "space_of",
]  # fmt: skip

LEAST_GAIN_BITS, LEAST_GAIN = 1.0, 0.05
"""A code that saves less of a piece, in bits or as a share of them, says nothing about it."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def per(right: npt.ArrayLike, of: npt.ArrayLike, owners: npt.ArrayLike) -> Estimate:
    """Return all counts divided by all others, with an interval over the owners of the items.

    NaN where the others are 0.

    >>> print(per([1, 1, 0, 0], [1, 1, 1, 1], ["a", "a", "b", "b"]).value)
    0.5
    """
    return interval(per_rounds(right, of, owners))


def per_rounds(right: npt.ArrayLike, of: npt.ArrayLike, owners: npt.ArrayLike) -> Floats:
    """Return what `per` divides in each round of a bootstrap over owners [shape=(rounds,)]."""
    _, owner = np.unique(np.asarray(owners), return_inverse=True)
    draws = bootstrap(int(owner.max()) + 1)
    tops, bottoms = (draws @ np.bincount(owner, np.asarray(x, float)) for x in (right, of))
    # A round may draw no event.
    return np.where(bottoms > 0, tops / np.where(bottoms > 0, bottoms, 1), np.nan)


def accuracy(real: Ints, made: Ints, owners: npt.ArrayLike) -> tuple[Estimate, Estimate, Estimate]:
    """Return how much of a voice came back.

    Parameters
    ----------
    real, made : int array [shape=(n, steps)]
    owners : array [shape=(n,)]
        Song of each window: the interval is over songs.

    Returns
    -------
    per step
        Share of the steps that are equal.
    per event
        Share of the events that are there again, at the same step.
    F1
        Of events: what was invented counts, too.
    """
    same, sounds, written = real == made, real > 0, made > 0
    hits = (same & sounds).sum(axis=1)
    both = sounds.sum(axis=1) + written.sum(axis=1)
    steps = np.full(len(real), real.shape[1])
    return (
        per(same.sum(axis=1), steps, owners),
        per(hits, sounds.sum(axis=1), owners),
        per(2 * hits, both, owners),
    )


@torch.no_grad()
def bits_of(model: MusicVAE, events: npt.ArrayLike) -> Floats:
    """Return -log2 p(x | z) of windows, told their events, with the mean codes [shape=(n,)]."""
    nats = [
        reconstruction(model.decoder(model.encode(part)[0], part), part)
        for part in batches(model, events)
    ]
    return _bits(torch.cat(nats))


@dataclass(frozen=True)
class Space:
    """What codes say of pieces."""

    bits: Estimate
    """-log2 p(x | z) of a piece, told its events, with a code drawn from its posterior."""
    kl_bits: Estimate
    """KL(q(z | x) || N(0, I))."""
    gain_bits: Estimate
    """Bits of a piece that its own code saves, against the code of another piece."""
    active: int
    """Dimensions in which codes vary."""

    @property
    def alarms(self) -> list[str]:
        """Signs that the decoder does without its code (posterior collapse)."""
        found = []
        others = self.bits.value + self.gain_bits.value
        if not self.gain_bits.low > max(LEAST_GAIN_BITS, LEAST_GAIN * others):
            found.append("the code of another piece is as good as its own")
        if not self.active:
            found.append("no dimension of the code varies")
        return found


@torch.no_grad()
def space_of(
    model: MusicVAE, events: npt.ArrayLike, owners: npt.ArrayLike, *, seed: int = 1
) -> Space:
    """Measure what codes say of windows.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]
    owners : array [shape=(n,)]
        Song of each window. Codes are exchanged between songs.

    Raises
    ------
    InputError
        If all windows are of one song.
    """
    partner = of_other_songs(np.asarray(owners))
    generator = torch.Generator().manual_seed(seed)
    parts = batches(model, events)
    posteriors = [model.encode(part) for part in parts]
    mean, deviation = (torch.cat(some) for some in zip(*posteriors, strict=True))
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    codes = mean + deviation * noise
    bits = []
    for z in (codes, codes[torch.from_numpy(partner).to(codes.device)]):
        nats = [
            reconstruction(model.decoder(some, part), part)
            for some, part in zip(z.split(BATCH), parts, strict=True)
        ]
        bits.append(_bits(torch.cat(nats)))
    own, others = bits
    one = np.ones(len(own))
    return Space(
        per(own, one, owners),
        per(_bits(kl_divergence(mean, deviation)), one, owners),
        per(others - own, one, owners),
        active_units(mean),
    )


def _bits(nats: Tensor) -> Floats:
    found: Floats = nats.cpu().double().numpy() / math.log(2)
    return found


def of_other_songs(owners: np.ndarray[Any, Any]) -> Ints:
    """Return for each window the number of one of another song, each of them once if it can be.

    Ordered by song and turned by the size of the largest, no window meets its own song unless one
    song has more than half of all windows.
    """
    _, owner, sizes = np.unique(owners, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise InputError(
            "The codes of one song cannot be exchanged with those of another.",
            hint="Measure on two songs or more.",
        )
    order = np.argsort(owner, kind="stable")
    turned = np.roll(order, -int(sizes.max()))
    partner = np.empty(len(owner), np.int64)
    partner[order] = turned
    own = np.flatnonzero(owner[partner] == owner)
    for window in own:
        partner[window] = np.flatnonzero(owner != owner[window])[0]
    return partner


def measured(model: MusicVAE, windows: WindowSet, name: str) -> Report:
    """Measure reconstruction and the space on the test split.

    Raises
    ------
    InputError
        If it has no windows of two songs.
    """
    events, song = windows.part("test")
    if len(set(song.tolist())) < 2:
        raise InputError(
            f"The test split has {len(events)} windows of {len(set(song.tolist()))} songs.",
            hint="Give more songs: one in ten is kept.",
        )
    space = space_of(model, events, song)
    real, codes = events.astype(np.int64), codes_of(model, events)
    ways = {
        "told what was played": teacher_forced(model, real),
        "from the code alone": decoded(model, codes),
        "from the code of another song": decoded(model, codes[of_other_songs(song)]),
    }
    learnt, _ = windows.part("train")
    if len(learnt):
        _, which = nearest(codes, codes_of(model, learnt))
        ways["the nearest learnt piece"] = learnt[which.numpy()].astype(np.int64)
    ways["always hold"] = np.zeros_like(real)
    rows: list[tuple[Cell, ...]] = [
        (f"{voice}, {way}", *accuracy(real[:, number], made[:, number], song))
        for number, voice in enumerate(windows.voices)
        for way, made in ways.items()
    ]
    return Report(
        f"{name}: {len(events)} windows of {len(set(song.tolist()))} songs that were not learnt",
        ("", "per step", "per event", "F1"),
        rows,
        notes=(
            "per event: share of the notes and note offs (of drums: the steps with hits) that come "
            "back at their step; F1 counts invented ones, too.",
            "The nearest learnt piece is that of the training split with the nearest code.",
            f"Codes hold {space.kl_bits} bits in {space.active} active dimensions. A piece costs "
            f"{space.bits} bits with its code, and {space.gain_bits} more with that of another.",
            *(f"Posterior collapse: {alarm}." for alarm in space.alarms),
            about_intervals("songs"),
        ),
        data={
            "kl_bits": space.kl_bits.value,
            "gain_bits": space.gain_bits.value,
            "bits": space.bits.value,
            "active": space.active,
            "alarms": space.alarms,
        },
    )
