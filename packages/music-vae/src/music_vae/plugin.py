"""What music-vae tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="music-vae",
        api=(1, 1),
        summary="A latent space of melodies, beats and trios: draw, blend and vary whole bars.",
    )


@hookimpl
def groove_generators() -> list[Action]:
    """Write music from codes."""
    return [
        Action("sample", "music_vae.actions:sample", "Draw new melodies, beats or trios."),
        Action("interpolate", "music_vae.actions:interpolate", "Morph one piece into another."),
        Action("vary", "music_vae.actions:vary", "Make variations of a piece."),
        Action("decode", "music_vae.actions:decode", "Turn codes into pieces."),
    ]


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at music."""
    return [
        Action("encode", "music_vae.actions:encode", "Turn pieces into codes."),
        Action("map", "music_vae.atlas.actions:map", "Draw a map of phrases that plays."),
    ]
