"""What gansynth-lite tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Kind, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="gansynth-lite",
        api=(1, 1),
        summary="Play and morph instruments that a GAN of single notes has learnt.",
    )


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at sounds and models."""
    return [
        Action("encode", "gansynth_lite.actions:encode", "Find the instruments of sounds."),
        Action("evaluate", "gansynth_lite.actions:evaluate", "Measure a model."),
    ]


@hookimpl
def groove_generators() -> list[Action]:
    """Play."""
    return [
        Action(
            "sample",
            "gansynth_lite.actions:sample",
            "Draw instruments, and play a note of each.",
            aliases={"note": {}},
        ),
        Action("render", "gansynth_lite.actions:render", "Play a MIDI file."),
        Action(
            "interpolate",
            "gansynth_lite.actions:interpolate",
            "Morph one instrument into another.",
            aliases={"morph": {}},
        ),
        Action(
            "export",
            "gansynth_lite.actions:export",
            "Export an instrument for a sampler.",
            aliases={"kit": {}},
        ),
    ]


@hookimpl
def groove_kinds() -> list[Kind]:
    """List what encode finds."""
    return [
        Kind(
            name="instruments",
            value="gansynth_lite.encoded:Instruments",
            summary="codes of recorded sounds, and how loud their harmonics are over time",
            becomes={"codes": "gansynth_lite.encoded:to_codes"},
            example="gansynth_lite.encoded:tiny",
        )
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Open collections that users have."""
    return [
        Dataset(name="single-notes", license="unknown", open="gansynth_lite.sources:open_notes")
    ]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train models."""
    return [
        Action("train", "gansynth_lite.trainers:train", "Train a model on your own notes."),
        Action("adapt", "gansynth_lite.trainers:adapt", "Bring a model nearer to your notes."),
        Action(
            "train-classifier",
            "gansynth_lite.trainers:train_classifier",
            "Train a classifier of notes, which judges models.",
        ),
    ]
