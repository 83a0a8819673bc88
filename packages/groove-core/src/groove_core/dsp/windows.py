"""Features of overlapping windows, computed once and cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from groove_core.devices import one_thread
from groove_core.dsp.feature import Feature, kept
from groove_core.dsp.stft import at_once
from groove_core.errors import InputError, UsageError
from groove_core.values.sound.audio import Audio

if TYPE_CHECKING:
    from groove_core.storage.cache import Cache

__all__ = ["WindowedFeatures"]


@dataclass(frozen=True)
class WindowedFeatures:
    """A feature of overlapping windows, as if each window were a sound of its own.

    The columns are made once for the whole sound and cut. At the edges of a window its
    frames would have heard silence instead of its neighbours: these few are made anew. What
    looks across frames is done per window. The result equals window-by-window
    computation up to float rounding.

    One thing must be chosen for that: windows begin at whole hops, at the one nearest to
    a multiple of `step_s`, at most half a hop away (at 512 samples and 22,050 Hz: 12 ms), or
    the last whole one that still fits. With a step of whole hops the choice changes nothing.

    Parameters
    ----------
    feature : Feature
    window_s, step_s : float [seconds]
        A window is at least `n_fft` samples long.
    """

    feature: Feature
    window_s: float
    step_s: float

    def __post_init__(self) -> None:
        hop_s = self.feature.hop_samples / self.feature.sample_rate
        if not (math.isfinite(self.window_s) and math.isfinite(self.step_s)) or self.step_s < hop_s:
            raise UsageError(
                f"Windows cannot be {self.window_s:g} s long, every {self.step_s:g} s.",
                hint=f"window_s=3.0, step_s=1.5; a step is at least one hop of {hop_s:.3g} s.",
            )
        if self.window_samples < self.feature.n_fft:
            raise UsageError(
                f"A window of {self.window_s:g} s is shorter than one frame.",
                hint=f"At least {self.feature.n_fft / self.feature.sample_rate:.3f} s.",
            )

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.feature.sample_rate)

    def starts(self, samples: int) -> torch.Tensor:
        """Return where the windows of a sound begin [shape=(windows,), int64, samples].

        Raises
        ------
        InputError
            If the sound is shorter than one window.
        """
        if samples < self.window_samples:
            raise InputError(
                f"{samples / self.feature.sample_rate:.2f} s of sound are shorter than one "
                f"window of {self.window_s:g} s.",
                hint="Give a longer sound, or a smaller window_s.",
            )
        hop = self.feature.hop_samples
        step = self.step_s * self.feature.sample_rate
        last = samples - self.window_samples
        # The small number forgives 3 * 0.1 for not being 0.3.
        count = int(last / step + 1e-9) + 1
        nearest = torch.round(torch.arange(count, dtype=torch.float64) * step / hop)
        return nearest.clamp_max(last // hop).long() * hop

    def __call__(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Return the feature of every window.

        Parameters
        ----------
        sound : Audio, or Tensor [shape=(..., samples)]

        Returns
        -------
        Tensor [shape=(..., windows, bands, frames)]

        Raises
        ------
        UsageError, InputError
            See `Feature`; and if the sound is shorter than one window.
        """
        with one_thread():
            return self._windows(self.feature.samples(sound))

    def _windows(self, samples: torch.Tensor) -> torch.Tensor:
        starts = self.starts(samples.shape[-1]).to(samples.device)
        shared = self.feature.centred(samples)
        frames = 1 + self.window_samples // self.feature.hop_samples
        windows = max(1, 16 * at_once(samples) // (shared.shape[:-1].numel() * frames))
        return torch.cat(
            [self.feature.finished(self._cut(samples, shared, s)) for s in starts.split(windows)],
            dim=-3,
        )

    def extract(self, path: str | Path, *, cache: Cache | None = None) -> torch.Tensor:
        """Return the windows of a file's mono mix, from the cache if they are there.

        Parameters
        ----------
        path : path of a sound file
        cache : Cache, optional

        Returns
        -------
        Tensor [shape=(windows, bands, frames), float32]

        Raises
        ------
        InputError
            If the file cannot be read or is shorter than one window.
        """
        rate = self.feature.sample_rate
        return kept(cache, {**self.settings, **self.feature.identity}, path, lambda: self(
            Audio.read(path, sample_rate=rate, mono=True))[0])  # fmt: skip

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers, for cards and for the cache."""
        return {**self.feature.settings, "window_s": self.window_s, "step_s": self.step_s}

    def _cut(
        self, samples: torch.Tensor, shared: torch.Tensor, starts: torch.Tensor
    ) -> torch.Tensor:
        """Return the columns of windows [shape=(..., windows, bands, frames)]."""
        size, n_fft, hop = self.window_samples, self.feature.n_fft, self.feature.hop_samples
        half = n_fft // 2
        first = -(-half // hop)  # the first frame that does not hear the silence before
        last = (size - half) // hop  # and the last that does not hear the one after

        def stretch(begin: int, end: int) -> torch.Tensor:
            return starts[:, None] + torch.arange(begin, end, device=starts.device)

        head = samples[..., stretch(0, (first - 1) * hop + half)]
        inside = starts[:, None] // hop + torch.arange(first, last + 1, device=starts.device)
        parts = [self.feature.unfinished(head, before=half).mT, shared.mT[..., inside, :]]
        if last < size // hop:
            tail = samples[..., stretch((last + 1) * hop - half, size)]
            parts.append(self.feature.unfinished(tail, after=half).mT)
        return torch.cat(parts, dim=-2).mT
