"""The verb of groove-vae that trains: the command line and the Python API at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from groove_core.actions import (
    DataPath,
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
from groove_core.errors import UsageError
from groove_core.values import Report
from groove_vae.actions import AUDIO, MOST_DIMENSIONS, PACKAGE, Which

__all__ = ["train"]


@action
def train(
    *,
    model: Which = "audio",
    data: DataPath = None,
    name: Annotated[
        str | None, Opt("name of the checkpoint (default: my-audio or my-symbolic)")
    ] = None,
    into: Into = None,
    latent: Annotated[
        int | None, Opt("dimensions of z (default: the model's own)", min=1, max=256)
    ] = None,
    covariance: Annotated[
        Literal["diagonal", "full"], Opt("covariance of the Gaussians of the audio model")
    ] = "diagonal",
    epochs: Annotated[
        int | None, Opt("passes over the data (default: the model's own)", min=1, max=10_000)
    ] = None,
    batch_size: Annotated[
        int | None, Opt("windows per step (default: the model's own)", min=2, max=8192)
    ] = None,
    learning_rate: Annotated[
        float | None,
        Opt(
            "learning rate of Adam, before its decay (default: the model's own)", min=1e-6, max=0.1
        ),
    ] = None,
    beta: Annotated[
        float | None, Opt("weight of the KL divergence (default: the model's own)", min=0, max=1e6)
    ] = None,
    free_bits: Annotated[
        float | None,
        Opt(
            "nats of each dimension that the KL leaves free (default: the model's own)",
            min=0,
            max=100,
        ),
    ] = None,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a model on the shipped performances or on your own folder of MIDI files.

    Ctrl-C keeps what was learnt so far; --resume goes on and ends with the same
    weights as an unbroken run. The checkpoint can then be named with --checkpoint.
    """
    from groove_core import learning
    from groove_vae.performances import CORPUS, load

    wanted: dict[str, Any] = {
        "latent": latent,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "beta": beta,
        "free_bits": free_bits,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    run = learning.Run.of(
        PACKAGE, f"my-{model}", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(data, *CORPUS),
    )  # fmt: skip
    performances = load(None, None if model == AUDIO else "4-4", data=data)
    if model == AUDIO:
        from groove_vae.training import FeelTraining, Settings

        if latent is not None and latent > MOST_DIMENSIONS:
            raise UsageError(
                f"The audio model has at most {MOST_DIMENSIONS} dimensions, not {latent}.",
                hint=f"--latent {MOST_DIMENSIONS}",
            )
        settings = Settings(**given, covariance=covariance)
        return learning.train(FeelTraining, settings, performances, run)
    from groove_vae.twin_training import Settings as TwinSettings
    from groove_vae.twin_training import TwinTraining

    return learning.train(TwinTraining, TwinSettings(**given), performances, run)
