"""The network of the source: a GAN that grows, and knows pitches as classes.

Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019 (1902.08710), section 3.1
and appendix A, in the sizes of its best configuration; Karras et al., "Progressive Growing of GANs"
(1710.10196) for growing (section 2), deviation in a batch (3) and normalisation (4).

    G(w, p) = sum_k a_k up(picture_k)      a_k = max(0, 1 - |progress - k|)
    D(x)    = score, logits of pitches

Level k has pictures of 16 bins and 2 frames, doubled k times. Only the two levels around
`progress` weigh anything, so only those are drawn.

Pictures are those of `gansynth_lite.layout`, here, too. What they have as frequency is relative
to the middle of each bin, where the source has it from 0 to a half of the sample rate: a ramp in
each lobe, of mean 0. So coarse levels learn how loud it is, and the finest ones the frequency.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.model import Conv, Linear
from groove_core.errors import UsageError
from groove_core.learning import minibatch_deviation, pixel_norm

__all__ = [
    "ProgressiveDiscriminator",
    "ProgressiveGAN",
    "faded",
    "levels_of",
    "stage",
]

BASE = 4096
COARSEST = 16, 2
"""Bins and frames."""
GAIN = math.sqrt(2)
"""He et al. (1502.01852), of what a rectifier follows."""


def levels_of(layout: Layout) -> int:
    """Give how many resolutions a picture has: 7 of 1024 x 128, 6 of 512 x 64."""
    halvings, bins, frames = 0, layout.bins, layout.frames
    while bins > COARSEST[0] and frames > COARSEST[1] and not (bins % 2 or frames % 2):
        halvings, bins, frames = halvings + 1, bins // 2, frames // 2
    return halvings + 1


def stage(progress: float) -> tuple[int, float]:
    """Give the finest level at work, and its weight; the level below has the rest.

    Examples
    --------
    >>> stage(2.0), stage(2.25)
    ((2, 1.0), (3, 0.25))
    """
    level = math.ceil(progress)
    return level, 1 - (level - progress)


def faded(pictures: Tensor, progress: float, levels: int) -> Tensor:
    """Show pictures as coarse as they are generated at some progress.

    Parameters
    ----------
    pictures : Tensor [shape=(n, 2, bins, frames)]
    progress : float [0 to levels - 1]
    levels : int

    Returns
    -------
    Tensor [shape=(n, 2, bins / 2^k, frames / 2^k)]
        With k from 0, at full progress, to levels - 1.
    """
    level, alpha = stage(progress)
    fine = F.avg_pool2d(pictures, 1 << (levels - 1 - level))
    return fine if alpha == 1 else _blend(fine, _doubled(F.avg_pool2d(fine, 2)), alpha)


def _blend(fine: Tensor, coarse: Tensor, alpha: float) -> Tensor:
    return alpha * fine + (1 - alpha) * coarse


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _channels(levels: int, most: int) -> list[int]:
    """Give the number of maps, from the coarsest level to the finest."""
    return [min(BASE >> level, most) for level in range(1, levels + 1)]


def _conv(of: int, to: int, kernel: int = 3) -> Conv:
    return Conv(of, to, kernel, gain=GAIN)


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


class _PixelNormed(nn.Module):
    """A rectifier, and then all maps of a point brought to a root mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        return pixel_norm(_lrelu(x)).to(x.dtype)


class _Synthesis(nn.Module):
    """Instruments and classes of pitch to pictures as coarse as progress has it."""

    def __init__(self, layout: Layout, code: int, classes: int, most: int) -> None:
        super().__init__()
        self.layout, self.classes, self.levels = layout, classes, levels_of(layout)
        sizes = _channels(self.levels, most)
        shape = layout.bins >> (self.levels - 1), layout.frames >> (self.levels - 1)
        self.start = nn.Parameter(torch.randn(code + classes, sizes[0], *shape))
        self.bias = nn.Parameter(torch.zeros(sizes[0]))
        self.activated = _PixelNormed()
        self.scale = GAIN / math.sqrt((code + classes) * math.prod(shape))
        self.convs = nn.ModuleList([nn.Sequential(_conv(sizes[0], sizes[0]), _PixelNormed())])
        for of, to in pairwise(sizes):
            self.convs.append(
                nn.Sequential(_conv(of, to), _PixelNormed(), _conv(to, to), _PixelNormed())
            )
        self.to_picture = nn.ModuleList(Conv(of, 2, 1) for of in sizes)

    def forward(self, w: Tensor, classes: Tensor, progress: float) -> Tensor:
        given = torch.cat([w, F.one_hot(classes, self.classes).to(w)], dim=1)
        # A convolution over one point among zeros, which leaves one weight for each place.
        x = F.conv_transpose2d(
            pixel_norm(given)[:, :, None, None], self.start * self.scale, self.bias
        )
        x = self.activated(x)
        last, alpha = stage(progress)
        coarse = x
        for level in range(last + 1):
            coarse = x
            x = self.convs[level](_doubled(x) if level else x)
        picture = self._drawn(x, last)
        if alpha == 1:
            return picture
        return _blend(picture, _doubled(self._drawn(coarse, last - 1)), alpha)

    def _drawn(self, x: Tensor, level: int) -> Tensor:
        picture: Tensor = self.to_picture[level](x).float().tanh()
        # Real pictures of the finest level, of which coarser ones are means, are so, too.
        return self.layout.heard(picture) if level == self.levels - 1 else picture


class ProgressiveGAN(nn.Module):
    """What plays: the generator of the source, with the surface of `gansynth_lite.model.GANSynth`.

    An instrument w is its noise, at a root mean square of 1: the source normalises it, too, but
    together with the pitch.

    Parameters
    ----------
    layout : dict
        Settings of `Layout`.
    most : int
        Maps of a level; finer ones have fewer: 4096 / 2^(k + 1).
    code : int
        Numbers of an instrument.
    low, high : int [MIDI]
        Lowest and highest pitch; each between is a class.
    """

    families: tuple[str, ...] = ()
    """The source knows none."""
    progress: Tensor
    """Levels that are grown, from 0; a new one has all."""

    def __init__(
        self,
        layout: dict[str, Any],
        most: int = 256,
        code: int = 256,
        low: int = 24,
        high: int = 84,
    ) -> None:
        super().__init__()
        self.config = {
            "layout": layout, "most": most, "code": code,
            "low": low, "high": high,
        }  # fmt: skip
        if not 0 <= low <= high <= 127:
            raise UsageError(f"There is no pitch from {low} to {high}.", hint="low=24, high=84")
        self.layout, self.code = Layout(**layout), code
        self.most, self.low, self.high = most, low, high
        self.synthesis = _Synthesis(self.layout, code, high - low + 1, most)
        self.register_buffer("progress", torch.tensor(float(self.synthesis.levels - 1)))

    def instruments(self, z: Tensor, families: Tensor | None = None) -> Tensor:
        """Give the instruments w [shape=(n, code)] of noise z [shape=(n, code)].

        Families are ignored.
        """
        return pixel_norm(z)

    def classes(self, pitch: Tensor) -> Tensor:
        """Give the nearest classes [shape=(n,)] of pitches [shape=(n,) or (n, frames), MIDI].

        A glide has that of its mean.
        """
        whole = pitch.float().reshape(len(pitch), -1).mean(dim=1).round()
        return whole.long().clamp(self.low, self.high) - self.low

    def forward(
        self,
        w: Tensor,
        pitch: Tensor,
        generator: torch.Generator | None = None,
        frames: int | None = None,
    ) -> Tensor:
        """Draw notes [shape=(n, 2, bins, frames)] of instruments.

        Parameters
        ----------
        w : Tensor [shape=(n, code)]
        pitch : Tensor [shape=(n,) or (n, frames), MIDI]
            The nearest of `low` to `high` is drawn.
        generator : torch.Generator, optional
            Ignored: nothing but w varies a note.
        frames : int, optional
            As many from the beginning, the same as in the whole; all when left out.
        """
        drawn = self.synthesis(w, self.classes(pitch), float(self.progress))
        whole = F.interpolate(drawn, size=(self.layout.bins, self.layout.frames), mode="nearest")
        return self.layout.heard(whole)[..., :frames]

    def encode(self, pictures: Tensor, pitch: Tensor) -> Tensor:
        """Raise an error: the source has no encoder.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(
            "The network of the source has no encoder, so no note tells its instrument at once.",
            hint="Find the instrument by inversion, or use a checkpoint of GANSynth.",
        )


class ProgressiveDiscriminator(nn.Module):
    """How real pictures look, and which pitch they have."""

    def __init__(self, model: ProgressiveGAN) -> None:
        super().__init__()
        layout, levels = model.layout, model.synthesis.levels
        most = model.most
        sizes = _channels(levels, most)
        self.from_picture = nn.ModuleList(_conv(2, to, 1) for to in sizes)
        # The coarsest level comes last, with one map of deviation.
        self.first, self.second = nn.ModuleList(), nn.ModuleList()
        for to, of in pairwise(sizes):
            self.first.append(_conv(of, of))
            self.second.append(_conv(of, to))
        self.last = _conv(sizes[0] + 1, sizes[0])
        cells = (layout.bins >> (levels - 1)) * (layout.frames >> (levels - 1))
        self.features = Linear(sizes[0] * cells, most, gain=GAIN)
        self.score = Linear(most, 1)
        self.pitch = Linear(most, model.synthesis.classes)

    def forward(self, pictures: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Give scores [shape=(n,), unbounded] and logits of pitches [shape=(n, classes)].

        Parameters
        ----------
        pictures : Tensor [shape=(n, 2, bins / 2^k, frames / 2^k)]
            As coarse as `faded` gives them.
        progress : float
        """
        last, alpha = stage(progress)
        x = _lrelu(self.from_picture[last](pictures))
        for level in range(last, 0, -1):
            x = _lrelu(self.first[level - 1](x))
            x = F.avg_pool2d(_lrelu(self.second[level - 1](x)), 2)
            if level == last and alpha < 1:
                coarse = self.from_picture[level - 1](F.avg_pool2d(pictures, 2))
                x = _blend(x, _lrelu(coarse), alpha)
        x = _lrelu(self.last(torch.cat([x, minibatch_deviation(x, eps=1e-6)], dim=1)))
        features = _lrelu(self.features(x.flatten(1)))
        return self.score(features).squeeze(1).float(), self.pitch(features).float()
