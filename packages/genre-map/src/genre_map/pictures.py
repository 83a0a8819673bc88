"""Pictures of sound that networks look at: mel spectrograms of three-second windows.

A picture of a song has the shape (parts, mel bands, frames); windows of it overlap by half.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional as F

from groove_core.actions import each
from groove_core.dsp import HarmonicPercussive, Mel
from groove_core.dsp.feature import kept
from groove_core.errors import InputError
from groove_core.values import Audio

if TYPE_CHECKING:
    from genre_map.songs import SongSet
    from groove_core.storage import Cache

__all__ = [
    "FORMER", "LAYOUTS", "RANGE_DB", "Layout", "LayoutName", "Pictures", "cut_all",
    "read_pictures", "to_windows",
]  # fmt: skip

FORMER: dict[str, LayoutName] = {"source": "paper", "dong": "dong2018"}
"""What networks and variants were called, in checkpoints of earlier versions."""
LayoutName = Literal["ours", "paper", "dong2018"]
RANGE_DB = 80.0
"""From the loudest point of a song down to what is shown as nothing."""
STRETCH_FRAMES = 2048
"""Of a long sound that are looked at together: 48 seconds. More take more memory, not less time."""
AROUND_FRAMES = 24
"""More than medians and the ends of a stretch reach."""
SILENT = 1e-5
"""Samples that never exceed this, -100 dBFS, are silence."""
Pictures = list[torch.Tensor]
"""One per song [shape=(parts, n_mels, frames), float16]."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a network sees of a sound.

    Parameters
    ----------
    separated : bool
        Two parts, harmonic and percussive, or the whole in one.
    n_mels : int [bands]
    frames : int
        Of a window.
    n_fft, hop_samples : int [samples]
    fmax_hz : float, optional [Hz]
    scale : {"decibels", "peak", "log"}
        ``decibels``: 80 dB below the loudest point of the song to that point, as 0 to 1.
        ``peak``: magnitudes divided by the largest of the window. ``log``: ln(1 + x).
    """

    separated: bool = True
    n_mels: int = 64
    frames: int = 128
    n_fft: int = 2048
    hop_samples: int = 512
    fmax_hz: float | None = None
    scale: Literal["decibels", "peak", "log"] = "decibels"
    sample_rate: int = 22_050

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a window: parts, mel bands, frames."""
        return 2 if self.separated else 1, self.n_mels, self.frames

    @property
    def window_s(self) -> float:
        """Length of the sound that a window shows."""
        return self.frames * self.hop_samples / self.sample_rate

    @functools.cached_property
    def feature(self) -> Mel:
        """The spectrogram before it is scaled."""
        kind = HarmonicPercussive if self.separated else Mel
        return kind(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_samples=self.hop_samples,
            n_mels=self.n_mels,
            fmax_hz=self.fmax_hz,
            power=2 if self.scale == "log" else 1,
        )

    def of(self, sound: Audio | torch.Tensor) -> torch.Tensor:
        """Picture a whole sound.

        Parameters
        ----------
        sound : Audio, or Tensor [shape=(samples,)]

        Returns
        -------
        Tensor [shape=(parts, n_mels, frames), float32]

        Raises
        ------
        InputError
            If it is shorter than a window, or silent.
        """
        samples = self.feature.samples(sound.to_mono() if isinstance(sound, Audio) else sound)
        samples = samples.reshape(-1)
        self._check(samples.numel() / self.sample_rate, float(samples.abs().max()))
        return self._scaled(self._in_stretches(samples))

    def _in_stretches(self, samples: torch.Tensor) -> torch.Tensor:
        """Give the feature of a sound of hours in bounded memory, equal to that of the whole."""
        hop = self.hop_samples
        frames = 1 + len(samples) // hop
        if frames <= STRETCH_FRAMES + AROUND_FRAMES:
            return self.feature(samples)
        parts = []
        for start in range(0, frames, STRETCH_FRAMES):
            end = min(frames, start + STRETCH_FRAMES)
            before = min(start, AROUND_FRAMES)
            stretch = samples[(start - before) * hop : (end + AROUND_FRAMES) * hop]
            parts.append(self.feature(stretch)[..., before : before + end - start])
        return torch.cat(parts, dim=-1)

    def read(self, path: str | Path, *, cache: Cache | None = None) -> torch.Tensor:
        """Picture a sound file of any length, from the cache if it is there.

        Returns
        -------
        Tensor [shape=(parts, n_mels, frames), float16]

        Raises
        ------
        InputError
            If it cannot be read, is shorter than a window, or silent.
        """
        settings = {**self.feature.identity, "scale": self.scale, "pictures": 1}
        return kept(cache, settings, path, lambda: self.of(
            Audio.read(path, sample_rate=self.sample_rate, mono=True)).half())  # fmt: skip

    def _check(self, duration_s: float, peak: float) -> None:
        if duration_s < self.window_s:
            raise InputError(
                f"{duration_s:.2f} s of sound are too short: a window has {self.window_s:.2f} s.",
                hint="Give three seconds or more.",
            )
        if not peak > SILENT:
            raise InputError("The sound is silent.", hint="Give one in which something is heard.")

    def _scaled(self, feature: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = feature.unflatten(-2, (self.shape[0], self.n_mels))
        if self.scale == "log":
            return torch.log1p(picture)
        if self.scale == "peak":  # of each window, when it is cut
            return picture / picture.amax().clamp_min(1e-9)
        level_db = 20 * torch.log10(picture.clamp_min(1e-9))
        return 1 + (level_db - level_db.amax()).clamp_min(-RANGE_DB) / RANGE_DB

    def shown(self, windows: torch.Tensor) -> torch.Tensor:
        """Scale windows [shape=(n, parts, n_mels, frames)] as the network sees them."""
        if self.scale != "peak":
            return windows
        return windows / windows.float().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)

    def settings(self) -> dict[str, Any]:
        """Give what a checkpoint stores of it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def linear(self, picture: torch.Tensor) -> torch.Tensor:
        """Return the magnitudes that a spectrogram stands for; its lowest level is nothing."""
        magnitude = picture.float()
        if self.scale == "decibels":
            magnitude = 10 ** ((magnitude - 1) * RANGE_DB / 20)
            magnitude = magnitude * (picture > 0)
        return magnitude


LAYOUTS: dict[LayoutName, Layout] = {
    "ours": Layout(),
    "paper": Layout(n_mels=84, scale="peak"),
    "dong2018": Layout(
        separated=False, frames=256, n_fft=512, hop_samples=256, fmax_hz=10_000, scale="log"
    ),
}
"""Ours; our reconstruction of the thesis', without a logarithm; Dong's (arXiv 1802.09697)."""


def to_windows(picture: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Cut a picture into windows that overlap by half.

    Parameters
    ----------
    picture : Tensor [shape=(parts, n_mels, frames)]
    layout : Layout

    Returns
    -------
    Tensor [shape=(windows, parts, n_mels, layout.frames), a view unless scaled by peaks]
    """
    return layout.shown(picture.unfold(-1, layout.frames, layout.frames // 2).movedim(-2, 0))


def cut_all(
    pictures: Pictures, songs: Sequence[int], places: torch.Tensor, frames: int
) -> torch.Tensor:
    """Cut a window out of the picture of each song; one that is too short is continued.

    Parameters
    ----------
    pictures : list of Tensor
    songs : sequence of int
        Numbers of the pictures.
    places : Tensor [shape=(songs,)]
        0 cuts from the start of a song, 1 from its end.
    frames : int

    Returns
    -------
    Tensor [shape=(songs, parts, n_mels, frames), float32]
        Where the places are.
    """
    windows = []
    for song, at in zip(songs, places.tolist(), strict=True):
        picture = pictures[song]
        start = int(at * max(1, picture.shape[-1] - frames + 1))
        part = picture[..., start : start + frames].float()
        windows.append(F.pad(part, (0, frames - part.shape[-1]), mode="replicate"))
    return torch.stack(windows).to(places.device)


def read_pictures(songs: SongSet, layout: Layout, cache: Cache | None) -> tuple[SongSet, Pictures]:
    """Picture all songs; what cannot be read is told and left out.

    Returns
    -------
    songs : SongSet
        Those that were read.
    pictures : list of Tensor

    Raises
    ------
    InputError
        If none can be read.
    """
    paths = [song.path for song in songs]
    found = each(
        range(len(paths)),
        lambda index, _: (index, layout.read(paths[index], cache=cache)),
        "looking at songs",
        files=paths,
    )
    kept, pictures = zip(*found, strict=True)
    return songs.only(kept), list(pictures)
