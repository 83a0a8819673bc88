"""What drum-space tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="drum-space",
        api=(1, 1),
        summary="Walk a latent space of two-bar drum patterns: sample, morph, map, write melodies.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Make beats."""
    return [
        Action("sample", "drum_space.actions:sample", "Draw new beats."),
        Action("interpolate", "drum_space.actions:interpolate", "Morph one beat into another."),
        Action("vary", "drum_space.actions:vary", "Make variations of a beat."),
        Action("decode", "drum_space.actions:decode", "Turn codes into beats."),
        Action(
            "compose",
            "drum_space.melodies.actions:compose",
            "Write a melody on a beat, or a whole piece.",
            aliases={"song": {}, "melody": {"bass": False, "chords": False, "form": "A"}},
        ),
    ]


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at beats and models."""
    return [
        Action(
            "map",
            "drum_space.atlas.actions:map",
            "Draw the map of all beats, as a page that plays.",
        ),
        Action("encode", "drum_space.actions:encode", "Turn beats into codes."),
        Action("evaluate", "drum_space.actions:evaluate", "Measure how good the models are."),
        Action("dataset", "drum_space.actions:dataset", "Build a set of patterns from MIDI files."),
    ]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train models."""
    return [
        Action("train", "drum_space.actions:train", "Train a latent space."),
        Action(
            "train-melody", "drum_space.melodies.actions:train_melody", "Train a melody network."
        ),
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Bring the shipped patterns."""
    return [
        Dataset(
            name="two-bar-patterns",
            license="CC-BY-4.0 AND BSD-3-Clause",
            open="drum_space.data:open_patterns",
        )
    ]
