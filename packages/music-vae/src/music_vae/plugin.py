"""What music-vae tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Kind, Package, hookimpl


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
        Action("cross", "music_vae.actions:cross", "Cross rhythm and harmony of two pieces."),
        Action("vary", "music_vae.actions:vary", "Make variations of a piece."),
        Action("shift", "music_vae.actions:shift", "Make a piece denser, higher, calmer."),
        Action("decode", "music_vae.actions:decode", "Turn codes into pieces."),
    ]


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at music."""
    return [
        Action("encode", "music_vae.actions:encode", "Turn pieces into codes."),
        Action("map", "music_vae.atlas.actions:map", "Draw a map of phrases that plays."),
        Action("trace", "music_vae.actions:trace", "Find the tunes that a melody quotes."),
        Action("dataset", "music_vae.trainers:dataset", "Build a set of songs to train on."),
        Action("evaluate", "music_vae.trainers:evaluate", "Measure a space on other songs."),
    ]


@hookimpl
def groove_kinds() -> list[Kind]:
    """Bring what the verbs write."""
    piece = "music_vae.results:Piece"
    return [
        Kind(
            name="piece",
            value=piece,
            summary="bars of melody, beat or trio that a network wrote",
            becomes={"score": f"{piece}.to_score"},
            example="music_vae.results:tiny_piece",
        )
    ]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train networks."""
    return [
        Action("train", "music_vae.trainers:train", "Train a latent space on songs."),
        Action("adapt", "music_vae.trainers:adapt", "Bring a space nearer to a few songs."),
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Bring the shipped songs."""
    game = "BSD-3-Clause AND Artistic-1.0"
    return [
        Dataset(
            name="melodies", license=f"MIT AND CC0-1.0 AND {game}", open="music_vae.sets:tunes"
        ),
        Dataset(name="beats", license="CC-BY-4.0", open="music_vae.sets:beats"),
        Dataset(name="trios", license=f"MIT AND CC-BY-4.0 AND {game}", open="music_vae.sets:trios"),
        Dataset(name="phrases", license="MIT", open="music_vae.sets:phrases"),
    ]
