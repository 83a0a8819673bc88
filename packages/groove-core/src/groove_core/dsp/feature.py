"""Features of sound: of a clip, a file of hours or overlapping windows, the same numbers for all.

A feature has two halves. `Feature.columns` turns one frame's spectrum into one column and
looks at nothing else; `Feature.finish` may look across frames. Columns can therefore be made
piece by piece, kept, and shared by all the windows that overlap; what depends on the whole
(slopes, levels below the maximum, medians along time) is done afterwards, per clip or window.
"""

from __future__ import annotations

import abc
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from groove_core.devices import one_thread
from groove_core.dsp.stft import all_finite, at_once, checked, spectrum
from groove_core.errors import InputError, UsageError
from groove_core.values.sound.audio import Audio

if TYPE_CHECKING:
    from groove_core.storage.cache import Cache

__all__ = ["Feature", "kept"]

FRAMES_AT_ONCE = 16
"""Spectra are made in larger pieces than other things: a piece is a step of three or four."""
NUMBERS = 1
"""Part of the settings: raised when the same settings give other numbers than before."""


@dataclass(frozen=True, kw_only=True)
class Feature(abc.ABC):
    """Base of all features: settings that can be compared, hashed and stored.

    Parameters
    ----------
    sample_rate : int [Hz]
        Sound at another rate is refused, not resampled in silence.
    n_fft : even int [samples]
        Length of a frame; frame ``t`` is centred at sample ``t * hop_samples``.
    hop_samples : int [samples]
        From one frame to the next, at most `n_fft`.
    """

    sample_rate: int = 22050
    n_fft: int = 2048
    hop_samples: int = 512

    def __post_init__(self) -> None:
        whole = all(isinstance(n, int) for n in (self.sample_rate, self.n_fft, self.hop_samples))
        if not whole or self.sample_rate < 1 or self.n_fft < 2 or self.n_fft % 2:
            raise UsageError(
                f"A feature cannot have sample_rate {self.sample_rate} and n_fft {self.n_fft}.",
                hint="Whole numbers: sample_rate=22050, n_fft=2048 (an even one), hop_samples=512",
            )
        if not 1 <= self.hop_samples <= self.n_fft:
            raise UsageError(
                f"hop_samples cannot be {self.hop_samples} with n_fft {self.n_fft}.",
                hint=f"hop_samples={self.n_fft // 4}",
            )

    @abc.abstractmethod
    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Turn spectra [shape=(..., frames, bins), complex] into columns [(..., frames, bands)].

        Each column depends on its own frame only.
        """

    def finish(self, columns: torch.Tensor) -> torch.Tensor:
        """Do what looks across frames [shape=(..., bands, frames)]; nothing by default."""
        return columns

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers, for cards."""
        return {"feature": type(self).__name__, "numbers": NUMBERS, **asdict(self)}

    @property
    def identity(self) -> dict[str, Any]:
        """The settings with the address of the class and the version of its package, for caches.

        Two packages may call their features the same, and a later version may compute otherwise.
        """
        module, name = type(self).__module__, type(self).__qualname__
        version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", None)
        return {**self.settings, "feature": f"{module}:{name}", "version": version}

    def __call__(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Return the feature of a whole sound.

        Parameters
        ----------
        sound : Audio, or Tensor [shape=(..., samples), at `sample_rate`]

        Returns
        -------
        Tensor [shape=(..., bands, 1 + samples // hop_samples)]
            For Audio the leading dimension is that of channels.

        Raises
        ------
        UsageError
            If the audio has another sample rate.
        InputError
            If there are no samples, some are NaN or infinite, or so large that the feature
            would be.

        Examples
        --------
        >>> from groove_core.dsp import MFCC
        >>> MFCC(n_mfcc=13)(torch.randn(4, 22050)).shape
        torch.Size([4, 13, 44])
        """
        with one_thread():
            return self.finished(self.centred(self.samples(sound)))

    def samples(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Return the samples of a sound, after a look at its sample rate."""
        if not isinstance(sound, Audio):
            return checked(sound)
        if sound.sample_rate != self.sample_rate:
            raise UsageError(
                f"The audio has {sound.sample_rate} Hz, the feature {self.sample_rate} Hz.",
                hint=f"audio.resampled({self.sample_rate}), or "
                f"Audio.read(path, sample_rate={self.sample_rate})",
            )
        return checked(torch.tensor(sound.samples))

    def stream(self, blocks: Iterable[Audio | torch.Tensor]) -> torch.Tensor:
        """Return the feature of a sound that comes in blocks, equal to that of the whole.

        Only one block and the columns are in memory.

        Parameters
        ----------
        blocks : iterable of Audio or Tensor [shape=(..., samples)]
            For example ``Audio.blocks(path, sample_rate=22050, mono=True)``.

        Returns
        -------
        Tensor [shape=(..., bands, frames)]

        Raises
        ------
        UsageError, InputError
            See `__call__`.
        """
        half, hop = self.n_fft // 2, self.hop_samples
        pieces, waiting = [], None
        for block in blocks:
            samples = self.samples(block)
            if waiting is None:
                waiting = F.pad(samples[..., :0], (half, 0))
            if samples.shape[:-1] != waiting.shape[:-1]:
                raise InputError(
                    f"A block of shape {tuple(samples.shape)} follows others of shape "
                    f"{(*waiting.shape[:-1], '...')}.",
                    hint="Give blocks of one sound.",
                )
            waiting = torch.cat([waiting, samples], dim=-1)
            whole = (waiting.shape[-1] - self.n_fft) // hop + 1
            if whole > 0:
                pieces.append(self.unfinished(waiting[..., : (whole - 1) * hop + self.n_fft]))
                waiting = waiting[..., whole * hop :]
        if waiting is None:
            raise InputError("There is no sound: no blocks.", hint="Give at least one sample.")
        waiting = F.pad(waiting, (0, half))
        if waiting.shape[-1] >= self.n_fft:
            pieces.append(self.unfinished(waiting))
        return self.finished(torch.cat(pieces, dim=-1))

    def extract(self, path: str | Path, *, cache: Cache | None = None) -> torch.Tensor:
        """Return the feature of a file's mono mix, from the cache if it is there.

        Parameters
        ----------
        path : path of a sound file
            Of any length and sample rate.
        cache : Cache, optional

        Returns
        -------
        Tensor [shape=(bands, frames), float32]

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        rate = self.sample_rate
        return kept(cache, self.identity, path, lambda: self.stream(
            Audio.blocks(path, sample_rate=rate, mono=True))[0])  # fmt: skip

    def finished(self, columns: torch.Tensor) -> torch.Tensor:
        """Finish columns and check that nothing has become too large for its type."""
        found = self.finish(columns)
        if not all_finite(found):
            raise InputError(
                "The sound is too loud for this precision.",
                hint="audio.normalized(), or samples in float64",
            )
        return found

    def centred(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the columns of a whole sound [shape=(..., bands, frames)], not yet finished."""
        return self.unfinished(samples, self.n_fft // 2, self.n_fft // 2)

    def unfinished(self, samples: torch.Tensor, before: int = 0, after: int = 0) -> torch.Tensor:
        """Make columns [shape=(..., bands, frames)], with some silence before and after.

        Spectra are ten times larger than what is made of them: a piece at a time, they stay in a
        processor's cache, and an hour of sound fits in memory.
        """
        frames = max(1, FRAMES_AT_ONCE * at_once(samples) // self.n_fft)
        count = 1 + (samples.shape[-1] + before + after - self.n_fft) // self.hop_samples
        made = []
        for rows in samples.reshape(-1, samples.shape[-1]).split(max(1, frames // count)):
            padded = F.pad(rows, (before, after))
            cut = padded.unfold(-1, self.n_fft, self.hop_samples)
            pieces = [self.columns(spectrum(piece)) for piece in cut.split(frames, dim=1)]
            made.append(torch.cat(pieces, dim=1))
        columns = made[0] if len(made) == 1 else torch.cat(made)
        return columns.reshape(*samples.shape[:-1], count, -1).mT


def kept(
    cache: Cache | None,
    settings: dict[str, Any],
    path: str | Path,
    make: Callable[[], torch.Tensor],
) -> torch.Tensor:
    """Return what the cache has for these settings and this file's content, or make it."""
    with torch.no_grad():
        if cache is None:
            return make()
        stored = cache.get(cache.key(settings, Path(path)), lambda: make().numpy())
    return torch.tensor(stored)
