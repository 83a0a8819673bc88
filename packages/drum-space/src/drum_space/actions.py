"""The verbs of drum-space for beats: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from drum_space.playing.options import FeelName, Flat, Swing
from drum_space.playing.performing import Feel
from drum_space.space import (
    BATCH,
    NETWORKS,
    PACKAGE,
    Checkpoint,
    Model,
    audible,
    beats_of,
    code_of,
    drums_named,
    glide,
    hits_of,
    load,
    near_fills,
    near_genre,
    spread_of,
    two_bars,
    warn_outside,
    windows_of,
)
from groove_core.actions import (
    DataPath,
    Device,
    Devices,
    DrumTrack,
    Engine,
    Into,
    Jobs,
    License,
    Minutes,
    Opt,
    Readable,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.console import note, track
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import Codes, Report, Score

if TYPE_CHECKING:
    import torch

    from drum_space.data import PatternSet

__all__ = [
    "dataset", "decode", "encode", "evaluate", "interpolate", "sample", "train", "vary",
]  # fmt: skip

Tempo = Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)]


@action
def sample(
    *,
    count: Annotated[int, Opt("beats to draw", min=1, max=1_000_000)] = 8,
    model: Model = "acai",
    temperature: Annotated[
        float, Opt("spread around typical beats: 0 plays safe, above 1 is daring", min=0, max=4)
    ] = 1.0,
    bars: Annotated[
        int, Opt("length of a beat; more than 2 vary it, with fills", unit="bars", min=2, max=64)
    ] = 2,
    fill_every: Annotated[
        int | None,
        Opt(
            "bars from one fill to the next, in beats of more than 2; 0: no fills (default: as "
            "drummers do)",
            unit="bars",
            min=0,
            max=64,
        ),
    ] = None,
    genre: Annotated[
        str | None,
        Opt(
            "genre that the space has learnt and the beats resemble, such as funk (default: any)",
            names="drum_space.space:genres",
        ),
    ] = None,
    tempo_bpm: Tempo = 120.0,
    feel: FeelName = None,
    swing: Swing = None,
    flat: Flat = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Draw new beats.

    Codes are drawn from the Gaussian mixture that was fitted to the codes of the
    training patterns, or with a genre from a kernel density estimate of that
    genre's codes, and decoded. Longer beats stay near one code, as drummers vary a beat, with
    fills at the end of some fourth bars, or of every so many.

    They are played like a drummer of the genre whose own beat is like it: loudness and timing
    are drawn around how that drummer plays each drum on each step of the bar.

    Returns
    -------
    iterator of DrumPattern

    Raises
    ------
    UsageError
        If the space has learnt no such genre, nobody plays in that feel, or `bars` is odd.

    Examples
    --------
    >>> [beat] = sample(count=1, bars=4, seed=3)
    >>> beat.bars
    4
    """
    import torch

    from drum_space.playing.phrases import phrases_of

    if bars % 2:
        raise UsageError(
            f"bars must be even, not {bars}: beats are made of two-bar patterns.",
            hint=f"--bars {bars + 1}",
        )
    network, card = load(model, checkpoint, device)
    seed = draw_seed(seed)
    playing = Feel.of(feel, genre, swing=swing, flat=flat, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    draw: Callable[[int], torch.Tensor]
    if genre is None:
        draw = partial(network.sample_codes, generator=generator, temperature=temperature)
    else:
        draw = near_genre(network, card, genre, generator, temperature)
    fills = near_fills(network, card, generator) if bars > 2 and fill_every != 0 else None

    def beats() -> Iterator[DrumPattern]:
        for first in range(0, count, BATCH):
            codes, hits = audible(network, draw, min(BATCH, count - first))
            phrases = hits.numpy()
            if bars > 2:
                alike = [playing.alike(one, number) for number, one in enumerate(phrases, first)]
                phrases = phrases_of(
                    network, codes, bars, alike, generator, fill_every=fill_every, fills=fills
                )
            for number, phrase in enumerate(phrases, first):
                yield playing.play(phrase, tempo_bpm, number=number)

    return iter(track(beats(), "drawing beats", total=count))


@action
def interpolate(
    start: Annotated[Readable[DrumPattern], Opt("MIDI file of the beat to begin with")],
    end: Annotated[Readable[DrumPattern], Opt("MIDI file of the beat to arrive at")],
    *,
    steps: Annotated[int, Opt("beats in between", min=1, max=64)] = 6,
    model: Model = "acai",
    feel: FeelName = None,
    swing: Swing = None,
    flat: Flat = False,
    drum_track: DrumTrack = None,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Morph one beat into another, in even steps from the first as it is to the second as it is.

    Four numbers remember a relative of a beat, so the way in the space begins and ends at
    relatives of the two. What these lack is given up hit by hit over the first half of the way,
    and taken on over the last. Loudness and timing lead from one to the other, too; a beat that
    has neither is played as `sample` plays.

    Returns
    -------
    iterator of DrumPattern
        The first beat, `steps` beats in between, and the second beat.
    """
    network, _ = load(model, checkpoint, device)
    playing = Feel.of(feel, swing=swing, flat=flat, seed=draw_seed(seed))
    start, end = two_bars(start, "The first beat"), two_bars(end, "The second beat")
    warn_outside(network, start, end)
    hits = glide(network, start, end, steps)
    start, end = playing.bring_to_life(start), playing.bring_to_life(end)
    between = [
        playing.between(start, end, one, number / (steps + 1))
        for number, one in enumerate(hits[1:-1], 1)
    ]
    return iter([start, *between, end])


@action
def vary(
    beat: Annotated[Readable[DrumPattern], Opt("MIDI file of the beat to vary")],
    *,
    amount: Annotated[
        float, Opt("distance from the beat, as a share of the spread of all beats", min=0, max=2)
    ] = 0.25,
    count: Annotated[int, Opt("variations", min=1, max=10_000)] = 4,
    keep: Annotated[
        str | None, Opt("drums that stay as they are, such as kick,snare (default: none)")
    ] = None,
    model: Model = "acai",
    feel: FeelName = None,
    swing: Swing = None,
    flat: Flat = False,
    drum_track: DrumTrack = None,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Make variations of a beat: what changes between its code and codes near it, changes.

    A hit that stays is played as it was; others as `sample` plays. A beat on the grid with one
    velocity is played as a whole.

    Returns
    -------
    iterator of DrumPattern
        With an amount of 0, the beat as it is.

    Raises
    ------
    UsageError
        If there is no drum as `keep` names it, or no such feel.
    InputError
        If the beat is silent.
    """
    import torch

    network, _ = load(model, checkpoint, device)
    seed = draw_seed(seed)
    playing = Feel.of(feel, swing=swing, flat=flat, seed=seed)
    locked = drums_named(keep)
    beat = two_bars(beat)
    warn_outside(network, beat)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, network.latent, generator=generator)
    code = code_of(network, beat)
    known = hits_of(network, code).numpy()[0]
    near = hits_of(network, code + amount * spread_of(network) * noise).numpy()

    def variations() -> Iterator[DrumPattern]:
        for number, decoded in enumerate(near):
            hits = np.where((decoded == known) | locked, beat.hits, decoded)
            if amount == 0:
                yield beat
            else:
                yield playing.like(beat, hits, number=number)

    return variations()


@action
def encode(
    beats: Annotated[Readable[list[Score]], Opt("MIDI files, or a folder of them")],
    *,
    model: Model = "acai",
    drum_track: DrumTrack = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Codes:
    """Turn the two-bar patterns of MIDI files into codes, one row per pattern.

    Returns
    -------
    Codes
        Labelled with the name of the file and the bar its pattern starts at.

    Raises
    ------
    InputError
        If there is no two-bar pattern in 4/4; the message counts what was left out.
    """
    import torch

    hits, labels = windows_of(beats)
    network, card = load(model, checkpoint, device)
    with torch.no_grad():
        codes = network.encode(torch.from_numpy(hits).to(network.thresholds.device))
    return Codes(codes.cpu().numpy(), labels, card["name"])


@action
def decode(
    codes: Annotated[Readable[Codes], Opt("file that encode has saved, or a CSV table of numbers")],
    *,
    model: Model = "acai",
    tempo_bpm: Tempo = 120.0,
    feel: FeelName = None,
    swing: Swing = None,
    flat: Flat = False,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Turn codes into beats, played as `sample` plays.

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
        raise InputError(
            f"The codes are of the model {codes.model!r}, not {card['name']!r}.",
            hint=f"--model {codes.model}"
            if codes.model in ("ae", "vae", "acai")
            else f"--checkpoint {codes.model}",
        )
    playing = Feel.of(feel, swing=swing, flat=flat, seed=draw_seed(seed))
    decoded = beats_of(network, torch.from_numpy(codes.points).float())
    return (playing.play(hits, tempo_bpm, number=n) for n, hits in enumerate(decoded))


@action
def dataset(
    folders: Annotated[Readable[list[Path]], Opt("folders (or zip files) of MIDI files")],
    *,
    stride_bars: Annotated[
        float, Opt("distance between windows", unit="bars", min=0.5, max=2)
    ] = 0.5,
    jobs: Jobs = None,
    engine: Engine = "local",
) -> PatternSet:
    """Build a set of unique two-bar patterns from MIDI files, with an account of what was left out.

    The genre of a file is the name of its folder. About 10 % of the files each are
    kept for validation and test, by a hash of their content, so that a file stays where it is
    when others are added; the Groove MIDI Dataset's own table is used where
    it lies beside the files.
    """
    from drum_space import data

    if stride_bars * 2 % 1:
        raise UsageError(
            f"stride_bars must be half bars, not {stride_bars:g}.", hint="--stride-bars 0.5"
        )
    return data.build(folders, stride_bars=stride_bars, jobs=jobs, engine=engine)


@action
def evaluate(
    *,
    count: Annotated[int, Opt("samples per model", min=100, max=100_000)] = 10_000,
    about: Annotated[
        Literal["patterns", "interpolation", "map", "melodies", "playing", "genres"],
        Opt("subject of the measurement"),
    ] = "patterns",
    checkpoints: Annotated[
        list[str] | None,
        Opt("names or folders of models (default: the packaged ones)", fits=NETWORKS),
    ] = None,
    data: DataPath = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Measure models beside real patterns: their samples, ways, map, melodies and playing.

    Patterns: one row per model and control, with 95 % bootstrap intervals (over performances
    where the patterns are real): survival through the published filter (entropy of
    the 32 step masks above 0.9 nat) and of that what is new, the share of distinct
    patterns and of exact copies of training patterns (as they are, and started at
    another half bar), Hamming distance to the nearest training pattern, hits, share
    with two equal bars; survival at the ends and in the middle of interpolations of
    held-out pairs; reconstruction F1 on held-out performances.

    Interpolation: whether the middle between two held-out beats is as real as its ends, and how
    even the way is that `interpolate` goes; differences to the first of the models are paired.

    Map: whether genres lie together in the space and on the map, and what the map keeps of the
    space. Nothing is held out: it is a map of its patterns.

    Melodies: how likely held-out lines are with their own drums, with those of another
    piece and with none; how well notes meet accents; what is copied from training.

    Playing: loudness, timing, swing, steadiness, and how phrases vary, beside the test
    performances of the Groove MIDI Dataset, whose folder --data names. Genres: the same, genre by
    genre, as distances from the intervals of real performances.

    Raises
    ------
    InputError
        If the data has nothing to measure on.
    """
    if about in ("playing", "genres"):
        from drum_space.playing.evaluation import evaluate_playing

        if data is None:
            raise InputError(
                "The packaged patterns do not say how they were played.",
                hint="--data FOLDER of the Groove MIDI Dataset",
            )
        names = checkpoints or ["acai"]
        drawn = partial(sample, seed=draw_seed(seed), device=device)
        return evaluate_playing(
            Path(data),
            {name: partial(drawn, checkpoint=name) for name in names},
            by_genre=about == "genres",
        )
    if about == "melodies":
        from drum_space.melodies.evaluation import evaluate_network
        from drum_space.melodies.lines import open_songbook
        from drum_space.melodies.loading import load_melody

        if checkpoints and len(checkpoints) > 1:
            raise UsageError("Melodies are measured of one network.", hint="Give one checkpoint.")
        network, space, card = load_melody(checkpoints[0] if checkpoints else None, device)
        book = open_songbook(data).as_learnt(card)
        return evaluate_network(network, space, book, seed=draw_seed(seed))
    if about == "map":
        from drum_space.atlas.making import measure_shipped

        return measure_shipped(*load("acai", None, device), _open(data))
    from drum_space.evaluation import evaluate_models
    from drum_space.interpolation import evaluate_interpolation

    names = checkpoints or ["acai", "vae", "ae", "acai16"]
    loaded = {name: load("", name, device) for name in names}
    patterns = _open(data).as_learnt([card for _, card in loaded.values()])
    networks = {name: network for name, (network, _) in loaded.items()}
    if about == "interpolation":
        return evaluate_interpolation(networks, patterns, seed=draw_seed(seed))
    return evaluate_models(networks, patterns, count=count, seed=draw_seed(seed))


def _open(data: Path | None) -> PatternSet:
    from drum_space.data import open_patterns

    return open_patterns(data)


@action
def train(
    *,
    model: Model = "acai",
    data: DataPath = None,
    name: Annotated[
        str | None, Opt("name of the checkpoint (default: my-acai, my-vae or my-ae)")
    ] = None,
    into: Into = None,
    latent: Annotated[int, Opt("dimensions of the space", min=1, max=64)] = 4,
    epochs: Annotated[int, Opt("passes over the data", min=1, max=10_000)] = 300,
    batch_size: Annotated[int, Opt("patterns per step", min=2, max=8192)] = 256,
    learning_rate: Annotated[
        float, Opt("learning rate of Adam, before its cosine decay", min=1e-6, max=0.1)
    ] = 2e-3,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a latent space on the shipped patterns or on your own folder of MIDI files.

    Ctrl-C keeps what was learnt so far; --resume goes on and ends with the same
    weights as an unbroken run. The checkpoint can then be named with --checkpoint.
    """
    from drum_space.training import SHIPPED, DrumTraining, Settings
    from groove_core import learning

    run = learning.Run.of(
        PACKAGE, f"my-{model}", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(data, *SHIPPED),
    )  # fmt: skip
    patterns = _open(data)
    if data is not None:
        note(patterns.to_text())
    settings = Settings(
        kind=model, latent=latent, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate
    )
    return learning.train(DrumTraining, settings, patterns, run)
