"""Learning a latent space: one training, with settings for each kind of music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError, UsageError
from groove_core.learning import EMA, PARTS, Step, Training, cosine, digest, shuffled, warm_up
from groove_core.values import Report
from music_vae.attributes import measure, ranges_of
from music_vae.decoders import STEPS_PER_BAR, draw
from music_vae.evaluation import measured
from music_vae.evaluation.choruses import likeness_of
from music_vae.likeness import Likeness
from music_vae.loading import PACKAGE
from music_vae.loss import beta_at, charged, kl_divergence, own_share, reconstruction
from music_vae.model import MusicVAE
from music_vae.sets import phrases
from music_vae.windows import WindowSet, moves, transposed

__all__ = ["PRESETS", "Settings", "VAETraining"]


def _bits(*names: str) -> int:
    return sum(1 << bit for bit, drum in enumerate(KIT_DRUMS) if drum.name in names)


LAYERS = (
    _bits("kick"),
    _bits("snare", "floor tom", "low tom", "high tom"),
    _bits("closed hi-hat", "open hi-hat", "crash", "ride"),
)
"""Bits of drums that one hand or foot plays: kick; snare and toms; cymbals."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    voices: tuple[str, ...] = ("melody",)
    bars: int = 2
    latent: int = 64
    encoder: int = 256
    by_bar: bool = False
    decoder: int = 256
    layers: int = 1
    conductor: int = 0
    listens: int = 0
    plan: int = 0
    flow: int = 96
    epochs: int = 15
    batch_size: int = 64
    learning_rate: float = 4e-3
    free_bits: float = 16.0
    """Of the whole code: what a piece does not pay for."""
    beta: float = 0.5
    """Weight of the divergence in the end: less reconstructs better, more samples better."""
    beta_keep: float = 0.9998
    """The weight is beta (1 - keep^step)."""
    patience: float = 0.0
    """k of scheduled sampling; 0: the decoder hears what was played, never its own events."""
    unheard: float = 0.3
    """Share of the events that the decoder does not hear, so that it learns to need the code."""
    deaf: float = 0.0
    """Share of the bars that do not hear the bar before, so that they learn to need the code."""
    draws: int = 2
    """Normal numbers and times from which the flow learns, of each piece and step."""
    layered: float = 0.0
    """Share of the pieces whose drums are put together of two pieces: beats are few."""
    transpose: int = 5
    """Semitones up or down, at most, by which pieces are transposed at random."""
    average: float = 0.0
    """Decay of an exponential moving average of the weights, which is kept; 0: the last ones."""
    precision: Literal["32", "bf16"] = "bf16"

    def __post_init__(self) -> None:
        if self.patience and self.conductor:
            raise UsageError(
                "Scheduled sampling is for flat decoders: bars are written in parallel.",
                hint="Set patience to 0, or conductor to 0.",
            )

    @property
    def network(self) -> dict[str, Any]:
        """What `MusicVAE` is made from."""
        names = ("voices", "bars", "latent", "encoder", "by_bar", "decoder", "layers", "conductor",
                 "listens", "plan", "flow")  # fmt: skip
        return {name: getattr(self, name) for name in names}


_SHORT = Settings(encoder=192, decoder=160, conductor=96, plan=48)
_LONG = replace(_SHORT, bars=16, latent=256, conductor=128, flow=128, batch_size=32, free_bits=64.0,
                draws=1)  # fmt: skip
PRESETS: dict[str, Settings] = {
    "mel-2bar": replace(_SHORT, epochs=45),
    "drums-2bar": replace(_SHORT, voices=("drums",), layered=0.7, beta=0.3,
                          epochs=75),
    "mel-16bar": replace(_LONG, epochs=20),
    "drums-16bar": replace(_LONG, voices=("drums",), latent=384, decoder=144, flow=96, layered=0.7,
                           beta=0.3, epochs=24),
    "trio-16bar": replace(_LONG, voices=("melody", "bass", "drums"), latent=576, encoder=224,
                          decoder=136, flow=96, layered=0.7, beta=0.3, epochs=18),
    # The networks of the paper, with as many weights as mel-16bar: what bars and shares are worth.
    "mel-16bar-flat": replace(_LONG, conductor=0, plan=0, by_bar=True, decoder=168, batch_size=64,
                              epochs=8),
}  # fmt: skip
"""What two cores of a CPU learn in little more than an hour; the paper has wider networks."""


class VAETraining(Training[Settings, WindowSet, MusicVAE]):
    """The whole of the encoder and the decoder, from windows of songs."""

    package = PACKAGE
    max_norm = 1.0

    def build(self) -> MusicVAE:
        """Make the network, and the average of its weights.

        Raises
        ------
        UsageError
            If the windows are of other voices, or of another length.
        InputError
            If the training split is empty.
        """
        settings, data = self.settings, self.data
        if data.voices != tuple(settings.voices) or data.bars != settings.bars:
            raise UsageError(
                f"The windows have {data.bars} bars of {' and '.join(data.voices)}, the network "
                f"reads {settings.bars} of {' and '.join(settings.voices)}.",
                hint="Cut the songs for this network.",
            )
        self.events, _ = data.part("train")
        if not len(self.events):
            raise InputError("The training split has no windows.", hint="Give more songs.")
        model = MusicVAE(**settings.network)
        self.averaged = EMA(model, settings.average, warm_up=True) if settings.average else None
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name the network, and its average if there is one."""
        return {"model": self.model, **({"average": self.averaged} if self.averaged else {})}

    def result(self) -> MusicVAE:
        """Return the average if there is one, else what learnt."""
        return self.averaged.module if self.averaged else self.model

    def fingerprint(self) -> str:
        """Return a hash of the windows."""
        return digest(self.events)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the windows of the training split into batches."""
        return shuffled(len(self.events), self.settings.batch_size, generator)

    def transposed(self, events: np.ndarray[Any, Any], random: Tensor) -> Tensor:
        """Transpose windows at random, as far as the piano goes.

        Parameters
        ----------
        events : int array [shape=(n, voices, steps)]
        random : Tensor [shape=(n,), 0 to 1]
        """
        voices, most = self.settings.voices, self.settings.transpose
        low, high = moves(events, voices, most)
        by = low + np.floor(random.cpu().numpy() * (high - low + 1)).astype(np.int64)
        return torch.from_numpy(transposed(events.astype(np.int64), voices, by))

    def layered(self, events: Tensor, size: int, step: Step) -> tuple[Tensor, Tensor]:
        """Put drums together of two pieces: each of three groups is of the one or of the other.

        Parameters
        ----------
        events : int tensor [shape=(n, voices, steps)]
            This process's part of the batch.
        size : int
            Of the whole batch.

        Returns
        -------
        events : int tensor [shape=(n, voices, steps)]
        is_real : bool tensor [shape=(n,)]
            Which are as they were played: the flow learns from them only.
        """
        settings = self.settings
        is_real = torch.ones(len(events), dtype=torch.bool)
        if not settings.layered or "drums" not in settings.voices:
            return events, is_real
        is_real = step.rand(size).cpu() >= settings.layered
        voice = settings.voices.index("drums")
        own, other = events[:, voice], events[step.rand(size).cpu().argsort(), voice]
        of_other = step.rand(size, len(LAYERS)).cpu() < 0.5
        made = torch.zeros_like(own)
        for number, layer in enumerate(LAYERS):
            made |= torch.where(of_other[:, number, None], other, own) & layer
        events = events.clone()
        events[:, voice] = torch.where(is_real[:, None], own, made)
        return events, is_real

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the nats of a piece and the loss of the flow, and what they are made of."""
        settings, now = self.settings, self.clock.steps
        mine = self.events[step.rows(batch).numpy()]
        events = self.transposed(mine, step.rand(len(batch)))
        events, is_real = self.layered(events, len(batch), step)
        events, is_real = events.to(step.device), is_real.to(step.device)
        noise = step.randn(len(batch), settings.latent)
        size = len(batch), settings.draws
        way = step.randn(*size, settings.latent), step.rand(*size)
        told = self.heard(len(batch), step)
        with step.autocast(settings.precision):
            logits, mean, deviation, flow = self.modules["model"](events, noise, way, **told)
        nats, flow = reconstruction(logits, events).mean(), (flow * is_real).mean()
        kl = kl_divergence(mean.float(), deviation.float())
        paid = charged(kl, settings.free_bits).mean()
        beta = beta_at(now, top=settings.beta, keep=settings.beta_keep)
        return nats + beta * paid + flow, {"nats": nats, "kl": kl.mean(), "flow": flow}

    def heard(self, size: int, step: Step) -> dict[str, Any]:
        """Choose what the decoder hears instead of what was played, of a batch of so many pieces.

        In scheduled sampling these are its own events, else nothing for some.
        """
        settings = self.settings
        voices, steps = len(settings.voices), settings.bars * STEPS_PER_BAR
        if settings.patience:
            share = own_share(self.clock.steps, patience=settings.patience)
            own = step.rand(size, voices, steps) < share
            uniform = step.rand(size, voices, steps)

            def pick(logits: Tensor, voice: int, at: int) -> Tensor:
                return draw(logits.detach(), 1.0, uniform[:, voice, at])

            return {"own": own, "pick": pick}
        told = {}
        if settings.unheard:
            told["unheard"] = step.rand(size, voices, steps) < settings.unheard
        if settings.listens and settings.deaf:
            told["deaf"] = step.rand(size, settings.bars) < settings.deaf
        return told

    def rate(self, optimizer: str, done: float) -> float:
        """Rise for a fiftieth of the training, then decay."""
        return warm_up(cosine, 0.02)(done)

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch, and move the average."""
        shown = super().learn(batch, step)
        if self.averaged:
            self.averaged.update(self.model)
        return shown

    def finish(self) -> None:
        """Keep forms of what was learnt, how far attributes reach, and a reading of choruses."""
        self.model.learn_forms(self.events)
        ranges = torch.from_numpy(ranges_of(measure(self.events, self.settings.voices)))
        known = ranges.isfinite()
        self.model.attribute_ranges[known] = ranges[known].to(self.model.attribute_ranges)
        if self.settings.voices == ("melody",) and (likeness := self.choruses()) is not None:
            self.model.set_likeness(likeness)

    def choruses(self) -> Likeness | None:
        """Fit a reading of choruses to those labelled songs that were learnt; None without any."""
        data, every = self.data, phrases()
        part_of = {
            data.groups[song]: part
            for part, which in data.parts.items()
            for song in np.unique(data.song[which]).tolist()
        }
        heads = enumerate(every.tunes.heads)
        part_of_song = {song: part_of.get(head.group, "") for song, head in heads}
        sides = [[one for one, part in part_of_song.items() if part == side] for side in PARTS]
        return likeness_of(self.model, every, *sides[:2])

    def measure(self, name: str) -> Report:
        """Measure the network on songs that were not learnt."""
        return measured(self.model, self.data, name)

    def split(self) -> dict[str, Any]:
        """Say which songs were learnt from."""
        return {**self.data.card()}

    def card(self) -> dict[str, Any]:
        """Say what the network is for."""
        bars, voices = self.settings.bars, " and ".join(self.settings.voices)
        return {
            "intended_use": f"Drawing, blending and varying {bars} bars of {voices}.",
            "limits": f"It knows {bars} bars of 4/4 in sixteenths, no triplets and no velocities.",
            "paper": "arXiv:1803.05428",
        }
