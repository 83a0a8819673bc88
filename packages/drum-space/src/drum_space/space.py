"""What the actions do with a space: load it, and get codes from beats and beats from codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.actions import each
from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR, DrumPattern
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.values import Score

if TYPE_CHECKING:
    import torch

    from drum_space.model import DrumAutoencoder

__all__ = [
    "BATCH",
    "PACKAGE",
    "audible",
    "beats_of",
    "code_of",
    "hits_of",
    "load",
    "near_genre",
    "two_bars",
    "warn_outside",
    "windows_of",
]

PACKAGE = "drum-space"
BATCH = 1024
STRANGE_F1 = 0.25
"""F1 of a beat and what returns from its code; one in a hundred training patterns has less."""


def load(model: str, checkpoint: str | None, device: str) -> tuple[DrumAutoencoder, dict[str, Any]]:
    """Load a checkpoint, on a device that works."""
    from drum_space.model import DrumAutoencoder
    from groove_core.storage import checkpoints

    return checkpoints.load(PACKAGE, checkpoint or model, DrumAutoencoder, device=device)


def hits_of(network: DrumAutoencoder, codes: torch.Tensor) -> torch.Tensor:
    """Decode codes on the model's device to hits on the CPU [shape=(n, 32, 14)]."""
    import torch

    with torch.no_grad():
        return network.decode(codes.to(network.thresholds)).cpu()


def beats_of(
    network: DrumAutoencoder, codes: torch.Tensor, tempo_bpm: float
) -> Iterator[DrumPattern]:
    """Decode codes to beats, as they are asked for."""
    for chunk in codes.split(BATCH):
        for hits in hits_of(network, chunk).numpy():
            yield DrumPattern(hits, tempo_bpm=tempo_bpm)


def audible(
    network: DrumAutoencoder, draw: Callable[[int], torch.Tensor], count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw codes, again where one decodes to silence, and give them with their hits."""
    codes = draw(count).cpu()
    hits = hits_of(network, codes)
    for _ in range(10):
        silent = ~hits.any(dim=(1, 2))
        if not silent.any():
            break
        codes[silent] = draw(int(silent.sum())).cpu()
        hits[silent] = hits_of(network, codes[silent])
    return codes, hits


def two_bars(beat: DrumPattern, what: str = "The beat") -> DrumPattern:
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


def code_of(network: DrumAutoencoder, *beats: DrumPattern) -> torch.Tensor:
    """Encode two-bar beats to codes on the CPU [shape=(n, latent)]."""
    import torch

    hits = torch.from_numpy(np.stack([beat.hits for beat in beats])).to(network.thresholds.device)
    with torch.no_grad():
        return network.encode(hits).cpu()


def warn_outside(network: DrumAutoencoder, *beats: DrumPattern) -> None:
    """Say so where a beat lies outside the space: little of it returns from its code."""
    from drum_space.metrics import f1_score

    back = hits_of(network, code_of(network, *beats)).numpy()
    for beat, decoded in zip(beats, back, strict=True):
        if f1_score(beat.hits[None], decoded[None])[0] < STRANGE_F1:
            kept, hits = int((beat.hits & decoded).sum()), int(beat.hits.sum())
            note(
                f"this beat is unlike what the model has learnt, which keeps {kept} of its {hits} "
                "hits: what is made of its code is more usual"
            )


def near_genre(
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


def windows_of(scores: Sequence[Score]) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Cut the two-bar patterns out of scores, and say what is left out.

    Returns
    -------
    hits : bool array [shape=(n, 32, 14)]
    labels : tuple of str
        Name of the file, and the bar at which the pattern starts.

    Raises
    ------
    InputError
        If no score has a pattern in 4/4; the message counts what was left out.
    """
    from groove_core.drums import extract_patterns

    left_out: Counter[str] = Counter()
    hits: list[npt.NDArray[np.bool_]] = []
    labels: list[str] = []

    def cut(score: Score, name: str) -> None:
        windows = extract_patterns(score)
        if not len(windows):
            raise InputError(
                "There is no two-bar pattern in 4/4; left out: "
                f"{_listed(Counter(windows.dropped)) or 'nothing'}.",
                hint="Give a straight beat in 4/4 of at least two bars.",
            )
        left_out.update(windows.dropped)
        hits.append(windows.hits)
        labels.extend(f"{Path(name).stem}:{bar + 1:g}" for bar in windows.bar)

    for _ in each(scores, cut, "reading MIDI files"):
        pass
    if left_out:
        note(f"windows left out: {_listed(left_out)}")
    return np.concatenate(hits), tuple(labels)


def _listed(dropped: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in dropped.most_common())
