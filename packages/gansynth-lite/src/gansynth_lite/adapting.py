"""Bringing a trained generator nearer to notes: those that it learnt from, or some of your own.

Each instrument i of the notes has a code c_i of its own, which begins where the encoder sees it and
is learnt with the generator (Bojanowski et al., "Optimizing the Latent Space of Generative
Networks", 1707.05776). For a note x of it at pitch p, and codes w that are drawn from its family:

    L = a |G(c_i, p) - x| + b |phi(G(c_i, p)) - phi(x)|        as near as can be, and as it sounds
      + H(family, J(G(c_i, p))) + H(family, J(G(w, p)))        heard as what it is to be
      + 1 - cos(E(x, p), c_i)                                  and found again

J is a listener (`gansynth_lite.listener`) that learns families from real notes before, phi what it
notices (the perceptual loss of Johnson et al., 1603.08155). There is no discriminator: this takes
an hour on two cores, where the training took a GPU.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.listener import Listener, taught
from gansynth_lite.model import SPREAD, GANSynth, normalized, unlike
from gansynth_lite.notes import Notes
from gansynth_lite.training import KNOWN, decay, difference, digest, follow, often, sounds, trained
from groove_core.console import track
from groove_core.learning.before import Shard, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["AdaptSettings", "AdaptTask", "adapt"]

FIRST_LOOKS = 6
"""Notes of an instrument from which its code begins."""
HEARD = 4 * KNOWN
"""Notes that the listener learns from, at most."""
SHORT = 5 / 16
"""Of a note: half of the steps learn its beginning only, where most of what tells it is."""


@dataclass(frozen=True)
class AdaptSettings:
    """What decides the outcome, beside the model, the notes and the seed."""

    epochs: int = 20
    batches: int = 32
    """In an epoch."""
    batch_size: int = 8
    rate: float = 1e-3
    code_rate: float = 0.02
    magnitude: float = 10.0
    frequency: float = 3.0
    """Weights of the differences to the note wanted."""
    noticed: float = 1.0
    family: float = 0.3
    found: float = 1.0
    average: float = 0.998
    """Of weights from step to step."""
    listening: int = 1800
    """Batches from which the listener learns before."""


class _Adapted(nn.Module):
    """A model and the codes of instruments, in one call, as several devices need it."""

    def __init__(self, model: GANSynth, codes: Tensor) -> None:
        super().__init__()
        self.model = model
        self.codes = nn.Parameter(codes.clone())

    def forward(
        self,
        real: Tensor,
        who: Tensor,
        shares: Tensor,
        pitch: Tensor,
        frames: int,
        noise: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Give notes of instruments and of drawn ones, and how badly the real ones are found."""
        codes = normalized(self.codes)
        own, drawn = codes[who], normalized(shares @ codes)
        made = self.model(torch.cat([own, drawn]), pitch, noise, frames)
        return made, unlike(self.model.encode(real, pitch[: len(real)]), own.detach())


class AdaptTask:
    """How a model and codes of instruments learn from a batch of notes."""

    def __init__(
        self, settings: AdaptSettings, model: GANSynth, notes: Notes, seed: int, device: str
    ) -> None:
        self.settings, self.notes = settings, notes
        layout = model.layout
        self.pitches = torch.from_numpy(notes.pitches).float()
        self.families = torch.from_numpy(notes.labels(model.families))
        self.instruments = torch.from_numpy(np.unique(notes.instruments, return_inverse=True)[1])
        self.groups = torch.full((int(self.instruments.max()) + 1,), -1)
        self.groups[self.instruments] = self.families  # of each instrument

        def pictures(at: Tensor) -> Tensor:
            return layout.to_pictures(sounds(notes, at, device))

        self.listener: Listener | None = None
        chance = torch.Generator().manual_seed(seed)
        if len(self.families[self.families >= 0].unique()) > 1:
            with torch.random.fork_rng(devices=[]):  # layers are initialised from global state
                torch.manual_seed(seed)
                listener = Listener(layout, len(model.families))
            some = torch.randperm(len(notes), generator=chance)[:HEARD].sort().values
            self.listener = taught(
                listener, lambda at: layout.magnitudes(sounds(notes, some[at], device)),
                self.pitches[some], self.families[some], steps=settings.listening, seed=seed,
                device=device,
            )  # fmt: skip
        model = copy.deepcopy(model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        codes = self._first_codes(model, pictures, chance)
        self.adapted = _Adapted(model.cpu(), codes)
        # Nothing is drawn from M any more, and where instruments lie is found in the end.
        self.adapted.model.mapping.requires_grad_(False)
        self.average = copy.deepcopy(self.adapted).requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"adapted": self.adapted, "average": self.average}
        networks = [p for p in self.adapted.model.parameters() if p.requires_grad]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "model": torch.optim.Adam(networks, settings.rate, (0.5, 0.99)),
            "codes": torch.optim.Adam([self.adapted.codes], settings.code_rate, (0.5, 0.99)),
        }
        begun = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in networks))
        self.config: dict[str, Any] = {
            **asdict(settings), "notes": digest(notes), "start": begun.hexdigest()[:16],
        }  # fmt: skip

    def _first_codes(
        self, model: GANSynth, pictures: Callable[[Tensor], Tensor], chance: torch.Generator
    ) -> Tensor:
        """Give the mean of what the encoder sees in some notes of each instrument."""
        order = torch.randperm(len(self.notes), generator=chance)
        order = order[torch.argsort(self.instruments[order], stable=True)]
        counts = torch.bincount(self.instruments)
        nth = torch.arange(len(order)) - (counts.cumsum(0) - counts)[self.instruments[order]]
        some = order[nth < FIRST_LOOKS]
        codes = torch.zeros(len(counts), model.code)
        with torch.inference_mode():
            for at in track(some.split(16), "finding instruments"):
                seen = model.encode(pictures(at), self.pitches[at].to(model.centres.device))
                codes.index_add_(0, self.instruments[at], seen.cpu())
        return normalized(codes)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw notes, families alike often."""
        settings = self.settings
        drawn = torch.multinomial(
            often(self.families), settings.batches * settings.batch_size, replacement=True,
            generator=generator,
        )  # fmt: skip
        batches: Sequence[Tensor] = drawn.split(settings.batch_size)
        return batches

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from a batch of notes, and from half as many drawn ones."""
        settings, device = self.settings, fabric.device
        model = self.adapted.model
        for optimizer, rate in zip(
            self.optimizers.values(), (settings.rate, settings.code_rate), strict=True
        ):
            optimizer.param_groups[0]["lr"] = rate * decay(done)
        whole = model.layout.frames
        short = bool(torch.rand((), generator=shard.generator) < 0.5)
        frames = max(1, int(SHORT * whole)) if short else whole
        seed = int(torch.randint(2**62, (1,), generator=shard.generator)) + fabric.global_rank
        noise = torch.Generator(device).manual_seed(seed)
        chance = shard.randn(len(batch), len(self.groups)).cpu()
        at = shard(batch).cpu()
        some = at[: max(1, len(at) // 2)]  # whose families and pitches are drawn
        shares = self._shares(self.instruments[some], chance[: len(some)])
        both = torch.cat([at, some])
        pitch, family = self.pitches[both].to(device), self.families[both].to(device)
        with torch.no_grad():
            real = model.layout.to_pictures(sounds(self.notes, at, device))
        made, lost = self.modules["adapted"](
            real, self.instruments[at].to(device), shares.to(device), pitch, frames, noise,
        )  # fmt: skip
        real = real[..., :frames]
        magnitude, frequency = difference(made[: len(at)], real)
        losses = {"magnitude": magnitude, "frequency": frequency, "lost": lost}
        loss = (
            settings.magnitude * magnitude + settings.frequency * frequency + settings.found * lost
        )
        if self.listener is not None:
            losses |= self._heard(self.listener, made, real, pitch, family)
            loss = loss + settings.noticed * losses["noticed"] + settings.family * losses["family"]
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        fabric.backward(loss)
        for optimizer in self.optimizers.values():
            optimizer.step()
        steps = done * settings.epochs * settings.batches
        follow(self.average, self.adapted, steps, 1 - settings.average)
        return losses

    def _shares(self, who: Tensor, chance: Tensor) -> Tensor:
        """Give how much of each instrument is in drawn ones [shape=(n, instruments)].

        So drawn, they are normal as their family is, but for `SPREAD`: as
        `GANSynth.instruments` draws them when the training is over.
        """
        member = (self.groups[who][:, None] == self.groups).float()
        count = member.sum(dim=1, keepdim=True)
        mean = (chance * member).sum(dim=1, keepdim=True) / count
        return member * (1 / count + SPREAD * (chance - mean) / count.sqrt())

    def _heard(
        self, listener: Listener, made: Tensor, real: Tensor, pitch: Tensor, family: Tensor
    ) -> dict[str, Tensor]:
        listener = listener.to(made.device)
        logits, noticed = listener(listener.spectrum(made[:, 0]), pitch)
        with torch.no_grad():
            _, wanted = listener(listener.spectrum(real[:, 0]), pitch[: len(real)])
        differences = [
            (a[: len(b)] - b).abs().mean() / b.abs().mean()
            for a, b in zip(noticed, wanted, strict=True)
        ]
        # A sum, since the mean over none would be no number.
        total = F.cross_entropy(logits, family, ignore_index=-1, reduction="sum")
        return {
            "noticed": torch.stack(differences).mean(),
            "family": total / (family >= 0).sum().clamp_min(1),
        }

    def result(self) -> GANSynth:
        """Give the averaged model, in the precision it is stored in, instruments in place."""
        model = rounded(self.average.model)
        model.settle(normalized(self.average.codes.cpu()), self.groups)
        return rounded(model)


def adapt(
    model: GANSynth,
    notes: Notes,
    settings: AdaptSettings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[GANSynth, list[dict[str, float]]]:
    """Adapt a model to notes; see `gansynth_lite.training.train` for what is not here.

    Parameters
    ----------
    model : GANSynth
        Stays as it is.
    notes : Notes
        Of the model's length and sample rate.

    Returns
    -------
    model : GANSynth
        On the CPU, in the precision it is stored in. New instruments are drawn where those of
        the notes lie.
    history : list of dict
        Mean losses of each epoch.
    """
    task, history = trained(
        lambda seed: AdaptTask(settings, model, notes, seed, device), settings.epochs,
        folder=folder, seed=seed, device=device, devices=devices, strategy=strategy,
        resume=resume, restart=restart,
    )  # fmt: skip
    return task.result(), history
