"""Embeddings of one's own in place of the front end: from another model, or another package.

Three forms are read: a folder with one ``.npy`` file for each song; one ``.npy`` file of all songs
with their names in a ``.txt`` file beside it; and the ``.json`` that an `encode` action of a
package writes. Each number is standardised over all songs, so that no scale decides a taste.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage import Cache, check_file
from groove_core.values import Audio, Codes
from music_recsys.listening import Encoder, FrontEnd, Passages
from music_recsys.windows import STEP_S, WINDOW_S

__all__ = ["Embeddings", "open_encoder"]

Floats = npt.NDArray[np.float64]
MAX_BYTES = 2 * 2**30
MAX_NAMES_BYTES = 64 * 2**20
LEAST_DEVIATION = 1e-9
HIGHEST = 1e4
"""Of a standardised number: 16 bits hold no more than 65,504."""
PLACE = re.compile(r"(:[\d.]+|,? bars? [\d.]+(-[\d.]+)?)$")
"""Where in a file an excerpt is, as packages label it."""
FORMS = "Give a folder with an .npy file for each song, an .npy file with a .txt file of names, "
FORMS += "or the .json file of an encode action."


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of songs, found by the names of their files.

    Parameters
    ----------
    source : Path
        As the user gave it.
    songs : mapping of str to sequence of Path
        By name of a song, the paths by which it is told from others of that name.
    arrays : mapping of Path to float array [shape=(windows, dims)], or None
        None where each has a file of its own, which is read when it is asked for.
    """

    source: Path
    songs: Mapping[str, Sequence[Path]]
    arrays: Mapping[Path, Floats] | None = None

    kept: ClassVar[bool] = False
    """The user's files are read each time, not kept in a profile."""

    @classmethod
    def open(cls, source: Path) -> Embeddings:
        """Open embeddings in any of the three forms.

        Raises
        ------
        InputError
            If there are no embeddings, or names and embeddings do not agree.
        """
        if source.is_dir():
            files = sorted(source.rglob("*.npy"))
            if not files:
                raise InputError(f"{source} holds no .npy files.", hint=FORMS)
            return cls(source, _by_stem(files))
        if source.suffix.lower() == ".npy":
            return cls(source, *_of_table(source))
        if source.suffix.lower() == ".json":
            return cls(source, *_of_codes(source))
        check_file(source, what="embeddings")
        raise InputError(f"{source} holds no embeddings.", hint=FORMS)

    @property
    def identity(self) -> str:
        """Say whose space this is; unlike that of a front end, it is no hash."""
        return f"embeddings {self.source}"

    def passages(self, path: Path, cache: Cache | None = None) -> Passages:
        """Return the embeddings of a song, see `of`; nothing is kept in the cache."""
        return self._heard(path, lambda: Audio.info(path).duration_s)

    def of(self, sound: Audio, name: str) -> Passages:
        """Return the embeddings of a song, one for each of its seconds.

        The windows of an embedding are taken to lie evenly in the song, the first at its
        beginning and the last at its end. A song with one embedding has one passage.

        Parameters
        ----------
        sound : Audio
        name : str
            Name or path of its file.

        Returns
        -------
        float16 array [shape=(passages, dims)]
            Standardised over all songs.

        Raises
        ------
        InputError
            If the song has no embedding, or several songs may be meant.
        """
        return self._heard(Path(name), lambda: sound.duration_s)

    def _heard(self, path: Path, duration_s: Callable[[], float]) -> Passages:
        mean, deviation = self._scale
        found = self._array(self._find(path))
        scaled = ((found - mean) / deviation).clip(-HIGHEST, HIGHEST).astype(np.float16)
        if len(scaled) == 1:
            return scaled
        seconds = int(max(0.0, duration_s() - WINDOW_S) // STEP_S) + 1
        return scaled[np.linspace(0, len(scaled) - 1, seconds).round().astype(np.int64)]

    def _find(self, path: Path) -> Path:
        """Return which embedding is that of a song: that of its name, and of its folders."""
        found = [*self.songs.get(path.name, ()), *self.songs.get(path.stem, ())]
        if not found:
            raise InputError(
                f"{path.name} has no embedding in {self.source}.",
                hint=f"Add {path.stem}.npy, or its name to the list.",
            )
        above = path.resolve().parts[-2::-1]
        alike = [_shared(above, one.parts[-2::-1]) for one in found]
        nearest = [one for one, n in zip(found, alike, strict=True) if n == max(alike)]
        if len(nearest) > 1:
            raise InputError(
                f"{path.name} may be {nearest[0]} or {nearest[1]}.",
                hint="Put the embeddings into folders named as those of the songs.",
            )
        return nearest[0]

    def _array(self, which: Path) -> Floats:
        return _read(which) if self.arrays is None else self.arrays[which]

    def _all(self) -> Iterator[tuple[Path, Floats]]:
        for which in dict.fromkeys(one for some in self.songs.values() for one in some):
            yield which, self._array(which)

    @functools.cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        """Return mean and deviation of each number, every song counted once.

        Raises
        ------
        InputError
            If the embeddings of two songs differ in their dimensions.
        """
        first: tuple[Path, int] | None = None
        means, squares = [], []
        for which, found in self._all():
            first = first or (which, found.shape[1])
            if found.shape[1] != first[1]:
                raise InputError(
                    f"{which} has {found.shape[1]} dimensions, {first[0]} has {first[1]}.",
                    hint="Make all embeddings with one model.",
                )
            means.append(found.mean(axis=0))
            squares.append(np.square(found).mean(axis=0))
        mean = np.mean(means, axis=0)
        variance = np.mean(squares, axis=0) - np.square(mean)
        deviation: Floats = np.sqrt(variance.clip(0))
        return mean, np.where(deviation > LEAST_DEVIATION, deviation, 1.0)


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Count the folders above two files that have the same names, from the files on."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _read(path: Path, dimensions: tuple[int, ...] = (1, 2)) -> Floats:
    """Read the embeddings of one song [shape=(windows, dims)], or of all.

    Raises
    ------
    InputError
        If the file is damaged, or holds anything else.
    """
    check_file(path, what="embeddings (.npy)", max_bytes=MAX_BYTES)
    try:
        # Mapped first: a header may claim more than there is.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise ValueError("it does not hold numbers")
        found = np.array(array, np.float64)
    except (OSError, ValueError, EOFError, OverflowError, TokenError) as error:
        raise InputError(
            f"{path} holds no embeddings: {error}.",
            hint="Write it with numpy.save, without pickle.",
        ) from error
    if found.ndim not in dimensions or not found.size:
        raise InputError(
            f"{path} has the shape {found.shape}.",
            hint="Give one row for each window: (windows, dims)."
            if dimensions[0] == 1
            else "Give (songs, dims) or (songs, windows, dims).",
        )
    if not np.isfinite(found).all():
        row = int(np.argwhere(~np.isfinite(found))[0, 0])
        raise InputError(
            f"{path} holds numbers that are not finite, first in row {row}.",
            hint="Replace NaN and infinity, or remove that song.",
        )
    return np.atleast_2d(found)


def _of_table(path: Path) -> tuple[dict[str, list[Path]], dict[Path, Floats]]:
    """Read one file of all songs; their names are in a text file beside it, a line each."""
    found = _read(path, dimensions=(2, 3))
    beside = path.with_suffix(".txt")
    check_file(beside, what="a list of the songs' names (.txt)", max_bytes=MAX_NAMES_BYTES)
    text = beside.read_text(encoding="utf-8-sig", errors="surrogateescape")
    names = [Path(line) for line in text.splitlines() if line.strip()]
    if len(names) != len(found):
        raise InputError(
            f"{path} has {len(found)} rows, and {beside} names {len(names)} songs.",
            hint="Write one name a line, in the order of the rows.",
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{beside} names {twice} twice.", hint="Name each song once.")
    return _by_stem(names), {
        name: np.atleast_2d(one) for name, one in zip(names, found, strict=True)
    }


def _of_codes(path: Path) -> tuple[dict[str, list[Path]], dict[Path, Floats]]:
    """Read what an `encode` action wrote; labels begin with the name of a file."""
    try:
        codes = Codes.read(path)
    except GrooveError as error:
        raise InputError(f"{path} holds no codes: {error.message}", hint=FORMS) from error
    rows: dict[Path, list[Floats]] = defaultdict(list)
    for label, point in zip(codes.labels, codes.points, strict=True):
        rows[Path(_file_of(label))].append(point)
    return _by_stem(list(rows)), {name: np.stack(some) for name, some in rows.items()}


def _file_of(label: str) -> str:
    """Return the name of the file that a label begins with, without the place in it.

    >>> _file_of("my song:3"), _file_of("my song.mid, bars 3-4"), _file_of("my song 2")
    ('my song', 'my song.mid', 'my song 2')
    """
    return PLACE.sub("", label)


def _by_stem(names: Sequence[Path]) -> dict[str, list[Path]]:
    """Return paths by their stems: ``song.npy`` is of ``song.mp3``, and so is ``song.mp3.npy``."""
    found: dict[str, list[Path]] = defaultdict(list)
    for name in names:
        found[name.stem].append(name)
    return found


def open_encoder(checkpoint: str | None, embeddings: Path | None, device: str) -> Encoder:
    """Open embeddings if they are given, else a front end.

    Raises
    ------
    UsageError
        If both are given.
    InputError, CheckpointError
        If they cannot be read.
    """
    if embeddings is None:
        return FrontEnd.open(checkpoint, device)
    if checkpoint is not None:
        raise UsageError(
            "Embeddings stand in for the front end: no checkpoint is used beside them.",
            hint="Leave out --checkpoint or --embeddings.",
        )
    return Embeddings.open(embeddings)
