"""Features of sound: of a clip, a file of hours or overlapping windows, the same numbers for all.

A feature has two halves. `Feature.columns` turns one frame's spectrum into one column and
looks at nothing else; `Feature.finish` may look across frames. Columns can therefore be made
piece by piece, kept, and shared by all the windows that overlap; what depends on the whole
(slopes, levels below the maximum, medians along time) is done afterwards, per clip or window.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional as F

from groove_core.dsp.decibels import below_maximum, db_to_power, power_to_db
from groove_core.dsp.griffin_lim import griffin_lim
from groove_core.dsp.hpss import hpss
from groove_core.dsp.instfreq import from_instantaneous_frequency, to_instantaneous_frequency
from groove_core.dsp.mel import Norm, Scale, apply_filters, mel_filters, mel_to_power, pcen
from groove_core.dsp.mfcc import cepstrum, cepstrum_matrix, deltas
from groove_core.dsp.stft import at_once, checked, istft, power, spectrum
from groove_core.errors import InputError, UsageError
from groove_core.values.audio import Audio

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from groove_core.cache import Cache

__all__ = [
    "MFCC",
    "PCEN",
    "Feature",
    "HarmonicPercussive",
    "InstantaneousFrequency",
    "LogMel",
    "Mel",
    "WindowedFeatures",
]


FRAMES_AT_ONCE = 16
"""Spectra are made in larger pieces than other things: Fourier transforms use all threads."""
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
        if self.sample_rate < 1 or self.n_fft < 2 or self.n_fft % 2:
            raise UsageError(
                f"A feature cannot have sample_rate {self.sample_rate} and n_fft {self.n_fft}.",
                hint="sample_rate=22050, n_fft=2048 (an even number)",
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
        """Everything that decides the numbers, for cards and for the cache."""
        return {"feature": type(self).__name__, "numbers": NUMBERS, **asdict(self)}

    def __call__(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Give the feature of a whole sound.

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
            If there are no samples, or some are NaN or infinite.

        Examples
        --------
        >>> MFCC(n_mfcc=13)(torch.randn(4, 22050)).shape
        torch.Size([4, 13, 44])
        """
        return self.finish(self._centred(self.samples(sound)))

    def samples(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Give the samples of a sound, after a look at its sample rate."""
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
        """Give the feature of a sound that comes in blocks, equal to that of the whole.

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
            waiting = torch.cat([waiting, samples], dim=-1)
            whole = (waiting.shape[-1] - self.n_fft) // hop + 1
            if whole > 0:
                pieces.append(self._columns(waiting[..., : (whole - 1) * hop + self.n_fft]))
                waiting = waiting[..., whole * hop :]
        if waiting is None:
            raise InputError("There is no sound: no blocks.", hint="Give at least one sample.")
        waiting = F.pad(waiting, (0, half))
        if waiting.shape[-1] >= self.n_fft:
            pieces.append(self._columns(waiting))
        return self.finish(torch.cat(pieces, dim=-1))

    def extract(self, path: str | Path, *, cache: Cache | None = None) -> npt.NDArray[np.float32]:
        """Give the feature of a file's mono mix, from the cache if it is there.

        Parameters
        ----------
        path : path of a sound file
            Of any length and sample rate.
        cache : Cache, optional

        Returns
        -------
        float32 array [shape=(bands, frames)]

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        rate = self.sample_rate
        return _kept(cache, self.settings, path, lambda: self.stream(
            Audio.blocks(path, sample_rate=rate, mono=True))[0])  # fmt: skip

    def _centred(self, samples: torch.Tensor) -> torch.Tensor:
        return self._columns(samples, self.n_fft // 2, self.n_fft // 2)

    def _columns(self, samples: torch.Tensor, before: int = 0, after: int = 0) -> torch.Tensor:
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
        return torch.cat(made).reshape(*samples.shape[:-1], count, -1).mT


@dataclass(frozen=True, kw_only=True)
class _MelBands(Feature):
    """What features of mel bands share: their settings and the sums over bands.

    Parameters
    ----------
    n_mels : int [bands]
    fmin_hz, fmax_hz : float [Hz]
    scale, norm
        See `mel_filters`.
    power : {1, 2}
        Bands sum magnitudes or powers.
    """

    n_mels: int = 128
    fmin_hz: float = 0.0
    fmax_hz: float | None = None
    scale: Scale = "slaney"
    norm: Norm = "slaney"
    power: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.power not in (1, 2):
            raise UsageError(f"power cannot be {self.power}.", hint="1 or 2")
        _ = self.filters  # a wrong range is told now

    @property
    def filters(self) -> torch.Tensor:
        """The filters [shape=(n_mels, n_fft // 2 + 1)]."""
        return mel_filters(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            n_mels=self.n_mels,
            fmin_hz=self.fmin_hz,
            fmax_hz=self.fmax_hz,
            scale=self.scale,
            norm=self.norm,
        )

    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:
        heard = power(spectrum) if self.power == 2 else spectrum.abs()
        return apply_filters(heard, self.filters)


@dataclass(frozen=True, kw_only=True)
class PCEN(_MelBands):
    """Mel magnitudes normalised by their own recent level; see `pcen`."""

    power: Literal[1, 2] = 1
    gain: float = 0.98
    bias: float = 2.0
    exponent: float = 0.5
    time_constant_s: float = 0.4
    eps: float = 1e-6

    def finish(self, columns: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return pcen(
            columns * 2.0**31,
            sample_rate=self.sample_rate,
            hop_samples=self.hop_samples,
            gain=self.gain,
            bias=self.bias,
            power=self.exponent,
            time_constant_s=self.time_constant_s,
            eps=self.eps,
        )


@dataclass(frozen=True, kw_only=True)
class Mel(_MelBands):
    """Mel spectrogram, as ``librosa.feature.melspectrogram`` gives it."""

    def mel(self, feature: torch.Tensor) -> torch.Tensor:
        """Give the mel spectrogram that a feature was made of, as far as it can be told."""
        return feature

    def invert(
        self, feature: torch.Tensor, *, iterations: int = 32, length: int | None = None
    ) -> torch.Tensor:
        """Make a sound that has a given feature: to hear what it holds and what it lacks.

        `mel_to_power`, then `griffin_lim`.

        Parameters
        ----------
        feature : Tensor [shape=(..., bands, frames)]
        iterations : int
            Of `griffin_lim`.
        length : int, optional [samples]

        Returns
        -------
        Tensor [shape=(..., samples)]
        """
        spectrogram = mel_to_power(self.mel(feature), self.filters)
        return griffin_lim(
            spectrogram.sqrt() if self.power == 2 else spectrogram,
            hop_samples=self.hop_samples,
            iterations=iterations,
            length=length,
        )


@dataclass(frozen=True, kw_only=True)
class LogMel(Mel):
    """Mel spectrogram in decibels.

    Parameters
    ----------
    top_db : float or None [dB]
        What lies further below the loudest point is lifted to there.
    """

    top_db: float | None = 80.0

    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:  # noqa: D102
        heard = super().columns(spectrum)
        return power_to_db(heard if self.power == 2 else heard.square())

    def finish(self, columns: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return below_maximum(columns, self.top_db)

    def mel(self, feature: torch.Tensor) -> torch.Tensor:  # noqa: D102
        heard = db_to_power(feature)
        return heard if self.power == 2 else heard.sqrt()


@dataclass(frozen=True, kw_only=True)
class MFCC(LogMel):
    """Mel-frequency cepstral coefficients, as ``librosa.feature.mfcc`` gives them.

    Parameters
    ----------
    n_mfcc : int [coefficients]
    lifter : float
    deltas : {0, 1, 2}
        How many orders of slopes are appended: ``(1 + deltas) * n_mfcc`` rows.
    """

    n_mfcc: int = 20
    lifter: float = 0.0
    deltas: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        cepstrum_matrix(self.n_mels, self.n_mfcc, self.lifter)  # wrong numbers are told now

    def finish(self, columns: torch.Tensor) -> torch.Tensor:  # noqa: D102
        coefficients = cepstrum(super().finish(columns), self.n_mfcc, lifter=self.lifter)
        slopes = [deltas(coefficients, order=n + 1) for n in range(self.deltas)]
        return torch.cat([coefficients, *slopes], dim=-2) if slopes else coefficients

    def mel(self, feature: torch.Tensor) -> torch.Tensor:  # noqa: D102
        # The rows are orthogonal: what they kept of the levels comes back by the pseudoinverse.
        matrix = cepstrum_matrix(self.n_mels, self.n_mfcc, self.lifter)
        back = torch.linalg.pinv(matrix).to(feature)
        return super().mel(back @ feature[..., : self.n_mfcc, :])


@dataclass(frozen=True, kw_only=True)
class HarmonicPercussive(Mel):
    """Mel spectrograms of the harmonic and of the percussive part: what lasts, what is sudden.

    Rows are first the harmonic, then the percussive bands
    [shape=(..., 2 * n_mels, frames)]; ``unflatten(-2, (2, -1))`` separates them.

    Parameters
    ----------
    kernel_frames, kernel_bins : odd int
        Of the two medians.
    mask_power : float
    margin : float
    """

    power: Literal[1, 2] = 1
    kernel_frames: int = 31
    kernel_bins: int = 31
    mask_power: float = 2.0
    margin: float = 1.0

    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return spectrum.abs()

    def finish(self, columns: torch.Tensor) -> torch.Tensor:  # noqa: D102
        parts = hpss(
            columns,
            kernel=(self.kernel_frames, self.kernel_bins),
            power=self.mask_power,
            margin=self.margin,
        )
        heard = [part.square() if self.power == 2 else part for part in parts]
        return torch.cat([apply_filters(part.mT, self.filters).mT for part in heard], dim=-2)

    def mel(self, feature: torch.Tensor) -> torch.Tensor:  # noqa: D102
        harmonic, percussive = feature.chunk(2, dim=-2)
        return harmonic + percussive


@dataclass(frozen=True, kw_only=True)
class InstantaneousFrequency(Feature):
    """Log magnitude, then instantaneous frequency [shape=(..., n_fft, frames)].

    GANSynth's linear representation, without the bin at 0 Hz; see
    `to_instantaneous_frequency`.

    Parameters
    ----------
    floor_db : float, optional [dB]
    """

    floor_db: float | None = None

    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return spectrum[..., 1:]

    def finish(self, columns: torch.Tensor) -> torch.Tensor:  # noqa: D102
        parts = to_instantaneous_frequency(
            columns, floor_db=self.floor_db, hop_samples=self.hop_samples
        )
        return torch.cat(parts, dim=-2)

    def invert(self, feature: torch.Tensor, *, length: int | None = None) -> torch.Tensor:
        """Make the sound that has a given feature.

        Parameters
        ----------
        feature : Tensor [shape=(..., n_fft, frames)]
        length : int, optional [samples]

        Returns
        -------
        Tensor [shape=(..., samples)]
        """
        upper = from_instantaneous_frequency(*feature.chunk(2, dim=-2))
        whole = F.pad(upper, (0, 0, 1, 0))  # 0 Hz is not heard
        return istft(whole, hop_samples=self.hop_samples, length=length)


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
        """Give where the windows of a sound begin [shape=(windows,), int64, samples].

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
        """Give the feature of every window.

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
        samples = self.feature.samples(sound)
        starts = self.starts(samples.shape[-1]).to(samples.device)
        shared = self.feature._centred(samples)
        frames = 1 + self.window_samples // self.feature.hop_samples
        windows = max(1, 32 * at_once(samples) // (shared.shape[:-1].numel() * frames))
        return torch.cat(
            [self.feature.finish(self._cut(samples, shared, s)) for s in starts.split(windows)],
            dim=-3,
        )

    def extract(self, path: str | Path, *, cache: Cache | None = None) -> npt.NDArray[np.float32]:
        """Give the windows of a file's mono mix, from the cache if they are there.

        Parameters
        ----------
        path : path of a sound file
        cache : Cache, optional

        Returns
        -------
        float32 array [shape=(windows, bands, frames)]

        Raises
        ------
        InputError
            If the file cannot be read or is shorter than one window.
        """
        rate = self.feature.sample_rate
        return _kept(cache, self.settings, path, lambda: self(
            Audio.read(path, sample_rate=rate, mono=True))[0])  # fmt: skip

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers, for cards and for the cache."""
        return {**self.feature.settings, "window_s": self.window_s, "step_s": self.step_s}

    def _cut(
        self, samples: torch.Tensor, shared: torch.Tensor, starts: torch.Tensor
    ) -> torch.Tensor:
        """Give the columns of windows [shape=(..., windows, bands, frames)]."""
        size, n_fft, hop = self.window_samples, self.feature.n_fft, self.feature.hop_samples
        half = n_fft // 2
        first = -(-half // hop)  # the first frame that does not hear the silence before
        last = (size - half) // hop  # and the last that does not hear the one after

        def stretch(begin: int, end: int) -> torch.Tensor:
            return starts[:, None] + torch.arange(begin, end, device=starts.device)

        head = samples[..., stretch(0, (first - 1) * hop + half)]
        inside = stretch(first * hop, last * hop + 1)[:, ::hop] // hop
        parts = [self.feature._columns(head, before=half).mT, shared.mT[..., inside, :]]
        if last < size // hop:
            tail = samples[..., stretch((last + 1) * hop - half, size)]
            parts.append(self.feature._columns(tail, after=half).mT)
        return torch.cat(parts, dim=-2).mT


def _kept(
    cache: Cache | None,
    settings: dict[str, Any],
    path: str | Path,
    make: Callable[[], torch.Tensor],
) -> npt.NDArray[np.float32]:
    """Give what the cache has for these settings and this file's content, or make it."""

    def array() -> npt.NDArray[np.float32]:
        with torch.no_grad():
            made: npt.NDArray[np.float32] = make().contiguous().numpy()
        return made

    return array() if cache is None else cache.get(cache.key(settings, Path(path)), array)
