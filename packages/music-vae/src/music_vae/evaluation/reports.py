"""What `evaluate` measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from groove_core.errors import UsageError
from groove_core.values import Report
from music_vae.evaluation.choruses import heard
from music_vae.evaluation.interpolation import interpolated
from music_vae.evaluation.reconstruction import measured
from music_vae.evaluation.samples import sampled
from music_vae.evaluation.shifts import shifted
from music_vae.model import MusicVAE
from music_vae.sets import phrases, windows_of

__all__ = ["ABOUT", "About", "report"]

About = Literal["reconstruction", "interpolation", "samples", "attributes", "choruses"]
ABOUT: tuple[About, ...] = get_args(About)
DRAWN: Mapping[About, Callable[..., Report]] = {
    "interpolation": interpolated, "samples": sampled, "attributes": shifted,
}  # fmt: skip


def report(
    about: About,
    model: MusicVAE,
    card: Mapping[str, Any],
    data: Path | None,
    *,
    count: int | None,
    seed: int,
) -> Report:
    """Measure a network on songs that it has not learnt.

    Parameters
    ----------
    about : str
    model : MusicVAE
    card : dict
        Of the network: what it has learnt from, or was chosen by, is not measured on.
    data : path, optional
        Default: the packaged songs.
    count : int, optional
        Pieces that are drawn, or pairs of them. Default: as the measure has it.
    seed : int

    Raises
    ------
    InputError
        If the network knows all of the songs, or there is nothing to measure on.
    UsageError
        If choruses are asked of other than melodies.
    """
    name, told = card["name"], {} if count is None else {"count": count}
    if about == "choruses":
        if model.voices != ("melody",):
            raise UsageError(
                f"{name} reads {' and '.join(model.voices)}; only melodies are labelled.",
                hint="Choose --model mel-2bar or mel-16bar.",
            )
        return heard(model, phrases(data).as_learnt([card]), name, seed=seed, **told)
    windows = windows_of(model, data).as_learnt(card)
    if about == "reconstruction":
        return measured(model, windows, name)
    return DRAWN[about](model, windows, name, seed=seed, **told)
