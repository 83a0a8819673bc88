"""What music-vae tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="music-vae",
        api=(1, 0),
        summary="A latent space of melodies, drum beats and trios: draw, blend and vary whole bars of music.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Make beats."""
    return [Action("sample", "music_vae.actions:sample", "Draw new beats.")]
