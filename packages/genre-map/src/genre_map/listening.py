"""Sounds that say what their spectrograms say: each is heard again, and chosen by that."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.gan import GenreGAN
from genre_map.genremap import Played
from genre_map.inversion import invert
from genre_map.mapping import at_points, grid
from genre_map.model import GenreClassifier
from genre_map.pictures import SILENT
from groove_core.console import track
from groove_core.values import mp3

__all__ = ["as_played", "decoded", "listen_again", "play_points"]

PEAK = 0.7
"""Peak of what a page plays."""
COMPRESSION = 0.7
"""Of the MP3 files in a page. More would be smaller, and change the genre that is heard."""
TRIES = 3
"""Sounds of places near a point of which the one plays that keeps its genre best."""
REACH = 0.4
"""How far from a point its sound may lie, in parts of the distance to the next point."""
PLACES = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
"""Where around a point its sound is looked for, in parts of the reach."""
AT_ONCE = 4
"""Sounds that are made together: few, so that they stay in the cache of a CPU."""


def listen_again(classifier: GenreClassifier, sounds: Iterable[Tensor]) -> Tensor:
    """Return the genres that a classifier hears in the sounds of spectrograms.

    The sounds are analysed as any sound file is. One that ends before a window does is
    continued with silence, of a longer one the first window counts, and silence is a
    spectrogram of nothing.

    Parameters
    ----------
    classifier : GenreClassifier
    sounds : iterable of Tensor [each of shape=(samples,)]
        At the sample rate of its layout.

    Returns
    -------
    Tensor [shape=(n, genres)]
        Calibrated probabilities.
    """
    layout = classifier.layout
    length = layout.frames * layout.hop_samples
    windows = []
    for sound in sounds:
        window = F.pad(sound[:length].cpu().float(), (0, max(0, length - len(sound))))
        silent = not float(window.abs().max()) > SILENT
        windows.append(
            torch.zeros(layout.shape) if silent else layout.of(window)[..., : layout.frames]
        )
    shown = layout.shown(torch.stack(windows)).to(classifier.temperature.device)
    return classifier.probabilities(classifier.listen(shown)).cpu()


def as_played(sound: Tensor, sample_rate: int) -> tuple[bytes, Tensor]:
    """Return a sound as a page holds it, and as it is heard there.

    Returns
    -------
    file : bytes
        MP3 file, peaking at 0.7.
    heard : Tensor [shape=(samples,)]
        The file decoded: at low bit rates, the code changes what a classifier hears.
    """
    samples = PEAK * sound / sound.abs().max().clamp_min(1e-6)
    file = mp3(
        samples.numpy().astype(np.float32), sample_rate, compression=COMPRESSION, variable=True
    )
    return file, decoded(file)


def decoded(file: bytes) -> Tensor:
    """Return the samples of a sound file of one channel [shape=(samples,)]."""
    import soundfile

    samples, _ = soundfile.read(io.BytesIO(file), dtype="float32")
    return torch.from_numpy(samples)


class _Take(NamedTuple):
    """A sound near a point of the map, and what is heard in picture and sound."""

    at: Tensor
    picture: Tensor
    pictured: Tensor
    heard: Tensor
    sound: bytes

    def keeps(self, genre: int) -> bool:
        return int(self.heard.argmax()) == genre == int(self.pictured.argmax())

    def agreement(self, genre: int) -> float:
        """Return how much the probabilities of picture and sound share, 0 to 1, and 1 if kept."""
        return float(torch.minimum(self.pictured, self.heard).sum()) + self.keeps(genre)


def play_points(
    model: GenreGAN, base: Tensor, axes: tuple[int, int], side: int
) -> tuple[Played, npt.NDArray[np.uint8], tuple[bytes, ...]]:
    """Make the sounds that a map plays, and choose them by what the classifier hears in them.

    Of places at and around each point of a grid, the one whose spectrogram is surest of the
    point's genre is made into sound and heard again. Where the sound is of another genre, the
    next ones are tried; the best plays.

    Parameters
    ----------
    base, axes
        See `at_points`.
    side : int
        Points along each side.

    Returns
    -------
    played : Played
    pictures : uint8 array [shape=(side * side, parts, n_mels, frames)]
    sounds : tuple of bytes
        MP3 files.
    """
    points = grid(side) * (1 - 1 / side)  # in the middles of squares: none lies on the rim
    near = points[:, None] + REACH * 2 / side * PLACES
    chances = torch.stack([
        model.look(at_points(base, axes, some)).probabilities
        for some in track(near.unbind(1), "looking around", total=len(PLACES))
    ], dim=1)  # fmt: skip
    genres = chances[:, 0].argmax(dim=1)
    numbers = torch.arange(len(points))
    best = chances[numbers, :, genres].argsort(dim=1, descending=True, stable=True)
    takes = _takes(model, base, axes, near[numbers, best[:, 0]], "listening")

    def lost() -> Tensor:
        return numbers[[not take.keeps(int(g)) for take, g in zip(takes, genres, strict=True)]]

    kept_at_first = 1 - len(lost()) / len(takes)
    for rank in range(1, TRIES):
        left = lost()
        if not len(left):
            break
        others = _takes(model, base, axes, near[left, best[left, rank]], "listening again")
        for i, other in zip(left.tolist(), others, strict=True):
            takes[i] = max(takes[i], other, key=lambda take: take.agreement(int(genres[i])))
    at, pictures, pictured, heard, sounds = zip(*takes, strict=True)
    played = Played(
        torch.stack(at).numpy().round(4),
        torch.stack(pictured).double().numpy().round(4),
        torch.stack(heard).double().numpy().round(4),
        round(kept_at_first, 4),
    )
    return played, torch.stack(pictures).numpy(), sounds


def _takes(
    model: GenreGAN, base: Tensor, axes: tuple[int, int], points: Tensor, text: str
) -> list[_Take]:
    """Make the sounds of points, and hear them again."""
    layout = model.classifier.layout
    takes: list[_Take] = []
    for some in track(points.split(AT_ONCE), text, total=-(-len(points) // AT_ONCE)):
        looked = model.look(at_points(base, axes, some))
        sounds = [as_played(sound, layout.sample_rate) for sound in invert(looked.pictures, layout)]
        pictures = (looked.pictures * 255).round().to(torch.uint8)
        heard = listen_again(model.classifier, (sound for _, sound in sounds))
        files = (file for file, _ in sounds)
        takes += map(_Take, some, pictures, looked.probabilities, heard, files)
    return takes
