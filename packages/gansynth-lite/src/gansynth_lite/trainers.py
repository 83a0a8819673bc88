"""The trainers of gansynth-lite: the command line and the Python API at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from gansynth_lite.options import (
    BatchSize,
    Beside,
    Checkpoint,
    ClassifierNetwork,
    Judge,
    LearningRate,
    NotesPath,
    Precision,
    Subset,
    Width,
)
from groove_core.actions import (
    Device,
    Devices,
    Into,
    License,
    Minutes,
    Opt,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.errors import UsageError
from groove_core.values import Report

__all__ = ["adapt", "train", "train_classifier"]

PACKAGE = "gansynth-lite"


@action
def train(
    notes: NotesPath,
    *,
    size: Annotated[
        Literal["small", "full"], Opt("small: notes of 1 s, for a CPU; full: of 4 s, for a GPU")
    ] = "small",
    network: Annotated[
        Literal["ours", "paper"], Opt("network: ours, or the progressive one of the GANSynth paper")
    ] = "ours",
    scale: Annotated[
        Literal["linear", "mel"], Opt("frequency scale of the spectrograms")
    ] = "linear",
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-notes)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("number of epochs", min=1, max=100_000)] = 60,
    batches: Annotated[int, Opt("batches in an epoch", min=1, max=100_000)] = 128,
    batch_size: BatchSize = None,
    width: Width = None,
    learning_rate: LearningRate = None,
    subset: Subset = "acoustic",
    classifier: Judge = None,
    precision: Precision = "32",
    compile: Annotated[
        bool, Opt("compilation of the networks by torch: slow the first time, fast afterwards")
    ] = False,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a model on your own notes.

    A tenth of the notes is kept to measure it. Ctrl-C keeps what was learnt so far; --resume
    goes on.

    Raises
    ------
    InputError
        If there are too few notes.
    """
    from dataclasses import replace

    from gansynth_lite.layout import LAYOUTS
    from gansynth_lite.lessons import Lesson
    from gansynth_lite.progressive_training import ProgressiveSettings, ProgressiveTraining
    from gansynth_lite.sound import load_classifier
    from gansynth_lite.sources import open_cached
    from gansynth_lite.training import GANTraining, Settings
    from groove_core import learning

    run = learning.Run.of(
        PACKAGE, "my-notes", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license,
    )  # fmt: skip
    layout = replace(LAYOUTS[size], scale=scale)
    found = open_cached(notes, layout.samples, subset)
    lesson = Lesson.of(found, load_classifier(classifier, run.device))
    maps = width or {"small": 8, "full": 16}[size]
    given = {"batch_size": batch_size, "learning_rate": learning_rate}
    asked: dict[str, Any] = {
        "epochs": epochs, "batches": batches, "precision": precision,
        **{key: value for key, value in given.items() if value is not None},
    }  # fmt: skip
    if network == "paper":
        paper = ProgressiveSettings(layout, most=16 * maps, **asked)
        return learning.train(ProgressiveTraining, paper, lesson, run)
    ours = Settings(layout, width=maps, most=12 * maps, compile=compile, **asked)
    return learning.train(GANTraining, ours, lesson, run)


@action
def adapt(
    notes: NotesPath,
    *,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-sounds)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("number of epochs; 0: auditions only", min=0, max=100_000)] = 20,
    batches: Annotated[int, Opt("batches in an epoch", min=1, max=100_000)] = 32,
    batch_size: Annotated[int, Opt("notes in a batch", min=2, max=4096)] = 8,
    learning_rate: Annotated[float, Opt("learning rate of Adam", min=1e-6, max=0.1)] = 1e-3,
    subset: Subset = "acoustic",
    classifier: Judge = None,
    precision: Precision = "32",
    again: Annotated[
        bool,
        Opt("only notes that the checkpoint has learnt from; all others are kept to measure by"),
    ] = False,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Bring a trained model nearer to your own notes, in an hour on two cores.

    It begins with the packaged model, or with --checkpoint. New instruments are then drawn where
    those of the notes lie. A tenth of the notes is kept to measure it. Ctrl-C keeps what was
    learnt so far; --resume goes on.

    Raises
    ------
    InputError
        If there are too few notes.
    UsageError
        If the model has no encoder.
    """
    from gansynth_lite.adapting import AdaptSettings, AdaptTraining
    from gansynth_lite.lessons import Lesson
    from gansynth_lite.model import GANSynth
    from gansynth_lite.sound import load_classifier, load_generator
    from gansynth_lite.sources import open_cached
    from groove_core import learning

    model, card = load_generator(checkpoint, "cpu")
    if not isinstance(model, GANSynth):
        raise UsageError(
            f"{card['name']} is of the paper's network, which has no encoder to begin with.",
            hint="--checkpoint notes",
        )
    run = learning.Run.of(
        PACKAGE, "my-sounds", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license,
    )  # fmt: skip
    found = open_cached(notes, model.layout.samples, subset)
    lesson = Lesson.of(found, load_classifier(classifier, run.device), (model, card), again=again)
    settings = AdaptSettings(
        epochs=epochs, batches=batches, batch_size=batch_size, learning_rate=learning_rate,
        precision=precision,
    )  # fmt: skip
    return learning.train(AdaptTraining, settings, lesson, run)


@action
def train_classifier(
    notes: NotesPath,
    *,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-classifier)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("passes over the notes", min=1, max=1000)] = 20,
    network: ClassifierNetwork = "harmonic",
    beside: Beside = None,
    size: Annotated[Literal["small", "full"], Opt("length of the notes: 1 s or 4 s")] = "full",
    subset: Subset = "acoustic",
    precision: Precision = "32",
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a classifier of pitches and families, which judges models of the same notes."""
    from gansynth_lite.classifier_training import ClassifierSettings, ClassifierTraining
    from gansynth_lite.layout import LAYOUTS
    from gansynth_lite.lessons import Lesson
    from gansynth_lite.sound import load_generator
    from gansynth_lite.sources import open_cached
    from groove_core import learning

    run = learning.Run.of(
        PACKAGE, "my-classifier", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license,
    )  # fmt: skip
    judged = None if beside is None else load_generator(beside, "cpu")
    lesson = Lesson.beside(open_cached(notes, LAYOUTS[size].samples, subset), judged)
    settings = ClassifierSettings(epochs=epochs, network=network, precision=precision)
    return learning.train(ClassifierTraining, settings, lesson, run)
