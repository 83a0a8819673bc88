"""What groove-studio tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Command, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="groove-studio",
        api=(1, 2),
        summary="Everything that is installed, in the browser.",
    )


@hookimpl
def groove_commands() -> list[Command]:
    """Open the studio."""
    return [Command(name="studio", run="groove_studio.command:studio", summary="Open the studio.")]
