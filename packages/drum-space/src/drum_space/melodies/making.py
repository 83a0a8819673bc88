"""Train a melody network, measure it on what it has not learnt, and load it with its space."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from drum_space.cards import made_with
from drum_space.melodies.evaluation import Measured, measure, report_of
from drum_space.melodies.lines import FOLDS, Songbook
from drum_space.melodies.model import DrumMelody
from drum_space.melodies.training import Settings, train_network
from drum_space.model import DrumAutoencoder
from drum_space.space import PACKAGE, load
from groove_core.console import note
from groove_core.errors import CheckpointError, InputError
from groove_core.learning import Run, store
from groove_core.storage import checkpoints
from groove_core.values import Report

__all__ = ["SHIPPED", "evaluate_network", "load_melody", "make_melody"]

SHIPPED = "freedoom-lines"
SEED = 1
"""Of what is drawn to be measured."""


def load_melody(checkpoint: str | None, device: str) -> tuple[DrumMelody, DrumAutoencoder]:
    """Load a melody network and the space whose codes it was trained with.

    Raises
    ------
    CheckpointError
        If either is missing, or the space is not the one it was trained with.
    """
    model, card = checkpoints.load(PACKAGE, checkpoint or "melody", DrumMelody)
    wanted = card["space"]
    space, found = load("", wanted["name"], device)
    if found["sha256"] != wanted["sha256"]:
        raise CheckpointError(
            f"The melody network {card['name']!r} was trained with another space "
            f"{wanted['name']!r} than the one that is here.",
            hint="groove run drum-space train-melody trains one for it.",
        )
    return model, space.cpu()


def _measure(
    model: DrumMelody, space: DrumAutoencoder, book: Songbook, fold: int
) -> Measured | None:
    """Measure on a fold; None where it has nothing to measure on."""
    try:
        return measure(model, space, book.part([fold]), _others(book, fold), seed=SEED)
    except InputError:
        return None


def _others(book: Songbook, fold: int) -> list[Any]:
    return book.part(set(range(FOLDS)) - {fold})


def evaluate_network(
    model: DrumMelody, space: DrumAutoencoder, book: Songbook, *, seed: int = SEED
) -> Report:
    """Measure a trained network on the fold that is never learnt.

    Raises
    ------
    InputError
        If nothing in it can be measured on.
    """
    measured = measure(model, space, book.part([0]), _others(book, 0), seed=seed)
    return report_of([measured], title="melodies on drums")


def make_melody(
    book: Songbook, space_name: str, settings: Settings, run: Run, *, folds: int, data: str
) -> Report:
    """Train on all folds but the first, measure, and save with a card.

    With more `folds`, further networks are trained to measure on further pieces, each left out
    of the training of its own; they are not kept.
    """
    space, about = load("", space_name, "cpu")
    model, history = train_network(_others(book, 0), space, settings, run)
    measured = [_measure(model, space, book, 0)]
    for fold in range(1, folds):
        note(f"training without part {fold + 1} of {FOLDS} of the pieces, to measure on it")
        with tempfile.TemporaryDirectory() as folder:
            beside = replace(run, folder=Path(folder), resume=False, restart=False)
            other, _ = train_network(_others(book, fold), space, settings, beside)
        measured.append(_measure(other, space, book, fold))
    report = _report([one for one in measured if one], run.name, history)
    card = {
        "name": run.name,
        "version": "1",
        "package": PACKAGE,
        "space": {"name": space_name, "sha256": about["sha256"]},
        "data": {
            "name": data,
            "license": "BSD-3-Clause" if data == SHIPPED else "unknown: your own data",
            "split": "by piece",
            "pieces": len({piece.name for piece in book.pieces}),
            "lines": sum(len(piece.lines) for piece in book.pieces),
            "train": len({piece.name for piece in _others(book, 0)}),
            "test": len({piece.name for piece in book.part([0])}),
        },
        "training": asdict(settings),
        "seed": run.seed,
        "made_with": made_with(),
        "license": "MIT" if data == SHIPPED else "yours to choose",
        "intended_use": "Melodies and bass lines on a beat in 4/4: sketches to go on with.",
        "limits": (
            "Learnt from four dozen pieces of game music, mostly rock and metal in minor: riffs "
            "rather than songs, and no harmony beyond the bass. It follows the beat, but only a "
            "little: see the rows with other drums and with none."
        ),
        "paper": "arXiv:2007.06284",
    }
    return store(run.folder, model, card, report, history=history)


def _report(measured: Sequence[Measured], name: str, history: Sequence[dict[str, float]]) -> Report:
    if measured:
        return report_of(measured, title=name)
    note("nothing is measured: no piece that is left out has eight bars with notes and drums")
    last = history[-1]["nll"]
    return Report(name, ("", "nats per step, training"), ((name, last),))
