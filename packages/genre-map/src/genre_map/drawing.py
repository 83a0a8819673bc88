"""Drawing with the generator: spectrograms, walks from one genre to another, and maps."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genre_map.__about__ import __version__
from genre_map.gan import ANCHORS, FREE, GenreGAN, Looked
from genre_map.genremap import Content, GenreMap, Played
from genre_map.inversion import invert
from genre_map.listening import as_played, listen_again, play_points
from genre_map.mapping import Survey, crossings, path_between, place_song, survey
from genre_map.results import Border, Picture, stops_at
from groove_core.actions import each
from groove_core.console import note
from groove_core.errors import UsageError
from groove_core.storage import Cache
from groove_core.values import Audio

__all__ = ["draw_map", "draw_pictures", "walk_border"]

AT_ONCE = 64
TRIES = 2048
"""Spectrograms among which a genre must be found once."""
HEARD_TRIES = 48
"""Sounds of spectrograms of a genre among which one must be heard as that genre."""
GAP_S = 0.15
EXCERPTS = 100
"""Songs of which a page holds an excerpt."""

Floats = npt.NDArray[np.float64]


def draw_pictures(
    model: GenreGAN, count: int, genre: int | None, generator: torch.Generator
) -> Iterator[Picture]:
    """Draw spectrograms and their sounds; of one genre if its number is given.

    The classifier must then hear that genre in the spectrogram and, again, in its sound.

    Raises
    ------
    UsageError
        If hardly any spectrogram, or sound, is of that genre.
    """
    left, drawn, heard = count, 0, 0
    while left:
        z = model.draw(min(AT_ONCE, max(8, left)) if genre is None else AT_ONCE, generator)
        looked = model.look(z)
        chosen = list(range(len(z)))
        if genre is not None:
            fits = looked.probabilities.argmax(dim=1) == genre
            chosen = torch.nonzero(fits).flatten().tolist()
            drawn += len(z)
            if drawn >= TRIES and not chosen:
                _refuse(model, f"None of {drawn} spectrograms is {model.genres[genre]}.")
        for index in chosen:
            picture = _picture(model, z, looked, index)
            heard += 1
            if genre is None or picture.heard.argmax() == genre:
                drawn = heard = 0
                left -= 1
                yield picture
            elif heard >= HEARD_TRIES:
                name = model.genres[genre]
                _refuse(model, f"None of {heard} spectrograms of {name} is {name} as a sound.")
            if not left:
                break


def _refuse(model: GenreGAN, found: str) -> NoReturn:
    names = ", ".join(model.genres)
    raise UsageError(found, hint=f"Choose another genre ({names}), or another --checkpoint.")


def _picture(model: GenreGAN, z: Tensor, looked: Looked, index: int) -> Picture:
    layout = model.classifier.layout
    [sound], heard = _heard(model, looked.pictures[index : index + 1])
    return Picture(
        looked.pictures[index].numpy(),
        model.genres,
        looked.probabilities[index].numpy(),
        round(float(looked.critic[index]), 3),
        z[index].numpy(),
        layout.hop_samples / layout.sample_rate,
        heard[0],
        sound=sound,
    )


def _heard(model: GenreGAN, pictures: Tensor) -> tuple[list[Audio], Floats]:
    """Make spectrograms [shape=(n, parts, n_mels, frames)] sound, and hear them again.

    Returns
    -------
    sounds : list of Audio
    heard : float array [shape=(n, genres)]
        What the classifier makes of the sounds.
    """
    layout = model.classifier.layout
    sounds = [
        Audio(sound[None].numpy(), layout.sample_rate).normalized()
        for sound in invert(pictures, layout)
    ]
    samples = (torch.tensor(sound.samples[0]) for sound in sounds)
    again = listen_again(model.classifier, samples)
    return sounds, again.double().numpy()


def walk_border(
    model: GenreGAN, first: int, last: int, *, steps: int, stops: int, seed: int
) -> Border:
    """Walk between pure spectrograms of two genres, given by their numbers.

    Parameters
    ----------
    steps : int
        Points of the path.
    stops : int
        Points that are shown and played.
    seed : int
        Chooses which of the purest spectrograms are the ends.
    """
    generator = torch.Generator().manual_seed(seed)
    at = torch.randint(ANCHORS, (2,), generator=generator).tolist()
    looked = path_between(model, model.anchors[first, at[0]], model.anchors[last, at[1]], steps)
    probabilities = looked.probabilities.numpy()
    shown = torch.from_numpy(stops_at(steps, stops))
    sounds, heard = _heard(model, looked.pictures[shown])
    joined = Audio.join(sounds, pause_s=GAP_S)
    return Border(
        model.genres[first],
        model.genres[last],
        model.genres,
        probabilities,
        looked.critic.numpy(),
        tuple(crossings(probabilities[:, first], probabilities[:, last])),
        looked.pictures[shown].numpy(),
        heard,
        sound=joined.fitted(joined.duration_s + GAP_S),
    )


def _kept_plane(
    model: GenreGAN, base: Tensor, axes: tuple[int, int], cells: int, points: int
) -> tuple[Survey, tuple[Played, npt.NDArray[np.uint8], tuple[bytes, ...]]]:
    """Survey a plane and make its sounds, or take both from the cache: songs change neither."""
    weights = hashlib.sha256(base.numpy().tobytes())
    for tensor in model.state_dict().values():
        weights.update(tensor.cpu().numpy().tobytes())
    settings = {"axes": list(axes), "cells": cells, "points": points, "version": __version__}

    def draw() -> npt.NDArray[np.uint8]:
        found = survey(model, base, axes, cells)
        played, pictures, sounds = play_points(model, base, axes, points)
        note("kept in the cache: the next map over this plane takes seconds")
        packed = io.BytesIO()
        np.savez(
            packed, probabilities=found.probabilities, weighed=found.weighed, critic=found.critic,
            at=played.at, pictured=played.pictured, heard=played.heard,
            kept_at_first=np.array(played.kept_at_first), pictures=pictures,
            sounds=np.frombuffer(b"".join(sounds), np.uint8), lengths=np.array([*map(len, sounds)]),
        )  # fmt: skip
        return np.frombuffer(packed.getvalue(), np.uint8)

    cache = Cache()
    stored = cache.get(cache.key({"genre-map plane": settings}, weights.digest()), draw)
    with np.load(io.BytesIO(stored.tobytes())) as file:
        one = dict(file)
    ends = one["lengths"].cumsum().tolist()
    joined = one["sounds"].tobytes()
    return (
        Survey(one["probabilities"], one["weighed"], one["critic"]),
        (
            Played(one["at"], one["pictured"], one["heard"], float(one["kept_at_first"])),
            one["pictures"],
            tuple(joined[start:end] for start, end in zip([0, *ends], ends, strict=False)),
        ),
    )


def draw_map(
    model: GenreGAN,
    base: Tensor,
    axes: tuple[int, int],
    *,
    cells: int,
    points: int,
    songs: Sequence[Audio] = (),
) -> GenreMap:
    """Survey a plane, choose the sounds that it plays, and place songs in it.

    Parameters
    ----------
    base, axes, cells
        See `genre_map.mapping.survey`.
    points : int
        Points that play, along each side.
    songs : sequence of Audio
        One that cannot be used is left out.

    Raises
    ------
    InputError
        If every song is unreadable, shorter than a window, or silent.
    """
    base = base.clone()
    base[[FREE + axis for axis in axes]] = 0.0
    found, (played, pictures, sounds) = _kept_plane(model, base, axes, cells, points)
    placed = list(each(songs, lambda song, name: place_song(model, found, song, name), "placing"))
    rate = model.classifier.layout.sample_rate
    excerpts = (excerpt.to_mono().resampled(rate).samples[0] for _, excerpt in placed[:EXCERPTS])
    return GenreMap(
        model.genres,
        axes,
        found.probabilities.astype(np.float64),
        found.critic.astype(np.float64),
        base.numpy(),
        round(found.spacing, 3),
        tuple(place for place, _ in placed),
        played,
        Content(
            pictures,
            sounds,
            tuple(as_played(torch.tensor(excerpt), rate)[0] for excerpt in excerpts),
        ),
    )
