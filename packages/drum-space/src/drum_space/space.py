"""What the actions do with a space: load it, and get codes from beats and beats from codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from groove_core.actions import Opt, checkpoint_of, each
from groove_core.console import note
from groove_core.drums import DRUMS, STEPS_PER_BAR, DrumPattern
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.values import Score

if TYPE_CHECKING:
    import torch

    from drum_space.model import DrumAutoencoder

__all__ = [
    "BATCH",
    "NETWORKS",
    "PACKAGE",
    "SHIPPED",
    "Checkpoint",
    "Model",
    "audible",
    "beats_of",
    "code_of",
    "drums_named",
    "genres",
    "glide",
    "heard_bars",
    "hits_of",
    "load",
    "near_fills",
    "near_genre",
    "spread_of",
    "two_bars",
    "warn_outside",
    "windows_of",
]

PACKAGE = "drum-space"
SHIPPED = "two-bar-patterns", "CC-BY-4.0 AND BSD-3-Clause"
"""Name and licence of the packaged patterns."""
NETWORKS = ("drum_space.model:DrumAutoencoder",)
Model = Annotated[
    Literal["acai", "vae", "ae"], Opt("latent space to use (ignored with --checkpoint)")
]
Checkpoint = Annotated[str | None, checkpoint_of(*NETWORKS)]
BATCH = 1024
MOMENTS = 128
"""Places on a way between two beats, of which some are chosen."""
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


def beats_of(network: DrumAutoencoder, codes: torch.Tensor) -> Iterator[npt.NDArray[np.bool_]]:
    """Decode codes to hits [shape=(32, 14)], as they are asked for."""
    for chunk in codes.split(BATCH):
        yield from hits_of(network, chunk).numpy()


def drums_named(names: str | None) -> npt.NDArray[np.bool_]:
    """Find the drums of a list such as ``kick,hi-hat`` [shape=(14,)].

    A drum is meant by its name or by words of it: ``tom`` stands for all toms.

    Raises
    ------
    UsageError
        If no drum is called so.
    """
    found = np.zeros(len(DRUMS), bool)
    for name in (names or "").split(","):
        words = set(name.lower().replace("-", " ").split())
        if not words:
            continue
        meant = [words <= set(drum.name.replace("-", " ").split()) for drum in DRUMS]
        if not any(meant):
            known = [drum.name for drum in DRUMS]
            raise UsageError(
                f"There is no drum {name.strip()!r}.",
                hint=did_you_mean(name.strip().lower(), known) or f"Drums: {', '.join(known)}.",
            )
        found |= np.array(meant)
    return found


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


def heard_bars(beat: DrumPattern) -> DrumPattern:
    """Cut silent bars off the beginning and the end of a beat.

    Raises
    ------
    InputError
        If all are silent.
    """
    heard = np.flatnonzero(beat.hits.any(axis=1)) // STEPS_PER_BAR
    if not len(heard):
        raise InputError("The beat is silent.", hint="Give a beat with at least one hit.")
    return beat.slice_bars(int(heard[0]), int(heard[-1] - heard[0]) + 1)


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


def glide(
    network: DrumAutoencoder, start: DrumPattern, end: DrumPattern, steps: int
) -> npt.NDArray[np.bool_]:
    """Lead from one two-bar beat to another, both as they are played.

    The way in the space leads from the code of one to that of the other. What its first beat
    lacks of the start is given up evenly over the first half of the way, beginning with what the
    decoder thinks least likely; what its last one lacks of the end is taken on over the second
    half; what both lack alike stays. The beats are then chosen so that each differs from the next
    by about as many hits.

    Parameters
    ----------
    steps : int
        Beats in between.

    Returns
    -------
    bool array [shape=(steps + 2, 32, 14)]
    """
    import torch

    a, b = code_of(network, start, end)
    place = torch.linspace(0, 1, MOMENTS, dtype=torch.float64)
    with torch.no_grad():
        codes = torch.lerp(a, b, place[:, None].float()).to(network.thresholds)
        margins = network.margins(codes).cpu().numpy()
    hits = margins > 0
    missed = np.stack([start.hits, end.hits]) != hits[[0, -1]]
    always = missed.all(axis=0) & (start.hits == end.hits)
    for side, beat, way in ((0, start, place), (-1, end, 1 - place)):
        lacking = missed[side] & ~always
        surest = np.argsort(-np.abs(margins[side][lacking]), kind="stable")
        until = np.empty(len(surest))
        until[surest] = np.arange(1, len(surest) + 1) / (2 * len(surest) + 2)
        held = way.numpy()[:, None] < until
        hits[:, lacking] = np.where(held, beat.hits[lacking], hits[:, lacking])
    hits[:, always] = start.hits[always]
    changes = (hits[1:] != hits[:-1]).sum(axis=(1, 2))
    gone = np.concatenate([[0], np.cumsum(changes)])
    wanted = np.linspace(0, gone[-1], steps + 2)[1:-1]
    chosen = np.abs(gone - wanted[:, None]).argmin(axis=1)
    found: npt.NDArray[np.bool_] = hits[[0, *chosen.tolist(), MOMENTS - 1]]
    return found


def genres(checkpoint: str | None = None) -> list[str]:
    """List the genres that a space can draw from: with more training patterns than dimensions.

    Parameters
    ----------
    checkpoint : str, optional
        Name or folder (default: the packaged space).
    """
    from groove_core.storage import checkpoints

    card = checkpoints.read_card(checkpoints.find(PACKAGE, checkpoint or "acai").path)
    counts: Mapping[str, int] = card["config"].get("genres", {})
    if not counts and card["data"].get("name") == SHIPPED[0]:
        from drum_space.data import open_patterns

        patterns = open_patterns()
        counts = Counter(patterns.genre_of()[patterns.part("train")].tolist())
    return sorted(genre for genre, count in counts.items() if count > card["config"]["latent"])


def near_genre(
    network: DrumAutoencoder,
    card: Mapping[str, Any],
    genre: str,
    generator: torch.Generator,
    temperature: float,
) -> Callable[[int], torch.Tensor]:
    """Give what draws from a Gaussian kernel density estimate of a genre's codes.

    The genres are those that the checkpoint has learnt. The bandwidth is Scott's; the
    temperature scales it.

    Raises
    ------
    UsageError
        If the checkpoint knows no such genre, or too little of it.
    """
    known = network.codes_by_genre() or _codes_of_packaged(network, card)
    if genre not in known:
        raise UsageError(
            f"{card['name']} has learnt no genre {genre!r}.",
            hint=did_you_mean(genre, [*known], form="--genre {}")
            or f"Genres: {', '.join(sorted(known))}.",
        )
    codes = known[genre]
    if len(codes) <= network.latent:
        large = [name for name, found in sorted(known.items()) if len(found) > network.latent]
        raise UsageError(
            f"{card['name']} has learnt {len(codes)} patterns of the genre {genre!r}, "
            "too few to draw near.",
            hint=f"Genres: {', '.join(large)}." if large else "Leave --genre out.",
        )
    return _near(codes, generator, temperature)


def _near(
    codes: torch.Tensor, generator: torch.Generator, temperature: float
) -> Callable[[int], torch.Tensor]:
    """Return what draws from a Gaussian kernel density estimate of codes [shape=(n, latent)]."""
    import torch

    latent = codes.shape[1]
    bandwidth = len(codes) ** (-1 / (latent + 4))
    ridge = 1e-6 * torch.eye(latent)
    factor = torch.linalg.cholesky(torch.cov(codes.T) + ridge) * bandwidth

    def draw(count: int) -> torch.Tensor:
        centers = codes[torch.randint(len(codes), (count,), generator=generator)]
        noise = torch.randn(count, latent, generator=generator)
        near: torch.Tensor = centers + temperature * noise @ factor.T
        return near

    return draw


def near_fills(
    network: DrumAutoencoder, card: Mapping[str, Any], generator: torch.Generator
) -> Callable[[int], torch.Tensor] | None:
    """Return what draws near the codes of fills; None if the checkpoint has learnt no fills.

    Those of the Groove MIDI Dataset say in the names of their files that they are fills.
    """
    import torch

    from drum_space.data import open_patterns

    if not _learnt_packaged(card):
        return None
    patterns = open_patterns()
    fill = np.array(["_fill_" in name for name in patterns.sources])[patterns.source]
    train = patterns.part("train")
    hits = torch.from_numpy(patterns.hits[train[fill[train]]])
    with torch.no_grad():
        codes = network.encode(hits.to(network.thresholds.device)).cpu()
    return _near(codes, generator, 1.0)


def spread_of(network: DrumAutoencoder) -> torch.Tensor:
    """Return the spread of all beats in the space [shape=(latent,)]."""
    import torch

    return network.sample_codes(4096, torch.Generator().manual_seed(0)).std(dim=0).cpu()


def _learnt_packaged(card: Mapping[str, Any]) -> bool:
    return bool(card["data"]["name"] == SHIPPED[0])


def _codes_of_packaged(
    network: DrumAutoencoder, card: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """Encode the packaged patterns, for a space that has learnt these and kept no genres."""
    import torch

    from drum_space.data import open_patterns

    if not _learnt_packaged(card):
        raise UsageError(
            f"{card['name']} does not say which genres it has learnt: it is from an older version.",
            hint="Train it again, or leave --genre out.",
        )
    patterns = open_patterns()
    train = patterns.part("train")
    hits = torch.from_numpy(patterns.hits[train]).to(network.thresholds.device)
    with torch.no_grad():
        codes = network.encode(hits).cpu()
    names = patterns.genre_of()[train]
    return {genre: codes[torch.from_numpy(names == genre)] for genre in sorted(set(names.tolist()))}


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
