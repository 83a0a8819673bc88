"""The verb of drum-space for maps: the command line and the Python API at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from drum_space.playing.options import Flat
from drum_space.space import Checkpoint, Model, load, windows_of
from groove_core.actions import DataPath, Device, DrumTrack, Opt, Readable, Seed, action, draw_seed
from groove_core.values import Score

if TYPE_CHECKING:
    from drum_space.atlas.drummap import DrumMap

__all__ = ["map"]


@action
def map(  # noqa: A001 - the product's word
    *,
    place: Annotated[
        Readable[list[Score]] | None,
        Opt(
            "your own MIDI files, or a folder of them, to mark on the map (default: none)",
            aliases=("BEATS",),
        ),
    ] = None,
    data: DataPath = None,
    model: Model = "acai",
    perplexity: Annotated[
        float, Opt("approximate number of neighbours that t-SNE keeps together", min=5, max=200)
    ] = 30,
    flat: Flat = False,
    drum_track: DrumTrack = None,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> DrumMap:
    """Draw the map of all patterns: a page that plays, a picture, and the numbers.

    The page opens from disk, without a network: hover shows a pattern, a click plays it, and
    one on an empty spot decodes a new beat there. Patterns are played with the loudness and timing
    of their performance, where the package knows it; others like the drummer whose beat is most
    like them.

    Raises
    ------
    UsageError
        If a map has to be computed and openTSNE is not installed.
    InputError
        If there are too few patterns, or none in your own files.
    """
    from drum_space.atlas.making import draw_map

    network, card = load(model, checkpoint, device)
    yours = windows_of(place) if place else None
    return draw_map(
        network, card, data, perplexity=perplexity, seed=draw_seed(seed), yours=yours, flat=flat
    )
