"""What melody-rnn tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="melody-rnn",
        api=(1, 1),
        summary="Melodies that continue, fill gaps and vary, and say where they come from.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Write melodies."""
    return [
        Action("sample", "melody_rnn.actions:sample", "Write new melodies."),
        Action("extend", "melody_rnn.actions:extend", "Continue a melody."),
        Action("fill", "melody_rnn.actions:fill", "Write some bars of a melody anew."),
        Action("vary", "melody_rnn.actions:vary", "Make variations of a melody."),
    ]


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at melodies and songs."""
    return [
        Action("trace", "melody_rnn.actions:trace", "Find the tunes that a melody quotes."),
        Action("dataset", "melody_rnn.actions:dataset", "Build a set of tunes from songs."),
        Action("evaluate", "melody_rnn.actions:evaluate", "Measure networks on other tunes."),
    ]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train networks."""
    return [
        Action("train", "melody_rnn.actions:train", "Train a network on tunes."),
        Action("adapt", "melody_rnn.actions:adapt", "Bring the network nearer to a few songs."),
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Bring the shipped tunes."""
    return [
        Dataset(
            name="melody-tunes",
            license="MIT AND CC0-1.0 AND BSD-3-Clause AND Artistic-1.0",
            open="melody_rnn.tunes:open_tunes",
        )
    ]
