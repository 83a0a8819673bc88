"""The verbs of drum-space: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from groove_core.console import note, track
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.params import (
    Checkpoint,
    DataPath,
    Device,
    Devices,
    Into,
    Opt,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.values.drums import STEPS_PER_BAR, DrumPattern
from groove_core.values.results import Codes, Report
from groove_core.values.score import Score

if TYPE_CHECKING:
    import torch

    from drum_space.data import PatternSet
    from drum_space.model import DrumAutoencoder

__all__ = ["dataset", "decode", "encode", "evaluate", "interpolate", "sample", "train", "vary"]

PACKAGE = "drum-space"
BATCH = 1024

Model = Annotated[
    Literal["acai", "vae", "ae"], Opt("latent space; without effect beside --checkpoint")
]
Tempo = Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)]


def _load(
    model: str, checkpoint: str | None, device: str
) -> tuple[DrumAutoencoder, dict[str, Any]]:
    """Load a checkpoint, on a device that works."""
    from drum_space.model import DrumAutoencoder
    from groove_core import checkpoints, devices

    return checkpoints.load(
        PACKAGE, checkpoint or model, DrumAutoencoder, device=devices.resolve(device)
    )


def _hits(network: DrumAutoencoder, codes: torch.Tensor) -> torch.Tensor:
    """Decode codes on the model's device to hits on the CPU [shape=(n, 32, 14)]."""
    import torch

    with torch.no_grad():
        return network.decode(codes.to(network.thresholds)).cpu()


def _decode(
    network: DrumAutoencoder, codes: torch.Tensor, tempo_bpm: float
) -> Iterator[DrumPattern]:
    for chunk in codes.split(BATCH):
        for hits in _hits(network, chunk).numpy():
            yield DrumPattern(hits, tempo_bpm=tempo_bpm)


def _audible(
    network: DrumAutoencoder, draw: Callable[[int], torch.Tensor], count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw codes, again where one decodes to silence, and give them with their hits."""
    codes = draw(count).cpu()
    hits = _hits(network, codes)
    for _ in range(10):
        silent = ~hits.any(dim=(1, 2))
        if not silent.any():
            break
        codes[silent] = draw(int(silent.sum())).cpu()
        hits[silent] = _hits(network, codes[silent])
    return codes, hits


def _two_bars(beat: DrumPattern, what: str = "The beat") -> DrumPattern:
    """Take the first two bars in which something is played; a single bar is played twice."""
    if not beat.hits.any():
        raise InputError(f"{what} is silent.", hint="Give a beat with at least one hit.")
    if beat.bars == 1:
        return DrumPattern.join([beat, beat])
    if beat.bars == 2:
        return beat
    first = min(int(np.argmax(beat.hits.any(axis=1))) // STEPS_PER_BAR, beat.bars - 2)
    note(f"{what} has {beat.bars} bars: using bars {first + 1} and {first + 2}")
    return beat.slice_bars(first)


def _code_of(network: DrumAutoencoder, *beats: DrumPattern) -> torch.Tensor:
    import torch

    hits = torch.from_numpy(np.stack([beat.hits for beat in beats])).to(network.thresholds.device)
    with torch.no_grad():
        return network.encode(hits).cpu()


@action
def sample(
    *,
    count: Annotated[int, Opt("beats to draw", min=1, max=1_000_000)] = 8,
    model: Model = "acai",
    temperature: Annotated[
        float, Opt("spread around the typical: 0 plays safe, above 1 is daring", min=0, max=4)
    ] = 1.0,
    bars: Annotated[
        int, Opt("length of a beat; more than 2 walk through the space", unit="bars", min=2, max=64)
    ] = 2,
    genre: Annotated[
        str | None, Opt("draw near the training patterns of a genre, for example funk")
    ] = None,
    tempo_bpm: Tempo = 120.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Draw new beats.

    Codes are drawn from the Gaussian mixture that was fitted to the codes of the
    training patterns, or with a genre from a kernel density estimate of that
    genre's codes, and decoded. Longer beats walk in a straight line from one drawn
    code to another, two bars at each stop.

    Returns
    -------
    iterator of DrumPattern

    Raises
    ------
    UsageError
        If there is no such genre or `bars` is odd.

    Examples
    --------
    >>> [beat] = sample(count=1, bars=4, seed=3)
    >>> beat.bars
    4
    """
    import torch

    if bars % 2:
        raise UsageError(
            f"bars must be even, not {bars}: beats are made of two-bar patterns.",
            hint=f"--bars {bars + 1}",
        )
    network, _ = _load(model, checkpoint, device)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    draw: Callable[[int], torch.Tensor]
    if genre is None:
        draw = partial(network.sample_codes, generator=generator, temperature=temperature)
    else:
        draw = _near_genre(network, genre, generator, temperature)
    stops = bars // 2

    def beats() -> Iterator[DrumPattern]:
        for first in range(0, count, BATCH):
            n = min(BATCH, count - first)
            codes, hits = _audible(network, draw, n if stops == 1 else 2 * n)
            if stops > 1:
                start, end = codes.unflatten(0, (n, 2)).unbind(dim=1)
                way = torch.linspace(0, 1, stops)[None, :, None]
                walks = torch.lerp(start[:, None], end[:, None], way)
                hits = _hits(network, walks.flatten(0, 1))
            for phrase in hits.numpy().reshape(n, -1, hits.shape[2]):
                yield DrumPattern(phrase, tempo_bpm=tempo_bpm)

    return iter(track(beats(), "drawing beats", total=count))


def _near_genre(
    network: DrumAutoencoder, genre: str, generator: torch.Generator, temperature: float
) -> Callable[[int], torch.Tensor]:
    """Give what draws from a Gaussian kernel density estimate of a genre's codes.

    The bandwidth is Scott's; the temperature scales it.
    """
    import torch

    from drum_space.data import open_patterns

    patterns = open_patterns()
    train = patterns.part("train")
    names = patterns.genre_of()[train]
    chosen = train[names == genre]
    known = sorted(set(names.tolist()))
    if not len(chosen):
        raise UsageError(
            f"There is no genre {genre!r}.",
            hint=did_you_mean(genre, known, form="--genre {}") or f"Genres: {', '.join(known)}.",
        )
    if len(chosen) <= network.latent:
        raise UsageError(
            f"The genre {genre!r} has {len(chosen)} patterns, too few to draw near.",
            hint=f"Genres: {', '.join(known)}.",
        )
    with torch.no_grad():
        codes = network.encode(
            torch.from_numpy(patterns.hits[chosen]).to(network.thresholds.device)
        ).cpu()
    bandwidth = len(codes) ** (-1 / (network.latent + 4))
    ridge = 1e-6 * torch.eye(network.latent)
    factor = torch.linalg.cholesky(torch.cov(codes.T) + ridge) * bandwidth

    def draw(count: int) -> torch.Tensor:
        centers = codes[torch.randint(len(codes), (count,), generator=generator)]
        noise = torch.randn(count, network.latent, generator=generator)
        near: torch.Tensor = centers + temperature * noise @ factor.T
        return near

    return draw


@action
def interpolate(
    start: Annotated[DrumPattern, Opt("MIDI file of the beat to begin with")],
    end: Annotated[DrumPattern, Opt("MIDI file of the beat to arrive at")],
    *,
    steps: Annotated[int, Opt("beats in between", min=1, max=64)] = 6,
    model: Model = "acai",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Morph one beat into another along a straight line in the latent space.

    Returns
    -------
    iterator of DrumPattern
        The first beat, `steps` beats in between, and the second beat.
    """
    import torch

    network, _ = _load(model, checkpoint, device)
    start, end = _two_bars(start, "The first beat"), _two_bars(end, "The second beat")
    a, b = _code_of(network, start, end)
    way = torch.linspace(0, 1, steps + 2)[1:-1, None]
    between = _decode(network, torch.lerp(a, b, way), start.tempo_bpm)
    return iter([start, *between, end])


@action
def vary(
    beat: Annotated[DrumPattern, Opt("MIDI file of the beat to vary")],
    *,
    amount: Annotated[
        float, Opt("how far to stray, as a share of the spread of all beats", min=0, max=2)
    ] = 0.25,
    count: Annotated[int, Opt("variations", min=1, max=10_000)] = 4,
    model: Model = "acai",
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Make variations of a beat: its neighbours in the latent space.

    Four numbers do not hold a whole beat; ``--checkpoint acai16`` remembers more of it.

    Returns
    -------
    iterator of DrumPattern
        With an amount of 0, the beat as four numbers remember it: a relative.
    """
    import torch

    network, _ = _load(model, checkpoint, device)
    beat = _two_bars(beat)
    generator = torch.Generator().manual_seed(draw_seed(seed))
    spread = network.sample_codes(4096, torch.Generator().manual_seed(0)).std(dim=0).cpu()
    noise = torch.randn(count, network.latent, generator=generator)
    codes = _code_of(network, beat) + amount * spread * noise
    return _decode(network, codes, beat.tempo_bpm)


@action
def encode(
    beats: Annotated[list[Score], Opt("MIDI files, or a folder of them")],
    *,
    model: Model = "acai",
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
    from collections import Counter

    import torch

    from groove_core.extraction import extract_patterns
    from groove_core.values.grid import NoDrumsError

    left_out: Counter[str] = Counter()
    hits, labels = [], []
    for score in beats:
        try:
            windows = extract_patterns(score)
        except NoDrumsError:
            if len(beats) == 1:
                raise
            left_out["without drums"] += 1
            continue
        left_out.update(windows.dropped)
        hits.append(windows.hits)
        labels += [f"{Path(score.name).stem}:{bar + 1:g}" for bar in windows.bar]
    reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.most_common())
    if not labels:
        raise InputError(
            f"There is no two-bar pattern in 4/4; left out: {reasons or 'nothing'}.",
            hint="Give a straight beat in 4/4 of at least two bars.",
        )
    if reasons:
        note(f"windows left out: {reasons}")
    network, card = _load(model, checkpoint, device)
    with torch.no_grad():
        codes = network.encode(torch.from_numpy(np.concatenate(hits)).to(network.thresholds.device))
    return Codes(codes.cpu().numpy(), tuple(labels), card["name"])


@action
def decode(
    codes: Annotated[Codes, Opt("file that encode has saved, or a CSV table of numbers")],
    *,
    model: Model = "acai",
    tempo_bpm: Tempo = 120.0,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[DrumPattern]:
    """Turn codes into beats.

    Raises
    ------
    InputError
        If the codes are of another model or have another number of dimensions.
    """
    import torch

    network, card = _load(model, checkpoint, device)
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
    return _decode(network, torch.from_numpy(codes.points).float(), tempo_bpm)


@action
def dataset(
    folders: Annotated[list[Path], Opt("folders (or zip files) of MIDI files")],
    *,
    stride_bars: Annotated[
        float, Opt("distance between windows", unit="bars", min=0.5, max=2)
    ] = 0.5,
) -> PatternSet:
    """Build a set of unique two-bar patterns from MIDI files, with an account of what was left out.

    The genre of a file is the name of its folder, and 10 % of the files each are
    kept for validation and test; the Groove MIDI Dataset's own table is used where
    it lies beside the files.
    """
    from drum_space import data

    if stride_bars * 2 % 1:
        raise UsageError(
            f"stride_bars must be half bars, not {stride_bars:g}.", hint="--stride-bars 0.5"
        )
    return data.build(folders, stride_bars=stride_bars)


@action
def evaluate(
    *,
    count: Annotated[int, Opt("samples per model", min=100, max=100_000)] = 10_000,
    checkpoints: Annotated[
        list[str] | None, Opt("names or folders of models; the packaged ones when left out")
    ] = None,
    data: DataPath = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Measure models beside real, copied and random patterns.

    One row per model and control, with 95 % bootstrap intervals (over performances
    where the patterns are real): survival through the published filter (entropy of
    the 32 step masks above 0.9 nat) and of that what is new, the share of distinct
    patterns and of exact copies of training patterns (as they are, and started at
    another half bar), Hamming distance to the nearest training pattern, hits, share
    with two equal bars; survival at the ends and in the middle of interpolations of
    held-out pairs; reconstruction F1 on held-out performances.
    """
    from drum_space.evaluation import evaluate_models

    names = checkpoints or ["acai", "vae", "ae", "acai16"]
    networks = {name: _load("", name, device)[0] for name in names}
    return evaluate_models(networks, _open(data), count=count, seed=draw_seed(seed))


def _open(data: Path | None) -> PatternSet:
    from drum_space.data import open_patterns

    return open_patterns(data)


@action
def train(
    *,
    model: Model = "acai",
    data: DataPath = None,
    name: Annotated[
        str | None, Opt("what to call it; my-acai, my-vae or my-ae when left out")
    ] = None,
    into: Into = None,
    latent: Annotated[int, Opt("dimensions of the space", min=1, max=64)] = 4,
    epochs: Annotated[int, Opt("passes over the data", min=1, max=10_000)] = 300,
    batch_size: Annotated[int, Opt("patterns per step", min=2, max=8192)] = 256,
    learning_rate: Annotated[
        float, Opt("of Adam, before its cosine decay", min=1e-6, max=0.1)
    ] = 2e-3,
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
    from drum_space.training import SHIPPED, Settings, save_measured, train_model
    from groove_core import checkpoints
    from groove_core.devices import resolve

    seed = draw_seed(seed)
    name, folder = checkpoints.place(PACKAGE, name, into, f"my-{model}")
    device = resolve(device)
    patterns = _open(data)
    if data is not None:
        note(patterns.to_text())
    settings = Settings(
        kind=model, latent=latent, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate
    )
    network, history = train_model(
        patterns,
        settings,
        folder,
        seed=seed,
        device=device,
        devices=devices,
        strategy=strategy,
        resume=resume,
        restart=restart,
    )
    report = save_measured(
        network,
        history,
        patterns,
        settings,
        folder,
        name=name,
        seed=seed,
        data=SHIPPED if data is None else str(data),
    )
    note(f"checkpoint in {folder}; use it with --checkpoint {into or name}")
    return report
