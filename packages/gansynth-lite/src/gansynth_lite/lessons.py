"""What every training of the package shares: notes to learn from, measuring, and the card."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from torch import nn

from gansynth_lite.classifier import NoteClassifier
from gansynth_lite.evaluation import Generator, measure
from gansynth_lite.notes import BY_HASH, Int, Notes, groups, split, split_as_learnt
from groove_core.errors import InputError
from groove_core.learning import Settings, Training, digest, parts_to_learn
from groove_core.values import Report

__all__ = ["GeneratorTraining", "Lesson", "NoteTraining"]

FEWEST = 16
"""Notes to learn from; fewer are no instrument."""
COUNT, EACH = 1000, 10
"""Notes that a generator is measured by, but so many for each held-out one at most."""


@dataclass(frozen=True)
class Lesson:
    """What is learnt from, and what is measured by.

    Parameters
    ----------
    notes : Notes
    parts : dict
        Of `gansynth_lite.notes.split`.
    judge : NoteClassifier, optional
        Measures a generator, on the device of the run.
    start : Generator and dict, optional
        A trained model to begin with, or to judge, and its card.
    """

    notes: Notes
    parts: Mapping[str, Int]
    judge: NoteClassifier | None = None
    start: tuple[Generator, Mapping[str, Any]] | None = None

    @classmethod
    def of(
        cls,
        notes: Notes,
        judge: NoteClassifier | None = None,
        start: tuple[Generator, Mapping[str, Any]] | None = None,
        *,
        again: bool = False,
    ) -> Lesson:
        """Divide notes; those that a model to begin with knows stay on their sides.

        Parameters
        ----------
        notes, judge, start
            See `Lesson`.
        again : bool
            Learn only what the model to begin with has learnt; all that it does not know is kept
            to measure by. Notes of which it has learnt none are divided anew.

        Raises
        ------
        InputError
            If there are too few notes.
        """
        parts = split(notes)
        if start is not None:
            parts = (
                split_as_learnt(notes, start[1])
                if again
                else parts_to_learn(start[1], groups(notes), parts)
            )
        if len(parts["train"]) < FEWEST:
            raise InputError(
                f"{notes.name} has {len(notes)} notes, {len(parts['train'])} of them to learn "
                "from.",
                hint=f"Give at least {2 * FEWEST} notes at various pitches.",
            )
        return cls(notes, parts, judge, start)

    @classmethod
    def beside(cls, notes: Notes, judged: tuple[Generator, Mapping[str, Any]] | None) -> Lesson:
        """Divide notes as a model that is to be judged did; without one, see `of`.

        What it is measured by is then never learnt from, where `of` would learn most of it.

        Raises
        ------
        InputError
            If there are too few notes.
        """
        if judged is None:
            return cls.of(notes)
        return cls(notes, split_as_learnt(notes, judged[1]), start=judged)

    @functools.cached_property
    def known(self) -> Notes:
        """The notes of the training part."""
        return self.notes.only(self.parts["train"])

    def card(self) -> dict[str, Any]:
        """Return what a card says of the notes."""
        return {
            "name": self.notes.name,
            "license": self.notes.license,
            **self.notes.counts(),
        }


S = TypeVar("S", bound=Settings)
M = TypeVar("M", bound=nn.Module)
G = TypeVar("G", bound=Generator)


class NoteTraining(Training[S, Lesson, M]):
    """What learns from notes."""

    package = "gansynth-lite"

    def fingerprint(self) -> str:
        """Return a hash of the labels of notes, and of some samples of each."""
        notes = self.data.known
        labels = np.stack([notes.pitches, notes.families, notes.instruments])
        return digest(labels, notes.samples[:, ::97])

    def split(self) -> dict[str, Any]:
        """Return how notes were divided, and what was learnt of them, or before."""
        start = self.data.start and self.data.start[1]
        return BY_HASH.card(groups(self.data.notes), self.data.parts, start)


class GeneratorTraining(NoteTraining[S, G]):
    """A generator that learns from notes, and is measured by how a classifier hears it."""

    def measure(self, name: str) -> Report:
        """Measure on held-out notes, if there is a judge."""
        notes, parts, judge = self.data.notes, self.data.parts, self.data.judge
        if judge is None:
            return super().measure(name)
        count = min(COUNT, EACH * len(parts["test"]))
        return measure(self.model, notes, parts, judge, count=count, seed=1, name=name)

    def card(self) -> dict[str, Any]:
        """Say what the generator is for."""
        notes = self.data.notes
        low, high = notes.pitches.min(), notes.pitches.max()
        made = ": a soundfont's, not recordings of players" if notes.source == "soundfont" else ""
        return {
            "data": self.data.card(),
            "intended_use": "Playing and morphing single notes; sketches and research.",
            "limits": f"16 kHz: nothing above 8 kHz. Single notes of MIDI pitch {low} to {high} as "
            f"its training notes have them{made}.",
            "paper": "arXiv:1902.08710; arXiv:1912.04958",
        }
