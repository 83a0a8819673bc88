"""The symbolic twin: a small sequence VAE of how notes are played.

After GrooVAE (J. Gillick, A. Roberts, J. Engel, D. Eck and D. Bamman, "Learning to Groove
with Inverse Sequence Transformations", ICML 2019, arXiv:1905.06118): a bidirectional LSTM
reads two bars of a performance, a Gaussian z holds its feel, and a recurrent decoder gives
velocities and offsets back. Three things differ:

- The decoder is given the notes, as *humanize* wants it: z holds the feel alone, and the
  cross-entropy of hits drops out of the loss, since every hit is kept.
- For each hit it gives a mixture of Gaussians over (offset, velocity) instead of one value:
  squared error gives one average, whose distribution is far too narrow.
- For part of each batch z is left out. Decoded without z, the mixture is the distribution
  over all ways of playing these notes; its mean is the best single guess. Decoded with a z
  drawn from N(0, I), it is one coherent way.

The VAE is that of D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.special import ndtr

from groove_core.drums import KIT_DRUMS
from groove_core.errors import UsageError, did_you_mean
from groove_vae.noise import bar_noise
from groove_vae.symbolic import BARS, INSIDE, STEPS, STEPS_PER_BAR, Grid

__all__ = ["Feel", "Twin", "active_units", "as_feel", "kl_divergence", "play"]

DRUMS = len(KIT_DRUMS)
SIDE = STEPS_PER_BAR + 1
"""Inputs beside the notes: place in the bar (one of 16) and tempo."""
MIN_LOG_SIGMA = math.log(0.02)
"""In half sixteenths, and in units of the whole velocity range: below what MIDI resolves."""
ACTIVE_KL = 0.01
"""Nats that an active dimension carries at least, where nothing is free."""
HALVINGS = 24
"""Of the range of a quantile, which is then known to a millionth."""
TEMPO_RANGE = 40, 300
"""In bpm; the performances are between 50 and 290, and outside nothing was learnt."""


@dataclass(frozen=True)
class Feel:
    """A mixture of Gaussians over (offset, velocity) for each step and drum.

    Parameters
    ----------
    log_weight : Tensor [shape=(n, steps, 9, components)]
    mean, log_sigma : Tensors [shape=(n, steps, 9, components, 2)]
        Of the offset (half sixteenths, positive is late) and the velocity (0 to 1).
    """

    log_weight: Tensor
    mean: Tensor
    log_sigma: Tensor

    def log_prob(self, played: Tensor) -> Tensor:
        """Give the log density of (offset, velocity) [shape=(n, steps, 9, 2)], in nats."""
        z = (played[..., None, :] - self.mean) * (-self.log_sigma).exp()
        each = -0.5 * z.square() - self.log_sigma - 0.5 * math.log(2 * math.pi)
        density: Tensor = torch.logsumexp(self.log_weight + each.sum(dim=-1), dim=-1)
        return density

    def expected(self) -> Tensor:
        """Give the mean (offset, velocity) [shape=(n, steps, 9, 2)]."""
        return (self.log_weight.exp()[..., None] * self.mean).sum(dim=-2)

    def at(self, struck: Tensor) -> Feel:
        """Return the mixtures of some cells only [shape=(hits,)], chosen by a mask."""
        return Feel(self.log_weight[struck], self.mean[struck], self.log_sigma[struck])

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Turn standard normal noise into (offset, velocity) [shape=(..., 2)] on the CPU.

        The velocity is the quantile of its mixture at which the noise lies, and the offset that
        of the mixture given the velocity. An offset stays inside its step. So each hit is
        distributed as the mixture says, and hits with similar noise are played alike.

        Source: M. Rosenblatt, "Remarks on a Multivariate Transformation", Annals of
        Mathematical Statistics 23, 1952.

        Parameters
        ----------
        noise : Tensor [shape=(..., 2)]
            Of offset and velocity.
        temperature : float
            Scales the spread of the components, and flattens or sharpens their weights.
        """
        temperature = max(temperature, 1e-3)
        weight, mean, log_sigma = (
            t.cpu().double() for t in (self.log_weight, self.mean, self.log_sigma)
        )
        center, middle = mean.unbind(dim=-1)
        spread, width = (temperature * log_sigma.exp()).unbind(dim=-1)
        before = ndtr((-1 - center) / spread)
        inside = (ndtr((1 - center) / spread) - before).clamp(min=1e-12)
        log_weight = weight / temperature + inside.log()
        late, loud = ndtr(noise.double()).unbind(dim=-1)

        chance = log_weight.softmax(dim=-1)

        def velocities_below(x: Tensor) -> Tensor:
            share: Tensor = chance * ndtr((x[..., None] - middle) / width)
            return share.sum(dim=-1)

        velocity = _quantile(velocities_below, loud, -1, 2)
        z = (velocity[..., None] - middle) / width
        given = (log_weight - 0.5 * z.square() - width.log()).softmax(dim=-1) / inside

        def offsets_below(x: Tensor) -> Tensor:
            share: Tensor = given * (ndtr((x[..., None] - center) / spread) - before)
            return share.sum(dim=-1)

        return torch.stack([_quantile(offsets_below, late, -1, 1), velocity], dim=-1)


def _quantile(below: Callable[[Tensor], Tensor], share: Tensor, low: float, high: float) -> Tensor:
    """Find where a distribution function reaches shares, between two values, by bisection."""
    left, right = torch.full_like(share, low), torch.full_like(share, high)
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        further = below(middle) < share
        left, right = torch.where(further, middle, left), torch.where(further, right, middle)
    return (left + right) / 2


class Encoder(nn.Module):
    """Reads a performance: a bidirectional LSTM, averaged over time."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * DRUMS + SIDE, hidden, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * hidden, 2 * latent)

    def forward(self, windows: Tensor, tempo_bpm: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log-variance of z [shape=(n, latent)] for windows [(n, steps, 27)]."""
        states, _ = self.lstm(torch.cat([windows, _side(windows, tempo_bpm)], dim=2))
        mean, log_variance = self.out(states.mean(dim=1)).chunk(2, dim=1)
        return mean, log_variance


class Decoder(nn.Module):
    """Gives the feel of notes: a bidirectional LSTM over notes, z, style and drummer."""

    def __init__(
        self, hidden: int, latent: int, styles: int, drummers: int, components: int
    ) -> None:
        super().__init__()
        self.components = components
        # The first of each stands for unknown.
        self.style = nn.Embedding(styles + 1, 8)
        self.drummer = nn.Embedding(drummers + 1, 8)
        # A z that is left out is replaced by a learnt one, at a place where none is drawn.
        self.no_z = nn.Parameter(torch.zeros(latent))
        self.lstm = nn.LSTM(
            DRUMS + SIDE + latent + 1 + 16, hidden, bidirectional=True, batch_first=True
        )
        self.out = nn.Sequential(
            nn.Linear(2 * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, DRUMS * components * 5),
        )

    def forward(
        self,
        hits: Tensor,
        tempo_bpm: Tensor,
        style: Tensor,
        drummer: Tensor,
        z: Tensor,
        with_z: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Give the parameters of `Feel` [shape=(n, steps, 9, components, 5)].

        Parameters
        ----------
        hits : Tensor [shape=(n, steps, 9), 0 or 1]
        tempo_bpm : Tensor [shape=(n,)]
        style, drummer : int Tensors [shape=(n,), 0 for unknown]
        z : Tensor [shape=(n, latent)]
        with_z : bool Tensor [shape=(n,)]
            Where z is left out, it has no influence.
        mask : Tensor [shape=(n, steps, 2 * hidden)], optional
            Factors for what the LSTM gives: dropout, whose chances the caller draws.
        """
        z = torch.where(with_z[:, None], z, self.no_z)
        whole = torch.cat([z, with_z[:, None], self.style(style), self.drummer(drummer)], dim=1)
        still = whole[:, None].expand(-1, hits.shape[1], -1)
        states, _ = self.lstm(torch.cat([hits, _side(hits, tempo_bpm), still], dim=2))
        states = states if mask is None else states * mask
        out: Tensor = self.out(states).unflatten(2, (DRUMS, self.components, 5))
        return out


def _side(steps: Tensor, tempo_bpm: Tensor) -> Tensor:
    """Give place in the bar and tempo, in octaves above 110 bpm [shape=(n, steps, 17)]."""
    n, length, _ = steps.shape
    place = torch.arange(length, device=steps.device) % STEPS_PER_BAR
    bar = nn.functional.one_hot(place, STEPS_PER_BAR).to(steps).expand(n, -1, -1)
    tempo = (tempo_bpm / 110).log2()[:, None, None].expand(-1, length, -1)
    return torch.cat([bar, tempo], dim=2)


class Twin(nn.Module):
    """Encoder and decoder, with the names of the styles and drummers they know.

    Parameters
    ----------
    styles, drummers : sequences of str
    hidden : int
        Units of each direction of the two LSTMs.
    latent : int
        Dimensions of z.
    components : int
        Gaussians per hit.
    """

    def __init__(
        self,
        *,
        styles: Sequence[str],
        drummers: Sequence[str],
        hidden: int = 128,
        latent: int = 16,
        components: int = 3,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "styles": list(styles),
            "drummers": list(drummers),
            "hidden": hidden,
            "latent": latent,
            "components": components,
        }
        self.styles, self.drummers = tuple(styles), tuple(drummers)
        self.latent = latent
        self.encoder = Encoder(hidden, latent)
        self.decoder = Decoder(hidden, latent, len(styles), len(drummers), components)

    def check(self, style: str | None, drummer: str | None) -> None:
        """Raise a UsageError for a style or a drummer that the model does not know."""
        for what, name, names in (
            ("style", style, self.styles),
            ("drummer", drummer, self.drummers),
        ):
            if name is not None and name not in names:
                near = did_you_mean(name, names, form=f"--{what} {{}}")
                raise UsageError(
                    f"The model knows no {what} {name!r}.",
                    hint=near or f"There is {', '.join(names)}.",
                )

    def feel(
        self,
        hits: Tensor,
        tempo_bpm: Tensor,
        *,
        style: str | None = None,
        drummer: str | None = None,
        z: Tensor | None = None,
    ) -> Feel:
        """Give how notes are played, in one style and by one drummer if they are named.

        Parameters
        ----------
        hits : Tensor [shape=(n, steps, 9), 0 or 1]
        tempo_bpm : Tensor [shape=(n,)]
        style, drummer : str, optional
            One of `styles` and `drummers`.
        z : Tensor [shape=(latent,)], optional
            One way of playing; over all ways when left out.
        """
        n = len(hits)
        index = torch.full((2, n), 0, device=hits.device)
        index[0] += 0 if style is None else 1 + self.styles.index(style)
        index[1] += 0 if drummer is None else 1 + self.drummers.index(drummer)
        given = torch.full((n,), z is not None, device=hits.device)
        code = torch.zeros(self.latent) if z is None else z
        code = code.to(hits).expand(n, -1)
        return as_feel(self.decoder(hits, tempo_bpm, *index, code, given))


def as_feel(out: Tensor) -> Feel:
    """Read the decoder's numbers as a mixture."""
    return Feel(
        log_weight=out[..., 0].log_softmax(dim=-1),
        mean=out[..., 1:3],
        log_sigma=MIN_LOG_SIGMA + nn.functional.softplus(out[..., 3:5] + 2.0),
    )


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, I)) of each dimension [shape=(n, d)], in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def active_units(kl: Tensor, free_bits: float) -> Tensor:
    """Count the dimensions that carry something: their KL is above twice what is free.

    A dimension that carries nothing comes to rest on the nats that the loss leaves free, and
    its mean varies there as much as that allows. A threshold on the variance of means, as in Y.
    Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, counts
    it; this one does not.

    Parameters
    ----------
    kl : Tensor [shape=(d,)]
        Mean over windows or frames, in nats.
    free_bits : float [nats]
    """
    return (kl > max(2 * free_bits, ACTIVE_KL)).sum()


def play(
    model: Twin,
    hit: npt.NDArray[np.bool_],
    tempo_bpm: npt.NDArray[np.float64],
    *,
    style: str | None = None,
    drummer: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Grid:
    """Play a part of any length, two bars at a time, with one z throughout.

    The noise of each drum is alike from bar to bar (`bar_noise`), so that the part is as steady
    as a drummer plays it.

    Parameters
    ----------
    model : Twin
    hit : bool array [shape=(16 * bars, 9)]
    tempo_bpm : float array [shape=(bars,)]
    style, drummer : str, optional
        One of the model's.
    temperature : float
        Spread of z and of every hit. At 0, the mean over all ways of playing, each bar
        seen as the first and as the second of two.
    seed : int

    Returns
    -------
    Grid
        With velocity and offset where there are hits.
    """
    bars = len(hit) // STEPS_PER_BAR
    padded = np.pad(hit, ((0, STEPS_PER_BAR), (0, 0))) if bars == 1 else hit
    last = len(padded) // STEPS_PER_BAR - BARS
    # An odd bar at the end is played as the second of the last two.
    first_bar = (
        np.arange(last + 1) if temperature == 0 else np.minimum(np.arange(0, last + 2, 2), last)
    )
    step = first_bar[:, None] * STEPS_PER_BAR + np.arange(STEPS)
    device = model.decoder.no_z.device
    tempo = torch.from_numpy(tempo_bpm[np.minimum(first_bar, bars - 1)].clip(*TEMPO_RANGE)).float()
    notes = torch.from_numpy(padded[step]).float()
    generator = torch.Generator().manual_seed(seed)
    z = None if temperature == 0 else temperature * torch.randn(model.latent, generator=generator)
    noise = bar_noise(len(padded) // STEPS_PER_BAR, generator)
    played = torch.zeros(*padded.shape, 2, dtype=torch.float64)
    times = torch.zeros(len(padded), 1, 1)
    with torch.no_grad():
        for at in torch.arange(len(first_bar)).split(512):
            feel = model.feel(
                notes[at].to(device), tempo[at].to(device), style=style, drummer=drummer, z=z
            )
            here = torch.from_numpy(step)[at]
            if temperature == 0:
                played.index_add_(0, here.flatten(), feel.expected().double().cpu().flatten(0, 1))
                times.index_add_(0, here.flatten(), torch.ones(here.numel(), 1, 1))
            else:
                struck = notes[at] > 0
                drawn = torch.zeros(*struck.shape, 2, dtype=torch.float64)
                hits = feel.at(struck.to(device))
                drawn[struck] = hits.sample(noise[here][struck], temperature)
                played[here] = drawn
                played[here[-1]] = drawn[-1]  # where the last two overlap, the last one
    if temperature == 0:
        played /= times
    offset, velocity = played[: len(hit)].numpy().transpose(2, 0, 1)
    return Grid(hit, velocity.clip(1 / 127, 1) * hit, offset.clip(*INSIDE) * hit)
