"""Ways to keep songs apart: what a figure of accuracy means depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from genre_map.songs import PUBLISHED, SongSet
from groove_core.errors import InputError
from groove_core.learning import PARTS, Split, divide, parts_for, parts_to_learn

if TYPE_CHECKING:
    from genre_map.pictures import Pictures

__all__ = [
    "PROTOCOLS", "Divided", "Fold", "Protocol", "fold_as_learnt", "fold_of", "folds_of",
    "groups_of", "held_out",
]  # fmt: skip

BY_SONG = Split("song")
"""How songs are divided for a training."""

Protocol = Literal["songs", "grooves", "libraries", "artists", "published", "windows"]
PROTOCOLS: dict[Protocol, str] = {
    "songs": "other songs",
    "grooves": "other grooves of the same style libraries",
    "libraries": "other style libraries, another soundfont",
    "artists": "other artists",
    "published": "the published split",
    "windows": "windows of one song on both sides, the literature's leak: A WARNING, NOT A RESULT",
}


@dataclass(frozen=True, slots=True)
class Fold:
    """Numbers of the songs to learn from, to choose by, and to measure on."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @classmethod
    def of(cls, parts: Mapping[str, npt.NDArray[np.int64]]) -> Fold:
        """Make a fold of the parts of a split."""
        return cls(*(tuple(parts[part].tolist()) for part in PARTS))


def fold_of(songs: SongSet, start: Mapping[str, Any] | None = None) -> Fold:
    """Divide songs to train on, by a hash of their names.

    Parameters
    ----------
    songs : SongSet
    start : dict, optional
        Card of a classifier that guides the training: songs that it knows stay on their sides.

    Raises
    ------
    InputError
        If a genre has too few songs.
    """
    parts = BY_SONG.parts(songs.groups, songs.labels)
    if start is not None:
        parts = parts_to_learn(start, songs.groups, parts)
    return _checked(songs, Fold.of(parts))


def fold_as_learnt(songs: SongSet, card: Mapping[str, Any]) -> Fold:
    """Divide songs by what a checkpoint learnt from: what it does not know is measured on.

    A card that does not say what that was is taken to divide as `fold_of`.

    Raises
    ------
    InputError
        If it learnt from all of them.
    """
    groups, names = songs.groups, [str(song.path) for song in songs]
    by_hash = BY_SONG.parts(groups, songs.labels)
    return Fold.of(parts_for(card, groups, names=names, otherwise=by_hash))


def held_out(songs: SongSet, genres: Sequence[str], card: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the songs that a classifier has not learnt from.

    Raises
    ------
    InputError
        If it learnt from all of them, or a song is of a genre that it does not know.
    """
    if unknown := set(songs.genres).difference(genres):
        raise InputError(
            f"{card['name']} knows no genre {min(unknown)!r}.",
            hint=f"Give songs of {', '.join(genres)}.",
        )
    return fold_as_learnt(songs, card).test


@dataclass(frozen=True)
class Divided:
    """Songs and their pictures, divided for a training."""

    songs: SongSet
    pictures: Pictures
    fold: Fold

    def part(self, *sides: str) -> tuple[Pictures, list[int]]:
        """Return the pictures and the numbers of the genres of some sides of the fold."""
        labels = self.songs.labels
        chosen = [i for side in sides for i in getattr(self.fold, side)]
        return [self.pictures[i] for i in chosen], [labels[i] for i in chosen]

    def split(self, start: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what the card of a model remembers of its songs.

        Parameters
        ----------
        start : dict, optional
            Card of the classifier that guided it, which learnt from songs, too.
        """
        return BY_SONG.card(self.songs.groups, asdict(self.fold), start)


def folds_of(songs: SongSet, protocol: Protocol, *, folds: int, seed: int) -> list[Fold]:
    """Divide songs for cross-validation; no song is ever on two sides.

    A hash of its name decides where a song or group goes. One of nine groups that are left to
    learn from is kept for validation.

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
    groups = groups_of(songs, protocol)
    part = divide(groups, [1] * folds, salt=f"{seed}", labels=labels).tolist()
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


def groups_of(songs: SongSet, protocol: Protocol) -> list[str]:
    """Name the group of each song: what a protocol keeps on one side, and a bootstrap together.

    Raises
    ------
    InputError
        If the songs do not tell it.
    """
    key = {"grooves": "groove", "libraries": "library", "artists": "artist"}.get(protocol)
    if key is None:
        return songs.groups
    if not all(key in song.groups for song in songs):
        raise InputError(
            f"These songs do not tell their {key}.", hint="--protocol songs keeps songs apart."
        )
    return [song.groups[key] for song in songs]


def _with_validation(
    songs: SongSet, rest: list[int], test: list[int], groups: Sequence[str], seed: int
) -> Fold:
    names, labels = [groups[i] for i in rest], [songs.labels[i] for i in rest]
    some = divide(names, (8, 1), salt=f"validation {seed}", labels=labels).tolist()
    train = tuple(i for i, part in zip(rest, some, strict=True) if part == 0)
    validation = tuple(i for i, part in zip(rest, some, strict=True) if part == 1)
    return _checked(songs, Fold(train, validation, tuple(test)))


def _checked(songs: SongSet, fold: Fold) -> Fold:
    labels = songs.labels
    for what, part in (("learn from", fold.train), ("measure on", fold.test)):
        lacking = set(labels).difference(labels[i] for i in part)
        if lacking:
            genre = songs.genres[min(lacking)]
            raise InputError(
                f"The genre {genre!r} has too few songs to {what} ({songs.counts()[genre]}).",
                hint="Give more songs of it, or fewer --folds.",
            )
    return fold


def _published(songs: SongSet) -> Fold:
    parts = [tuple(i for i, s in enumerate(songs) if s.split == name) for name in PUBLISHED]
    if not all(parts):
        raise InputError(
            "These songs have no published split.", hint="GTZAN and FMA have; --protocol songs"
        )
    return Fold(*parts)
