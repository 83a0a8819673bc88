"""Bring a latent space nearer to a few songs, without forgetting or memorising.

The encoder stays as it is, so that codes, maps and attributes keep their meaning. To each matrix W
of the decoder a matrix of low rank is added, B A, which begins at 0 (E. J. Hu et al., "LoRA:
Low-Rank Adaptation of Large Language Models", 2106.09685); it is added for good in the end. A
fifth of the songs is held out: what is kept is the average of the weights that knows those best,
and the training stops when they are no longer known better. Then the prior is fitted to the
codes of the songs, see `music_vae.prior.fitted`.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import (
    EMA,
    Best,
    Step,
    Training,
    about_intervals,
    adapted_split,
    digest,
    parts_to_adapt,
    shuffled,
)
from groove_core.values import Cell, Report
from music_vae.coding import codes_of
from music_vae.evaluation import bits_of, per
from music_vae.evaluation.samples import (
    SIZES,
    Copies,
    drawn_by,
    evenly,
    histograms_of,
    sheet_of,
)
from music_vae.loading import PACKAGE
from music_vae.loss import reconstruction
from music_vae.model import MusicVAE
from music_vae.prior import fitted
from music_vae.windows import BY_SONG, WindowSet, moves, transposed

__all__ = ["AdaptSettings", "AdaptTraining", "LowRank", "Own"]

FEWEST_WINDOWS = 16
GENERAL = 500
"""Windows of other songs on which is measured what was forgotten, at most."""
SAMPLES = 500
"""Pieces that are drawn before and after."""
AVERAGE = 0.98
"""Decay of the average of the weights."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AdaptSettings:
    """What decides how a network is adapted, beside the songs and the seed."""

    rank: int = 8
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    transpose: int = 5
    """Semitones up or down, at most, by which pieces are transposed at random."""
    patience: int = 5
    """Epochs in a row that may know the held-out songs no better."""
    precision: Literal["32", "bf16"] = "32"


@dataclass(frozen=True)
class Own:
    """Own songs, the network to begin with, and other songs that it should not forget.

    Parameters
    ----------
    windows : WindowSet
        However they are divided.
    model : MusicVAE
    card : dict
        Of the network.
    general : WindowSet
        Its validation split is measured on.
    """

    windows: WindowSet
    model: MusicVAE
    card: dict[str, Any]
    general: WindowSet

    @functools.cached_property
    def parts(self) -> dict[str, Ints]:
        """Numbers of the songs to learn from, and of those that are held out (``validation``).

        Raises
        ------
        InputError
            If there are too few songs, or the network has learnt from all of them.
        """
        return parts_to_adapt(self.card, self.windows.groups)

    def part(self, name: str) -> tuple[Ints, Ints]:
        """Return the windows of a part [shape=(n, voices, steps)], and the song of each."""
        which = np.isin(self.windows.song, self.parts[name])
        return self.windows.events[which].astype(np.int64), self.windows.song[which]

    @functools.cached_property
    def learnt(self) -> Ints:
        """The windows that are learnt from.

        Raises
        ------
        InputError
            If they are too few.
        """
        events, _ = self.part("train")
        if len(events) < FEWEST_WINDOWS:
            raise InputError(
                f"The songs to learn from have {len(events)} of the {FEWEST_WINDOWS} windows of "
                f"{self.windows.bars} bars that are needed.",
                hint="Give more or longer songs.",
            )
        return events

    @functools.cached_property
    def held_out(self) -> tuple[Ints, Ints]:
        """The windows that say when to stop, and the song of each."""
        return self.part("validation")

    def others(self) -> tuple[Ints, Ints]:
        """Return windows of other songs, on which is measured what was forgotten."""
        events, song = self.general.part("validation")
        mine = set(self.windows.groups)
        other = np.flatnonzero([self.general.groups[one] not in mine for one in song])
        some = other[evenly(len(other), GENERAL)]
        return events[some].astype(np.int64), song[some]

    def bits(self, model: nn.Module) -> float:
        """Return the bits per event of the songs that are held out."""
        whole = model.merged() if isinstance(model, LowRank) else model
        assert isinstance(whole, MusicVAE)
        events, _ = self.held_out
        return float(bits_of(whole, events).sum() / (events > 0).sum())


class LowRank(nn.Module):
    """A network whose decoder is changed by matrices of low rank; nothing else learns.

    Parameters
    ----------
    model : MusicVAE
    rank : int
    """

    def __init__(self, model: MusicVAE, rank: int) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        matrices = {
            f"decoder.{name}": weight
            for name, weight in self.model.decoder.named_parameters()
            if weight.ndim == 2
        }
        self.names = list(matrices)
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for weight in matrices.values():
            rows, columns = weight.shape
            self.down.append(nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns)))
            self.up.append(nn.Parameter(torch.zeros(rows, rank)))

    def weights(self) -> dict[str, Tensor]:
        """Return the changed matrices by name."""
        return {
            name: self.model.get_parameter(name) + up @ down
            for name, up, down in zip(self.names, self.up, self.down, strict=True)
        }

    def forward(self, events: Tensor, noise: Tensor) -> list[Tensor]:
        """Return the logits of each voice, see `MusicVAE.forward`."""
        logits: list[Tensor] = functional_call(self.model, self.weights(), (events, noise))[0]
        return logits

    @torch.no_grad()
    def merged(self) -> MusicVAE:
        """Return the network with the changes added to its weights."""
        model = copy.deepcopy(self.model)
        for name, weight in self.weights().items():
            model.get_parameter(name).copy_(weight)
        return model


class AdaptTraining(Training[AdaptSettings, Own, nn.Module]):
    """What is added to the decoder, from windows of own songs."""

    package = PACKAGE
    max_norm = 1.0

    def build(self) -> LowRank:
        """Take the network that there is."""
        self.events = self.data.learnt
        model = LowRank(self.data.model, self.settings.rank).cpu()
        self.average = EMA(model, AVERAGE, warm_up=True)
        self.best = Best(model, self.data.bits(model))
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name the network, its average, and the best average."""
        return {"model": self.model, "average": self.average, "best": self.best}

    def fingerprint(self) -> str:
        """Return a hash of the own songs and of the first weights."""
        weights = (one.detach().cpu() for one in self.data.model.state_dict().values())
        return digest(self.events, self.data.held_out[0], *weights)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the windows into batches."""
        return shuffled(len(self.events), self.settings.batch_size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the nats of a piece that is told its events, with a code of its posterior.

        The divergence belongs to the encoder, which does not learn.
        """
        voices, most = self.data.windows.voices, self.settings.transpose
        mine = self.events[step.rows(batch).numpy()]
        low, high = moves(mine, voices, most)
        random = step.rand(len(batch)).cpu().numpy()
        by = low + np.floor(random * (high - low + 1)).astype(np.int64)
        events = torch.from_numpy(transposed(mine, voices, by)).to(step.device)
        noise = step.randn(len(batch), self.data.model.latent)
        with step.autocast(self.settings.precision):
            logits = self.modules["model"](events, noise)
        nats = reconstruction(logits, events).mean()
        return nats, {"nats": nats}

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch, and move the average."""
        shown = super().learn(batch, step)
        self.average.update(self.model)
        return shown

    def is_finished(self) -> bool:
        """Look whether the last epoch helped, and stop when several did not."""
        if self.history:
            self.best.take(self.average.module, self.data.bits(self.average.module))
        return int(self.best.waited) >= self.settings.patience

    def result(self) -> MusicVAE:
        """Return the network with the changes that know the held-out songs best."""
        if int(self.best.waited) < self.settings.patience:
            self.best.take(self.average.module, self.data.bits(self.average.module))
        before, after = self.best.bits.tolist()
        if after >= before:
            note("no epoch knew the held-out songs better: the decoder is as it was")
        assert isinstance(self.best.model, LowRank)
        return self.best.model.merged()

    def finish(self) -> None:
        """Fit the prior to the codes of the songs, and keep their forms."""
        model = self.adapted
        model.learn_forms(self.events)
        mine, held_out = (
            codes_of(model, events) for events in (self.events, self.data.held_out[0])
        )
        prior, counts_as = fitted(model.prior, mine, held_out)
        self.extra["prior"] = {"codes": len(mine), "counts_as": None}
        if math.isinf(counts_as):
            note("no prior nearer to the songs knew the held-out ones better: it is as it was")
            return
        self.extra["prior"]["counts_as"] = counts_as
        model.set_prior(prior)

    @property
    def adapted(self) -> MusicVAE:
        """The network when it has learnt."""
        assert isinstance(self.model, MusicVAE)
        return self.model

    def split(self) -> dict[str, Any]:
        """Say which songs were learnt from, and those of before."""
        return adapted_split(BY_SONG.by).card(
            self.data.windows.groups, self.data.parts, self.data.card
        )

    def card(self) -> dict[str, Any]:
        """Say what the network is for, and what it began with."""
        before = self.data.card
        data = {key: value for key, value in before["data"].items() if key != "learnt"}
        kept = {key: before[key] for key in ("intended_use", "limits", "paper")}
        return {
            **kept,
            "start": {"name": before["name"], "sha256": before.get("sha256"), "data": data},
        }

    def measure(self, name: str) -> Report:
        """Compare the network before and after on songs that no step learnt from."""
        voice = self.data.windows.voices[0]
        held_out, owner = self.data.held_out
        copies, like = Copies(self.events[:, 0], voice), sheet_of(held_out[:, 0], voice, owner)
        rows: list[tuple[Cell, ...]] = []
        for label, network in (("before", self.data.model), (name, self.adapted)):
            known = [
                per(bits_of(network, events), (events > 0).sum(axis=(1, 2)), songs)
                if len(events)
                else None
                for events, songs in (self.data.held_out, self.data.others())
            ]
            made = drawn_by(network, "fitted", SAMPLES, seed=1)[:, 0]
            alike = sheet_of(made, voice).overlaps(like)
            rows.append((label, *known, *alike, *copies.estimates(made)))
        control = copies.estimates(held_out[:, 0], owner)
        rows.append(("held-out songs", None, None, *like.overlaps(like), *control))
        return Report(
            "Before and after",
            (
                "network", "own songs, bits per event", "songs of before",
                *(f"{one}, like own songs" for one in histograms_of(voice)),
                *(f"copied, {size} steps" for size in SIZES),
            ),
            rows,
            notes=(
                "own songs: those held out, which say when to stop and which weights are kept; "
                "bits of a piece that is told its events, with its code.",
                f"like own songs: area that the histogram of {SAMPLES} samples has in common with "
                "that of the held-out songs.",
                f"copied: share of stretches of the {voice} that stand in the own songs that were "
                "learnt; that of held-out songs is what they share without copying.",
                about_intervals("songs, of samples over samples"),
            ),
            data={"split": "validation"},
        )  # fmt: skip
