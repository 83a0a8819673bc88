"""What genre-map tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="genre-map",
        api=(1, 1),
        summary="Classify music by genre, see why, and walk the borders between genres.",
    )


@hookimpl
def groove_analyzers() -> list[Action]:
    """Look at songs and models."""
    return [
        Action("classify", "genre_map.actions:classify", "Tell the genre of songs."),
        Action("explain", "genre_map.actions:explain", "Mark what speaks for a genre."),
        Action("evaluate", "genre_map.actions:evaluate", "Measure classifiers and generator."),
    ]


@hookimpl
def groove_generators() -> list[Action]:
    """Make pictures that can be heard, maps of them, and a corpus of songs."""
    return [
        Action(
            "sample",
            "genre_map.actions:sample",
            "Draw spectrograms and hear them.",
            aliases={"generate": {}},
        ),
        Action(
            "map",
            "genre_map.actions:map",
            "Draw the map of genres as a page that plays.",
            aliases={"place": {}},
        ),
        Action(
            "interpolate",
            "genre_map.actions:interpolate",
            "Walk from one genre to another.",
            aliases={"border": {}},
        ),
        Action(
            "dataset",
            "genre_map.actions:dataset",
            "Build the rendered corpus of ten genres.",
            aliases={"corpus": {}},
        ),
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Open collections that users have."""
    return [Dataset(name="songs-by-genre", license="unknown", open="genre_map.songs:open_songs")]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train models."""
    return [
        Action("train", "genre_map.trainers:train", "Train a genre classifier."),
        Action("train-generator", "genre_map.trainers:train_generator", "Train the generator."),
        Action("train-vocoder", "genre_map.vocoder.actions:train_vocoder", "Train the vocoder."),
    ]
