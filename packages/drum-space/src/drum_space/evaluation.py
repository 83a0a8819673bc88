"""The table of the evaluation: models beside real, copied and random patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from drum_space.data import Bits, PatternSet
from drum_space.metrics import (
    COLUMNS,
    Reference,
    describe_set,
    f1_score,
    nearest_distance,
    survives,
)
from drum_space.model import DrumAutoencoder
from groove_core.console import track
from groove_core.drums import DRUMS
from groove_core.errors import InputError
from groove_core.learning import means
from groove_core.values import Cell, Report

__all__ = ["evaluate_models"]

EXTRA = ("ends survive", "middle survives", "ends, distance", "middle, distance", "F1")


def _decode(model: DrumAutoencoder, codes: torch.Tensor) -> Bits:
    with torch.no_grad():
        hits: Bits = model.decode(codes.to(model.thresholds)).cpu().numpy()
    return hits


def _encode(model: DrumAutoencoder, hits: Bits) -> torch.Tensor:
    with torch.no_grad():
        return model.encode(torch.from_numpy(hits).to(model.thresholds.device))


def evaluate_models(
    models: Mapping[str, DrumAutoencoder], patterns: PatternSet, *, count: int, seed: int
) -> Report:
    """Measure models on the test split of a set of patterns; see `drum_space.actions.evaluate`.

    Raises
    ------
    InputError
        If the set has no test split.
    """
    reference = Reference.of(patterns)
    test = patterns.part("test")
    if len(test) < 2 or not len(reference.hits):
        raise InputError(
            "The data has no test split to measure on.", hint="Give more files: one in ten is kept."
        )
    held_out, performance = patterns.hits[test], patterns.source[test]
    rng = np.random.default_rng(seed)
    partner = rng.permutation(len(test))
    train = patterns.part("train")

    rows: list[tuple[Cell, ...]] = []

    def add(
        name: str, hits: Bits, extra: list[Cell], groups: np.ndarray[Any, Any] | None = None
    ) -> None:
        cells = describe_set(hits, reference, groups)
        rows.append((name, *cells[: -len(DRUMS)], *extra, *cells[-len(DRUMS) :]))

    none: list[Cell] = [None] * len(EXTRA)
    for name, model in track(models.items(), "measuring models", total=len(models)):
        generator = torch.Generator().manual_seed(seed)
        drawn = _decode(model, model.sample_codes(count, generator))
        codes = _encode(model, held_out)
        ends = _decode(model, codes)
        middle = _decode(model, (codes + codes[partner]) / 2)
        measures = [
            survives(ends),
            survives(middle),
            nearest_distance(ends, reference.hits),
            nearest_distance(middle, reference.hits),
            f1_score(held_out, ends),
        ]
        extra: list[Cell] = list(means(measures, performance))
        add(name, drawn, extra)
    add("held-out real", held_out, none, performance)
    copied = rng.choice(train, count, replace=count > len(train))
    add("training copied", patterns.hits[copied], none, patterns.source[copied])
    chance = reference.hits.mean(axis=(0, 1))
    add("random bits", rng.random((count, *held_out.shape[1:])) < chance, none)
    return Report(
        title=f"drum-space: {count} samples of each, {len(test)} held-out patterns of "
        f"{len(set(performance))} performances",
        columns=("", *COLUMNS[: -len(DRUMS)], *EXTRA, *COLUMNS[-len(DRUMS) :]),
        rows=tuple(rows),
        notes=(
            "survival: entropy of the 32 step masks above 0.9 nat (Tikhonov and Yamshchikov 2020);"
            " new: and not a training pattern.",
            "distance: bits to the nearest training pattern. Random bits survive, too: read "
            "survival with the distance.",
            "ends, middle: held-out beats decoded from their codes, and from halfway between two;"
            " a space without holes has as typical beats in the middle as at the ends.",
            "±: the wider side of the 95 % bootstrap interval; over performances where patterns "
            "are real.",
        ),
        data={"training_hits": float(reference.hits.sum(axis=(1, 2)).mean())},
    )
