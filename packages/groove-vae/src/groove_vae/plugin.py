"""What groove-vae tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="groove-vae",
        api=(1, 1),
        summary="Where played drums differ from programmed ones, and the feel of drummers.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Change the feel of drum parts."""
    return [
        Action("humanize", "groove_vae.actions:humanize", "Play a programmed drum part."),
        Action("quantize", "groove_vae.actions:quantize", "Put a drum part on the grid."),
        Action("transfer", "groove_vae.actions:transfer", "Give the feel of one part to another."),
    ]


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at drum parts and models."""
    return [
        Action("compare", "groove_vae.actions:compare", "Show where two versions differ."),
        Action("fingerprint", "groove_vae.actions:fingerprint", "Measure the feel of drum parts."),
        Action("evaluate", "groove_vae.actions:evaluate", "Measure how good the models are."),
    ]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train models."""
    return [Action("train", "groove_vae.trainers:train", "Train a model.")]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Bring the shipped performances."""
    return [
        Dataset(
            name="groove-midi-performances",
            license="CC-BY-4.0",
            open="groove_vae.performances:open_performances",
        )
    ]
