"""What the networks see of a song: columns of 20 ms, windows of eight seconds, one a second."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from groove_core.dsp import MFCC, Feature, LogMel, cepstrum
from groove_core.errors import InputError
from groove_core.values import Audio
from music_recsys.windows import STEP_S, WINDOW_S

if TYPE_CHECKING:
    from groove_core.storage import Cache

__all__ = ["Columns", "Kind", "windows_of"]

Kind = Literal["mfcc", "log-mel"]
SAMPLE_RATE, HOP_SAMPLES = 22_050, 441
PER_SECOND = SAMPLE_RATE // HOP_SAMPLES
"""Columns; "50 frames = 1 s" in the source."""
WINDOW, STEP = WINDOW_S * PER_SECOND, STEP_S * PER_SECOND
BLOCK_S = 60.0
SILENT = 1e-5
"""Samples that never exceed this, -100 dBFS, are silence."""


@dataclass(frozen=True)
class Columns:
    """A song as columns of numbers: cepstral coefficients, or levels of mel bands.

    The mean level of the song is taken out (of the first coefficient, or of all bands), so that
    how loud a recording is says nothing of how well it is liked.

    Parameters
    ----------
    kind : {"mfcc", "log-mel"}
        20 coefficients as in the source, or 64 bands in decibels.
    """

    kind: Kind = "mfcc"

    @functools.cached_property
    def feature(self) -> Feature:
        """The feature before the level is taken out."""
        common: dict[str, Any] = {
            "sample_rate": SAMPLE_RATE, "n_fft": 1024, "hop_samples": HOP_SAMPLES, "n_mels": 64,
        }  # fmt: skip
        return MFCC(n_mfcc=20, **common) if self.kind == "mfcc" else LogMel(**common)

    @property
    def rows(self) -> int:
        """Numbers in a column."""
        return 20 if self.kind == "mfcc" else 64

    def of(self, sound: Audio) -> Tensor:
        """Give the columns of a sound of any rate [shape=(rows, frames), float32].

        Raises
        ------
        InputError
            If it is shorter than a window, or silent.
        """
        mono = sound.to_mono().resampled(SAMPLE_RATE)
        self._check(mono.duration_s, mono.peak)
        return self.levelled(self.feature(mono)[0])

    def read(self, path: str | Path, *, cache: Cache | None = None) -> Tensor:
        """Give the columns of a sound file of any length, from the cache if they are there.

        Returns
        -------
        Tensor [shape=(rows, frames), float16]

        Raises
        ------
        InputError
            If it cannot be read, is shorter than a window, or silent.
        """

        def make() -> Tensor:
            loudest, seconds = 0.0, 0.0

            def blocks() -> Any:
                nonlocal loudest, seconds
                options: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "mono": True}
                for block in Audio.blocks(path, block_s=BLOCK_S, **options):
                    loudest, seconds = max(loudest, block.peak), seconds + block.duration_s
                    yield block

            with torch.no_grad():
                columns = self.feature.stream(blocks())[0]
            self._check(seconds, loudest)
            return self.levelled(columns).half()

        if cache is None:
            return make()
        key = cache.key({**self.feature.identity, "levelled": 1}, Path(path))
        return torch.from_numpy(cache.get(key, lambda: make().numpy()).copy())

    def _check(self, duration_s: float, peak: float) -> None:
        if duration_s < WINDOW_S:
            raise InputError(
                f"{duration_s:.2f} s of sound are too short: a window has {WINDOW_S} s.",
                hint=f"Give {WINDOW_S} seconds or more.",
            )
        if not peak > SILENT:
            raise InputError("The sound is silent.", hint="Give one in which something is heard.")

    def of_bands(self, bands: Tensor) -> Tensor:
        """Return the columns that a song has whose mel bands are known.

        Up to rounding those of `read`, whichever the kind: coefficients are sums of bands.

        Parameters
        ----------
        bands : Tensor [shape=(64, frames)]
            Columns of the kind ``log-mel``.
        """
        if self.kind == "log-mel":
            return bands
        return self.levelled(cepstrum(bands, self.rows))

    def levelled(self, columns: Tensor) -> Tensor:
        """Take the mean level out of columns [shape=(rows, frames)]."""
        if self.kind == "log-mel":
            return columns - columns.mean()
        level = columns[:1]
        return torch.cat([level - level.mean(), columns[1:]])


def windows_of(columns: Tensor) -> Tensor:
    """Cut a song into windows [shape=(windows, rows, WINDOW), a view].

    Parameters
    ----------
    columns : Tensor [shape=(rows, frames)]
    """
    return columns.unfold(-1, WINDOW, STEP).movedim(1, 0)
