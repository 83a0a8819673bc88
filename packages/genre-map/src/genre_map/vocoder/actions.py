"""The verb that trains the vocoder."""

from __future__ import annotations

from typing import Annotated

from genre_map.options import PACKAGE, Precision, Songs
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

__all__ = ["train_vocoder"]


@action
def train_vocoder(
    *,
    data: Songs,
    name: Annotated[str | None, Opt("name of the checkpoint (default: vocoder)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("epochs of --batches batches each", min=1, max=100_000)] = 10,
    batches: Annotated[int, Opt("batches of an epoch", min=1, max=10_000)] = 250,
    batch_size: Annotated[int, Opt("excerpts per step", min=1, max=4096)] = 16,
    width: Annotated[int, Opt("channels of the network", min=8, max=2048)] = 128,
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
    """Train the vocoder that makes spectrograms audible.

    Called ``vocoder``, in ``groove-models`` or GROOVE_HOME, it stands in for the packaged one.

    Raises
    ------
    InputError
        If a genre has too few songs.
    """
    from genre_map.pictures import LAYOUTS, read_pictures
    from genre_map.songs import open_songs
    from genre_map.splits import Divided, fold_of
    from genre_map.vocoder.training import VocoderSettings, VocoderTraining
    from groove_core import learning
    from groove_core.storage import Cache

    songs = open_songs(data)
    run = learning.Run.of(
        PACKAGE, "vocoder", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=songs.source,
    )  # fmt: skip
    settings = VocoderSettings(
        width=width, epochs=epochs, batches=batches, batch_size=batch_size, precision=precision,
    )  # fmt: skip
    songs, pictures = read_pictures(songs, LAYOUTS["ours"], Cache())
    divided = Divided(songs, pictures, fold_of(songs))
    return learning.train(VocoderTraining, settings, divided, run)
