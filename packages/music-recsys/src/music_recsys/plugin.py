"""What music-recsys tells Groove about itself."""

from __future__ import annotations

from groove_core.hookspecs import Action, Dataset, Package, hookimpl


@hookimpl
def groove_package() -> Package:
    """Introduce the package."""
    return Package(
        name="music-recsys",
        api=(1, 1),
        summary="Learn which seconds of which songs one listener likes, and rank a library.",
    )


@hookimpl
def groove_analyzers() -> list[Action]:
    """Learn a taste, and look at songs with it."""
    return [
        Action("rate", "music_recsys.actions:rate", "Say how well a song is liked."),
        Action("learn", "music_recsys.actions:learn", "Learn a taste from ratings."),
        Action("score", "music_recsys.actions:score", "Tell how well each second will be liked."),
        Action("recommend", "music_recsys.actions:recommend", "Rank songs, and say why."),
        Action("index", "music_recsys.actions:index", "Hear a folder of songs once."),
        Action(
            "explain",
            "music_recsys.actions:explain",
            "Show what the filters listen for.",
            aliases={"filters": {}},
        ),
        Action("probe", "music_recsys.studies:probe", "Repeat the source's experiments."),
        Action("evaluate", "music_recsys.studies:evaluate", "Measure how well tastes are found."),
    ]


@hookimpl
def groove_generators() -> list[Action]:
    """Render clips with known tastes."""
    return [
        Action(
            "dataset",
            "music_recsys.studies:dataset",
            "Render clips with known tastes.",
            aliases={"material": {}},
        )
    ]


@hookimpl
def groove_datasets() -> list[Dataset]:
    """Open folders of songs."""
    return [Dataset(name="songs", license="unknown", open="music_recsys.songs:open_songs")]


@hookimpl
def groove_trainers() -> list[Action]:
    """Train front ends."""
    return [Action("train", "music_recsys.studies:train", "Train a front end on songs.")]
