"""The table of the audio model: what it finds of known changes, on kits it never heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, auc, bootstrap, interval, spearman
from groove_core.render import kits
from groove_core.render.kits import Hits, Kit
from groove_core.storage import checkpoints
from groove_core.values import Cell, Estimate, Report
from groove_vae import pairs
from groove_vae.frames import bands
from groove_vae.listening import AROUND, AUDIBLE_DB, around, frames_of, stroke_divergence
from groove_vae.model import FeelVAE, Gaussian
from groove_vae.pairs import KINDS, Strokes
from groove_vae.performances import Performance, as_learnt, held_out, load, long_enough

__all__ = ["COLUMNS", "evaluate", "evaluate_model"]

PROGRAMS = (24, 25, 48)
"""Kits of the soundfont that is learnt from. They are other kits than those, but they share
samples with them: all of them the crash, 48 the snare and the toms, too."""
SYNTHETIC = range(100, 120)
"""Kits that no training has seen."""
OTHER_PROGRAMS = (0, 8, 16, 24, 25, 40, 48)
"""Kits of another soundfont."""
CHANGE = pairs.Change(
    timing_ms=(1, 2, 5, 10, 20, 40), dynamics_db=(3, 6, 12, 20), ghost_db=(0, 10, 20), share=0.2
)
EXCERPT_S = 40.0
COLUMNS = (
    "same kit",
    "another kit",
    "another, tone left in",
    "same, every stroke",
    "another, every stroke",
    "bands, same kit",
    "bands, another kit",
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kits:
    """Kits to measure on.

    Parameters
    ----------
    words : str
        What they are.
    played : sequence of Kit
        What the played part is played on.
    programmed : sequence of Kit, optional
        What the programmed part is played on where the kits differ; by default another of
        `played`.
    """

    words: str
    played: Sequence[Kit]
    programmed: Sequence[Kit] = ()

    @classmethod
    def of(cls, strokes: Path | None, soundfont: Path | None) -> Kits:
        """Choose kits: recorded ones, those of a soundfont, or those kept from training."""
        synthetic = [kits.synthetic(seed) for seed in SYNTHETIC]
        others = [kits.general_midi(p, soundfont) for p in OTHER_PROGRAMS] if soundfont else []
        if strokes is not None:
            words = soundfont.stem if soundfont else "synthetic kits"
            return cls(
                f"recorded strokes, programmed on {words}",
                [kits.recorded(strokes)],
                others or synthetic,
            )
        if soundfont is not None:
            return cls(f"{soundfont.stem}, programmed on synthetic kits", others, synthetic)
        return cls("unseen kits", [kits.general_midi(p) for p in PROGRAMS] + synthetic)

    def draw(self, rng: np.random.Generator) -> tuple[Kit, Kit]:
        """Draw a kit for the played part, and another one for the programmed part."""
        if not self.programmed:
            first, second = rng.choice(len(self.played), 2, replace=False)
            return self.played[first], self.played[second]
        played = self.played[int(rng.integers(len(self.played)))]
        return played, self.programmed[int(rng.integers(len(self.programmed)))]


@dataclass(frozen=True)
class Measured:
    """What was found in one performance; one entry per stroke.

    Parameters
    ----------
    strokes : Strokes
    same, other, kept : float arrays [shape=(n,)]
        Divergence on the same kit; on another; and there with the tone left in.
    bands_same, bands_other : float arrays [shape=(n,)]
        Mean square difference of what the model hears, as a simpler measure.
    kit, room, shifted : float arrays [shape=(n,)]
        Of nothing but another kit; another room and level; the whole file 1 ms later.
    played : float array [shape=(m, 3)]
        Of each stroke as it was really played, against the grid: divergence, |ms|, |dB|.
    """

    strokes: Strokes
    same: Floats
    other: Floats
    kept: Floats
    bands_same: Floats
    bands_other: Floats
    kit: Floats
    room: Floats
    shifted: Floats
    played: Floats


def evaluate(
    *,
    checkpoint: str,
    data: Path | None,
    count: int | None,
    seed: int,
    device: str,
    strokes: Path | None = None,
    soundfont: Path | None = None,
) -> Report:
    """Measure a checkpoint; see `groove_vae.actions.evaluate`."""
    model, card = checkpoints.load("groove-vae", checkpoint, FeelVAE, device=device)
    performances = as_learnt(card, long_enough(load(None, None, data=data)))
    chosen = Kits.of(strokes, soundfont)
    return evaluate_model(model, performances, count=count, seed=seed, chosen=chosen)


def evaluate_model(
    model: FeelVAE,
    performances: Iterable[Performance],
    *,
    count: int | None = None,
    seed: int,
    chosen: Kits | None = None,
) -> Report:
    """Measure the audio model on the test split, with 95 % bootstrap intervals over performances.

    Parameters
    ----------
    count : int, optional
        Performances to measure on, spread evenly; all by default.
    chosen : Kits, optional
        Those kept from training by default.

    Raises
    ------
    InputError
        If there are not two performances.
    """
    test = held_out(performances, count)
    chosen = chosen or Kits.of(None, None)
    found = [
        _measure(model, one, chosen, np.random.default_rng([seed, index]))
        for index, one in enumerate(track(test, "measuring", total=len(test)))
    ]
    found = [one for one in found if len(one.strokes.kind)]
    if not found:
        raise InputError("No stroke could be compared.", hint="Give longer performances.")
    draws = bootstrap(len(found))
    rows = _found_rows(found, draws)
    rows += _against_kit_rows(found, draws)
    medians = {
        "untouched": [one.same[one.strokes.kind == 0] for one in found],
        "another room and level": [one.room[one.strokes.kind == 0] for one in found],
        "the whole file 1 ms later": [one.shifted[one.strokes.kind == 0] for one in found],
        "another kit": [one.kit[one.strokes.kind == 0] for one in found],
        "5 ms": [one.same[_is(one, "timing", 5)] for one in found],
        "6 dB": [one.same[_is(one, "dynamics", 6)] for one in found],
    }
    words = ", ".join(
        f"{name} {np.median(np.concatenate(values)) if sum(map(len, values)) else np.nan:.3f}"
        for name, values in medians.items()
    )
    strokes = sum(len(one.strokes.kind) for one in found)
    fit = _regression(found, draws)
    return Report(
        title=(
            f"groove-vae: {strokes} strokes of {len(found)} held-out performances, {chosen.words}"
        ),
        columns=("", *COLUMNS),
        rows=tuple(rows),
        notes=(
            "AUC: how often a changed stroke diverges more than an untouched one of any "
            "performance; 0.5 is chance. Spearman: of divergence and amount.",
            f"Strokes within {-AUDIBLE_DB:.0f} dB of the loudest hit; every stroke: softer ones, "
            "too. Ghost notes are between strokes, so far below the loudest hit.",
            "bands: mean square difference of what the model hears, in place of a model.",
            "against another kit: changed strokes on one kit beside untouched ones on two.",
            f"Median D_KL of a stroke, nats: {words}.",
            *fit[0],
            about_intervals("performances"),
        ),
        data={"regression": fit[1]},
    )


def _measure(model: FeelVAE, one: Performance, chosen: Kits, rng: np.random.Generator) -> Measured:
    """Render versions of a performance and compare them."""
    hits = Hits.of_velocity(one.onset_s, one.drum, one.velocity).between(0, EXCERPT_S)
    hits = Hits(hits.onset_s + 0.1, hits.drum, hits.level_db)
    first, second = chosen.draw(rng)
    here, there = rng.integers(2**31, size=2)
    changed, strokes = pairs.changed(hits, CHANGE, rng)
    late = Hits(hits.onset_s + 0.001, hits.drum, hits.level_db)
    grid = _on_grid(hits, one.bpm)
    duration_s = float(hits.onset_s.max()) + 0.5
    heard = []
    # Where strokes were recorded, nobody hits a drum twice alike: versions are other takes.
    for version, kit, room, take in (
        (changed, first, here, 0),
        (hits, first, here, 1),
        (hits, second, there, 0),
        (hits, first, there, 0),
        (late, first, here, 0),
        (grid, first, here, 0),
    ):
        dry = kits.play(version, kit, duration_s, take=take)
        heard.append(bands(torch.from_numpy(kits.room(dry, np.random.default_rng(room)))))
    with torch.no_grad():
        whole = model.encode(torch.stack(heard).to(model.log_noise.device))
    latent = Gaussian(whole.mean.cpu(), whole.scale.cpu())
    frames = len(heard[0])
    at = frames_of(strokes.onset_s)
    inside = ((at >= AROUND) & (at < frames - AROUND)).numpy()
    strokes, at = strokes[inside], at[inside]

    def score(played: int, programmed: int, *, same_tone: bool) -> Floats:
        value = stroke_divergence(
            latent.at(played),
            latent.at(programmed),
            heard[programmed],
            at,
            same_tone=same_tone,
        )
        return value.numpy().astype(np.float64)

    def plain(played: int, programmed: int) -> Floats:
        square = (heard[played] - heard[programmed]).square().mean(dim=-1)
        return square[around(at, frames)].mean(dim=-1).numpy().astype(np.float64)

    return Measured(
        strokes,
        same=score(0, 1, same_tone=True),
        other=score(0, 2, same_tone=False),
        kept=score(0, 2, same_tone=True),
        bands_same=plain(0, 1),
        bands_other=plain(0, 2),
        kit=score(1, 2, same_tone=False),
        room=score(1, 3, same_tone=True),
        shifted=score(4, 1, same_tone=True),
        played=_as_played(hits, grid, latent.at(1), latent.at(5), heard[5]),
    )


def _on_grid(hits: Hits, tempo_bpm: float) -> Hits:
    """Put hits on sixteenths, each drum at its mean level."""
    step_s = 15 / tempo_bpm
    onset_s = 0.1 + step_s * np.round((hits.onset_s - 0.1) / step_s)
    count = np.bincount(hits.drum, minlength=9)
    mean = np.bincount(hits.drum, hits.level_db, 9) / np.maximum(count, 1)
    return Hits(onset_s, hits.drum, mean[hits.drum])


def _as_played(
    hits: Hits, grid: Hits, played: Gaussian, programmed: Gaussian, heard: torch.Tensor
) -> Floats:
    """Give divergence, |ms| and |dB| of each stroke of the grid [shape=(n, 3)]."""
    number = grid.strokes()
    power = 10 ** (hits.level_db / 10)
    total = np.bincount(number, power)
    late_ms = 1000 * np.bincount(number, power * (hits.onset_s - grid.onset_s)) / total
    even = np.bincount(number, 10 ** (grid.level_db / 10))
    louder_db = 10 * np.log10(total / even)
    onset_s = np.zeros(len(total))
    onset_s[number] = grid.onset_s
    level_db = 10 * np.log10(total) - float(hits.level_db.max())
    at = frames_of(onset_s)
    inside = (at >= AROUND) & (at < len(heard) - AROUND)
    inside &= torch.from_numpy(level_db >= AUDIBLE_DB)
    score = stroke_divergence(played, programmed, heard, at[inside], same_tone=True)
    kept = inside.numpy()
    return np.stack([score.numpy(), np.abs(late_ms[kept]), np.abs(louder_db[kept])], axis=1)


def _is(one: Measured, kind: str, amount: float | None = None) -> npt.NDArray[np.bool_]:
    """Choose strokes by what was done to them."""
    chosen: npt.NDArray[np.bool_] = one.strokes.kind == KINDS.index(kind)
    return chosen if amount is None else chosen & (one.strokes.amount == amount)


def _columns(one: Measured) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
    """Give the scores of each column, and which strokes count there."""
    loud = (one.strokes.level_db >= AUDIBLE_DB) | _is(one, "ghost")
    every = np.ones(len(one.same), dtype=bool)
    return [
        (one.same, loud),
        (one.other, loud),
        (one.kept, loud),
        (one.same, every),
        (one.other, every),
        (one.bands_same, loud),
        (one.bands_other, loud),
    ]


def _found_rows(found: Sequence[Measured], draws: Floats) -> list[tuple[Cell, ...]]:
    """Measure how well changes are told from what was not touched, and ordered."""
    wanted: list[tuple[str, str, float | None]] = [
        *((f"AUC, {ms} ms", "timing", ms) for ms in CHANGE.timing_ms),
        *((f"AUC, {db} dB", "dynamics", db) for db in CHANGE.dynamics_db),
        ("AUC, ghost notes", "ghost", None),
        *(
            (f"AUC, ghost notes at {pairs.FAINTEST_DB + db:.0f} dB", "ghost", 1 + db)
            for db in CHANGE.ghost_db
        ),
    ]
    columns = [_columns(one) for one in found]
    rows: list[tuple[Cell, ...]] = []
    for name, kind, amount in wanted:
        cells = []
        for column in range(len(COLUMNS)):
            positive, negative = [], []
            for one, parts in zip(found, columns, strict=True):
                score, counts = parts[column]
                positive.append(score[_is(one, kind, amount) & counts])
                negative.append(score[_is(one, "untouched") & counts])
            cells.append(auc(positive, negative, draws))
        rows.append((name, *cells))
    for name, kind in (("Spearman with ms", "timing"), ("Spearman with dB", "dynamics")):
        cells = []
        for column in range(len(COLUMNS)):
            score_of, amounts = [], []
            for one, parts in zip(found, columns, strict=True):
                score, counts = parts[column]
                score_of.append(score[_is(one, kind) & counts])
                amounts.append(one.strokes.amount[_is(one, kind) & counts])
            cells.append(spearman(score_of, amounts, draws))
        rows.append((name, *cells))
    return rows


def _against_kit_rows(found: Sequence[Measured], draws: Floats) -> list[tuple[Cell, ...]]:
    """Measure how often a change outweighs another kit."""
    rows: list[tuple[Cell, ...]] = []
    for name, kind, amount in (("5 ms", "timing", 5), ("6 dB", "dynamics", 6)):
        cells: list[Estimate | None] = [None] * len(COLUMNS)
        for column in (COLUMNS.index("same kit"), COLUMNS.index("same, every stroke")):
            positive, negative = [], []
            for one in found:
                score, counts = _columns(one)[column]
                positive.append(score[_is(one, kind, amount) & counts])
                negative.append(one.kit[_is(one, "untouched") & counts])
            cells[column] = auc(positive, negative, draws)
        rows.append((f"AUC, {name} against another kit", *cells))
    return rows


def _regression(
    found: Sequence[Measured], draws: Floats
) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Explain the divergence of real strokes by how late or early and how loud or soft."""
    # Sums over each performance of the products of (1, |ms|, |dB|, y), so that a bootstrap
    # round is a weighted sum and a solution of three equations.
    out: dict[str, dict[str, float]] = {}
    words = []
    for name, root in (("D_KL", False), ("root of D_KL", True)):
        moments = []
        for one in found:
            y = np.sqrt(one.played[:, 0]) if root else one.played[:, 0]
            design = np.stack([np.ones(len(y)), one.played[:, 1], one.played[:, 2], y], axis=1)
            moments.append(design.T @ design)
        rounds = np.tensordot(draws, np.array(moments), axes=1)
        # Where nothing was played off the grid, there is nothing to explain: no inverse.
        solved = (np.linalg.pinv(rounds[:, :3, :3]) @ rounds[:, :3, 3:])[..., 0]
        total = rounds[:, 3, 3] - rounds[:, 0, 3] ** 2 / rounds[:, 0, 0]
        left = rounds[:, 3, 3] - (solved * rounds[:, :3, 3]).sum(axis=1)
        values = {
            "r2": 1 - left / np.maximum(total, 1e-12),
            "per_ms": solved[:, 1],
            "per_db": solved[:, 2],
        }
        estimates = {key: interval(rounds) for key, rounds in values.items()}
        out[name] = {key: one.value for key, one in estimates.items()}
        words.append(
            f"Real playing against the grid, {name} on |ms| and |dB| of a stroke: R² "
            f"{estimates['r2']}, {estimates['per_ms']} per ms and {estimates['per_db']} per dB."
        )
    return words, out
