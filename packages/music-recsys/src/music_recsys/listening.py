"""Songs as a front end hears them: passages, one a second, computed once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from groove_core.storage import Cache, checkpoints
from groove_core.values import Audio

if TYPE_CHECKING:
    from music_recsys.model import PassageNet

__all__ = ["PACKAGE", "Encoder", "FrontEnd"]

PACKAGE = "music-recsys"
FRONT_END = "front-end"

Passages = npt.NDArray[np.float16]


class Encoder(Protocol):
    """What turns a song into numbers in which a taste is a direction: a front end, or embeddings.

    Attributes
    ----------
    kept : bool
        Whether a profile keeps the passages of rated songs.
    """

    kept: ClassVar[bool]

    @property
    def identity(self) -> str:
        """Say whose space this is: passages of two identities have nothing in common."""

    def passages(self, path: Path, cache: Cache | None = None) -> Passages:
        """Return the passages of a file [shape=(passages, d)], one a second if there are several.

        Raises
        ------
        InputError
            If they cannot be found.
        """

    def of(self, sound: Audio, name: str) -> Passages:
        """Return the passages of a sound that has been read already."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A trained front end, and what its card says."""

    kept: ClassVar[bool] = True

    net: PassageNet
    card: dict[str, Any]

    @classmethod
    def open(cls, checkpoint: str | None = None, device: str = "cpu") -> FrontEnd:
        """Load one by name or folder (default: the packaged one).

        Raises
        ------
        CheckpointError
            If it is missing or damaged.
        """
        from music_recsys.model import PassageNet

        return cls(*checkpoints.load(PACKAGE, checkpoint or FRONT_END, PassageNet, device=device))

    @property
    def identity(self) -> str:
        """Hash of its weights: passages of another front end are of another space."""
        return str(self.card["sha256"])

    def passages(self, path: Path, cache: Cache | None = None) -> Passages:
        """Hear a sound file, or take from the cache what was heard before.

        Returns
        -------
        float16 array [shape=(passages, outputs)]
            One every second, each of eight seconds.

        Raises
        ------
        InputError
            If it cannot be read, is shorter than a passage, or silent.
        """
        columns = self.net.columns

        def make() -> Passages:
            heard = self.net.listen(columns.read(path).float())
            return heard.numpy().astype(np.float16)

        if cache is None:
            return make()
        settings = {**columns.feature.identity, "levelled": 1, "front end": self.identity}
        return cache.get(cache.key(settings, path), make)

    def of(self, sound: Audio, name: str) -> Passages:
        """Hear a sound that has been read already, see `passages`."""
        return self.net.listen(self.net.columns.of(sound)).numpy().astype(np.float16)
