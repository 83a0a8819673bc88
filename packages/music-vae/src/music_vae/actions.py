"""The verbs of music-vae: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from groove_core.actions import Checkpoint, Device, Opt, Readable, Seed, action, draw_seed, each
from groove_core.errors import InputError
from groove_core.values import Codes, Score
from music_vae.loading import MODELS, Name, load

if TYPE_CHECKING:
    import torch

    from music_vae.model import MusicVAE

__all__ = ["decode", "encode", "interpolate", "sample", "vary"]

BATCH = 256
"""Pieces that are written at once."""

Model = Annotated[Name, Opt("latent space to use (ignored with --checkpoint)")]
Tempo = Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)]
Temperature = Annotated[
    float,
    Opt("sampling temperature: 0 writes the likeliest notes, above 1 is daring", min=0, max=3),
]


@action
def sample(
    *,
    count: Annotated[int, Opt("pieces to draw", min=1, max=100_000)] = 4,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.5,
    spread: Annotated[
        float, Opt("spread around typical codes: 0 plays safe, above 1 is daring", min=0, max=4)
    ] = 1.0,
    prior: Annotated[
        Literal["fitted", "normal"],
        Opt("source of the codes: fitted to those of real music, or the N(0, I) of the paper"),
    ] = "fitted",
    tempo_bpm: Tempo = 120.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Score]:
    """Draw new pieces: melodies, beats or trios, as the model has them.

    Returns
    -------
    iterator of Score
    """
    import torch

    from music_vae.prior import sample_codes

    network, _ = load(model, checkpoint, device)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    if prior == "fitted":
        codes = sample_codes(network.prior, count, generator, temperature=spread)
    else:
        codes = spread * torch.randn(count, network.latent, generator=generator)
    return _written(network, codes, tempo_bpm, temperature, generator)


@action
def interpolate(
    start: Annotated[Readable[Score], Opt("MIDI file of the piece to begin with")],
    end: Annotated[Readable[Score], Opt("MIDI file of the piece to arrive at")],
    *,
    steps: Annotated[int, Opt("pieces in between", min=1, max=64)] = 6,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Score]:
    """Morph one piece into another along an arc of the latent space.

    Of a longer piece the first bars with notes are used, a shorter one is filled up with silence.

    Returns
    -------
    iterator of Score
        What the model remembers of the first piece, `steps` pieces in between, and what it
        remembers of the second.
    """
    import torch

    from music_vae.prior import slerp

    network, _ = load(model, checkpoint, device)
    a, b = (_code_of(network, piece) for piece in (start, end))
    generator = torch.Generator().manual_seed(draw_seed(seed))
    codes = slerp(a, b, torch.linspace(0, 1, steps + 2))
    return _written(network, codes, _tempo(start), temperature, generator)


@action
def vary(
    piece: Annotated[Readable[Score], Opt("MIDI file of the piece to vary")],
    *,
    amount: Annotated[
        float, Opt("distance from the piece, as a share of the spread of all codes", min=0, max=2)
    ] = 0.25,
    count: Annotated[int, Opt("variations", min=1, max=10_000)] = 4,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Score]:
    """Make variations of a piece: its neighbours in the latent space.

    Returns
    -------
    iterator of Score
        With an amount of 0, what the model remembers of the piece.
    """
    import torch

    network, _ = load(model, checkpoint, device)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    noise = torch.randn(count, network.latent, generator=generator)
    codes = _code_of(network, piece) + amount * network.prior.deviation().cpu() * noise
    return _written(network, codes, _tempo(piece), temperature, generator)


@action
def encode(
    pieces: Annotated[Readable[list[Score]], Opt("MIDI files, or a folder of them")],
    *,
    model: Model = "mel-2bar",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Codes:
    """Turn the bars of MIDI files into codes, one row for every 2 or 16 bars.

    Returns
    -------
    Codes
        Labelled with the name of the file and the bar that they begin with.

    Raises
    ------
    InputError
        If no file can be read.
    """
    import numpy as np

    from music_vae.evaluation import codes_of
    from music_vae.pieces import Excerpt, excerpts

    network, card = load(model, checkpoint, device)

    def read(score: Score, name: str) -> tuple[str, list[Excerpt]]:
        return name, excerpts(score, network.voices, network.bars)

    found = [
        (f"{name}:{excerpt.bar}", excerpt.events)
        for name, some in each(pieces, read)
        for excerpt in some
    ]
    codes = codes_of(network, np.stack([events for _, events in found]))
    return Codes(codes.numpy(), [label for label, _ in found], card["name"])


@action
def decode(
    codes: Annotated[Readable[Codes], Opt("file that encode has saved, or a CSV table of numbers")],
    *,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    tempo_bpm: Tempo = 120.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Score]:
    """Turn codes into pieces.

    Raises
    ------
    InputError
        If the codes are of another model or have another number of dimensions.
    """
    import torch

    network, card = load(model, checkpoint, device)
    if codes.points.shape[1] != network.latent:
        raise InputError(
            f"The codes have {codes.points.shape[1]} dimensions, the model has {network.latent}.",
            hint="Encode and decode with the same --model or --checkpoint.",
        )
    if codes.model and codes.model != card["name"]:
        option = "model" if codes.model in MODELS else "checkpoint"
        raise InputError(
            f"The codes are of the model {codes.model!r}, not {card['name']!r}.",
            hint=f"--{option} {codes.model}",
        )
    generator = torch.Generator().manual_seed(draw_seed(seed))
    points = torch.from_numpy(codes.points).float()
    return _written(network, points, tempo_bpm, temperature, generator)


def _code_of(network: MusicVAE, piece: Score) -> torch.Tensor:
    """Return the code of the first bars of a piece [shape=(latent,)], on the CPU."""
    from music_vae.evaluation import codes_of
    from music_vae.pieces import excerpts

    [excerpt] = excerpts(piece, network.voices, network.bars, most=1)
    return codes_of(network, excerpt.events[None])[0]


def _tempo(piece: Score) -> float:
    """Return the tempo at the beginning of a piece."""
    return float(piece.tempo_at(0))


def _written(
    network: MusicVAE,
    codes: torch.Tensor,
    tempo_bpm: float,
    temperature: float,
    generator: torch.Generator,
) -> Iterator[Score]:
    """Write pieces from codes, as they are asked for."""
    from music_vae.pieces import score_of

    for chunk in codes.split(BATCH):
        events = network.decode(chunk, temperature=temperature, generator=generator)
        for one in events.cpu().numpy():
            yield score_of(one, network.voices, tempo_bpm=tempo_bpm)
