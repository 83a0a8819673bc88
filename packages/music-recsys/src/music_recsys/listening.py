"""Songs as the front end hears them: passages, one a second, computed once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.storage import Cache, checkpoints

if TYPE_CHECKING:
    from music_recsys.model import PassageNet

__all__ = ["PACKAGE", "FrontEnd"]

PACKAGE = "music-recsys"
FRONT_END = "front-end"

Passages = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A trained front end, and what its card says."""

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
