"""Training the vocoder: windows of songs to the spectra that they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.pictures import LAYOUTS, RANGE_DB, Layout
from genre_map.splits import Divided
from genre_map.vocoder.model import HIGHEST, LOWEST, Vocoder, envelope
from groove_core.dsp import stft
from groove_core.learning import Step, Training, cosine, digest
from groove_core.values import Audio

__all__ = ["VocoderSettings", "VocoderTraining"]

AROUND = 2
"""Frames around an excerpt that its outermost spectra reach into."""


@dataclass(frozen=True)
class VocoderSettings:
    """What decides the outcome, beside the data and the seed."""

    width: int = 128
    epochs: int = 10
    batches: int = 250
    """Of an epoch."""
    batch_size: int = 16
    frames: int = 96
    """Of an excerpt."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    precision: Literal["32", "bf16"] = "32"


class VocoderTraining(Training[VocoderSettings, Divided, Vocoder]):
    """How a vocoder learns from excerpts of songs and their spectrograms."""

    package = "genre-map"
    option = "the name"
    max_norm = 1.0

    def build(self) -> Vocoder:
        """Make the vocoder, and choose what it learns from."""
        self.songs = [self.data.songs.songs[i] for i in self.data.fold.train]
        self.pictures, _ = self.data.part("train")
        self.layout = LAYOUTS["ours"]
        return Vocoder(self.layout.settings(), self.settings.width)

    def fingerprint(self) -> str:
        """Return a hash of the spectrograms."""
        return digest(*self.pictures)

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 50 * done) * cosine(done)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, batch by batch."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        drawn = torch.randint(len(self.songs), (count,), generator=generator)
        batches: Sequence[Tensor] = drawn.split(settings.batch_size)
        return batches

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return how far the spectra are from the true ones, louder parts counting more.

        The mean difference of logarithms, and the relative one of the roots of magnitudes
        (spectral convergence: Arik, Jun and Diamos, 1808.06719), without which all peaks
        would be medians of what they may be.
        """
        pictures, spectra = self._excerpts(step.rows(batch).tolist(), step.rand(len(batch)))
        model = self.model
        with torch.no_grad():
            bands = model.bands(pictures)
            smooth = envelope(bands, model.filters).clamp_min(1e-9)
            # A spectrogram says nothing of the level of its song.
            level = bands.sum((1, 2)) / (model.filters @ spectra).sum((1, 2)).clamp_min(1e-9)
            truth = (level[:, None, None] * spectra).clamp_min(1e-9).log() - smooth.log()
            truth = truth.clamp(LOWEST, HIGHEST)
            weight = (1 + 20 * smooth.log10() / RANGE_DB).clamp(0, 1.2).square()
        with step.autocast(self.settings.precision):
            found = self.modules["model"](pictures).float()
        away = (weight * (found - truth).abs()).sum() / weight.sum().clamp_min(1e-9)
        made = (smooth * found.clamp(LOWEST, HIGHEST).exp()).sqrt()
        wanted = (smooth * truth.exp()).sqrt()
        convergence = (made - wanted).norm(dim=(1, 2)) / wanted.norm(dim=(1, 2)).clamp_min(1e-6)
        loss = away + convergence.mean()
        return loss, {"logarithms": away, "convergence": convergence.mean()}

    def _excerpts(self, songs: list[int], places: Tensor) -> tuple[Tensor, Tensor]:
        """Cut windows out of spectrograms, and their spectra out of the sounds."""
        layout, frames = self.layout, self.settings.frames
        pictures, sounds = [], []
        for song, place in zip(songs, places.tolist(), strict=True):
            picture = self.pictures[song]
            start = int(place * (picture.shape[-1] - frames + 1))
            pictures.append(picture[..., start : start + frames].float())
            before = min(AROUND, start)
            sound = _excerpt(self.songs[song].path, layout, start - before, frames + 2 * AROUND)
            spectrum = stft(sound, n_fft=layout.n_fft, hop_samples=layout.hop_samples).abs()
            sounds.append(spectrum[:, before : before + frames])
        return torch.stack(pictures).to(places.device), torch.stack(sounds).to(places.device)

    def split(self) -> dict[str, Any]:
        """Return which songs it learnt from."""
        return self.data.split()

    def card(self) -> dict[str, Any]:
        """Say what the vocoder is for."""
        return {
            "data": {"songs": self.data.songs.counts()},
            "intended_use": "Making the spectrograms of genre-map audible.",
            "limits": "Spectrograms of the layout that it learnt from; mono, 22,050 Hz.",
            "paper": "arXiv:2306.00814",
        }


def _excerpt(path: Path, layout: Layout, start: int, frames: int) -> Tensor:
    """Read some frames of a song [shape=(samples,)]; what is beyond its end is silent."""
    hop_s = layout.hop_samples / layout.sample_rate
    sound = Audio.read(
        path, sample_rate=layout.sample_rate, mono=True, start_s=start * hop_s,
        duration_s=frames * hop_s,
    )  # fmt: skip
    samples = layout.feature.samples(sound).reshape(-1)
    return F.pad(samples, (0, frames * layout.hop_samples - len(samples)))
