"""Notes as pictures that a network can draw, and back: log magnitude and instantaneous frequency.

Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, section 2. Two things are
not as there. Frequency is taken relative to the middle of each bin: a partial is then a ramp from
1 to -1 across its lobe, the same wherever it lies, and its zero is the partial's frequency; it
wraps where the lobe ends. And networks see it faded out where there is no sound to have a phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.pitch import hz
from groove_core.devices import widest
from groove_core.dsp import (
    from_mel_instantaneous_frequency,
    griffin_lim,
    istft,
    stft,
    to_mel_instantaneous_frequency,
)
from groove_core.dsp.mel import hz_to_mel, mel_to_hz
from groove_core.errors import UsageError

__all__ = ["LAYOUTS", "MAPS", "Layout", "wrapped"]

QUIETEST = 1e-2
"""Added to magnitudes before their logarithm: 94 dB below a sine at full scale, not the source's
1e-6, whose floor no ear and no network can tell from silence."""
HEARD = 0.1
"""Magnitude, 74 dB below a sine at full scale, from which on there is a phase to be known."""
MAPS = 5
"""Maps that tell a network where the harmonics of a pitch lie; see `Layout.harmonics`."""


@dataclass(frozen=True)
class Layout:
    """How a note becomes a picture [shape=(2, bins, frames), about -1 to 1].

    The note is preceded by silence of half a window, since the first frame holds the phase itself.

    Parameters
    ----------
    sample_rate : int [Hz]
    n_fft : int [samples]
    frames : int
        A fourth of `n_fft` apart.
    scale : {"linear", "mel"}
        Linear is exactly invertible; mel is as in the paper, with as many bands.
    """

    sample_rate: int = 16_000
    n_fft: int = 2048
    frames: int = 128
    scale: Literal["linear", "mel"] = "linear"

    def __post_init__(self) -> None:
        if self.frames < 8 or self.n_fft < 64 or self.n_fft % 8:
            raise UsageError(
                f"A picture cannot have {self.frames} frames of {self.n_fft} samples.",
                hint="n_fft=2048, frames=128",
            )
        if self.scale not in ("linear", "mel"):
            raise UsageError(f"There is no scale {self.scale!r}.", hint='scale="linear"')

    @property
    def hop_samples(self) -> int:
        """From one frame to the next."""
        return self.n_fft // 4

    @property
    def bins(self) -> int:
        """Rows of a picture: all but the one at 0 Hz."""
        return self.n_fft // 2

    @property
    def samples(self) -> int:
        """Length of a note: 64,000 with 128 frames of 2048, as in NSynth."""
        return (self.frames - 1) * self.hop_samples - self.bins

    @property
    def duration_s(self) -> float:
        """Length of a note in seconds."""
        return self.samples / self.sample_rate

    @property
    def held_s(self) -> float:
        """How long the key of a note is held; the last quarter is its release (as in NSynth)."""
        return 0.75 * self.duration_s

    # sound -----------------------------------------------------------------------

    def to_pictures(self, samples: Tensor) -> Tensor:
        """Turn notes [shape=(n, samples), full scale is -1 to 1] into pictures.

        Returns
        -------
        Tensor [shape=(n, 2, bins, frames)]
            Log magnitude (-1 is silence, 1 a sine at full scale), and frequency in half turns
            per hop; in the linear scale relative to the middle of the bin.
        """
        spectrogram = self._stft(samples)
        if self.scale == "mel":
            power, frequency = to_mel_instantaneous_frequency(spectrogram, self._filters(samples))
            return self.heard(torch.stack([self._squeezed(0.5 * power), frequency], dim=1))
        magnitude = self._magnitude(spectrogram)
        turned = wrapped(spectrogram.angle() / math.pi - self._turning(samples))
        # Where nothing is heard the phase stays as it was, so that frequency is 0 there.
        at = torch.arange(self.frames, device=samples.device).expand_as(turned)
        last = torch.where(self.has_phase(magnitude), at, 0).cummax(dim=-1).values
        held = torch.where(last > 0, turned.gather(-1, last), torch.zeros_like(turned))
        frequency = wrapped(torch.diff(held, dim=-1, prepend=torch.zeros_like(held[..., :1])))
        return torch.stack([magnitude, frequency], dim=1)

    def magnitudes(self, samples: Tensor) -> Tensor:
        """Give the first map only [shape=(n, bins, frames)], in a fraction of the time."""
        if self.scale == "mel":
            return self.to_pictures(samples)[:, 0]
        return self._magnitude(self._stft(samples))

    def power(self, magnitudes: Tensor) -> Tensor:
        """Turn log magnitudes [shape=(n, bins, frames)] into power, a sine at full scale 1."""
        quietest = math.exp(self._range[0])
        return (
            ((self._spread(magnitudes).exp() - quietest) / (self.n_fft / 4)).clamp_min(0).square()
        )

    def louder(self, magnitudes: Tensor, gain: Tensor) -> Tensor:
        """Raise log magnitudes [shape=(n, bins, frames)] by some dB; silence stays silent."""
        quietest = math.exp(self._range[0])
        heard = (self._spread(magnitudes).exp() - quietest).clamp_min(0)
        return self._squeezed((heard * 10 ** (gain / 20) + quietest).log())

    def frequencies(self) -> Tensor:
        """Give the frequency of each row [shape=(bins,), Hz]."""
        if self.scale == "mel":
            return self._mel_edges()[1:-1]
        return torch.arange(1, self.bins + 1, dtype=torch.float64) * self.sample_rate / self.n_fft

    def _stft(self, samples: Tensor) -> Tensor:
        padded = F.pad(samples, (self.bins, 0))
        return stft(padded, n_fft=self.n_fft, hop_samples=self.hop_samples)[..., 1:, :]

    def _magnitude(self, spectrogram: Tensor) -> Tensor:
        return self._squeezed((spectrogram.abs() + QUIETEST).log())

    def to_samples(self, pictures: Tensor, *, refine: int = 0) -> Tensor:
        """Invert `to_pictures`.

        Parameters
        ----------
        pictures : Tensor [shape=(n, 2, bins, frames)]
            Of any number of frames.
        refine : int
            Rounds of Griffin-Lim that begin at the phase of the picture; 0 for none.

        Returns
        -------
        Tensor [shape=(n, samples)]
        """
        squeezed, frequency = pictures.unbind(dim=1)
        if self.scale == "mel":
            spectrogram = from_mel_instantaneous_frequency(
                2 * self._spread(squeezed), frequency, self._filters(pictures)
            )
        else:
            magnitude = (self._spread(squeezed).exp() - QUIETEST).clamp_min(0)
            half_turns = frequency.to(widest(frequency.device)).cumsum(dim=-1)
            turned = self._turning(half_turns, pictures.shape[-1]) + half_turns
            spectrogram = torch.polar(magnitude, (math.pi * wrapped(turned)).to(magnitude))
        whole = F.pad(spectrogram, (0, 0, 1, 0))  # 0 Hz is not heard
        length = (pictures.shape[-1] - 1) * self.hop_samples
        if refine:
            made = griffin_lim(
                whole.abs(), hop_samples=self.hop_samples, iterations=refine, length=length,
                phase=whole.angle(),
            )  # fmt: skip
        else:
            made = istft(whole, hop_samples=self.hop_samples, length=length)
        return made[..., self.bins :]

    def heard(self, pictures: Tensor) -> Tensor:
        """Set frequency to 0 where there is no sound that could have a phase."""
        magnitude, frequency = pictures[:, :1], pictures[:, 1:]
        return torch.cat([magnitude, frequency * self.has_phase(magnitude)], dim=1)

    def has_phase(self, squeezed: Tensor) -> Tensor:
        """Return where log magnitudes are of a sound that is loud enough to have a phase."""
        return self._spread(squeezed.detach()) > math.log(HEARD)

    def _turning(self, like: Tensor, frames: int | None = None) -> Tensor:
        """Give the half turns [shape=(bins, frames)] that each bin's own frequency has made.

        They are counted from the middle of a frame, where all bins of a lobe agree, and from
        frame 1, where notes begin: so the phase with which a note begins is smooth, too.
        """
        # Half turns up to some thousands and their quarters: exact as float32, too.
        exact = widest(like.device)
        k = torch.arange(1, self.bins + 1, device=like.device, dtype=exact)[:, None]
        t = torch.arange(frames or self.frames, device=like.device, dtype=exact)
        return wrapped(k / 2 * (t - 1) - k).to(like)

    def _squeezed(self, log_magnitude: Tensor) -> Tensor:
        low, high = self._range
        return (2 * log_magnitude - low - high) / (high - low)

    def _spread(self, squeezed: Tensor) -> Tensor:
        low, high = self._range
        return 0.5 * (squeezed * (high - low) + low + high)

    @property
    def span(self) -> float:
        """Nepers of magnitude that make a difference of 1 in a picture."""
        low, high = self._range
        return (high - low) / 2

    @property
    def _range(self) -> tuple[float, float]:
        # The window's sum is half its length, and a sine has half of it at each of its two sides.
        low = math.log(QUIETEST) if self.scale == "linear" else 0.5 * math.log(1e-6)
        return low, math.log(self.n_fft / 4)

    def _filters(self, like: Tensor) -> Tensor:
        """Give as many mel bands as bins, none narrower than 1.5 bins, lest one should be empty."""
        edges = self._mel_edges()
        centre, width = edges[1:-1, None], self.sample_rate / self.n_fft
        half = ((edges[2:] - edges[:-2]) / 2).clamp_min(1.5 * width)[:, None]
        bins = torch.arange(1, self.bins + 1, dtype=torch.float64) * width
        return (1 - (bins - centre).abs() / half).clamp_min(0).to(like)

    def _mel_edges(self) -> Tensor:
        """Give where bands begin, peak and end [shape=(bins + 2,), Hz]."""
        top = float(hz_to_mel(self.sample_rate / 2, scale="htk"))
        return torch.from_numpy(mel_to_hz(np.linspace(0, top, self.bins + 2), scale="htk"))

    # pitch -----------------------------------------------------------------------

    def harmonics(self, pitch: Tensor) -> Tensor:
        """Say where the harmonics of pitches lie, for networks to draw on.

        A picture of a note whose partials are exact multiples of its pitch has its lobes and its
        frequencies where these maps have theirs; a network is left to learn how loud each is, how
        it moves, and how the note differs from that. Pitch need not be whole and may glide.

        Parameters
        ----------
        pitch : Tensor [shape=(n,) or (n, frames), MIDI]

        Returns
        -------
        Tensor [shape=(n, 5, bins, 1 or frames)]
            Lobes of harmonics; their relative frequency; lobes, odd ones negative; octaves above
            the fundamental; octaves above 125 Hz.
        """
        f0 = hz(pitch.float()).reshape(len(pitch), 1, -1)
        width = self.sample_rate / self.n_fft
        k = torch.arange(1, self.bins + 1, device=pitch.device, dtype=f0.dtype)[:, None]
        number = (k * width / f0).round().clamp_min(1)
        away = (number * f0 - k * width) / width  # in bins
        # The spectrum of the Hann window, in ln, from 0 (70 dB down) to 1.
        window = torch.sinc(away) + (torch.sinc(away - 1) + torch.sinc(away + 1)) / 2
        lobe = 1 + (window.abs() + math.exp(-8)).log() / 8
        ramp = torch.where(away.abs() < 2, away / 2, torch.zeros_like(away))
        sign = 1 - 2 * (number % 2)
        above = torch.log2(k * width / f0) / 4
        place = (torch.log2(k * width / 125.0) / 4).expand_as(above)
        maps = torch.stack([lobe, ramp, lobe * sign, above, place], dim=1)
        if self.scale == "mel":
            filters = self._filters(maps)
            weights = filters / filters.sum(dim=1, keepdim=True).clamp_min(1e-8)
            maps = weights @ maps
        return maps


def wrapped(half_turns: Tensor) -> Tensor:
    """Drop whole turns, so that -1 to 1 is left."""
    return half_turns - 2 * torch.round(half_turns / 2)


LAYOUTS = {"full": Layout(), "small": Layout(n_fft=1024, frames=64)}
