"""A song as it is heard, and each of its tracks alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.storage import check_writable
from groove_core.values import Audio, Score

__all__ = ["Mix", "Stem", "mixed", "stem_names"]

FULL_SCALE = 32768
"""Samples of stems are whole multiples of its inverse: they add up exactly, in 16 bits, too."""

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Stem(Audio):
    """A sound whose samples are those of a file of 16 bits."""

    def _save_wav(self, path: Path) -> None:
        # Whoever writes it rounds down, and a whole number may be a little less than itself.
        Audio(self.samples + np.float32(0.25 / FULL_SCALE), self.sample_rate)._save_wav(path)


@dataclass(frozen=True, eq=False, repr=False)
class Mix(Stem):
    """A sound, and the stems that it is the sum of, sample by sample.

    Saved as ``NAME.wav`` (or another format), with the stems in a folder ``NAME stems`` beside it.

    Parameters
    ----------
    samples, sample_rate, name
        See `Audio`.
    stems : tuple of Stem
        Each has the name of its track.
    """

    stems: tuple[Stem, ...] = ()

    def save(self, path: str | Path, *, bits: int = 16) -> Path:
        path = super().save(path, bits=bits)
        if path.suffix.lower() == ".wav" and self.stems:
            folder = path.with_name(f"{path.stem} stems")
            check_writable(folder.parent)
            folder.mkdir(exist_ok=True)
            for stem in self.stems:
                stem.save(folder / f"{stem.name}.wav", bits=bits)
        return path


def mixed(stems: Mapping[str, Samples], sample_rate: int, peak_dbfs: float) -> Mix:
    """Mix stems [shape=(2, samples) each], so that nothing is louder than a peak."""
    whole = np.sum(list(stems.values()), axis=0)
    peak = max(float(np.abs(one).max(initial=0.0)) for one in (whole, *stems.values())) or 1.0
    gain = FULL_SCALE * 10 ** (peak_dbfs / 20) / peak
    total = np.zeros(whole.shape, np.int32)
    made = []
    for name, stem in stems.items():
        numbers = np.round(gain * stem).astype(np.int32)
        total += numbers
        made.append(Stem((numbers / FULL_SCALE).astype(np.float32), sample_rate, name))
    return Mix((total / FULL_SCALE).astype(np.float32), sample_rate, stems=tuple(made))


def stem_names(score: Score) -> list[str]:
    """Name the stem of each track, as a file can be called: its number, and what it is."""
    names = []
    for number, one in enumerate(score.tracks, 1):
        words = re.sub(r"[^\w -]+", "", one.name).strip() or ("drums" if one.is_drum else "track")
        names.append(f"{number:02d} {words[:40]}")
    return names
