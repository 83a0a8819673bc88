"""A judge of sounds: which pitch, which family of instruments; never a part of what it judges.

It hears samples, not pictures of a generator's making, and shares nothing with a discriminator:
whoever trains against a judge learns to please it. Harmonics lie beside each other as in Bittner
et al., "Deep Salience Representations for F0 Estimation in Polyphonic Music" (ISMIR 2017), so that
one small filter knows the pitch of every key: two semitones at 33 Hz are 2 Hz apart, but their
harmonics at 1 kHz are 60 Hz apart.

A second network judges beside it, lest a number be the taste of one: it knows nothing of
harmonics, and hears how the levels of mel bands move in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.pitch import hz
from groove_core.dsp import mel_filters, power, power_to_db, stft
from groove_core.errors import InputError, UsageError
from groove_core.learning import Dropout

__all__ = ["AT_ONCE", "Heard", "NoteClassifier", "hear"]

AT_ONCE = 32
N_FFT = {"harmonic": 4096, "mel": 1024}
"""Bins of 3.9 or 16 Hz at 16 kHz."""
HOP_SAMPLES = {"harmonic": 1024, "mel": 512}
MEL_BANDS = 80
BANDS = 4
"""Of a semitone."""
HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
"""Multiples of a band's frequency that are seen beside it; the half tells octaves apart."""
RANGE_DB = 80.0
"""Below the loudest point; what is quieter is silence."""
FEATURES = 96


class NoteClassifier(nn.Module):
    """Notes to logits of pitches and families; how loud a note is does not matter.

    Parameters
    ----------
    sample_rate : int [Hz]
    samples : int
        Length of a note; others of any length are heard, too.
    families : sequence of str
        Names; may be empty.
    low, high : int [MIDI]
        First and last of the pitches.
    width : int
        Maps of the first layer; the others have twice as many.
    network : {"harmonic", "mel"}
        ``harmonic`` convolves over pitch and time what lies at multiples of a frequency, ``mel``
        over time only, each band a channel.
    """

    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        samples: int,
        families: Sequence[str] = (),
        low: int = 24,
        high: int = 84,
        width: int = 32,
        network: Literal["harmonic", "mel"] = "harmonic",
    ) -> None:
        super().__init__()
        if not 0 <= low < high <= 127 or hz(float(high)) > sample_rate / 4:
            raise UsageError(
                f"Pitches {low} to {high} cannot be told at {sample_rate} Hz.",
                hint="low=24, high=84",
            )
        self.config = {
            "sample_rate": sample_rate, "samples": samples, "families": list(families),
            "low": low, "high": high, "width": width, "network": network,
        }  # fmt: skip
        self.sample_rate, self.samples, self.network = sample_rate, samples, network
        self.families, self.low, self.high = tuple(families), low, high
        filters = _mel_filters(sample_rate) if network == "mel" else _filters(sample_rate, low)
        self.register_buffer("filters", filters, persistent=False)
        if network == "mel":
            self.trunk = nn.Sequential(
                *_in_time(len(filters), width, 5),
                *_in_time(width, 2 * width, 5, 2),
                *_in_time(2 * width, 2 * width, 3, 2),
                *_in_time(2 * width, 2 * width, 3),
            )
            self.summary = nn.Linear(6 * width, FEATURES)
        else:
            self.trunk = nn.Sequential(
                *_block(len(HARMONICS), width, (7, 3), (BANDS, 2)),
                *_block(width, 2 * width, (3, 3), (1, 2)),
                *_block(2 * width, 2 * width, (3, 3)),
            )
            self.salience = nn.Conv1d(4 * width, 1, 1)
            self.summary = nn.Linear(8 * width + len(filters) // BANDS, FEATURES)
        self.dropout = Dropout(0.2)
        self.head = nn.Linear(FEATURES, high - low + 1 + len(families))

    def pictures(self, samples: Tensor) -> Tensor:
        """Return levels of quarters of a semitone, or mel bands [shape=(n, bands, frames)].

        0 is `RANGE_DB` below the loudest point of a note, 1 that point.
        """
        n_fft, hop_samples = N_FFT[self.network], HOP_SAMPLES[self.network]
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = power(stft(samples.float(), n_fft=n_fft, hop_samples=hop_samples))
            level = power_to_db(self.filters @ spectrum)
            loudest = level.amax(dim=(1, 2), keepdim=True)
            return ((level - loudest) / RANGE_DB + 1).clamp_min(0)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Give the logits of notes.

        Parameters
        ----------
        samples : Tensor [shape=(n, samples)]
            Of any level.

        Returns
        -------
        pitches : Tensor [shape=(n, high - low + 1)]
        families : Tensor [shape=(n, families)]
        """
        pitches, families, _ = self.judged(samples)
        return pitches, families

    def features(self, samples: Tensor) -> Tensor:
        """Give what both decisions rest on [shape=(n, 96)]: for distances between sets of notes."""
        return self.judged(samples)[2]

    def judged(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the logits of pitches and families, and the features."""
        pictures, count = self.pictures(samples), self.high - self.low + 1
        if self.network == "mel":
            x = self.trunk(pictures)
            over_time = torch.cat([x.mean(dim=2), x.amax(dim=2), x.std(dim=2)], dim=1)
            features = F.silu(self.summary(over_time))
            logits = self.head(self.dropout(features))
            return logits[:, :count], logits[:, count:], features
        x = self.trunk(_stacked(pictures))
        over_time = torch.cat([x.mean(dim=3), x.amax(dim=3)], dim=1)
        salience = self.salience(over_time).squeeze(1)
        over_all = torch.cat([over_time.mean(dim=2), over_time.amax(dim=2), salience], dim=1)
        features = F.silu(self.summary(over_all))
        logits = self.head(self.dropout(features))
        return logits[:, :count] + salience[:, :count], logits[:, count:], features


def _block(
    of: int, to: int, size: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> list[nn.Module]:
    around = (size[0] // 2, size[1] // 2)
    conv = nn.Conv2d(of, to, size, stride, around, bias=False)
    return [conv, nn.BatchNorm2d(to), nn.ReLU()]


def _in_time(of: int, to: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv1d(of, to, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm1d(to), nn.ReLU()]


def _mel_filters(sample_rate: int) -> Tensor:
    filters = mel_filters(
        sample_rate=sample_rate, n_fft=N_FFT["mel"], n_mels=MEL_BANDS, norm="none"
    )
    return filters.half().float()


def _filters(sample_rate: int, low: int) -> Tensor:
    """Give triangular bands [shape=(bands, bins)]: `BANDS` a semitone from the lowest pitch on.

    The lowest are narrower than a bin, and interpolate between two.
    """
    top = 69 + 12 * np.log2(sample_rate / 2 / 440)
    semitones = int(top - low)
    # Band 4 k, on which the stride of the first layer is centred, is the k-th pitch.
    centre = hz(low + torch.arange(semitones * BANDS, dtype=torch.float64) / BANDS)[:, None]
    n_fft = N_FFT["harmonic"]
    width = sample_rate / n_fft
    half = (centre * (2 ** (1 / (12 * BANDS)) - 1)).clamp_min(width)
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * width
    # Halves, so that a model rounded for storage has the filters that it has when loaded again.
    return (1 - (bins - centre).abs() / half).clamp_min(0).half().float()


def _stacked(pictures: Tensor) -> Tensor:
    """Put harmonics beside each other [shape=(n, harmonics, bands, frames)], 0 where none is."""
    bands = pictures.shape[1]
    shifts = [round(12 * BANDS * float(np.log2(h))) for h in HARMONICS]
    before = -min(shifts)
    padded = F.pad(pictures, (0, 0, before, max(shifts)))
    return torch.stack([padded[:, before + s : before + s + bands] for s in shifts], dim=1)


@dataclass(frozen=True)
class Heard:
    """What a classifier made of notes, on the CPU.

    Parameters
    ----------
    pitches : Tensor [shape=(n, pitches)]
        Probabilities of `low`, `low` + 1 ...
    families : Tensor [shape=(n, families)]
        Probabilities.
    features : Tensor [shape=(n, 96)]
    low : int [MIDI]
    """

    pitches: Tensor
    families: Tensor
    features: Tensor
    low: int

    @classmethod
    def together(cls, parts: Sequence[Heard]) -> Heard:
        """Join what was heard of several batches."""
        return cls(
            torch.cat([one.pitches for one in parts]),
            torch.cat([one.families for one in parts]),
            torch.cat([one.features for one in parts]),
            parts[0].low,
        )

    @property
    def pitch(self) -> Tensor:
        """The most probable pitch of each note [MIDI]."""
        return self.low + self.pitches.argmax(dim=1)


@torch.no_grad()
def hear(classifier: NoteClassifier, sounds: Iterable[Tensor]) -> Heard:
    """Judge batches of notes [shape=(n, samples)], one at a time.

    Raises
    ------
    InputError
        If there is none.
    """
    device = classifier.filters.device
    found = []
    for batch in sounds:
        for some in batch.split(AT_ONCE):
            pitches, families, features = classifier.judged(some.to(device))
            found.append((pitches.softmax(dim=1), families.softmax(dim=1), features))
    if not found:
        raise InputError("There is no note to hear.", hint="Give at least one.")
    pitch, family, feature = (torch.cat(one).float().cpu() for one in zip(*found, strict=True))
    return Heard(pitch, family, feature, classifier.low)
