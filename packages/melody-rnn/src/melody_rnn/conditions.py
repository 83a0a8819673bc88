"""What melodies are like, as the Transformer is told it; each condition may be left open."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from groove_core.tunes import METRES
from melody_rnn.lines import LOWEST, NOTE, OPEN, OPEN_ROOT, Windows
from melody_rnn.transformer import DENSITIES, REGISTERS, Conditions

__all__ = [
    "OPENED", "conditions_of", "density_level", "density_of", "hidden", "opened", "register_level",
    "register_of",
]  # fmt: skip

OPENED = {"metre": 0.1, "mode": 0.2, "density": 0.6, "register": 0.6, "chords": 0.3}
"""How often each condition is left open in training."""


def conditions_of(some: Windows, device: torch.device | str) -> Conditions:
    """Return all that is known of windows as conditions."""

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device)

    events, known, bar = tensor(some.events), tensor(some.known), tensor(some.bar)
    return Conditions(
        bar, tensor(some.grid), tensor(some.metre), tensor(some.mode),
        density_of(events, known, bar), register_of(events), tensor(some.root), tensor(some.chord),
    )  # fmt: skip


def hidden(on: Conditions, random: Tensor) -> Conditions:
    """Leave conditions open.

    Parameters
    ----------
    random : Tensor [shape=(n, 5), 0 to 1]
    """
    metre, mode, density, register, chords = (
        random[:, i] < share for i, share in enumerate(OPENED.values())
    )
    return on._replace(
        metre=torch.where(metre, len(METRES), on.metre),
        mode=torch.where(mode, OPEN, on.mode),
        density=torch.where(density, DENSITIES, on.density),
        register=torch.where(register, REGISTERS, on.register),
        root=torch.where(chords[:, None], OPEN_ROOT, on.root),
        chord=torch.where(chords[:, None], 0, on.chord),
    )


def opened(on: Conditions) -> Conditions:
    """Leave all conditions open but the metre and the mode."""
    return hidden(on, torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0]], device=on.bar.device))


def density_of(events: Tensor, known: Tensor, bar: Tensor) -> Tensor:
    """Return the level of notes per bar: 0 for less than two, then one more for each 1.5."""
    notes = ((events >= NOTE) & known).sum(dim=1)
    per_bar = notes / (known.sum(dim=1) / bar).clamp(min=1)
    return density_level(per_bar)


def density_level(per_bar: Tensor) -> Tensor:
    """Return the level of notes per bar."""
    return ((per_bar - 0.5) / 1.5).long().clamp(0, DENSITIES - 1)


def register_of(events: Tensor) -> Tensor:
    """Return the level of the mean pitch: four semitones each, from 56 on."""
    notes = events >= NOTE
    return register_level((events - NOTE + LOWEST).mul(notes).sum(1) / notes.sum(1).clamp(min=1))


def register_level(pitch: Tensor) -> Tensor:
    """Return the level of a mean pitch, of a melody as networks see it."""
    return ((pitch - 56) / 4).long().clamp(0, REGISTERS - 1)
