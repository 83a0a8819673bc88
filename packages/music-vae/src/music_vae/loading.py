"""Load a network of music-vae."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from groove_core.storage import checkpoints

if TYPE_CHECKING:
    from music_vae.model import MusicVAE

__all__ = ["PACKAGE", "SHIPPED", "Name", "Shipped", "load", "melodic"]

PACKAGE = "music-vae"
Shipped = Literal["mel-2bar", "drums-2bar", "mel-16bar", "drums-16bar", "trio-16bar"]
SHIPPED: tuple[str, ...] = get_args(Shipped)
Name = Literal["mel-2bar", "drums-2bar", "mel-16bar", "drums-16bar", "trio-16bar", "mel-16bar-flat"]
"""What `train` has settings for."""


def melodic(checkpoint: str | None = None) -> list[str]:
    """List the checkpoints whose latent space is of melodies alone."""
    names = checkpoints.fitting(PACKAGE)
    return [n for n in names if checkpoints.config_of(PACKAGE, n).get("voices") == ["melody"]]


def load(model: str, checkpoint: str | None, device: str) -> tuple[MusicVAE, dict[str, Any]]:
    """Load a network, packaged or trained, and its card.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of another package.
    """
    from music_vae.model import MusicVAE

    network, card = checkpoints.load(PACKAGE, checkpoint or model, MusicVAE, device=device)
    return network.eval(), card
