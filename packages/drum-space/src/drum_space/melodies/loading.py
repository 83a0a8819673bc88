"""Load a melody network with the space whose codes it reads."""

from __future__ import annotations

from typing import Any

from drum_space.melodies.model import DrumMelody
from drum_space.model import DrumAutoencoder
from drum_space.space import PACKAGE, load
from groove_core.errors import CheckpointError
from groove_core.storage import checkpoints

__all__ = ["load_melody"]


def load_melody(
    checkpoint: str | None, device: str
) -> tuple[DrumMelody, DrumAutoencoder, dict[str, Any]]:
    """Load a melody network, the space whose codes it was trained with, and the network's card.

    Raises
    ------
    CheckpointError
        If either is missing, or the space is not the one it was trained with.
    """
    model, card = checkpoints.load(PACKAGE, checkpoint or "melody", DrumMelody, device=device)
    wanted = card["space"]
    space, found = load("", wanted["name"], device)
    if found["sha256"] != wanted["sha256"]:
        raise CheckpointError(
            f"The melody network {card['name']!r} was trained with another space "
            f"{wanted['name']!r} than the one that is here.",
            hint="groove run drum-space train-melody trains one for it.",
        )
    return model, space, card
