"""What melody-rnn tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="melody-rnn",
        api=(1, 0),
        summary="Melodies that continue, fill gaps and vary, and say where they come from.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Make beats."""
    return [Action("sample", "melody_rnn.actions:sample", "Draw new beats.")]
