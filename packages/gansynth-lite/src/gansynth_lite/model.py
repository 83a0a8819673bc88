"""A GAN of single notes whose latent code is an instrument, for any pitch.

Engel et al., "GANSynth", ICLR 2019 (1902.08710) for what is generated; Karras et al., "Analyzing
and Improving the Image Quality of StyleGAN" (1912.04958) for modulation, skip and residual
networks, lazy R1 and averaged weights; Miyato and Koyama, "cGANs with Projection Discriminator"
(1802.05637).

    w = M(z, family)      an instrument, a point on a sphere
    x = G(w, pitch)       a note of it, a picture of `gansynth_lite.layout`
    w = E(x, pitch)       the instrument of a note
    D(x, pitch, family)   how real it looks

M makes G good between the instruments it has heard. What is played is drawn from where E puts
those (Ghosh et al., "From Variational to Deterministic Autoencoders", 1903.12436, section 4:
ex-post density estimation), since M strays from there: a mixture of the family's instruments c,

    w = sum_i a_i c_i        a = softmax(focus z . k)        z normal noise

k_i points from the middle of the family to c_i, so that neighbours are mixed first. Without focus
everything is the middle; with much, one of the known instruments.

Unlike the source, pitch is no class but a place: G and D see where its harmonics lie, so that
pitches between the keys and glides can be played. And E learns beside G: from one note of an
instrument, another of the same instrument at another pitch is to be made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.layout import MAPS, Layout
from groove_core.learning import minibatch_deviation, pixel_norm

__all__ = [
    "FOCUS", "Conv", "Discriminator", "GANSynth", "Linear", "lrelu", "mixed", "one_hot", "unlike",
]  # fmt: skip

FOCUS = 4.0
"""How much a drawn instrument is like few known ones, see above; chosen on validation notes."""
HIGH_RESOLUTION = 3
"""Levels, from the finest, that see where harmonics lie."""
MARGIN = 6
"""Frames beyond those wanted; doubling and convolutions of a level reach as far."""


class Linear(nn.Module):
    """A linear layer whose weights are scaled when used, so that all learn at one pace.

    Karras et al., "Progressive Growing of GANs" (1710.10196), section 4.1.
    """

    def __init__(self, of: int, to: int, *, bias: float = 0.0, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(to, of))
        self.bias = nn.Parameter(torch.full((to,), bias))
        self.scale = gain / math.sqrt(of)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class Conv(nn.Module):
    """A convolution that keeps the size, with weights as those of `Linear`."""

    def __init__(self, of: int, to: int, kernel: int = 3, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(to, of, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(to))
        self.scale = gain / math.sqrt(of * kernel**2)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


def lrelu(x: Tensor) -> Tensor:
    """Leaky rectifier that keeps the variance."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def one_hot(labels: Tensor, count: int) -> Tensor:
    """Return rows of one-hot weights; an unknown label (-1) has the same weight for all."""
    if not count:
        return torch.zeros(len(labels), 0, device=labels.device)
    known = F.one_hot(labels.clamp_min(0), count).float()
    return torch.where(labels[:, None] < 0, torch.full_like(known, 1 / count), known)


def mixed(z: Tensor, families: Tensor, codes: Tensor, groups: Tensor, focus: float) -> Tensor:
    """Return how much of each known instrument is in drawn ones [shape=(n, instruments)].

    Parameters
    ----------
    z : Tensor [shape=(n, code), normal noise]
    families : Tensor [shape=(n, families)]
        Weights, for example one-hot.
    codes : Tensor [shape=(instruments, code)]
    groups : Tensor [shape=(instruments,), int]
        Families of the known instruments; -1 where unknown. A family without any mixes all.
    focus : float
        See `FOCUS`.
    """
    weights = families if families.shape[1] else torch.ones_like(z[:, :1])
    member = groups == torch.arange(weights.shape[1], device=groups.device)[:, None]
    member = torch.where(member.any(dim=1, keepdim=True), member, True).float()
    middles = member @ codes / member.sum(dim=1, keepdim=True)
    known = (groups >= 0)[:, None]
    middle = torch.where(known, middles[groups.clamp_min(0)], codes.mean(dim=0))
    scores = focus * z @ F.normalize(codes - middle).mT
    return (scores + (weights @ member).log()).softmax(dim=1)


def unlike(w: Tensor, other: Tensor) -> Tensor:
    """Give how far instruments are from each other: 0 the same, 1 nothing in common."""
    return 1 - F.cosine_similarity(w.float(), other.float()).mean()


class _Modulated(nn.Module):
    """A convolution whose input maps a style weighs, and whose output is as loud as before.

    With some noise, for what no code can tell, such as breath.
    """

    def __init__(self, of: int, to: int, style: int) -> None:
        super().__init__()
        self.conv = Conv(of, to)
        self.style = Linear(style, of, bias=1.0)
        self.loudness = nn.Parameter(torch.zeros(to))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        weights = self.style(style)
        weight = self.conv.weight * self.conv.scale
        # The same as scaling the weights of each example (1912.04958, eq. 1 and 3).
        energy = weights.float().square() @ weight.float().square().sum(dim=(2, 3)).mT
        x = F.conv2d(x * weights[:, :, None, None].to(x.dtype), weight, padding=1)
        scale = (math.sqrt(2) * torch.rsqrt(energy + 1e-8))[:, :, None, None].to(x.dtype)
        bias = self.conv.bias[:, None, None] + self.loudness[:, None, None] * noise
        return F.leaky_relu(torch.addcmul(bias.to(x.dtype), x, scale), 0.2)


def _channels(levels: int, width: int, most: int) -> list[int]:
    """Give the number of maps, from the coarsest level to the finest."""
    return [min(width * 2**level, most) for level in reversed(range(levels))]


def _levels(layout: Layout) -> int:
    """Give how often pictures are halved: to 16 or fewer bins, and at least 2 frames."""
    return int(min(math.log2(layout.bins) - 3, math.log2(layout.frames)))


class _Synthesis(nn.Module):
    """Instruments and pitches to pictures: a coarse one is doubled, and each level adds to it."""

    def __init__(self, layout: Layout, code: int, width: int, most: int) -> None:
        super().__init__()
        self.layout = layout
        levels = _levels(layout)
        sizes = _channels(levels, width, most)
        self.shape = layout.bins >> (levels - 1), layout.frames >> (levels - 1)
        self.start = nn.Parameter(torch.randn(1, sizes[0], *self.shape))
        self.style = nn.Sequential(Linear(code + PITCH_FEATURES, code), nn.LeakyReLU(0.2))
        self.first, self.second = nn.ModuleList(), nn.ModuleList()
        self.to_picture = nn.ModuleList()
        for level, (of, to) in enumerate(pairwise([sizes[0], *sizes])):
            maps = MAPS if level >= levels - HIGH_RESOLUTION else 0
            self.first.append(_Modulated(of, to, code))
            self.second.append(_Modulated(to + maps, to, code))
            # Frequency is drawn at the finest level only: coarser, it has no meaning.
            self.to_picture.append(Conv(to + maps, 1 + (level == levels - 1), 1, gain=0.5))

    def forward(
        self,
        w: Tensor,
        pitch: Tensor,
        generator: torch.Generator | None = None,
        frames: int | None = None,
    ) -> Tensor:
        x = self.start.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        style = self.style(torch.cat([w, pitch_features(pitch)], dim=1))
        levels = len(self.first)
        maps = _pyramid(self.layout.harmonics(pitch), self.layout.frames, HIGH_RESOLUTION)
        magnitude = drawn = torch.zeros(1, 1, *self.shape, device=w.device)
        for level in range(levels):
            # The first convolution works on the coarser picture: a fourth of the work.
            x = self.first[level](x, style, _noise(x, generator))
            if level:
                x, magnitude = _doubled(x), _doubled(magnitude)
            # A short note needs the beginning only, and a few frames more to be as in the whole.
            kept = MARGIN + -(-(frames or self.layout.frames) >> (levels - 1 - level))
            x, magnitude = x[..., :kept], magnitude[..., :kept]
            fine = level - (levels - HIGH_RESOLUTION)
            with_maps = [maps[fine][..., :kept].to(x.dtype)] if fine >= 0 else []
            x = self.second[level](torch.cat([x, *with_maps], dim=1), style, _noise(x, generator))
            drawn = self.to_picture[level](torch.cat([x, *with_maps], dim=1)).float()
            magnitude = magnitude + drawn[:, :1]
        picture = torch.cat([magnitude.tanh(), drawn[:, 1:]], dim=1)
        return self.layout.heard(picture[..., :frames])


PITCH_FEATURES = 7


def pitch_features(pitch: Tensor) -> Tensor:
    """Give the register [shape=(n, 7)] of pitches, of which a glide has its mean."""
    place = (pitch.float().reshape(len(pitch), -1).mean(dim=1, keepdim=True) - 54) / 30
    turns = math.pi * place * torch.tensor([0.5, 1.0, 2.0], device=place.device)
    return torch.cat([place, turns.sin(), turns.cos()], dim=1)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _noise(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw one map of noise for each example; none without a generator."""
    if generator is None:
        return torch.zeros((), device=x.device)
    shape = (len(x), 1, *x.shape[2:])
    return torch.randn(shape, generator=generator, device=generator.device).to(x.device)


def _pyramid(maps: Tensor, frames: int, levels: int) -> list[Tensor]:
    """Give maps at several resolutions, the coarsest first."""
    maps = maps.expand(-1, -1, -1, frames)
    found = [maps]
    for _ in range(levels - 1):
        maps = F.avg_pool2d(maps, 2)
        found.append(maps)
    return [m.contiguous(memory_format=torch.channels_last) for m in reversed(found)]


class _Downward(nn.Module):
    """Pictures to features: two convolutions with a halving between them, beside a short cut."""

    def __init__(self, of: int, to: int) -> None:
        super().__init__()
        self.first, self.second = Conv(of, of), Conv(of, to)
        self.skip = Conv(of, to, 1)

    def forward(self, x: Tensor) -> Tensor:
        short: Tensor = self.skip(F.avg_pool2d(x, 2))
        long: Tensor = lrelu(self.second(F.avg_pool2d(lrelu(self.first(x)), 2)))
        both: Tensor = (long + short) * math.sqrt(0.5)
        return both


class _Encoder(nn.Module):
    """A note and its pitch to its instrument; looks at log magnitude only."""

    def __init__(self, layout: Layout, code: int, width: int, most: int) -> None:
        super().__init__()
        self.layout = layout
        levels = _levels(layout) - 1
        sizes = _channels(levels, width, most)[::-1]
        self.start = Conv(1 + MAPS, sizes[0])
        self.blocks = nn.Sequential(*(_Downward(of, to) for of, to in pairwise(sizes)))
        self.head = nn.Sequential(
            Linear(2 * sizes[-1] + PITCH_FEATURES, 2 * code), nn.LeakyReLU(0.2),
            Linear(2 * code, code),
        )  # fmt: skip

    def forward(self, pictures: Tensor, pitch: Tensor) -> Tensor:
        # Half the resolution tells an instrument as well, at a fourth of the work.
        maps = _pyramid(self.layout.harmonics(pitch), self.layout.frames, 2)[0]
        x = torch.cat([F.avg_pool2d(pictures[:, :1], 2), maps], dim=1)
        x = self.blocks(lrelu(self.start(x.contiguous(memory_format=torch.channels_last))))
        loudest, mean = x.amax(dim=(2, 3)).float(), x.mean(dim=(2, 3)).float()
        return pixel_norm(self.head(torch.cat([loudest, mean, pitch_features(pitch)], dim=1)))


class GANSynth(nn.Module):
    """What plays: mapping, generator and encoder; the averages of what was trained.

    Parameters
    ----------
    layout : dict
        Settings of `Layout`.
    families : sequence of str
        Names; may be empty.
    width : int
        Maps at the finest level; each coarser one has twice as many, up to `most`.
    code : int
        Numbers of an instrument.
    low, high : int [MIDI]
        Lowest and highest pitch that it plays.
    known : int
        Instruments of which new ones are mixed. Checkpoints from before have none, but a normal
        distribution for each family.
    focus : float
        See `FOCUS`.
    """

    def __init__(
        self,
        layout: dict[str, Any],
        families: Sequence[str] = (),
        width: int = 16,
        most: int = 192,
        code: int = 128,
        low: int = 24,
        high: int = 84,
        known: int = 0,
        focus: float = FOCUS,
    ) -> None:
        super().__init__()
        self.known: Tensor
        self.groups: Tensor
        self.centres: Tensor
        self.spreads: Tensor
        self.config: dict[str, Any] = {
            "layout": layout, "families": list(families), "width": width, "most": most,
            "code": code, "low": low, "high": high, "known": known, "focus": focus,
        }  # fmt: skip
        self.layout, self.families, self.code = Layout(**layout), tuple(families), code
        self.low, self.high, self.focus = low, high, focus
        self.mapping = nn.Sequential(
            Linear(code + len(families), 2 * code), nn.LeakyReLU(0.2),
            Linear(2 * code, 2 * code), nn.LeakyReLU(0.2),
            Linear(2 * code, code),
        )  # fmt: skip
        self.synthesis = _Synthesis(self.layout, code, width, most)
        self.encoder = _Encoder(self.layout, code, width, most // 2)
        groups = max(1, len(families))
        if known:
            self.register_buffer("known", torch.ones(known, code))
            self.register_buffer("groups", torch.zeros(known, dtype=torch.long))
        else:
            self.register_buffer("centres", torch.zeros(groups, code))
            self.register_buffer("spreads", torch.eye(code).repeat(groups, 1, 1))

    def reaching(self, pitches: npt.NDArray[np.int64]) -> GANSynth:
        """Extend the range so that the model plays some pitches [MIDI], too; return the model."""
        self.low = min(self.low, int(pitches.min()))
        self.high = max(self.high, int(pitches.max()))
        self.config |= {"low": self.low, "high": self.high}
        return self

    def instruments(self, z: Tensor, families: Tensor) -> Tensor:
        """Draw instruments w [shape=(n, code)] where those of the training lie.

        Parameters
        ----------
        z : Tensor [shape=(n, code), normal noise]
        families : Tensor [shape=(n, families)]
            Weights, for example one-hot.
        """
        if self.config["known"]:
            shares = mixed(z, families, self.known, self.groups, self.focus)
            return pixel_norm(shares @ self.known)
        weights = families if families.shape[1] else torch.ones_like(z[:, :1])
        centre = weights @ self.centres
        return pixel_norm(centre + torch.einsum("nf,fcd,nd->nc", weights, self.spreads, z))

    @torch.no_grad()
    def settle(self, codes: Tensor, groups: Tensor) -> None:
        """Keep the instruments of which new ones are mixed.

        Parameters
        ----------
        codes : Tensor [shape=(n, code)]
            Of the instruments of training notes.
        groups : Tensor [shape=(n,), int]
            Families; -1 where unknown, which counts for none.
        """
        for old in ("centres", "spreads", "known", "groups"):
            self._buffers.pop(old, None)
        device = next(self.parameters()).device
        self.register_buffer("known", codes.to(device).clone())
        self.register_buffer("groups", groups.to(device).clone())
        self.config |= {"known": len(codes), "focus": self.focus}

    def mapped(self, z: Tensor, families: Tensor) -> Tensor:
        """Give the instruments M(z, family), see `instruments`; what the training draws."""
        # Few families shall weigh as much as the many numbers of the noise.
        gain = math.sqrt(self.code)
        w: Tensor = self.mapping(torch.cat([pixel_norm(z), gain * families], dim=1))
        return pixel_norm(w.float())

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
            Need not be whole; one for each frame is a glide.
        generator : torch.Generator, optional
            Of the noise in a note; there is none when left out.
        frames : int, optional
            As many from the beginning, the same as in the whole; all when left out.
        """
        drawn: Tensor = self.synthesis(w, pitch, generator, frames)
        return drawn

    def encode(self, pictures: Tensor, pitch: Tensor) -> Tensor:
        """Give the instruments w [shape=(n, code)] of notes."""
        w: Tensor = self.encoder(pictures, pitch)
        return w


class Discriminator(nn.Module):
    """How real notes look for their pitch and family [shape=(n,)], unbounded."""

    def __init__(self, model: GANSynth, group: int = 8) -> None:
        super().__init__()
        layout, width, most = (model.config[k] for k in ("layout", "width", "most"))
        self.layout, self.group = Layout(**layout), group
        levels = _levels(self.layout)
        sizes = _channels(levels, width, most)[::-1]
        self.start = Conv(2 + MAPS, sizes[0])
        self.blocks = nn.Sequential(*(_Downward(of, to) for of, to in pairwise(sizes)))
        self.last = Conv(sizes[-1] + 1, sizes[-1])
        cells = (self.layout.bins >> (levels - 1)) * (self.layout.frames >> (levels - 1))
        self.features = Linear(sizes[-1] * cells, most)
        self.score = Linear(most, 1)
        self.wanted = Linear(PITCH_FEATURES + len(model.families), most)

    def forward(self, pictures: Tensor, pitch: Tensor, families: Tensor) -> Tensor:
        maps = self.layout.harmonics(pitch).expand(-1, -1, -1, pictures.shape[-1])
        x = torch.cat([pictures, maps], dim=1).contiguous(memory_format=torch.channels_last)
        x = self.blocks(lrelu(self.start(x)))
        x = lrelu(self.last(torch.cat([x, minibatch_deviation(x, group=self.group)], dim=1)))
        features = lrelu(self.features(x.flatten(1)))
        wanted = self.wanted(torch.cat([pitch_features(pitch), math.sqrt(8) * families], dim=1))
        fitting = (features * wanted).sum(dim=1) / math.sqrt(features.shape[1])
        score: Tensor = self.score(features).squeeze(1).float() + fitting.float()
        return score
