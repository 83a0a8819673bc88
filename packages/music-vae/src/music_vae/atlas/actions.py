"""The verb of the map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from groove_core.actions import Device, Opt, Readable, Seed, action, checkpoint_of, draw_seed
from groove_core.values import Score
from music_vae.loading import load

if TYPE_CHECKING:
    from music_vae.atlas.phrasemap import PhraseMap

__all__ = ["map"]


@action
def map(  # noqa: A001 - the product's word
    *,
    place: Annotated[
        Readable[list[Score]] | None,
        Opt("your own MIDI files, or a folder of them, to mark on the map (default: none)"),
    ] = None,
    data: Annotated[
        Readable[list[Score]] | None,
        Opt("MIDI files, or a folder of them, to draw (default: the packaged songs)"),
    ] = None,
    model: Annotated[
        Literal["mel-2bar", "mel-16bar"], Opt("latent space to use (ignored with --checkpoint)")
    ] = "mel-2bar",
    perplexity: Annotated[
        float, Opt("approximate number of neighbours that t-SNE keeps together", min=5, max=200)
    ] = 30,
    seed: Seed = 1,
    checkpoint: Annotated[
        str | None, replace(checkpoint_of(), names="music_vae.loading:melodic")
    ] = None,
    device: Device = "auto",
) -> PhraseMap:
    """Draw a map of phrases: a page that plays, a picture, and the numbers.

    The page opens from disk, without a network. A click plays a phrase, and one on an empty spot
    writes a new one there.

    Raises
    ------
    UsageError
        If the checkpoint is not one of melodies.
    InputError
        If there are too few phrases, or none in your own files.
    """
    from music_vae.atlas.gathering import from_scores, from_set
    from music_vae.atlas.making import draw_map
    from music_vae.sets import phrases

    network, card = load(model, checkpoint, device)
    return draw_map(
        network, card,
        from_scores(data) if data is not None else from_set(phrases()),
        from_scores(place) if place is not None else None,
        perplexity=perplexity, seed=draw_seed(seed),
    )  # fmt: skip
