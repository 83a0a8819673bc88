"""What groove-ray tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="groove-ray",
        api=(1, 3),
        summary="Work on many files on a Ray cluster.",
    )
