"""Trainings as people start them: notes in, a measured checkpoint out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gansynth_lite.adapting import AdaptSettings, adapt
from gansynth_lite.cards import classifier_card, generator_card
from gansynth_lite.classifier import ClassifierSettings, NoteClassifier, train_classifier
from gansynth_lite.evaluation import measure, measure_classifier
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import Int, Notes, learnt, split, split_as_learnt
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.progressive_training import ProgressiveSettings, train_progressive
from gansynth_lite.training import Settings, train
from groove_core.errors import InputError
from groove_core.learning.before import Run, measured, store
from groove_core.values import Report

__all__ = ["make_adapted", "make_classifier", "make_generator"]

FEWEST = 16
"""Notes to learn from; fewer are no instrument."""
COUNT, EACH = 1000, 10
"""Notes that a generator is measured by, but so many for each held-out one at most."""


def _parts(notes: Notes, start: Mapping[str, Any] | None = None) -> dict[str, Int]:
    parts = split(notes) if start is None else split_as_learnt(notes, start)
    if len(parts["train"]) < FEWEST:
        raise InputError(
            f"{notes.name} has {len(notes)} notes, {len(parts['train'])} of them to learn from.",
            hint=f"Give at least {2 * FEWEST} notes at various pitches.",
        )
    return parts


def make_generator(
    notes: Notes,
    settings: Settings | ProgressiveSettings,
    run: Run,
    classifier: NoteClassifier,
) -> Report:
    """Train, measure and store a generator.

    Parameters
    ----------
    classifier : NoteClassifier
        What measures it.

    Raises
    ------
    InputError
        If there are too few notes.
    """
    parts = _parts(notes)
    known = notes.only(parts["train"])
    model, history = (
        train_progressive(known, settings, **run.loop)
        if isinstance(settings, ProgressiveSettings)
        else train(known, settings, **run.loop)
    )
    card = generator_card(settings, notes, parts, **run.card)
    return _stored(model, history, card, notes, parts, run, classifier)


def make_adapted(
    notes: Notes,
    settings: AdaptSettings,
    run: Run,
    classifier: NoteClassifier,
    model: GANSynth,
    start: Mapping[str, Any],
) -> Report:
    """Adapt a model to notes, measure and store what came of it.

    Parameters
    ----------
    model, start
        What to begin with, and its card.

    Raises
    ------
    InputError
        If there are too few notes.
    """
    parts = _parts(notes, start)
    adapted, history = adapt(model, notes.only(parts["train"]), settings, **run.loop)
    card = generator_card(settings, notes, parts, **run.card)
    card["data"]["learnt"] = learnt(notes, parts, start)
    card["start"] = {key: start.get(key) for key in ("name", "sha256", "data", "training", "start")}
    return _stored(adapted, history, card, notes, parts, run, classifier)


def _stored(
    model: GANSynth | ProgressiveGAN,
    history: list[dict[str, float]],
    card: dict[str, Any],
    notes: Notes,
    parts: Mapping[str, Int],
    run: Run,
    classifier: NoteClassifier,
) -> Report:
    count = min(COUNT, EACH * len(parts["test"]))
    report = measured(
        lambda: measure(
            model, notes, parts, classifier, count=count, seed=1, name=run.name, device=run.device
        ),
        run.name,
        history,
    )
    return store(run.folder, model, card, report, history=history)


def make_classifier(notes: Notes, settings: ClassifierSettings, run: Run) -> Report:
    """Train, measure and store a classifier of notes.

    Raises
    ------
    InputError
        If there are too few notes.
    """
    parts = _parts(notes)
    model, history = train_classifier(notes, parts, settings, **run.loop)
    report = measured(
        lambda: measure_classifier(model, notes, parts, name=run.name, device=run.device),
        run.name,
        history,
    )
    card = classifier_card(settings, notes, parts, **run.card)
    return store(run.folder, model, card, report, history=history)
