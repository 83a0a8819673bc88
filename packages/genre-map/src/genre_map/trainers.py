"""The verbs of genre-map that train: the command line and the Python API at once."""

from __future__ import annotations

from typing import Annotated, Literal

from genre_map.actions import _classifier
from genre_map.options import (
    FORMER,
    PACKAGE,
    Guide,
    Network,
    Precision,
    Songs,
)
from groove_core.actions import (
    Device,
    Devices,
    Into,
    License,
    Minutes,
    Opt,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.values import Report

__all__ = ["train", "train_generator"]


@action
def train(
    *,
    data: Songs,
    network: Annotated[
        Network,
        Opt(
            "network: ours, our reconstruction of the thesis' (paper), or that of Dong (2018)",
            former=FORMER,
        ),
    ] = "ours",
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-classifier)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("passes over the songs", min=1, max=1000)] = 20,
    windows: Annotated[int, Opt("windows of each song in an epoch", min=1, max=100)] = 6,
    batch_size: Annotated[int, Opt("windows per step", min=1, max=4096)] = 64,
    learning_rate: Annotated[
        float, Opt("learning rate of AdamW, before its decay", min=1e-6, max=0.1)
    ] = 2e-3,
    precision: Precision = "32",
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a genre classifier on your own songs.

    Of each genre a tenth of the songs is kept to calibrate and a tenth to measure. Ctrl-C
    keeps what was learnt so far; --resume goes on.

    Raises
    ------
    InputError
        If there is one genre only, or a genre has too few songs.
    """
    from genre_map.pictures import LAYOUTS, read_pictures
    from genre_map.songs import open_songs
    from genre_map.splits import Divided, fold_of
    from genre_map.training import GenreTraining, Settings
    from groove_core import learning
    from groove_core.storage import Cache

    songs = open_songs(data)
    run = learning.Run.of(
        PACKAGE, "my-classifier", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=songs.source,
    )  # fmt: skip
    settings = Settings(
        network=network, epochs=epochs, windows=windows, batch_size=batch_size,
        learning_rate=learning_rate, precision=precision,
    )  # fmt: skip
    songs, pictures = read_pictures(songs, LAYOUTS[network], Cache())
    divided = Divided(songs, pictures, fold_of(songs))
    return learning.train(GenreTraining, settings, divided, run)


@action
def train_generator(
    *,
    data: Songs,
    classifier: Guide = None,
    variant: Annotated[
        Literal["ours", "paper"],
        Opt(
            "network and losses: ours, or our reconstruction of the thesis' (it collapses)",
            former=FORMER,
        ),
    ] = "ours",
    information: Annotated[
        Literal["jensen-shannon", "infonce"], Opt("estimator of the mutual information")
    ] = "jensen-shannon",
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-generator)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("epochs of --batches batches each", min=1, max=100_000)] = 150,
    batches: Annotated[int, Opt("batches for the critic in an epoch", min=1, max=10_000)] = 32,
    batch_size: Annotated[int, Opt("windows per step", min=2, max=4096)] = 32,
    width: Annotated[int, Opt("feature maps of the generator's last layer", min=4, max=256)] = 16,
    precision: Precision = "32",
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a generator whose ten dependent values the classifier's features must tell.

    Raises
    ------
    InputError
        If the songs have other genres than the classifier.
    """
    from genre_map.gan_training import GANSettings, GANTraining, Guided
    from genre_map.songs import open_songs
    from groove_core import learning

    songs = open_songs(data)
    run = learning.Run.of(
        PACKAGE, "my-generator", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=songs.source,
    )  # fmt: skip
    settings = GANSettings.of(
        variant, information=information, width=width, epochs=epochs, batches=batches,
        batch_size=batch_size, precision=precision,
    )  # fmt: skip
    guided = Guided.of(songs, *_classifier(classifier, "cpu"))
    return learning.train(GANTraining, settings, guided, run)
