"""The genre classifier: a small convolutional network, and two after the literature.

Dong, "Convolutional Neural Network Achieves Human-level Accuracy in Music Genre
Classification" (2018, arXiv 1802.09697); Zhang, Lei, Xu and Xing, "Improved Music Genre
Classification with Convolutional Neural Networks" (Interspeech 2016), whose first kernel
spans all frequencies; Guo et al., "On Calibration of Modern Neural Networks" (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genre_map.pictures import FORMER, LAYOUTS, RANGE_DB, Layout, LayoutName, to_windows
from groove_core.learning import Dropout
from groove_core.values import Audio

__all__ = ["GenreClassifier"]

AT_ONCE = 64
AROUND = 31
"""Frames that a level is compared with: 0.7 s."""
DESIGN: Literal[1, 2] = 2
"""Of our own network; checkpoints that name none are of the first."""
DEPTH_DB = {1: RANGE_DB, 2: 50.0}
"""How far below the loudest point our network hears. What is fainter, codecs leave out."""
LEAST_DB = {1: 0.8, 2: 2.5}
"""Bands whose levels change by less are not made as loud as those that do."""


def _ours(parts: int, n_mels: int, design: int) -> nn.Sequential:
    """Return a map of 16 x 16 cells, each of which hears the two seconds around it."""

    def block(of: int, to: int, size: tuple[int, int], stride: int = 1) -> list[nn.Module]:
        around = ((size[0] - 1) // 2, (size[1] - 1) // 2)
        conv = nn.Conv2d(of, to, size, stride=stride, padding=around, bias=False)
        return [conv, nn.BatchNorm2d(to), nn.ReLU()]

    return nn.Sequential(
        _Contrast(n_mels, DEPTH_DB[design], LEAST_DB[design]),
        *block(parts + 1, 32, (4, 4), stride=2),
        *block(32, 64, (4, 4), stride=2),
        *block(64, 64, (3, 5)),
        *([_Columns(64, n_mels // 4)] if design > 1 else []),
        nn.MaxPool2d((1, 2)),
        *block(64, 96, (3, 5)),
        *block(96, 96, (3, 5)),
    )


def _source(parts: int, n_mels: int) -> nn.Sequential:
    """Return our reconstruction of the thesis' network, whose figures are lost.

    It gives a map of 1 x 118 cells: the first kernel spans all bands, and none is padded.
    """
    layers: list[nn.Module] = []
    for of, size in ((parts, (n_mels, 4)), (128, (1, 4)), (128, (1, 5))):
        layers += [nn.Conv2d(of, 128, size, bias=False), nn.BatchNorm2d(128), nn.ReLU()]
    return nn.Sequential(*layers)


def _dong(parts: int, n_mels: int) -> nn.Sequential:
    # Maxima are taken before the rectification, which gives the same in less time.
    return nn.Sequential(
        nn.Conv2d(parts, 64, (3, 3)), nn.MaxPool2d((2, 4)), nn.ReLU(),
        nn.Conv2d(64, 64, (3, 5)), nn.MaxPool2d((2, 4)), nn.ReLU(),
        Dropout(0.2),
    )  # fmt: skip


class _Contrast(nn.Module):
    """Standardise each band, and tell where in the spectrum it is.

    What counts is the level against the 0.7 s around it, in deviations of the band: so the
    tone and balance of a recording, or of a soundfont, hardly matter. Place, from -1 to 1, is
    one more part.

    Parameters
    ----------
    n_mels : int
    depth_db, least_db : float [dB]
        See `DEPTH_DB` and `LEAST_DB`.
    """

    place: Tensor

    def __init__(self, n_mels: int, depth_db: float, least_db: float) -> None:
        super().__init__()
        self.floor, self.least = 1 - depth_db / RANGE_DB, least_db / RANGE_DB
        self.register_buffer("place", torch.linspace(-1, 1, n_mels)[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous().clamp_min(self.floor)
        around = F.pad(x, (AROUND // 2 + 1, AROUND // 2, 0, 0), mode="replicate")
        total = around.cumsum(dim=3)  # faster than pooling
        level = x - (total[..., AROUND:] - total[..., :-AROUND]) / AROUND
        deviation = (level.square().mean(dim=3, keepdim=True) + 1e-4).sqrt()
        place = self.place.expand(len(x), 1, -1, x.shape[-1])
        return torch.cat([level / (deviation + self.least), place], dim=1)


class _Columns(nn.Module):
    """Add to each cell what all bands of its frames are together [shape=(n, maps, bands, frames)].

    A chord, or a bass under a hi-hat, is a column: kernels of a few bands find it only layer by
    layer. Maps stay maps, so that explanations can point at cells.
    """

    def __init__(self, maps: int, bands: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(maps, maps, (bands, 3), padding=(0, 1), bias=False),
            nn.BatchNorm2d(maps), nn.ReLU(), nn.Conv2d(maps, maps, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


class _MeanAndMax(nn.Module):
    """Pool a map [shape=(n, maps, bands, frames)] to its means and maxima."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


class GenreClassifier(nn.Module):
    """Windows of sound, as pictures, to probabilities of genres.

    ``trunk`` gives the feature map A that explanations look at, ``pool`` the features m that
    the map of genres is tied to, ``head`` the logits.

    Parameters
    ----------
    genres : sequence of str
    network : {"ours", "paper", "dong2018"}
        With 0.55 (of the first design 0.35), 0.27 and 0.46 million weights.
    layout : dict, optional
        Settings of `Layout`; that of the network when left out.
    design : {1, 2}
        Of our own network. The second hears 50 dB instead of 80, and columns.
    """

    temperature: Tensor

    def __init__(
        self,
        genres: Sequence[str],
        network: LayoutName = "ours",
        layout: dict[str, Any] | None = None,
        design: Literal[1, 2] = 1,
    ) -> None:
        super().__init__()
        self.genres, self.design = tuple(genres), design
        # Checkpoints made before the networks were renamed name them otherwise.
        network = FORMER.get(network, network)
        self.network = network
        self.layout = Layout(**layout) if layout else LAYOUTS[network]
        parts, n_mels, _ = self.layout.shape
        trunks: dict[str, Callable[[int, int], nn.Sequential]] = {
            "ours": partial(_ours, design=design), "paper": _source, "dong2018": _dong,
        }  # fmt: skip
        self.trunk = trunks[network](parts, n_mels)
        self.pool = nn.Flatten() if network == "dong2018" else _MeanAndMax()
        with torch.no_grad():
            self.features = self.pool(self.trunk.eval()(torch.zeros(1, *self.layout.shape))).shape[
                1
            ]
        self.trunk.train()
        hidden, drop = (32, 0.2) if network == "dong2018" else (128, 0.5)
        self.head = nn.Sequential(
            nn.Linear(self.features, hidden), nn.ReLU(), Dropout(drop),
            nn.Linear(hidden, len(self.genres)),
        )  # fmt: skip
        self.register_buffer("temperature", torch.ones(()))

    def windows(self, sound: Audio) -> Tensor:
        """Picture a sound of any rate and cut it into windows [shape=(n, parts, n_mels, frames)].

        Raises
        ------
        InputError
            If it is shorter than a window, or silent.
        """
        picture = self.layout.of(sound.to_mono().resampled(self.layout.sample_rate))
        return to_windows(picture.to(self.temperature.device), self.layout)

    @property
    def config(self) -> dict[str, Any]:
        """What a checkpoint stores to build it again."""
        return {
            "genres": list(self.genres), "network": self.network, "layout": self.layout.settings(),
            "design": self.design,
        }  # fmt: skip

    def pooled(self, windows: Tensor) -> Tensor:
        """Give the features m of windows [shape=(n, features)]."""
        features: Tensor = self.pool(self.trunk(windows))
        return features

    def forward(self, windows: Tensor) -> Tensor:
        """Give the logits of windows.

        Parameters
        ----------
        windows : Tensor [shape=(n, parts, n_mels, frames), see `Layout`]

        Returns
        -------
        Tensor [shape=(n, genres)]
        """
        logits: Tensor = self.head(self.pooled(windows))
        return logits

    @torch.no_grad()
    def listen(self, windows: Tensor) -> Tensor:
        """Give the logits of any number of windows [shape=(n, genres)], a few at once."""
        return torch.cat([self(some) for some in windows.split(AT_ONCE)])

    def classify(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        """Return the logits of the windows of songs [shape=(windows, genres)], on the CPU."""
        device = self.temperature.device
        return [
            self.listen(to_windows(picture.to(device).float(), self.layout)).cpu()
            for picture in pictures
        ]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Give probabilities that mean what they say: softmax(logits / T)."""
        return torch.softmax(logits / self.temperature.to(logits.device), dim=-1)
