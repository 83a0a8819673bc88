"""MusicVAE: a latent space of melodies, beats and trios.

    q(z | x) = N(mu, sigma^2),  mu = W_mu h + b_mu,  sigma = softplus(W_sigma h + b_sigma)
    z = mu + sigma e,  e ~ N(0, I)
    p(x | z) as in `music_vae.decoders`, h as in `music_vae.encoders`, p(z) as in `music_vae.prior`

A. Roberts, J. Engel, C. Raffel, C. Hawthorne and D. Eck, "A Hierarchical Latent Vector Model for
Learning Long-Term Structure in Music", ICML 2018 (1803.05428).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.errors import UsageError
from music_vae.alphabets import VOICES
from music_vae.attributes import attributes_of
from music_vae.decoders import STEPS_PER_BAR, ConductorDecoder, FlatDecoder, Pick, draw
from music_vae.encoders import BarEncoder, FlatEncoder, ShareEncoder
from music_vae.flow import Flow
from music_vae.likeness import Likeness
from music_vae.prior import Prior, forms_of

__all__ = ["MusicVAE"]

FIRST_BIAS = -2.0
"""Of sigma, which begins near 0.13: the decoder hears of a code at once. With 0, as in the paper,
sigma begins at 0.7, and codes drown in noise.
"""
FORMS = 256
"""Pieces whose forms are kept."""
FAR = 6e4
"""No attribute is so far from 0; and half precision, in which weights are stored, reaches it."""
LEAST_DEVIATION = 1e-6
"""So that the logarithm of a deviation stays finite."""


class MusicVAE(nn.Module):
    """Encoder, decoder and prior, and what is known of the music that was learnt.

    Parameters
    ----------
    voices : sequence of str
        Of ``melody``, ``bass`` and ``drums``, in this order.
    bars : int
        Length of all pieces, in bars of 4/4.
    latent : int
        Dimensions of the space.
    encoder : int
        Width of the encoder's LSTM, each way.
    by_bar : bool
        Whether the encoder reads bars, and then their sequence.
    decoder, layers : int
        Width and layers of the LSTM of each voice.
    conductor : int
        Width of the conductor's LSTM; 0: a flat decoder.
    listens : int
        Size of the summary that a bar has of the bar before; 0: none.
    plan : int
        Numbers that each step is told of its own, while each bar has its own share of the code; 0:
        the networks of the paper. The encoder then reads a bar at once.
    flow : int
        Width of the flow from normal numbers to codes.
    """

    prior_mean: Tensor
    prior_deviation: Tensor
    forms: Tensor
    attribute_ranges: Tensor
    chorus_weights: Tensor
    chorus_bias: Tensor

    def __init__(
        self,
        *,
        voices: Sequence[str] = ("melody",),
        bars: int = 2,
        latent: int = 64,
        encoder: int = 256,
        by_bar: bool = False,
        decoder: int = 256,
        layers: int = 1,
        conductor: int = 0,
        listens: int = 0,
        plan: int = 0,
        flow: int = 96,
    ) -> None:
        super().__init__()
        if not voices or [voice for voice in VOICES if voice in voices] != list(voices):
            raise UsageError(
                f"There are no voices {', '.join(voices) or '(none)'}.",
                hint="Use some of melody, bass and drums, in this order.",
            )
        if listens and not conductor:
            raise UsageError(
                "Only bars with a conductor can listen to each other.", hint="Give conductor=256."
            )
        if plan and (not conductor or latent % bars):
            raise UsageError(
                f"{bars} bars cannot have shares of a code of {latent} without a conductor."
                if not conductor
                else f"A code of {latent} cannot be shared by {bars} bars.",
                hint=f"Give conductor=128, and a latent that is a multiple of {bars}.",
            )
        share = latent // bars if plan else 0
        self.config: dict[str, Any] = {
            "voices": list(voices), "bars": bars, "latent": latent, "encoder": encoder,
            "by_bar": by_bar, "decoder": decoder, "layers": layers, "conductor": conductor,
            "listens": listens, "plan": plan, "flow": flow,
        }  # fmt: skip
        self.voices, self.bars, self.latent = tuple(voices), bars, latent
        self.steps = bars * STEPS_PER_BAR
        kind = ShareEncoder if plan else BarEncoder if by_bar else FlatEncoder
        self.encoder: ShareEncoder | BarEncoder | FlatEncoder = kind(voices, encoder)
        self.mean = nn.Linear(self.encoder.size, share or latent)
        self.deviation = nn.Linear(self.encoder.size, share or latent)
        nn.init.normal_(self.mean.weight, std=self.encoder.size**-0.5)
        nn.init.zeros_(self.mean.bias)
        nn.init.constant_(self.deviation.bias, FIRST_BIAS)
        self.decoder: FlatDecoder | ConductorDecoder
        if conductor:
            self.decoder = ConductorDecoder(
                voices, latent=latent, conductor=conductor, size=decoder, layers=layers,
                listens=listens, plan=plan, share=share,
            )  # fmt: skip
        else:
            self.decoder = FlatDecoder(voices, latent=latent, size=decoder, layers=layers)
        self.flow = Flow(bars if plan else 1, latent, size=flow)
        self.register_buffer("prior_mean", torch.zeros(latent))
        self.register_buffer("prior_deviation", torch.ones(latent))
        # Filled after the training; until then no bar repeats another, all attributes are known,
        # and choruses are not.
        own = torch.arange(self.flow.shares, dtype=torch.int16)
        self.register_buffer("forms", own.repeat(FORMS, 1))
        self.attributes = tuple(attributes_of(voices))
        known = torch.tensor([-FAR, FAR]).repeat(len(self.attributes), 1)
        self.register_buffer("attribute_ranges", known)
        self.register_buffer("chorus_weights", torch.zeros(latent))
        self.register_buffer("chorus_bias", torch.zeros(()))

    @property
    def prior(self) -> Prior:
        """The distribution of codes of music."""
        return Prior(self.flow, self.prior_mean, self.prior_deviation, self.forms)

    @torch.no_grad()
    def set_prior(self, prior: Prior) -> None:
        """Keep a prior with the same flow and the same forms."""
        self.prior_mean.copy_(prior.mean)
        self.prior_deviation.copy_(prior.deviation)

    @torch.no_grad()
    def learn_forms(self, events: npt.ArrayLike) -> None:
        """Keep the forms of some pieces [shape=(n, voices, steps)], if bars have shares."""
        if self.flow.shares > 1:
            self.forms.copy_(forms_of(events, FORMS))

    @property
    def likeness(self) -> Likeness:
        """What codes say of choruses: nothing, if all weights are 0."""
        return Likeness(self.chorus_weights, self.chorus_bias)

    @torch.no_grad()
    def set_likeness(self, likeness: Likeness) -> None:
        """Keep a reading of choruses."""
        self.chorus_weights.copy_(likeness.weights)
        self.chorus_bias.copy_(likeness.bias)

    def encode(self, events: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the posterior.

        Parameters
        ----------
        events : int tensor [shape=(n, voices, steps)]

        Returns
        -------
        mean, deviation : Tensor [each shape=(n, latent)]
        """
        h = self.encoder(events)
        # Where bars have shares of the code, h is that of each bar.
        deviation = F.softplus(self.deviation(h)) + LEAST_DEVIATION
        return self.mean(h).flatten(1), deviation.flatten(1)

    def forward(
        self,
        events: Tensor,
        noise: Tensor,
        way: tuple[Tensor, Tensor] | None = None,
        **told: Any,
    ) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """Return the logits of each voice under teacher forcing, the posterior, and its flow.

        Parameters
        ----------
        events : int tensor [shape=(n, voices, steps)]
        noise : Tensor [shape=(n, latent)]
            Normal numbers e of z = mu + sigma e.
        way : two Tensors [shape=(n, draws, latent) and (n, draws)], optional
            Normal numbers and times from which the flow learns, see `Flow.loss`.
        told
            What the decoder's ``forward`` takes besides.

        Returns
        -------
        logits : list of Tensor [each shape=(n, steps, classes)]
        mean, deviation : Tensor [each shape=(n, latent)]
        flow : Tensor [shape=(n,)]
            Loss of the flow; 0 without a way.
        """
        mean, deviation = self.encode(events)
        logits = self.decoder(mean + deviation * noise, events, **told)
        if way is None:
            return logits, mean, deviation, noise.new_zeros(len(noise))
        normal, time = way
        codes = mean.detach().float()[:, None].expand_as(normal)  # which do not feel the flow
        with torch.autocast(codes.device.type, enabled=False):  # small networks are faster so
            flow = self.flow.loss(codes.flatten(0, 1), normal.flatten(0, 1), time.flatten())
        return logits, mean, deviation, flow.view(time.shape).mean(dim=1)

    @torch.no_grad()
    def decode(
        self, z: Tensor, *, temperature: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Write music from codes, each event being heard at the next step.

        Parameters
        ----------
        z : Tensor [shape=(n, latent)]
        temperature : float
            0 writes the likeliest event at each step.
        generator : torch.Generator on the CPU, needed above a temperature of 0

        Returns
        -------
        int tensor [shape=(n, voices, steps)]
        """
        pick: Pick = lambda logits, voice, step: draw(logits, 0.0)  # noqa: E731
        if temperature:
            shape = len(self.voices), self.steps, len(z)
            uniform = torch.rand(shape, generator=generator).to(z.device)
            pick = lambda logits, voice, step: draw(logits, temperature, uniform[voice, step])  # noqa: E731
        return self.decoder.decode(z.to(self.prior_mean), self.steps, pick)
