"""What groove-studio tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="groove-studio",
        api=(1, 2),
        summary="Everything that is installed, in the browser.",
    )
