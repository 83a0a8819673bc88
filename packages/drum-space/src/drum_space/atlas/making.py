"""Maps as people ask for them: the shipped one at once, another one computed."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from drum_space.atlas.drummap import DrumMap
from drum_space.atlas.model import ParametricMap
from drum_space.atlas.neighbors import measure_purity
from drum_space.atlas.training import MapSettings, train_parametric
from drum_space.data import Bits, PatternSet, open_patterns, pack
from drum_space.model import DrumAutoencoder
from groove_core.console import note
from groove_core.errors import CheckpointError, InputError
from groove_core.learning import (
    Split,
    about_intervals,
    made_with,
    place_near,
    trustworthiness,
    tsne,
)
from groove_core.storage import checkpoints
from groove_core.values import Cell, Report

__all__ = ["draw_map", "make_map", "measure", "measure_shipped", "shipped_map", "train_map"]

PACKAGE, NAME = "drum-space", "map"
MAX_GENRES = 255
"""As many as a byte can tell apart beside the user's own."""
REST = "other"
COLUMNS = (
    "purity", "purity, shuffled", "macro purity", "macro purity, shuffled",
    "purity, own performance", "trustworthiness", "continuity", "R²",
)  # fmt: skip
NOTES = (
    "purity: share of a pattern's 10 nearest that have its genre, those of its own performance "
    "left out, which are alike; with them: own performance.",
    "shuffled: genres swapped between performances of about one size, mean of 50 times; macro: "
    "every genre of two performances or more counts once.",
    "trustworthiness: whether the 12 nearest on the plane are near in the space; continuity: "
    "whether the 12 nearest in the space are near on the plane; 1 is perfect.",
    "R²: share of the variance of the codes that the way to the plane and back keeps.",
    f"{about_intervals('performances')} Nothing is held out: it is a map of these patterns.",
)

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


def draw_map(
    network: DrumAutoencoder,
    card: Mapping[str, Any],
    data: str | Path | None = None,
    *,
    perplexity: float = 30,
    seed: int = 1,
    yours: tuple[Bits, tuple[str, ...]] | None = None,
    flat: bool = False,
) -> DrumMap:
    """Draw the map of a set of patterns in the latent space of a model.

    Parameters
    ----------
    network : DrumAutoencoder
    card : dict
        Its card.
    data : path, optional
        See `drum_space.data.open_patterns`; the shipped patterns by default.
    perplexity : float
    seed : int
    yours : bool array [shape=(m, 32, 14)] and sequence of str, optional
        The user's own beats and their labels.
    flat : bool
        See `DrumMap`.

    Raises
    ------
    UsageError
        If the map has to be computed and openTSNE is not installed.
    InputError
        If there are too few patterns.
    """
    patterns = open_patterns(data)
    codes = _encode(network, patterns.hits)
    genre, genres = _genres(patterns)
    found = shipped_map(card, patterns, perplexity=perplexity, seed=seed)
    plane, measures = found or make_map(
        codes, genre, patterns.source, perplexity=perplexity, seed=seed
    )
    hits, labels = yours or (patterns.hits[:0], ())
    own = _encode(network, hits)
    return DrumMap(
        model=card["name"],
        hits=np.concatenate([patterns.hits, hits]),
        codes=np.concatenate([codes, own]),
        tsne=np.concatenate([plane.layout, place_near(codes, plane.layout, own)]),
        parametric=_positions(plane, np.concatenate([codes, own])),
        genre=np.append(genre, np.full(len(own), len(genres))),
        source=np.append(patterns.source, len(patterns.sources) + np.arange(len(own))),
        half_bar=np.append(patterns.half_bar, np.zeros(len(own), dtype=np.int64)),
        genres=genres,
        sources=(*patterns.sources, *labels),
        measures=measures,
        yours=labels,
        flat=flat,
        decoder=network,
        plane=plane,
    )


def make_map(
    codes: Floats,
    genre: Ints,
    source: Ints,
    *,
    perplexity: float,
    seed: int,
    settings: MapSettings | None = None,
) -> tuple[ParametricMap, Report | None]:
    """Lay codes out, learn a parametric map of them, and measure both.

    Parameters
    ----------
    codes : float array [shape=(n, latent)]
    genre, source : int arrays [shape=(n,)]
        Genre and performance of each.

    Returns
    -------
    plane : ParametricMap
    measures : Report or None
        None where there are too few patterns.

    Raises
    ------
    UsageError
        If openTSNE is not installed.
    InputError
        If there are too few different codes.
    """
    note(f"laying out {len(codes)} patterns with t-SNE")
    layout = tsne(codes, perplexity=perplexity, seed=seed, extra="drum-space[map]")
    plane = train_parametric(codes, layout, settings or MapSettings(), seed=seed)
    note("measuring the map")
    try:
        return plane, measure(plane, codes, genre, source)
    except InputError as error:
        note(f"the map is not measured: {error.message}")
        return plane, None


def measure(plane: ParametricMap, codes: Floats, genre: Ints, source: Ints) -> Report:
    """Measure the latent space, and what is left of it on the plane.

    Raises
    ------
    InputError
        If there are too few patterns or performances.
    """
    placed = _positions(plane, codes)
    with torch.no_grad():
        back = plane.codes(torch.from_numpy(placed).float()).numpy()
    lost = np.square(back - codes).sum() / np.square(codes - codes.mean(axis=0)).sum()

    def row(name: str, points: Floats, *more: Cell) -> tuple[Cell, ...]:
        found = measure_purity(points, genre, source)
        purities = (found.mean, found.shuffled, found.macro, found.macro_shuffled, found.own)
        return (name, *purities, *more)

    def plane_row(name: str, points: Floats, explained: Cell) -> tuple[Cell, ...]:
        trust, continuity = trustworthiness(codes, points), trustworthiness(points, codes)
        return row(name, points, trust, continuity, explained)

    return Report(
        title=f"map of {len(codes)} patterns of {len(np.unique(source))} performances",
        columns=("", *COLUMNS),
        rows=(
            row(f"{codes.shape[1]}-D codes", codes, None, None, None),
            plane_row("t-SNE", plane.layout, None),
            plane_row("parametric map", placed, 1 - float(lost)),
        ),
        notes=NOTES,
    )


def shipped_map(
    card: Mapping[str, Any], patterns: PatternSet, *, perplexity: float, seed: int
) -> tuple[ParametricMap, Report] | None:
    """Give the stored map and its measures, if it was made from this model and these patterns."""
    wanted = _origin(card, patterns, perplexity=perplexity, seed=seed)
    try:
        found = checkpoints.find(PACKAGE, NAME).path
    except CheckpointError:
        return None
    if checkpoints.read_card(found)["data"].get("origin") != wanted:
        return None
    plane, about = checkpoints.load(PACKAGE, NAME, ParametricMap)
    return plane, Report.from_json(about["metrics"]["report"])


def measure_shipped(
    network: DrumAutoencoder, card: Mapping[str, Any], patterns: PatternSet
) -> Report:
    """Measure the shipped map again.

    Raises
    ------
    InputError
        If it is not a map of these patterns in this space.
    """
    found = shipped_map(card, patterns, perplexity=30, seed=1)
    if found is None:
        raise InputError(
            "The shipped map is of other patterns.", hint="Leave --data and --checkpoints out."
        )
    return measure(found[0], _encode(network, patterns.hits), _genres(patterns)[0], patterns.source)


def train_map(
    network: DrumAutoencoder,
    card: Mapping[str, Any],
    patterns: PatternSet,
    folder: Path,
    *,
    perplexity: float = 30,
    seed: int = 1,
    data: str = "two-bar-patterns",
    license: str = "CC-BY-4.0 AND BSD-3-Clause",
) -> Report:
    """Make a map and store it, for those who have no openTSNE.

    Parameters
    ----------
    network, card : DrumAutoencoder and its card
    patterns : PatternSet
        All its splits are used: a map is not tested on patterns it has not seen.
    folder : path
        Of the checkpoint.
    data, license : str
        Of the patterns, for the card.

    Raises
    ------
    UsageError
        If openTSNE is not installed.
    InputError
        If there are too few patterns.
    """
    settings = MapSettings()
    codes = _encode(network, patterns.hits)
    genre, _ = _genres(patterns)
    plane, measures = make_map(
        codes, genre, patterns.source, perplexity=perplexity, seed=seed, settings=settings
    )
    if measures is None:
        raise InputError("There are too few patterns for a map to keep.", hint="Give more files.")
    about = {
        "name": NAME,
        "version": "1",
        "package": PACKAGE,
        "data": {
            "name": data,
            "license": license,
            **Split("performance").card(patterns.groups, {"train": range(len(patterns.groups))}),
            "split": "none: it is a map of all patterns, and nothing is tested on it",
            "patterns": len(patterns),
            "origin": _origin(card, patterns, perplexity=perplexity, seed=seed),
        },
        "training": {"perplexity": perplexity, **asdict(settings)},
        "seed": seed,
        "made_with": {**made_with(PACKAGE), "openTSNE": metadata.version("openTSNE")},
        "license": "unknown",
        "intended_use": "The map of the patterns: where each one is, and a code for any place.",
        "limits": (
            "A plane cannot hold the whole space: not all that is near in the space is near on "
            "the plane. Places between the patterns are guesses. Its measures are of the patterns "
            "it was made from."
        ),
        "paper": "t-SNE: JMLR 9 (2008) 2579; parametric: AISTATS 2009, PMLR 5 (2009) 384",
        "metrics": {"split": "all", "seed": seed, "report": measures.to_json()},
    }
    checkpoints.save(folder, plane, about, half=True)
    return measures


def _origin(
    card: Mapping[str, Any], patterns: PatternSet, *, perplexity: float, seed: int
) -> dict[str, Any]:
    """Name all that a map depends on: another one differs in something of it."""
    digest = hashlib.sha256(b"".join(pack(patterns.hits)))
    digest.update(patterns.source.astype("<i8").tobytes())
    digest.update(os.fsencode("\n".join(patterns.genres)))
    return {
        "model": card["sha256"],
        "patterns": digest.hexdigest(),
        "perplexity": perplexity,
        "seed": seed,
    }


def _encode(network: DrumAutoencoder, hits: Bits) -> npt.NDArray[np.float64]:
    """Encode patterns, to the four decimals that a map keeps."""
    parts = torch.from_numpy(hits).split(4096)
    with torch.no_grad():
        codes = torch.cat([network.encode(part.to(network.thresholds.device)) for part in parts])
    rounded: npt.NDArray[np.float64] = codes.cpu().double().numpy().round(4)
    return rounded


def _positions(plane: ParametricMap, codes: Floats) -> npt.NDArray[np.float64]:
    with torch.no_grad():
        placed = plane.positions(torch.from_numpy(codes).float())
    positions: npt.NDArray[np.float64] = placed.double().numpy()
    return positions


def _genres(patterns: PatternSet) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Give genres numbers, the most frequent first; of too many, the rarest share one."""
    names = patterns.genre_of()
    ordered = sorted(Counter(names.tolist()).items(), key=lambda one: (-one[1], one[0]))
    genres = [genre for genre, _ in ordered]
    if len(genres) > MAX_GENRES:
        genres = [*genres[: MAX_GENRES - 1], REST]
    number = {genre: index for index, genre in enumerate(genres)}
    rest = len(genres) - 1
    return np.array([number.get(name, rest) for name in names.tolist()]), tuple(genres)
