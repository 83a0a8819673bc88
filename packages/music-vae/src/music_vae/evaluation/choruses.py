"""Whether codes tell choruses from other phrases, and whether samples near choruses sound so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.errors import InputError
from groove_core.learning import (
    PARTS,
    about_intervals,
    auc_rounds,
    bootstrap,
    interval,
    mean,
    seeded,
)
from groove_core.values import Cell, Report
from music_vae.alphabets import NOTE, OFF_CLASS
from music_vae.attributes import measure
from music_vae.choruses import Excerpts, excerpts_of
from music_vae.coding import codes_of, decoded
from music_vae.evaluation.samples import TEMPERATURE, drawn_by
from music_vae.likeness import Likeness, fitted
from music_vae.model import MusicVAE
from music_vae.phrases import PhraseSet

__all__ = ["heard", "likeness_of", "statistics"]

AGAINST = ", against their song"
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def statistics(events: Ints) -> Tensor:
    """Return what is said of melodies [shape=(n, 1, steps)] without a network.

    Returns
    -------
    Tensor [shape=(n, 9), float64]
        The attributes, the lowest and the highest pitch, the spread of the pitches, and the share
        of the steps that sound.
    """
    rows = events[:, 0]
    begins = rows >= NOTE
    pitches = np.where(begins, rows, np.nan)
    last = np.maximum.accumulate(np.where(rows > 0, np.arange(rows.shape[1]), -1), axis=1)
    sounding = np.take_along_axis(rows, last.clip(0), axis=1)
    sounds = ((last >= 0) & (sounding != OFF_CLASS)).mean(axis=1)
    spread = [np.nanmin(pitches, axis=1), np.nanmax(pitches, axis=1), np.nanstd(pitches, axis=1)]
    columns = [*measure(events, ["melody"]).T, *spread, sounds]
    return torch.from_numpy(np.nan_to_num(np.stack(columns, axis=1)))


def likeness_of(
    model: MusicVAE, data: PhraseSet, learnt: Sequence[int], chosen_by: Sequence[int]
) -> Likeness | None:
    """Fit what codes say of choruses to some songs, with the ridge that suits others best.

    Parameters
    ----------
    learnt, chosen_by : sequences of int
        Numbers of the songs.

    Returns
    -------
    Likeness or None
        None if the songs have no choruses, or nothing else.
    """
    mine, others = (excerpts_of(data, model.bars, songs) for songs in (learnt, chosen_by))
    if not 0 < mine.is_chorus.sum() < len(mine):
        return None
    return fitted(
        codes_of(model, mine.events), torch.from_numpy(mine.is_chorus),
        codes_of(model, others.events) if len(others) else torch.zeros(0, model.latent),
        torch.from_numpy(others.is_chorus),
    )  # fmt: skip


def _sides(data: PhraseSet, bars: int) -> list[Excerpts]:
    parts = data.tunes.parts
    return [excerpts_of(data, bars, parts[part].tolist()) for part in PARTS]


def _scores(
    reading: Likeness, rows: Tensor, excerpts: Excerpts
) -> tuple[list[Floats], list[Floats]]:
    """Return the mean readings of the phrases that are choruses, and of the others, by song."""
    read = reading.read(rows).numpy()
    _, first, of = np.unique(excerpts.phrase, return_index=True, return_inverse=True)
    means = np.bincount(of, read) / np.bincount(of)
    song, is_chorus = excerpts.song[first], excerpts.is_chorus[first]
    songs = np.unique(song)
    return (
        [means[(song == one) & is_chorus] for one in songs],
        [means[(song == one) & ~is_chorus] for one in songs],
    )


def heard(
    model: MusicVAE, data: PhraseSet, name: str, *, count: int = 1000, seed: int = 1
) -> Report:
    """Measure how well choruses of held-out songs are told from their other phrases.

    Parameters
    ----------
    count : int
        Samples of each kind that are listened to.

    Raises
    ------
    InputError
        If the training or the test split lacks choruses or other phrases, or the network has no
        reading of them.
    """
    sides = _sides(data, model.bars)
    learnt, held_out = sides[0], sides[2]
    for which, excerpts in (("learnt", learnt), ("held out", held_out)):
        choruses = int(excerpts.is_chorus.sum())
        if not 0 < choruses < len(excerpts) or len(np.unique(excerpts.song)) < 2:
            raise InputError(
                f"Of the songs that were {which}, {choruses} of {len(excerpts)} excerpts are of "
                "choruses.",
                hint="Give more labelled songs.",
            )
    if not model.likeness.weights.any():
        raise InputError(
            f"{name} has not learnt what choruses are like.",
            hint="Use a packaged model of melodies, or train on labelled songs of POP909.",
        )
    areas = _areas(model, sides, _blank(model, seed))
    phrases = len(np.unique(held_out.phrase))
    rows: list[tuple[Cell, ...]] = []
    for kind, rounds in areas.items():
        base = areas["statistics" + (AGAINST if kind.endswith(AGAINST) else "")]
        above = None if base is rounds else interval(rounds - base)
        rows.append((kind, interval(rounds), above, None, phrases))
    for kind, (events, owner) in _pieces(model, held_out, count, seed).items():
        read = model.likeness.read(codes_of(model, events))
        rows.append((kind, None, None, mean((read > 0).cpu().numpy(), owner), len(events)))
    return Report(
        f"{name}: choruses of {len(np.unique(held_out.song))} songs that were not learnt",
        ("", "area under the curve", "above statistics", "heard as chorus", "pieces"),
        rows,
        notes=(
            "area under the curve: how often a chorus is told from another phrase, by a logistic "
            "regression on excerpts of training songs; the mean over the excerpts of a phrase.",
            "above statistics: what is added to pitch, density and their like; the same songs are "
            "drawn for both.",
            "against their song: the mean over all excerpts of a song is taken off, which needs "
            "the whole song.",
            "heard as chorus: share that the reading kept with the network calls rather a chorus, "
            "if choruses and other phrases were equally many.",
            f"Samples are drawn at a temperature of {TEMPERATURE}, and encoded again to be heard.",
            about_intervals("songs, of samples over samples"),
        ),
    )


def _areas(model: MusicVAE, sides: Sequence[Excerpts], blank: MusicVAE) -> dict[str, Floats]:
    """Return the area of each way to tell choruses, in each round of a bootstrap over songs.

    Parameters
    ----------
    sides : three Excerpts
        To learn from, to choose the ridge by, and to measure on.
    blank : MusicVAE
        A network that has learnt nothing.
    """
    features: dict[str, list[Tensor]] = {
        "statistics": [statistics(one.events) for one in sides],
        "codes": [codes_of(model, one.events).double() for one in sides],
        "codes of a network that learnt nothing": [
            codes_of(blank, one.events).double() for one in sides
        ],
    }
    features["codes and statistics"] = [
        torch.cat(both, dim=1)
        for both in zip(features["codes"], features["statistics"], strict=True)
    ]
    features |= {
        f"{kind}{AGAINST}": [
            _against(x, one.song) for x, one in zip(features[kind], sides, strict=True)
        ]
        for kind in ("statistics", "codes", "codes and statistics")
    }
    draws = bootstrap(len(np.unique(sides[2].song)))
    labels = [torch.from_numpy(one.is_chorus) for one in sides]
    return {
        kind: auc_rounds(*_scores(fitted(x, labels[0], others, labels[1]), test, sides[2]), draws)
        for kind, (x, others, test) in features.items()
    }


def _against(rows: Tensor, song: Ints) -> Tensor:
    """Return rows without the mean of their song."""
    _, owner, counts = np.unique(song, return_inverse=True, return_counts=True)
    of = torch.from_numpy(owner)
    sums = torch.zeros(len(counts), rows.shape[1], dtype=rows.dtype).index_add(0, of, rows)
    return rows - (sums / torch.from_numpy(counts)[:, None])[of]


def _blank(model: MusicVAE, seed: int) -> MusicVAE:
    """Make a network as it was before it learnt."""
    with seeded(seed):
        return MusicVAE(**model.config).to(model.prior_mean.device).eval()


def _pieces(
    model: MusicVAE, held_out: Excerpts, count: int, seed: int
) -> Mapping[str, tuple[Ints, Ints | None]]:
    """Return held-out phrases and samples, and the song of each."""
    generator = torch.Generator().manual_seed(seed)
    real: dict[str, tuple[Ints, Ints | None]] = {}
    made: dict[str, tuple[Ints, Ints | None]] = {}
    for kind, which in (("choruses", held_out.is_chorus), ("other phrases", ~held_out.is_chorus)):
        events = held_out.events[which]
        codes = model.prior.near(codes_of(model, events), count, generator)
        drawn = decoded(model, codes, temperature=TEMPERATURE, generator=generator)
        real[f"held-out {kind}"] = (events, held_out.song[which])
        made[f"samples like {kind}"] = (drawn, None)
    made["samples"] = (drawn_by(model, "fitted", count, seed=seed), None)
    made["samples of N(0, I)"] = (drawn_by(model, "normal", count, seed=seed), None)
    return real | made
