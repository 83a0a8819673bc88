"""The features that packages share; what each setting means to librosa, it means here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional as F

from groove_core.dsp.decibels import below_maximum, db_to_power, power_to_db
from groove_core.dsp.feature import Feature
from groove_core.dsp.griffin_lim import griffin_lim
from groove_core.dsp.hpss import check_hpss, hpss
from groove_core.dsp.instfreq import from_instantaneous_frequency, to_instantaneous_frequency
from groove_core.dsp.mel import (
    Norm,
    Scale,
    apply_filters,
    check_pcen,
    mel_filters,
    mel_to_power,
    pcen,
)
from groove_core.dsp.mfcc import cepstrum, cepstrum_matrix, deltas
from groove_core.dsp.stft import istft, magnitude, power
from groove_core.errors import UsageError

__all__ = [
    "MFCC",
    "PCEN",
    "HarmonicPercussive",
    "InstantaneousFrequency",
    "LogMel",
    "Mel",
]


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
        heard = power(spectrum) if self.power == 2 else magnitude(spectrum)
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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_pcen(self.gain, self.bias, self.exponent, self.time_constant_s, self.eps)

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
        """Return the mel spectrogram that a feature was made of, as far as it can be told."""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_db is not None and not self.top_db >= 0:
            raise UsageError(f"top_db cannot be {self.top_db}.", hint="top_db=80, or None")

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
        if self.deltas not in (0, 1, 2):
            raise UsageError(f"deltas cannot be {self.deltas}.", hint="0, 1 or 2")

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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hpss((self.kernel_frames, self.kernel_bins), self.mask_power, self.margin)

    def columns(self, spectrum: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return magnitude(spectrum)

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
            columns, floor_db=self.floor_db, n_fft=self.n_fft, hop_samples=self.hop_samples
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
