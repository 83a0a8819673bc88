"""The verbs of music-vae: the command line and the Python API at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from groove_core.actions import (
    Checkpoint,
    DataPath,
    Device,
    Opt,
    Readable,
    Seed,
    action,
    draw_seed,
    each,
)
from groove_core.errors import InputError, UsageError
from groove_core.values import Codes, LeadSheet, Score
from music_vae.loading import SHIPPED, load
from music_vae.options import (
    Alone,
    AttributeName,
    Bars,
    BarsA,
    BarsB,
    Flat,
    Given,
    Model,
    Spread,
    Temperature,
    Tempo,
    Track,
    bars_of,
)

if TYPE_CHECKING:
    from groove_core.tunes import Trace
    from music_vae.results import Piece

__all__ = ["cross", "decode", "encode", "interpolate", "sample", "shift", "trace", "vary"]


@action
def sample(
    *,
    count: Annotated[int, Opt("pieces to draw", min=1, max=100_000)] = 4,
    model: Model = "mel-2bar",
    like: Annotated[
        Readable[list[Score | LeadSheet]] | None,
        Opt("MIDI files, or a folder of them, near which to draw (default: anywhere)"),
    ] = None,
    key: Annotated[str | None, Opt("key, such as Bb or F#m (default: as it comes)")] = None,
    temperature: Temperature = 0.5,
    spread: Spread = 1.0,
    prior: Annotated[
        Literal["fitted", "normal"],
        Opt("source of the codes: fitted to those of real music, or the N(0, I) of the paper"),
    ] = "fitted",
    tempo_bpm: Tempo = 120.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Piece]:
    """Draw new pieces: melodies, beats or trios, as the model has them.

    With files in --like, codes lie between two of their excerpts, chosen at random, and a little
    beside. In a key, pieces are drawn until enough sound in its mode, and moved to its signature.

    Returns
    -------
    iterator of Piece

    Raises
    ------
    UsageError
        If there is no such key, or drums are to have one.
    InputError
        If no file in --like can be used.
    """
    import torch

    from music_vae.results import Piece
    from music_vae.writing import check_key, codes_of_files, drawn

    network, _ = load(model, checkpoint, device)
    check_key(key, network.voices)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    around = None if like is None else codes_of_files(network, like)[0]

    def draw(n: int) -> torch.Tensor:
        if around is not None:
            return network.prior.near(around, n, generator, temperature=spread)
        if prior == "fitted":
            return network.prior.draw(n, generator, temperature=spread)
        return spread * torch.randn(n, network.latent, generator=generator)

    for events in drawn(network, draw, count, temperature, generator, key):
        yield Piece(events, network.voices, tempo_bpm, key or "", flat)


@action
def interpolate(
    start: Given,
    end: Annotated[
        Readable[Score | LeadSheet] | None,
        Opt("file of the piece to arrive at (default: another part of the first one)"),
    ] = None,
    *,
    steps: Annotated[int, Opt("pieces in between", min=1, max=64)] = 6,
    bars_a: BarsA = None,
    bars_b: BarsB = None,
    track: Track = None,
    keys: Annotated[
        Literal["own", "first"],
        Opt(
            "own: the second half is in the key of the second piece; first: all in that of the "
            "first"
        ),
    ] = "own",
    joined: Annotated[bool, Opt("one long piece, instead of one for each step")] = False,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Piece]:
    """Morph one piece into another along an arc of the latent space, in even steps.

    Of longer pieces the bars are found that go together best: how they repeat, where notes begin,
    and keys near to each other. On the way, both are in one key signature.

    Returns
    -------
    iterator of Piece
        What the model remembers of the first piece, `steps` pieces in between, and what it
        remembers of the second; all at the tempo of the first.

    Raises
    ------
    InputError
        If there is nothing to read, or one piece has no two parts that go together.
    UsageError
        If the bars are not there, or more than the model has.
    """
    import numpy as np
    import torch

    from music_vae.matching import find_pair, moved
    from music_vae.results import Piece
    from music_vae.ways import evenly_apart, shares_for
    from music_vae.writing import code_of, written

    spans = bars_of(bars_a, "--bars-a"), bars_of(bars_b, "--bars-b")
    network, _ = load(model, checkpoint, device)
    voices = network.voices
    pair = find_pair(start, end, voices, network.bars, spans, track=track)
    there = moved(pair.second.events, voices, pair.semitones)
    ends = code_of(network, pair.first.events), code_of(network, there)
    codes = network.prior.between(*ends, shares_for(steps + 2))
    generator = torch.Generator().manual_seed(draw_seed(seed))
    made = np.stack([*written(network, codes, temperature, generator)])
    stretch = pair.first.stretch
    pieces = []
    for number, events in enumerate(made[evenly_apart(made, steps + 2)]):
        back = -pair.semitones if keys == "own" and 2 * number > steps + 1 else 0
        piece = Piece(
            moved(events, voices, back), voices, stretch.tempo_bpm, flat=flat, name=stretch.name
        )
        if joined:
            pieces.append(piece)
        else:
            yield piece
    if joined:
        yield Piece.join(pieces)


@action
def cross(
    first: Annotated[
        Readable[Score | LeadSheet], Opt("file of the piece whose rhythm and contour are kept")
    ],
    second: Annotated[
        Readable[Score | LeadSheet], Opt("file of the piece whose harmony or endings are taken")
    ],
    *,
    take: Annotated[
        Literal["harmony", "endings"],
        Opt("harmony: the pitch classes of each bar, and the bass; endings: the last bar of four"),
    ] = "harmony",
    bars_a: BarsA = None,
    bars_b: BarsB = None,
    track: Track = None,
    alone: Alone = False,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Piece:
    """Cross two pieces: rhythm and contour of one, harmony or phrase endings of the other.

    The cross is put together of notes, in one key signature, and goes through the latent space:
    what comes out is what the model makes of it. How much of either is left is measured.

    Returns
    -------
    Piece
        In the first song, in the place of its bars.

    Raises
    ------
    InputError
        If there is nothing to read.
    UsageError
        If the bars are not there, or drums are to take a harmony.
    """
    import torch

    from groove_core.console import note
    from music_vae.crossing import kept, with_endings, with_harmony
    from music_vae.matching import find_pair, moved
    from music_vae.writing import code_of, varied

    spans = bars_of(bars_a, "--bars-a"), bars_of(bars_b, "--bars-b")
    network, _ = load(model, checkpoint, device)
    voices = network.voices
    if take == "harmony" and voices == ("drums",):
        raise UsageError("Drums have no harmony.", hint="--take endings")
    pair = find_pair(first, second, voices, network.bars, spans, track=track)
    one, other = pair.first.events, moved(pair.second.events, voices, pair.semitones)
    made = with_harmony(one, other, voices) if take == "harmony" else with_endings(one, other)
    codes = code_of(network, made)[None]
    generator = torch.Generator().manual_seed(draw_seed(seed))
    [piece] = varied(network, pair.first, codes, temperature, generator, flat=flat, alone=alone)
    steps = piece.events.shape[1]
    left = kept(one[:, :steps], other[:, :steps], piece.events, voices)
    note("kept: " + ", ".join(f"{name} {share:.0%}" for name, share in left.items()))
    return replace(piece, about=left)


@action
def vary(
    piece: Given,
    *,
    amount: Annotated[
        float, Opt("distance from the piece, as a share of the spread of all codes", min=0, max=2)
    ] = 0.25,
    count: Annotated[int, Opt("variations", min=1, max=10_000)] = 4,
    bars: Bars = None,
    track: Track = None,
    alone: Alone = False,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Piece]:
    """Make variations of a piece: its neighbours in the latent space.

    In a song, the bars of the model's voices change, and all else stays as it is.

    Returns
    -------
    iterator of Piece
        With an amount of 0, what the model remembers of the piece.

    Raises
    ------
    InputError
        If there is nothing to read.
    UsageError
        If the bars are not there, or more than the model has.
    """
    import torch

    from music_vae.excerpts import chosen
    from music_vae.writing import code_of, varied

    span = bars_of(bars)
    network, _ = load(model, checkpoint, device)
    excerpt = chosen(piece, network.voices, network.bars, span, track=track)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    code = code_of(network, excerpt.events)
    codes = network.prior.neighbours(code, count, amount, generator)
    return varied(network, excerpt, codes, temperature, generator, flat=flat, alone=alone)


@action
def shift(
    piece: Given,
    *,
    attribute: Annotated[
        AttributeName,
        Opt(
            "density, syncopation, register (mean pitch), interval (mean size) or scale (share of "
            "the notes in one)"
        ),
    ] = "density",
    amount: Annotated[
        float,
        Opt(
            "distance along the attribute; below 0 for less",
            min=-10,
            max=10,
        ),
    ] = 1.0,
    steps: Annotated[
        int, Opt("pieces on the way, the last one with the whole amount", min=1, max=64)
    ] = 1,
    bars: Bars = None,
    track: Track = None,
    alone: Alone = False,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Piece]:
    """Give a piece more or less of an attribute, and leave the others as they are.

    Attributes are measured before and after; of a trio, they are those of its melody. In a song,
    the bars of the model's voices change, and all else stays as it is.

    Returns
    -------
    iterator of Piece

    Raises
    ------
    InputError
        If there is nothing to read.
    UsageError
        If the bars are not there, or drums are to have a pitch.
    """
    import torch

    from groove_core.console import note
    from music_vae.attributes import attributes_of
    from music_vae.excerpts import chosen
    from music_vae.writing import check_known, code_of, measured, shifted, varied

    span = bars_of(bars)
    network, _ = load(model, checkpoint, device)
    unit = attributes_of(network.voices)
    excerpt = chosen(piece, network.voices, network.bars, span, track=track)
    amounts = torch.linspace(0, amount, steps + 1)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    codes = shifted(network, code_of(network, excerpt.events), attribute, amounts, generator)
    made = varied(network, excerpt, codes, temperature, generator, flat=flat, alone=alone)
    remembered = measured(next(made), excerpt.events)
    for share, one in zip(amounts[1:].tolist(), made, strict=True):
        found = measured(one, excerpt.events)
        told = [found.get(f"{attribute} before"), remembered.get(attribute), found.get(attribute)]
        texts = ["none" if x is None else f"{x:.3g}" for x in told]
        note(f"{attribute}: {texts[0]} {unit[attribute].unit} in {excerpt}, {texts[1]} as the "
             f"model remembers them, {texts[2]} with an amount of {share:g}")  # fmt: skip
        check_known(network, attribute, found.get(attribute, math.nan), share)
        yield replace(one, about={"amount": share, **found})


@action
def encode(
    pieces: Annotated[
        Readable[list[Score | LeadSheet]],
        Opt("MIDI files or folders of them, or phrases such as 'C4 E4 G4 -'"),
    ],
    *,
    track: Track = None,
    model: Model = "mel-2bar",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Codes:
    """Turn the bars of MIDI files into codes, one row for every 2 or 16 bars.

    The last row of a piece may be of fewer bars and silence; a piece that is shorter than the bars
    of the model is left out.

    Returns
    -------
    Codes
        Labelled with the name of the file and the bar that they begin with.

    Raises
    ------
    InputError
        If no file can be used.
    """
    from music_vae.writing import codes_of_files

    network, card = load(model, checkpoint, device)
    codes, labels = codes_of_files(network, pieces, track)
    return Codes(codes.numpy(), labels, card["name"])


@action
def decode(
    codes: Annotated[Readable[Codes], Opt("file that encode has saved, or a CSV table of numbers")],
    *,
    model: Model = "mel-2bar",
    temperature: Temperature = 0.0,
    tempo_bpm: Tempo = 120.0,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Piece]:
    """Turn codes into pieces.

    Raises
    ------
    InputError
        If the codes are of another model or have another number of dimensions.
    """
    import torch

    from music_vae.results import Piece
    from music_vae.writing import written

    network, card = load(model, checkpoint, device)
    if codes.points.shape[1] != network.latent:
        raise InputError(
            f"The codes have {codes.points.shape[1]} dimensions, the model has {network.latent}.",
            hint="Encode and decode with the same --model or --checkpoint.",
        )
    if codes.model and codes.model != card["name"]:
        option = "model" if codes.model in SHIPPED else "checkpoint"
        raise InputError(
            f"The codes are of the model {codes.model!r}, not {card['name']!r}.",
            hint=f"--{option} {codes.model}",
        )
    generator = torch.Generator().manual_seed(draw_seed(seed))
    points = torch.from_numpy(codes.points).float()
    for events in written(network, points, temperature, generator):
        yield Piece(events, network.voices, tempo_bpm, flat=flat)


@action
def trace(
    melodies: Annotated[
        Readable[list[Score | LeadSheet]],
        Opt("files or folders of melodies and songs, or phrases such as 'C4 E4 G4 -'"),
    ],
    *,
    track: Track = None,
    data: DataPath = None,
) -> Iterator[Trace]:
    """Find the tunes that a melody quotes, transposed or not.

    Stretches of 16 steps or more are quotations. For each phrase, the tune with the longest
    stretch in common is named, from 8 steps on.

    Yields
    ------
    Trace
        What stands in the melodies that the networks learnt from, or in the songs of a folder of
        yours.
    """
    from groove_core.tunes import Passage, Tracer
    from music_vae.sets import learnt

    tracer = learnt() if data is None else Tracer.of_folder(data)

    def trace(melody: Score | LeadSheet, _: str) -> Trace:
        found = Passage.of(melody, track, quiet=len(melodies) > 1)
        return tracer.trace(max((one.melody for one in found), key=lambda one: len(one.notes)))

    yield from each(melodies, trace, "tracing")
