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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.auditions import BEGINNING, Auditor, auditioned, pitches_of
from gansynth_lite.lessons import GeneratorTraining
from gansynth_lite.listener import Listener, spectra_of, taught
from gansynth_lite.model import GANSynth, mixed, one_hot, unlike
from gansynth_lite.training import KNOWN, decay, difference, often
from groove_core.console import note, track
from groove_core.learning import EMA, Step, digest, pixel_norm

__all__ = ["AdaptSettings", "AdaptTraining", "begun_with"]

FIRST_LOOKS = 6
"""Notes of an instrument from which its code begins."""
DRAWN = 60
"""Instruments of each family that are drawn for an audition without a training."""
TRIED = 16
"""Drawn notes of each family by which it is found how often the family is misheard."""


@dataclass(frozen=True)
class AdaptSettings:
    """What decides the outcome of a training, beside the model, the notes and the seed."""

    epochs: int = 20
    batches: int = 32
    """In an epoch."""
    batch_size: int = 8
    learning_rate: float = 1e-3
    code_rate: float = 0.02
    magnitude: float = 10.0
    frequency: float = 3.0
    """Weights of the differences to the note wanted."""
    noticed: float = 1.0
    family: float = 0.3
    found: float = 1.0
    average: float = 0.998
    """Of weights from step to step."""
    short: float = 0.5
    """Share of the steps that learn the beginning of notes only, where most of what tells it is."""
    listening: int = 1800
    """Batches from which the listener learns before."""
    heard: int = 4 * KNOWN
    """Notes that the listener learns from, at most."""
    precision: Literal["32", "bf16"] = "32"
    harder: float = 0.0
    """How much more often notes are drawn whose family is always misheard before; 0: as others."""


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
        codes = pixel_norm(self.codes)
        own, drawn = codes[who], pixel_norm(shares @ codes)
        made = self.model(torch.cat([own, drawn]), pitch, noise, frames)
        return made, unlike(self.model.encode(real, pitch[: len(real)]), own.detach())


class AdaptTraining(GeneratorTraining[AdaptSettings, GANSynth]):
    """How a model and codes of instruments learn from notes."""

    def build(self) -> GANSynth:
        """Teach a listener, and find the first codes of the instruments."""
        assert self.data.start is not None
        start, notes = self.data.start[0], self.data.known
        assert isinstance(start, GANSynth)  # the action refuses others
        layout = start.layout
        self.pitches = torch.from_numpy(notes.pitches).float()
        self.families = torch.from_numpy(notes.labels(start.families))
        self.instruments = torch.from_numpy(np.unique(notes.instruments, return_inverse=True)[1])
        self.groups = torch.full((int(self.instruments.max()) + 1,), -1)
        self.groups[self.instruments] = self.families  # of each instrument
        chance = torch.Generator().manual_seed(self.seed)
        self.listener: Listener | None = None
        self.auditor: Auditor | None = None
        if len(self.families[self.families >= 0].unique()) > 1:
            some = torch.randperm(len(notes), generator=chance)[: self.settings.heard].sort().values
            self.listener, self.auditor = self._listeners(start, some)
        model = copy.deepcopy(start).reaching(notes.pitches)
        model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        codes = self._first_codes(
            model, lambda at: layout.to_pictures(notes.sounds(at, self.device)), chance
        )
        self.weights = often(self.families) * self._misheard(model, codes, chance)
        self.adapted = _Adapted(model.cpu(), codes)
        # Nothing is drawn from M any more, and where instruments lie is found in the end.
        model.mapping.requires_grad_(False)
        self.average = EMA(self.adapted, self.settings.average, warm_up=True)
        return self.adapted.model

    def _listeners(self, start: GANSynth, some: Tensor) -> tuple[Listener, Auditor]:
        """Teach a listener, which the model learns to please, and make an auditor."""
        notes, layout, settings = self.data.known, start.layout, self.settings
        listener = Listener(layout, len(start.families))
        spectra = spectra_of(
            listener, lambda at: layout.magnitudes(notes.sounds(some[at], self.device)), len(some),
            self.device,
        )  # fmt: skip
        heard = spectra, self.pitches[some], self.families[some]
        auditor = Auditor(*heard, len(start.families))
        steps = settings.listening if settings.epochs else 0  # without steps nothing is pleased
        return taught(listener, *heard, steps=steps, seed=self.seed, device=self.device), auditor

    def networks(self) -> dict[str, nn.Module]:
        """Name the model with the codes, and the average of both."""
        return {"adapted": self.adapted, "average": self.average}

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Let codes learn at a rate of their own."""
        adam, settings, betas = torch.optim.Adam, self.settings, (0.5, 0.99)
        learnt = [p for p in self.model.parameters() if p.requires_grad]
        return {
            "model": adam(learnt, settings.learning_rate, betas),
            "codes": adam([self.adapted.codes], settings.code_rate, betas),
        }

    def rate(self, optimizer: str, done: float) -> float:
        """Return the share of the learning rates."""
        return decay(done)

    def fingerprint(self) -> str:
        """Return a hash of the notes and of the weights that are adapted."""
        weights = [p.detach() for p in self.model.parameters() if p.requires_grad]
        return digest(super().fingerprint().encode(), *weights)

    def _first_codes(
        self, model: GANSynth, pictures: Callable[[Tensor], Tensor], chance: torch.Generator
    ) -> Tensor:
        """Give the mean of what the encoder sees in some notes of each instrument."""
        order = torch.randperm(len(self.instruments), generator=chance)
        order = order[torch.argsort(self.instruments[order], stable=True)]
        counts = torch.bincount(self.instruments)
        nth = torch.arange(len(order)) - (counts.cumsum(0) - counts)[self.instruments[order]]
        some = order[nth < FIRST_LOOKS]
        codes = torch.zeros(len(counts), model.code)
        with torch.inference_mode():
            for at in track(some.split(16), "finding instruments"):
                seen = model.encode(pictures(at), self.pitches[at].to(self.device))
                codes.index_add_(0, self.instruments[at], seen.cpu())
        return pixel_norm(codes)

    @torch.no_grad()
    def _misheard(self, model: GANSynth, codes: Tensor, chance: torch.Generator) -> Tensor:
        """Return how often to draw each note: more often, if its family is often misheard."""
        listener = self.listener
        if listener is None or not self.settings.harder:
            return torch.ones(len(self.families))
        group = self.families[self.families >= 0].unique().repeat(TRIED)
        z = torch.randn(len(group), model.code, generator=chance)
        shares = mixed(z, one_hot(group, len(model.families)), codes, self.groups, model.focus)
        drawn = pixel_norm(shares @ codes)
        pitch = pitches_of(group, self.pitches, self.families, chance)
        frames = max(1, int(BEGINNING * model.layout.frames))
        wrong = torch.zeros(len(model.families))
        for at in track(torch.arange(len(group)).split(16), "hearing families"):
            high = pitch[at].to(self.device)
            made = model(drawn[at].to(self.device), high, None, frames)
            logits, _ = listener(listener.spectrum(made[:, 0].float()), high)
            missed = (logits.argmax(dim=1).cpu() != group[at]).float()
            wrong.index_add_(0, group[at], missed / TRIED)
        shown = ", ".join(f"{model.families[i]} {wrong[i]:.0%}" for i in group.unique().tolist())
        note(f"misheard before: {shown}")
        known = self.families >= 0
        return 1 + self.settings.harder * torch.where(known, wrong[self.families.clamp_min(0)], 0.0)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw notes, more often those of families that are few, or misheard."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        drawn = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        return list(drawn.split(settings.batch_size))

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch of notes, and of half as many drawn ones."""
        settings, layout, device = self.settings, self.model.layout, step.device
        short = bool(torch.rand((), generator=step.generator) < settings.short)
        frames = max(1, int(BEGINNING * layout.frames)) if short else layout.frames
        noise = step.noise()
        z = step.randn(len(batch), self.model.code).cpu()
        at = step.rows(batch)
        some = at[: max(1, len(at) // 2)]  # whose families and pitches are drawn
        shares = self._shares(self.families[some], z[: len(some)])
        both = torch.cat([at, some])
        pitch, family = self.pitches[both].to(device), self.families[both].to(device)
        with torch.no_grad():
            real = layout.to_pictures(self.data.known.sounds(at, device))
        with step.autocast(settings.precision):
            made, lost = self.modules["adapted"](
                real, self.instruments[at].to(device), shares.to(device), pitch, frames, noise
            )
        real = real[..., :frames]
        magnitude, frequency = difference(made[: len(at)], real)
        losses = {"magnitude": magnitude, "frequency": frequency, "lost": lost}
        loss = (
            settings.magnitude * magnitude + settings.frequency * frequency + settings.found * lost
        )
        if self.listener is not None:
            losses |= self._heard(self.listener, made, real, pitch, family)
            loss = loss + settings.noticed * losses["noticed"] + settings.family * losses["family"]
        return loss, losses

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch, and follow with the average."""
        losses = super().learn(batch, step)
        self.average.update(self.adapted)
        return losses

    @torch.no_grad()
    def _shares(self, families: Tensor, z: Tensor) -> Tensor:
        """Mix instruments as `GANSynth.instruments` does when the training is over."""
        asked = one_hot(families, len(self.model.families))
        codes = pixel_norm(self.adapted.codes).cpu()
        return mixed(z, asked, codes, self.groups, self.model.focus)

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
        """Return the average."""
        return self.average.module.model

    def finish(self) -> None:
        """Draw new instruments of those that pass an audition."""
        codes, groups = pixel_norm(self.average.module.codes.cpu()), self.groups
        if not self.settings.epochs:
            codes, groups = self._drawn()
        if self.auditor is not None and self.listener is not None:
            codes, groups = auditioned(
                self.model, codes, groups, self.auditor, self.listener, self.pitches,
                self.families, seed=self.seed,
            )  # fmt: skip
        self.model.settle(codes, groups)

    def _drawn(self) -> tuple[Tensor, Tensor]:
        """Draw instruments as the model does: where nothing is learnt, those have the audition."""
        model = self.model
        groups = torch.arange(max(1, len(model.families))).repeat(DRAWN)
        z = torch.randn(len(groups), model.code, generator=torch.Generator().manual_seed(self.seed))
        asked = one_hot(groups, len(model.families)).to(self.device)
        return model.instruments(z.to(self.device), asked).cpu(), groups

    def card(self) -> dict[str, Any]:
        """Say what the generator is for, and what it began with."""
        assert self.data.start is not None
        return {**super().card(), "start": begun_with(self.data.start[1])}


def begun_with(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the card of an adapted model says of the one that it began with."""
    kept = ("name", "version", "sha256", "training", "start")
    data = {key: value for key, value in card["data"].items() if key != "learnt"}
    return {"data": data, **{key: card.get(key) for key in kept}}
