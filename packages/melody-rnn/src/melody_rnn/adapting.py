"""Bring a trained Transformer nearer to a few tunes, without forgetting or memorising.

Each epoch mixes all own tunes with as many steps again, some times over, of what the network
learnt from (rehearsal: A. Robins, "Catastrophic Forgetting, Rehearsal and Pseudorehearsal", 1995).
A fifth of the own tunes is held out; what is kept is the average of the weights that knows those
best, and the training stops when they are no longer known better.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import (
    EMA,
    PARTS,
    Best,
    about_intervals,
    adapted_split,
    digest,
    parts_to_adapt,
)
from groove_core.tunes import BY_TUNE, Stretches, TuneSet
from groove_core.values import Cell, Report
from melody_rnn.evaluation import bits_of, per
from melody_rnn.lessons import Lesson
from melody_rnn.lines import Line, windows
from melody_rnn.samples import GRID, copied, drawn, lines_of, stream_of
from melody_rnn.training import TransformerTraining
from melody_rnn.transformer import Transformer

__all__ = ["AdaptSettings", "AdaptTraining", "Own"]

FEWEST_WINDOWS = 8
GENERAL = 300
"""Melodies of the validation split on which is measured what was forgotten, at most."""
SAMPLES, STEPS, COPIED = 64, 256, 16


@dataclass(frozen=True)
class AdaptSettings:
    """What decides how a network is adapted, beside the tunes and the seed."""

    model: Literal["transformer"] = "transformer"
    epochs: int = 24
    batch_size: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 0.05
    rehearsal: float = 3.0
    patience: int = 4
    precision: Literal["32", "bf16"] = "bf16"


@dataclass(frozen=True)
class Own:
    """Own tunes, the network to begin with, and what it learnt from.

    Parameters
    ----------
    tunes : TuneSet
    model : Transformer
    card : dict
        Of the network.
    general : Lesson
    """

    tunes: TuneSet
    model: Transformer
    card: dict[str, Any]
    general: Lesson

    @functools.cached_property
    def parts(self) -> dict[str, npt.NDArray[np.int64]]:
        """Numbers of the tunes to learn from, and of those that are held out (``validation``).

        What the network knows stays on its side.

        Raises
        ------
        InputError
            If there are too few tunes, or the network has learnt from all of them.
        """
        return parts_to_adapt(self.card, self.tunes.groups, by=BY_TUNE.by)

    @functools.cached_property
    def lines(self) -> list[Line]:
        """What is learnt from.

        Raises
        ------
        InputError
            If it is too little.
        """
        lines, _ = self.part("train")
        count, steps = len(windows(lines, AdaptTraining.steps)), AdaptTraining.steps
        if count < FEWEST_WINDOWS:
            raise InputError(
                f"The tunes have {count} of the {FEWEST_WINDOWS} windows of up to {steps} steps "
                "that are needed to learn from them.",
                hint="Give more or longer songs.",
            )
        return lines

    @functools.cached_property
    def held_out(self) -> tuple[list[Line], list[int]]:
        """The lines that say when to stop, and the tune of each."""
        return self.part("validation")

    def part(self, part: str) -> tuple[list[Line], list[int]]:
        """Return the lines of a part of the own tunes, and the tune of each."""
        mine = set(self.parts[part].tolist())
        every = zip(*Lesson(self.tunes).part(*PARTS), strict=True)
        chosen = [(line, tune) for line, tune in every if tune in mine]
        return [line for line, _ in chosen], [tune for _, tune in chosen]

    def others(self) -> tuple[list[Line], list[int]]:
        """Return lines of other tunes, of all corpora, on which is measured what was forgotten."""
        heads, mine = self.general.tunes.heads, set(self.tunes.groups)
        every = zip(*self.general.part("validation"), strict=True)
        chosen = [(line, tune) for line, tune in every if heads[tune].group not in mine]
        some = chosen[:: max(1, -(-len(chosen) // GENERAL))]
        return [line for line, _ in some], [tune for _, tune in some]

    def bits(self, model: nn.Module) -> float:
        """Return the bits per event of the tunes that are held out."""
        assert isinstance(model, Transformer)
        bits, counts = bits_of(model, self.held_out[0])
        return float(bits.sum() / counts[:, 1].sum())


class AdaptTraining(TransformerTraining):
    """As the Transformer learns, from a trained one on."""

    settings: AdaptSettings  # type: ignore[assignment]
    data: Own  # type: ignore[assignment]

    def build(self) -> Transformer:
        """Take the network that there is."""
        model = copy.deepcopy(self.data.model).cpu()
        self.average = EMA(model, 0.98, warm_up=True)
        self.best = Best(model, self.data.bits(model))
        return model.train()  # with dropout: it was loaded, and measured, to be used

    def networks(self) -> dict[str, nn.Module]:
        """Name the network, its average, and the best average."""
        return {"model": self.model, "average": self.average, "best": self.best}

    def fingerprint(self) -> str:
        """Return a hash of the own tunes and of the first weights."""
        held_out = (line.events for line in self.data.held_out[0])
        weights = (p.detach().cpu() for p in self.data.model.parameters())
        return digest(super().fingerprint().encode(), *held_out, *weights)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Mix own tunes with some of those that were learnt before."""
        own, general = self.data.lines, self.data.general.lines
        wanted = self.settings.rehearsal * sum(map(len, own))
        order = torch.randperm(len(general), generator=generator).tolist()
        lengths = np.cumsum([len(general[i]) for i in order])
        some = order[: int(np.searchsorted(lengths, wanted)) + 1]
        self.mixed = [*own, *(general[i] for i in some)]
        return super().batches(generator)

    @property
    def learnt_lines(self) -> list[Line]:
        """The lines of an epoch."""
        return self.mixed

    def is_finished(self) -> bool:
        """Look whether the last epoch helped, and stop when several did not."""
        if self.history:
            self.best.take(self.average.module, self.data.bits(self.average.module))
        return int(self.best.waited) >= self.settings.patience

    def result(self) -> Transformer:
        """Return the weights that know the held-out tunes best."""
        if int(self.best.waited) < self.settings.patience:
            self.best.take(self.average.module, self.data.bits(self.average.module))
        before, after = self.best.bits.tolist()
        if after >= before:
            note("no epoch knew the held-out tunes better: the network is as it was")
        assert isinstance(self.best.model, Transformer)
        return self.best.model

    def split(self) -> dict[str, Any]:
        """Say which tunes were learnt from, own ones, rehearsed ones, and those of before."""
        own, general = self.data, self.data.general.tunes
        rehearsed = len(own.tunes) + general.parts["train"]
        parts = {**own.parts, "train": np.append(own.parts["train"], rehearsed)}
        groups = [*own.tunes.groups, *general.groups]
        return adapted_split(BY_TUNE.by).card(groups, parts, own.card)

    def card(self) -> dict[str, Any]:
        """Say what the network is for, and what it began with."""
        before = self.data.card
        data = {key: value for key, value in before["data"].items() if key != "learnt"}
        start = {"name": before["name"], "sha256": before.get("sha256"), "data": data}
        return {**super().card(), "start": start}

    def measure(self, name: str) -> Report:
        """Compare the network before and after on tunes that no step learnt from."""
        mine, held_out = (
            [line for line in lines if line.grid == GRID]  # copies are looked for on one grid
            for lines in (self.data.lines, self.data.held_out[0])
        )
        learnt = {COPIED: Stretches(stream_of(mine), COPIED)}
        like = windows(mine, STEPS)
        rows: list[tuple[Cell, ...]] = []
        for label, network in (("before", self.data.model), (name, self.model)):
            known = []
            for lines, tunes in (self.data.held_out, self.data.others()):
                bits, counts = bits_of(network, lines)
                known.append(per(bits, counts[:, 1], tunes))
            share: Cell = None
            if len(like):
                picked = like.pick(np.arange(SAMPLES) % len(like))
                [share] = copied(learnt, lines_of(drawn(network, picked, 1)))
            rows.append((label, *known, share))
        control: Cell = None
        if held_out:
            [control] = copied(learnt, held_out)
        rows.append(("held-out tunes", None, None, control))
        return Report(
            "Before and after", ("network", "own tunes, bits per event", "tunes of before",
                                 f"copied, {COPIED} steps"), rows,
            notes=(
                "own tunes: those held out, which say when to stop and which weights are kept.",
                f"copied: share of stretches of {COPIED} steps that stand in the own tunes.",
                about_intervals("tunes, of copies over melodies"),
            ),
            data={"split": "validation"},
        )  # fmt: skip
