"""Crops of eight bars: lines and what is played below them, as the network learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drum_space.melodies.lines import BASS, NO_BASS, Piece
from drum_space.melodies.model import PHRASE, Conditions
from drum_space.model import DrumAutoencoder
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError

__all__ = ["CROP_BARS", "Crops", "codes_of", "crops_of"]

CROP_BARS = 8
CROP = CROP_BARS * STEPS_PER_BAR
_CUT = ("line", "drums", "bass", "instrument", "mode", "piece")


@dataclass(frozen=True)
class Crops:
    """Eight bars of a line each, and what is played below it.

    ``line`` and ``bass`` are int8 tensors [shape=(n, 128)], ``drums`` bool
    [shape=(n, 128, 14)], ``codes`` float [shape=(n, 4, latent)], one for every two bars;
    ``instrument``, ``mode`` and ``piece`` int tensors [shape=(n,)].
    """

    line: Tensor
    drums: Tensor
    codes: Tensor
    bass: Tensor
    instrument: Tensor
    mode: Tensor
    piece: Tensor

    def __len__(self) -> int:
        return len(self.line)

    def each(self, change: Callable[[Tensor], Tensor]) -> Crops:
        """Return the crops with every field changed."""
        return Crops(**{field.name: change(getattr(self, field.name)) for field in fields(self)})

    def pick(self, index: Tensor) -> Crops:
        """Return some of the crops."""
        return self.each(lambda field: field[index])

    def on(self, heard: Tensor, *, beats_of: Crops | None = None) -> Conditions:
        """Return what the lines are played on: their own beats, or those of other crops."""
        beat = beats_of or self
        return Conditions(
            beat.drums.float(),
            beat.codes.repeat_interleave(PHRASE, dim=1),
            self.bass.long(),
            self.instrument,
            self.mode,
            heard,
        )


def codes_of(space: DrumAutoencoder, drums: Tensor) -> Tensor:
    """Encode every two bars of beats [shape=(n, steps, 14)] to [shape=(n, steps / 32, latent)]."""
    pairs = drums.unflatten(1, (-1, PHRASE))
    with torch.no_grad():
        codes = space.encode(pairs.flatten(0, 1).to(space.thresholds.device))
    found: Tensor = codes.unflatten(0, pairs.shape[:2]).to(drums.device)
    return found


def crops_of(
    pieces: Sequence[Piece], space: DrumAutoencoder, *, hop_bars: int = 1, onsets: int = 8
) -> Crops:
    """Cut lines into crops of eight bars that have both notes and a beat.

    Raises
    ------
    InputError
        If there are none.
    """
    found: dict[str, list[Any]] = {name: [] for name in _CUT}
    for number, piece in enumerate(pieces):
        steps = len(piece.drums)
        for start in range(0, steps - CROP + 1, hop_bars * STEPS_PER_BAR):
            at = slice(start, start + CROP)
            if not piece.drums[at].any():
                continue
            kinds = piece.instruments.tolist()
            for kind, line in zip(kinds, piece.lines[:, at], strict=True):
                if (line >= 0).sum() < onsets:
                    continue
                bass = np.full(CROP, NO_BASS, np.int8) if kind == BASS else piece.bass[at]
                cut = (line, piece.drums[at], bass, kind, piece.mode, number)
                for name, value in zip(_CUT, cut, strict=True):
                    found[name].append(value)
    if not found["line"]:
        raise InputError(
            "No line has eight bars of 4/4 with notes and drums.",
            hint="Give more MIDI files with drums and other instruments.",
        )
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in found.items()}
    return Crops(codes=codes_of(space, tensors["drums"]), **tensors)
