"""Drawing with the generator: pictures, and walks from one genre to another."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from genre_map.gan import ANCHORS, GenreGAN, Looked
from genre_map.mapping import crossings, path_between
from genre_map.results import Border, Picture
from groove_core.errors import UsageError
from groove_core.values import Audio

__all__ = ["draw_pictures", "walk_border"]

AT_ONCE = 64
TRIES = 2048
"""Pictures among which a genre must be found once."""
GAP_S = 0.15


def draw_pictures(
    model: GenreGAN, count: int, genre: int | None, generator: torch.Generator
) -> Iterator[Picture]:
    """Draw pictures, of one genre if its number is given.

    Raises
    ------
    UsageError
        If none of many is of that genre.
    """
    left, tries = count, 0
    while left:
        z = model.draw(min(AT_ONCE, max(8, left)) if genre is None else AT_ONCE, generator)
        looked = model.look(z)
        chosen = list(range(len(z)))
        if genre is not None:
            fits = looked.probabilities.argmax(dim=1) == genre
            chosen = torch.nonzero(fits).flatten().tolist()
            tries += len(z)
            if tries >= TRIES and left == count and not chosen:
                raise UsageError(
                    f"None of {tries} pictures is {model.genres[genre]}.",
                    hint="Another --checkpoint, or genre.",
                )
        for index in chosen[:left]:
            yield _picture(model, z, looked, index)
            left -= 1


def _picture(model: GenreGAN, z: Tensor, looked: Looked, index: int) -> Picture:
    layout = model.classifier.layout
    return Picture(
        looked.pictures[index].numpy(),
        model.genres,
        looked.probabilities[index].numpy(),
        round(float(looked.critic[index]), 3),
        z[index].numpy(),
        layout.hop_samples / layout.sample_rate,
        sound=_heard(model, looked.pictures[index : index + 1])[0],
    )


def _heard(model: GenreGAN, pictures: Tensor) -> list[Audio]:
    """Let pictures [shape=(n, parts, n_mels, frames)] be heard."""
    layout = model.classifier.layout
    sounds = layout.invert(pictures)
    return [Audio(one[None].numpy(), layout.sample_rate).normalized() for one in sounds]


def walk_border(
    model: GenreGAN, first: int, last: int, *, steps: int, stops: int, seed: int
) -> Border:
    """Walk between pure pictures of two genres, given by their numbers.

    Parameters
    ----------
    steps : int
        Points of the path.
    stops : int
        Of them shown and played.
    seed : int
        Says which of the purest pictures are the ends.
    """
    generator = torch.Generator().manual_seed(seed)
    at = torch.randint(ANCHORS, (2,), generator=generator).tolist()
    looked = path_between(model, model.anchors[first, at[0]], model.anchors[last, at[1]], steps)
    probabilities = looked.probabilities.numpy()
    shown = torch.linspace(0, steps - 1, stops).round().long()
    sounds = _heard(model, looked.pictures[shown])
    joined = Audio.join(sounds, pause_s=GAP_S)
    return Border(
        model.genres[first],
        model.genres[last],
        model.genres,
        probabilities,
        looked.critic.numpy(),
        tuple(crossings(probabilities[:, first], probabilities[:, last])),
        looked.pictures[shown].numpy(),
        sound=joined.fitted(joined.duration_s + GAP_S),
    )
