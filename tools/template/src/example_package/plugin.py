"""What example-package tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(name="example-package", api=(1, 0), summary="A summary in one sentence.")


@hookimpl
def groove_generators() -> list[Action]:
    """Make beats."""
    return [Action("sample", "example_package.actions:sample", "Draw new beats.")]
