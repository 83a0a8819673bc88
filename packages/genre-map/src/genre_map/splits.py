"""Ways to keep songs apart: what a figure of accuracy means depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genre_map.songs import PUBLISHED, SongSet
from groove_core.errors import InputError

__all__ = ["PROTOCOLS", "Fold", "Protocol", "folds_of", "stratified"]

Protocol = Literal["songs", "grooves", "libraries", "artists", "published", "windows"]
PROTOCOLS: dict[Protocol, str] = {
    "songs": "other songs",
    "grooves": "other grooves of the same style libraries",
    "libraries": "other style libraries, another soundfont",
    "artists": "other artists",
    "published": "the published split",
    "windows": "windows of the same songs: A WARNING, NOT A RESULT",
}


@dataclass(frozen=True, slots=True)
class Fold:
    """Numbers of the songs to learn from, to choose by, and to measure on."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def stratified(
    labels: Sequence[int], parts: int, seed: int, groups: Sequence[str] | None = None
) -> list[int]:
    """Give each song the number of its part, so that each part has its share of every genre.

    Parameters
    ----------
    labels : sequence of int
        Genre of each song.
    parts : int
    seed : int
    groups : sequence of str, optional
        Songs of one group get one part; a song is a group of its own when left out.

    Returns
    -------
    list of int
    """
    names = [str(i) for i in range(len(labels))] if groups is None else list(groups)
    rng = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for index in rng.permutation(len(labels)).tolist():
        members.setdefault(names[index], []).append(index)
    part = [0] * len(labels)
    filled = np.zeros((parts, max(labels) + 1))
    # Large groups first, each to where its genres are fewest.
    for group in sorted(members.values(), key=len, reverse=True):
        adds = np.bincount([labels[i] for i in group], minlength=filled.shape[1])
        lightest = int(np.lexsort((filled.sum(axis=1), filled @ adds))[0])
        filled[lightest] += adds
        for index in group:
            part[index] = lightest
    return part


def folds_of(songs: SongSet, protocol: Protocol, *, folds: int, seed: int) -> list[Fold]:
    """Divide songs for cross-validation; no song is ever on two sides.

    One of nine groups that are left to learn from is kept for validation.

    Parameters
    ----------
    songs : SongSet
    protocol : str
        ``libraries`` holds out, in fold k, the k-th part of each genre's libraries together
        with a soundfont: no song to learn from has either. ``grooves`` holds out grooves of
        libraries that have others.
    folds : int
    seed : int

    Returns
    -------
    list of Fold

    Raises
    ------
    InputError
        If a genre has too few songs or groups for that.
    """
    labels = songs.labels
    if protocol == "published":
        return [_published(songs)]
    key = {"grooves": "groove", "libraries": "library", "artists": "artist"}.get(protocol)
    groups = None if key is None else [_group(songs, i, key) for i in range(len(songs))]
    part = stratified(labels, folds, seed, groups)
    fonts = sorted({song.groups.get("soundfont", "") for song in songs})
    made = []
    for fold in range(folds):
        test = [i for i, p in enumerate(part) if p == fold]
        rest = [i for i, p in enumerate(part) if p != fold]
        if protocol == "libraries" and len(fonts) > 1:
            font = fonts[fold % len(fonts)]
            test = [i for i in test if songs.songs[i].groups["soundfont"] == font]
            rest = [i for i in rest if songs.songs[i].groups["soundfont"] != font]
        if protocol == "grooves":
            known = {songs.songs[i].groups["library"] for i in rest}
            test = [i for i in test if songs.songs[i].groups["library"] in known]
        made.append(_with_validation(songs, rest, test, groups, seed + fold))
    return made


def _group(songs: SongSet, index: int, key: str) -> str:
    groups = songs.songs[index].groups
    if key not in groups:
        raise InputError(
            f"These songs do not tell their {key}.", hint="--protocol songs keeps songs apart."
        )
    return groups[key]


def _with_validation(
    songs: SongSet, rest: list[int], test: list[int], groups: Sequence[str] | None, seed: int
) -> Fold:
    labels = songs.labels
    names = None if groups is None else [groups[i] for i in rest]
    some = stratified([labels[i] for i in rest], 9, seed, names) if rest else []
    train = [i for i, p in zip(rest, some, strict=True) if p]
    validation = [i for i, p in zip(rest, some, strict=True) if not p]
    for what, part in (("learn from", train), ("measure on", test)):
        lacking = set(labels).difference(labels[i] for i in part)
        if lacking:
            genre = songs.genres[min(lacking)]
            raise InputError(
                f"The genre {genre!r} has too few songs to {what} ({songs.counts()[genre]}).",
                hint="Give more songs of it, or fewer --folds.",
            )
    return Fold(tuple(train), tuple(validation), tuple(test))


def _published(songs: SongSet) -> Fold:
    parts = [tuple(i for i, s in enumerate(songs) if s.split == name) for name in PUBLISHED]
    if not all(parts):
        raise InputError(
            "These songs have no published split.", hint="GTZAN and FMA have; --protocol songs"
        )
    return Fold(*parts)
