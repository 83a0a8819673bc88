"""What a generator draws: how many genres, how new, and how tied to its dependent values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genre_map.copies import nearest_excerpts
from genre_map.gan import FREE, INDEPENDENT, GenreGAN, Looked, jensen_shannon
from genre_map.mapping import path_between
from genre_map.pictures import Pictures, cut_all, read_pictures, to_windows
from genre_map.songs import SongSet
from genre_map.splits import fold_as_learnt
from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, frechet_distance, interval, mean, nearest
from groove_core.storage import Cache
from groove_core.values import Cell, Report

__all__ = ["measure_gan", "measure_pictures", "spread_of"]

ROUNDS = 300
STEPS = 101
JUMP = 0.1
EXCERPTS = 256
"""Spectrograms that are compared with every excerpt of the songs learnt from."""
COPIED = 0.01
"""Share of held-out windows that are called copies, as near as they are to what was learnt."""
COLUMNS = (
    "effective genres", "total variation", "rarest genre", "information loss",
    "nearest training window", "nearest excerpt, dB", "copies", "Frechet distance",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def measure_gan(
    model: GenreGAN,
    card: dict[str, Any],
    songs: SongSet,
    *,
    count: int,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure a generator beside the songs it learnt from and those it did not.

    Raises
    ------
    InputError
        If it learnt from all of the songs, or from none.
    """
    songs, pictures = read_pictures(songs, model.classifier.layout, cache)
    fold = fold_as_learnt(songs, card)
    learnt = [*fold.train, *fold.validation]
    if not learnt:
        raise InputError(
            f"{card['name']} learnt from none of these songs.",
            hint="Give songs it was trained on among others: what it draws is compared with both.",
        )
    return measure_pictures(
        model,
        [pictures[i] for i in learnt],
        [pictures[i] for i in fold.test],
        count=count,
        seed=seed,
        name=card["name"],
    )


def measure_pictures(
    model: GenreGAN, train: Pictures, test: Pictures, *, count: int, seed: int, name: str
) -> Report:
    """Measure `count` generated pictures beside held-out windows, copies and noise.

    Parameters
    ----------
    train : list of Tensor
        All songs that the generator learnt from, those of validation, too.
    """
    generator = torch.Generator().manual_seed(seed)
    known, _ = _real(model, train, generator, 8)
    held, held_chances = _real(model, test, generator, 19)
    z = model.draw(count, generator)
    looked = model.look(z)
    copied = known[torch.randint(len(known), (count,), generator=generator)]
    shape = (min(count, 512), *model.classifier.layout.shape)
    noisy = torch.rand(shape, generator=generator)
    noise, noise_chances = model.hear(noisy)
    with torch.no_grad():
        logits = model.classifier.head(copied.to(model.center) * model.scale + model.center)
        copied_chances = model.classifier.probabilities(logits).cpu()
    away = [
        nearest_excerpts(some[:EXCERPTS], train).double().numpy()
        for some in (looked.pictures, _excerpts(test, model, generator),
                     _excerpts(train, model, generator), noisy)
    ]  # fmt: skip
    edge = float(np.quantile(away[1], COPIED))
    near = [(mean(some, rounds=ROUNDS), float((some < edge).mean())) for some in away]
    rows: list[tuple[Cell, ...]] = [
        (name, *spread_of(looked.probabilities), _information(model, z, looked),
         _novelty(looked.features, known), *near[0], frechet_distance(looked.features, known)),
        ("held-out windows", *spread_of(held_chances), None, _novelty(held, known), *near[1],
         frechet_distance(held, known)),
        ("training windows copied", *spread_of(copied_chances), None, _novelty(copied, known),
         *near[2], frechet_distance(copied, known)),
        ("noise", *spread_of(noise_chances), INDEPENDENT, _novelty(noise, known), *near[3],
         frechet_distance(noise, known)),
    ]  # fmt: skip
    jumps = {even: _continuity(model, even=even) for even in (True, False)}
    said = {even: f"{np.mean(np.array(some) <= JUMP):.1%}" for even, some in jumps.items()}
    shares = torch.bincount(looked.probabilities.argmax(dim=1), minlength=len(model.genres)) / count
    listed = ", ".join(
        f"{genre} {share:.1%}" for genre, share in zip(model.genres, shares.tolist(), strict=True)
    )
    return Report(
        f"{name}: {count} pictures",
        ("", *COLUMNS),
        tuple(rows),
        notes=(
            f"Genres as the classifier hears them: {listed}.",
            f"information loss: Jensen-Shannon; {INDEPENDENT:.3f} where the dependent values and "
            "what the classifier sees tell nothing of each other.",
            "nearest training window, Frechet distance: in the classifier's standardised features.",
            f"nearest excerpt: root mean square difference of all cells of {EXCERPTS} spectrograms "
            f"and every excerpt of all {len(train)} songs learnt from; copies are nearer than all "
            f"but {COPIED:.0%} of the held-out windows.",
            f"Border paths of {STEPS} steps between all pairs of genres: largest change of a "
            f"probability from step to step at most {JUMP} in {said[True]} of {len(jumps[True])}; "
            f"median {np.median(jumps[True]):.3f}, largest {max(jumps[True]):.3f}. With steps of "
            f"one length in the noise: {said[False]}.",
            about_intervals("pictures"),
        ),
        data={
            "shares": dict(zip(model.genres, shares.tolist(), strict=True)),
            "jumps": jumps[True],
            "jumps_of_even_noise": jumps[False],
        },
    )


def _real(
    model: GenreGAN, pictures: Pictures, generator: torch.Generator, each: int
) -> tuple[Tensor, Tensor]:
    """Look at some windows of each song."""
    parts = []
    for picture in track(pictures, "looking at windows", total=len(pictures)):
        windows = to_windows(picture.float(), model.classifier.layout)
        parts.append(model.hear(windows[torch.randperm(len(windows), generator=generator)[:each]]))
    features, probabilities = (torch.cat(one) for one in zip(*parts, strict=True))
    return features, probabilities


def spread_of(probabilities: Tensor) -> list[Cell]:
    """Return effective genres (exp of the entropy), total variation from uniform, rarest share."""
    found = probabilities.argmax(dim=1).numpy()
    genres = probabilities.shape[1]
    counts = np.bincount(found, minlength=genres)
    drawn = np.random.default_rng(0).multinomial(len(found), counts / len(found), size=ROUNDS)
    shares = np.concatenate([counts[None], drawn]) / len(found)
    safe = shares.clip(1e-12)
    return [
        interval(np.exp(-(safe * np.log(safe)).sum(axis=1))),
        interval(0.5 * np.abs(shares - 1 / genres).sum(axis=1)),
        interval(shares.min(axis=1)),
    ]


def _information(model: GenreGAN, z: Tensor, looked: Looked) -> float:
    with torch.no_grad():
        c, m = z[:, FREE:].to(model.center), looked.features.to(model.center)
        return float(jensen_shannon(model.dependence, c, m))


def _novelty(features: Tensor, known: Tensor) -> Cell:
    """Return the mean distance to the nearest training window."""
    return mean(nearest(features, known)[0].double().numpy(), rounds=ROUNDS)


def _excerpts(songs: Pictures, model: GenreGAN, generator: torch.Generator) -> Tensor:
    """Cut windows out of songs, anywhere."""
    chosen = torch.randint(len(songs), (EXCERPTS,), generator=generator)
    places = torch.rand(EXCERPTS, generator=generator)
    return cut_all(songs, chosen.tolist(), places, model.classifier.layout.frames)


def _continuity(model: GenreGAN, *, even: bool) -> list[float]:
    """Walk between all pairs of genres; give the largest change of each path."""
    pairs = [(a, b) for a in range(len(model.genres)) for b in range(a)]
    jumps = []
    for a, b in track(pairs, "walking borders", total=len(pairs)):
        for start, end in zip(model.anchors[a, :2], model.anchors[b, :2], strict=True):
            p = path_between(model, start, end, STEPS, even=even).probabilities
            jumps.append(float(p.diff(dim=0).abs().max()))
    return jumps
