"""Does a melody follow its beat, and is it new? Measured on pieces that were not learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from drum_space.melodies.accents import agreement
from drum_space.melodies.crops import CROP_BARS, Crops, crops_of
from drum_space.melodies.lines import (
    FOLDS,
    LOWEST,
    NO_BASS,
    REST,
    Piece,
    Songbook,
)
from drum_space.melodies.model import DrumMelody
from drum_space.model import DrumAutoencoder
from groove_core.drums import STEPS_PER_BAR
from groove_core.learning import about_intervals, mean
from groove_core.values import Report

__all__ = ["Measured", "copied_share", "evaluate_network", "measure", "report_of"]

SPANS = (8, 16, 32)
REPEATS = (1, 2, 4)
BATCH = 256
OWN, OTHER, NONE = "network, its own drums", "network, other drums", "network, no drums"
BASS_TOO = "network, its drums and bass"
REAL, COPIED, RANDOM = "held-out real", "training copied", "random notes"
COLUMNS = (
    "nats per step", "worse than with its own", "onset agreement", "agreement, other drums",
    "agreement above other", *(f"copies, {n} steps" for n in SPANS),
    *(f"repeats, {n} bars" for n in REPEATS), "notes per bar",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def _spans(line: Tensor, size: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Give stretches of lines that begin on a beat [shape=(n, starts, size)] and which have notes.

    One in four steps of them: less is a rest or a held note, and no copy of anything.
    """
    parts = line.to(torch.int8).unfold(1, size, 4).numpy()
    return parts, (parts >= 0).sum(axis=2) >= size // 4


def copied_share(line: Tensor, learnt: Iterable[Tensor], size: int) -> Floats:
    """Share of the stretches of each line that stand in a line of the training set.

    Parameters
    ----------
    line : int tensor [shape=(n, steps)]
    learnt : int tensors [shape=(lines, steps)]
        In the same key.
    size : int
        Length of a stretch in steps; stretches begin on beats.

    Returns
    -------
    float array [shape=(n,)]
        NaN for a line without a stretch that has notes enough.
    """
    known: set[bytes] = set()
    for one in learnt:
        if one.shape[1] >= size:
            parts, busy = _spans(one, size)
            known.update(part.tobytes() for part in parts[busy])
    parts, busy = _spans(line, size)
    return np.array(
        [
            np.mean([part.tobytes() in known for part in some[here]]) if here.any() else np.nan
            for some, here in zip(parts, busy, strict=True)
        ]
    )


def _repeats(line: Tensor, bars: int) -> Floats:
    """Share of a line's notes that were there so many bars ago."""
    back = bars * STEPS_PER_BAR
    now, before = line[:, back:], line[:, :-back]
    starts = now >= 0
    share: Floats = (((now == before) & starts).sum(1) / starts.sum(1).clamp(min=1)).numpy()
    return share


@dataclass(frozen=True)
class Measured:
    """Figures of each piece, by row and column of the table."""

    values: dict[str, dict[str, Floats]]

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            {
                row: {name: np.concatenate([some, other.values[row][name]])
                      for name, some in columns.items()}
                for row, columns in self.values.items()
            }
        )  # fmt: skip


def _nll(model: DrumMelody, crops: Crops, heard: float, beats: Crops | None = None) -> Floats:
    parts, device = [], model.code_mean.device

    def to(field: Tensor) -> Tensor:
        return field.to(device)

    with torch.no_grad():
        for index in torch.arange(len(crops)).split(BATCH):
            some = crops.pick(index).each(to)
            on = some.on(
                torch.full((len(index),), heard, device=device),
                beats_of=beats.pick(index).each(to) if beats else None,
            )
            parts.append(model(some.line, on).mean(dim=1).cpu())
    found: Floats = torch.cat(parts).double().numpy()
    return found


def measure(
    model: DrumMelody,
    space: DrumAutoencoder,
    held_out: Sequence[Piece],
    learnt: Sequence[Piece],
    *,
    seed: int,
) -> Measured:
    """Measure a network on pieces that it has not learnt.

    Raises
    ------
    InputError
        If no piece has eight bars with notes and drums.
    """
    model.eval()
    crops = crops_of(held_out, space, hop_bars=CROP_BARS)
    owner = crops.piece.numpy()
    rng = np.random.default_rng(seed)
    with_bass = crops
    crops = replace(crops, bass=torch.full_like(crops.bass, NO_BASS))
    # The drums of another piece, for each crop.
    strangers = [np.nonzero(owner != piece)[0] for piece in owner]
    if not all(map(len, strangers)):
        strangers = [np.arange(len(owner))] * len(owner)
    other = crops.pick(torch.tensor([rng.choice(some) for some in strangers]))
    generator = torch.Generator().manual_seed(seed)

    def written(heard: float) -> Tensor:
        return torch.cat(
            [
                model.write(
                    crops.pick(index).on(torch.full((len(index),), heard)),
                    generator=generator,
                )
                for index in torch.arange(len(crops)).split(BATCH)
            ]
        )

    known = crops_of(learnt, space, hop_bars=CROP_BARS).line
    copied = known[torch.from_numpy(rng.integers(len(known), size=len(crops)))]
    notes = torch.from_numpy(rng.integers(LOWEST + 24, LOWEST + 48, crops.line.shape))
    busy = torch.from_numpy(rng.random(crops.line.shape)) < float((crops.line >= 0).float().mean())
    lines = {
        OWN: written(1.0),
        NONE: written(0.0),
        REAL: crops.line.long(),
        COPIED: copied.long(),
        RANDOM: torch.where(busy, notes, REST),
    }
    nll = {
        BASS_TOO: _nll(model, with_bass, 1.0),
        OWN: _nll(model, crops, 1.0),
        OTHER: _nll(model, crops, 1.0, other),
        NONE: _nll(model, crops, 0.0),
    }
    training = [torch.from_numpy(piece.lines) for piece in learnt]
    pieces = np.unique(owner)

    def by_piece(values: Floats) -> Floats:
        known = np.isfinite(values)
        return np.array(
            [values[(owner == p) & known].mean() if ((owner == p) & known).any() else np.nan
             for p in pieces]
        )  # fmt: skip

    found: dict[str, dict[str, Floats]] = {}
    for name in (OWN, OTHER, NONE, BASS_TOO, REAL, COPIED, RANDOM):
        columns: dict[str, Floats] = {}
        if name in nll:
            columns[COLUMNS[0]] = nll[name]
            columns[COLUMNS[1]] = nll[name] - nll[OWN]
        if name in lines:
            line = lines[name]
            with np.errstate(invalid="ignore"):
                own, against = agreement(line, crops.drums), agreement(line, other.drums)
            columns[COLUMNS[2]], columns[COLUMNS[3]] = own, against
            columns[COLUMNS[4]] = own - against
            for size in SPANS:
                columns[f"copies, {size} steps"] = copied_share(line, training, size)
            for bars in REPEATS:
                columns[f"repeats, {bars} bars"] = _repeats(line, bars)
            columns["notes per bar"] = (line >= 0).sum(1).numpy() / CROP_BARS
        found[name] = {column: by_piece(values) for column, values in columns.items()}
    return Measured(found)


def report_of(parts: Sequence[Measured], *, title: str) -> Report:
    """Pool what was measured with one or more networks into a table."""
    pooled = reduce(lambda a, b: a + b, parts)
    rows = tuple(
        # Pieces without a value are left out.
        (name, *(mean(found[c][np.isfinite(found[c])]) if c in found else None for c in COLUMNS))
        for name, found in pooled.values.items()
    )
    count = len(pooled.values[REAL][COLUMNS[2]])
    return Report(
        title=f"{title}: {count} pieces, each by a network that has not learnt it",
        columns=("", *COLUMNS),
        rows=rows,
        notes=(
            "nats per step: negative log-likelihood of the real line with the piece's own drums, "
            "with those of another piece, with none, and with drums and bass; it is hidden else.",
            "onset agreement: correlation of where notes start with where kick, snare or crash "
            "are struck; other drums: of another piece.",
            "copies: share of stretches, from a beat on, that stand in a training line note for "
            "note; real lines show how much music repeats from piece to piece.",
            about_intervals("pieces"),
        ),
    )


def evaluate_network(
    model: DrumMelody, space: DrumAutoencoder, book: Songbook, *, seed: int
) -> Report:
    """Measure a trained network on the first fold, which it has not learnt from.

    Raises
    ------
    InputError
        If nothing in it can be measured on.
    """
    found = measure(model, space, book.part([0]), book.part(range(1, FOLDS)), seed=seed)
    return report_of([found], title="melodies on drums")
