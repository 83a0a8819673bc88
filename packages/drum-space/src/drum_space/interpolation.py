"""Measure what lies between two beats: whether it is real, and how even the way there is.

The pairs are of the test split, and of two performances, which are coupled: no performance is in
two couples, so a bootstrap over couples draws what is independent. Differences between spaces are
paired, since all of them are measured on the same pairs.

How real beats are is said by judges that have no part in a space and know none of the measured
songs: networks that learn, on the validation split, to tell real beats from what the space makes
there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drum_space.data import Bits, PatternSet
from drum_space.metrics import Reference, nearest_distance, survives
from drum_space.model import BITS, DrumAutoencoder
from drum_space.space import glide
from groove_core.console import track
from groove_core.drums import DrumPattern
from groove_core.errors import InputError
from groove_core.learning import (
    Run,
    Step,
    Training,
    auc_rounds,
    bootstrap,
    interval,
    shuffled,
    trained,
)
from groove_core.values import Cell, Report

__all__ = ["evaluate_interpolation"]

JUDGES = 3
"""Of other first weights each; the mean of their scores depends less on chance."""
STEPS = 6
WAYS = 200
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judging:
    """How a judge learns: chosen on the two halves of the validation songs."""

    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2


class JudgeTraining(Training[Judging, tuple[Bits, Bits], nn.Sequential]):
    """Learn to tell real beats from others."""

    def build(self) -> nn.Sequential:
        """Make the network, and put both kinds into one set."""
        real, made = (torch.from_numpy(hits).float() for hits in self.data)
        self.beats = torch.cat([real, made])
        self.is_real = torch.cat([torch.ones(len(real)), torch.zeros(len(made))])
        layers: list[nn.Module] = [nn.Flatten()]
        for wide, narrow in ((BITS, 256), (256, 128)):
            layers += [nn.Linear(wide, narrow), nn.LayerNorm(narrow), nn.LeakyReLU(0.2)]
            layers.append(nn.Dropout(0.5))
        return nn.Sequential(*layers, nn.Linear(128, 1))

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle both kinds."""
        return shuffled(len(self.beats), self.settings.batch_size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy."""
        guess = self.modules["model"](step.part(self.beats[batch]))[:, 0]
        loss = F.binary_cross_entropy_with_logits(guess, step.part(self.is_real[batch]))
        return loss, {"loss": loss}


@dataclass(frozen=True)
class Couples:
    """Beats of a split, each with a partner of the performance that its own is coupled with."""

    hits: Bits
    partner: npt.NDArray[np.int64]
    couple: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]
    """Whether a beat is of the first performance of its couple."""

    @classmethod
    def of(cls, patterns: PatternSet, split: str, rng: np.random.Generator) -> Couples:
        """Couple the performances of a split at random; an odd one is left out.

        Raises
        ------
        InputError
            If there are fewer than two.
        """
        rows, source = patterns.part(split), patterns.source[patterns.part(split)]
        performances = rng.permutation(np.unique(source))
        if len(performances) < 2:
            raise InputError(
                f"The {split} split has {len(performances)} performances, too few to pair.",
                hint="Give more files: one in ten is kept.",
            )
        ours, theirs = performances[0 : len(performances) // 2 * 2].reshape(-1, 2).T
        number = {one: index for side in (ours, theirs) for index, one in enumerate(side)}
        kept = np.flatnonzero([one in number for one in source.tolist()])
        rows, source = rows[kept], source[kept]
        couple = np.array([number[one] for one in source.tolist()])
        first = np.isin(source, ours)
        partner = np.empty(len(rows), np.int64)
        for index in range(len(ours)):
            sides = [np.flatnonzero((couple == index) & (first == side)) for side in (True, False)]
            for mine, other in (sides, sides[::-1]):
                partner[mine] = rng.choice(other, len(mine))
        return cls(patterns.hits[rows], partner, couple, first)

    def ends_and_middles(self, model: DrumAutoencoder) -> tuple[Bits, Bits]:
        """Decode the code of each beat, and what lies halfway between it and its partner."""
        with torch.no_grad():
            codes = model.encode(torch.from_numpy(self.hits).to(model.thresholds.device))
            middles = (codes + codes[torch.from_numpy(self.partner)]) / 2
            ends, middle = (model.decode(some).cpu().numpy() for some in (codes, middles))
        return ends, middle

    def by_couple(self, values: Floats, some: npt.NDArray[np.bool_] | None = None) -> list[Floats]:
        """Divide values of the beats, or of some of them, by couple."""
        some = np.ones(len(self.hits), bool) if some is None else some
        return [values[some & (self.couple == one)] for one in range(self.couple.max() + 1)]


class Measuring:
    """The measures of beats that a space makes of the validation and the test split."""

    def __init__(self, patterns: PatternSet, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.reference = Reference.of(patterns)
        self.learnt = Couples.of(patterns, "validation", self.rng)
        self.test = Couples.of(patterns, "test", self.rng)
        self.draws = bootstrap(int(self.test.couple.max()) + 1)
        self.size = self.draws @ np.bincount(self.test.couple)

    def mean(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return the mean over the beats of the test split, in each round."""
        rounds: Floats = self.draws @ np.bincount(self.test.couple, values) / self.size
        return rounds

    def told(self, learnt: Bits, made: Bits) -> Floats:
        """Return how well judges tell beats from real ones (AUC), in each round."""
        score = self._judges(self.learnt.hits, learnt)
        real, fake = (self.test.by_couple(score(hits)) for hits in (self.test.hits, made))
        return auc_rounds(real, fake, self.draws)

    def told_real(self) -> Floats:
        """Return how well the beats of some performances are told from those of others."""
        first, second = (self.learnt.hits[self.learnt.first == side] for side in (True, False))
        scores = self._judges(first, second)(self.test.hits)
        one, other = (
            self.test.by_couple(scores, self.test.first == side) for side in (True, False)
        )
        return auc_rounds(one, other, self.draws)

    def _judges(self, real: Bits, made: Bits) -> Callable[[Bits], Floats]:
        models = [
            trained(JudgeTraining, Judging(), (real, made), Run(self.seed + number)).model.eval()
            for number in range(JUDGES)
        ]

        def score(hits: Bits) -> Floats:
            with torch.no_grad():
                scores = [model(torch.from_numpy(hits).float())[:, 0] for model in models]
            mean: Floats = torch.stack(scores).mean(dim=0).double().numpy()
            return mean

        return score

    def evenness(self, model: DrumAutoencoder) -> tuple[float, float]:
        """Return the largest and the mean change from beat to beat of `interpolate`, in bits."""
        some = np.random.default_rng(self.seed).permutation(len(self.test.hits))[:WAYS]
        changes = []
        for number in some.tolist():
            start, end = self.test.hits[[number, self.test.partner[number]]]
            way = glide(model, DrumPattern(start), DrumPattern(end), STEPS)
            changes.append((way[1:] != way[:-1]).sum(axis=(1, 2)))
        return float(np.max(changes, axis=1).mean()), float(np.mean(changes))


def evaluate_interpolation(
    models: Mapping[str, DrumAutoencoder], patterns: PatternSet, *, seed: int
) -> Report:
    """Measure the middle between beats of the test split; see `drum_space.actions.evaluate`.

    Raises
    ------
    InputError
        If the set has no validation and test split.
    """
    found = Measuring(patterns, seed)
    test, reference = found.test, found.reference
    first: dict[str, Floats] = {}
    rows: list[tuple[Cell, ...]] = []
    for name, model in track(models.items(), "measuring models", total=len(models)):
        learnt, made = (split.ends_and_middles(model) for split in (found.learnt, test))
        ends, middle = (found.mean(survives(hits)) for hits in made)
        told_ends, told = (found.told(*both) for both in zip(learnt, made, strict=True))
        away = found.mean(nearest_distance(made[1], reference.hits))
        mine = {"survives": middle, "told": told, "distance": away}
        less = [interval(first[key] - mine[key]) if first else None for key in mine]
        first = first or mine
        own = map(interval, (ends, middle, middle - ends, told_ends, told))
        rows.append((name, *own, *less, *found.evenness(model)))

    def control(name: str, hits: Bits, told: Floats) -> None:
        alive, none = interval(found.mean(survives(hits))), [None] * 5
        rows.append((name, alive, None, None, interval(told), None, *none))

    def drawn(some: Bits) -> tuple[Bits, Bits]:
        rows = [found.rng.integers(len(some), size=len(split.hits)) for split in splits]
        return some[rows[0]], some[rows[1]]

    splits = (found.learnt, test)
    control("held-out real", test.hits, found.told_real())
    chance = reference.hits.mean(axis=(0, 1))
    noise = found.rng.random((len(test.hits), *test.hits.shape[1:])) < chance
    for name, some in {"training copied": reference.hits, "random bits": noise}.items():
        known, measured = drawn(some)
        control(name, measured, found.told(known, measured))
    best = next(iter(models))
    return Report(
        f"drum-space: between {len(test.hits)} pairs of held-out patterns of "
        f"{found.draws.shape[1]} couples of performances",
        (
            "", "ends survive", "middle survives", "middle less ends", "ends told from real",
            "middle told from real", *(
                f"{best} less this: {what}"
                for what in ("middle survives", "middle told from real", "middle, distance")
            ), "largest step, bits", "mean step, bits",
        ),
        tuple(rows),
        notes=(
            "ends: held-out beats decoded from their codes; middle: from halfway between two.",
            "survive: entropy of the 32 step masks above 0.9 nat.",
            "told from real: area under the ROC curve of three networks that tell real beats from "
            "such beats, learnt on the validation split; 0.5 is as real, 1 is always told. Of "
            "held-out real: performances from others.",
            "distance: bits to the nearest training pattern, as in the other table.",
            f"step: change from beat to beat of `interpolate --steps {STEPS}`, both ends as they "
            f"are; the largest of each of {WAYS} ways, on average, and the mean.",
            "±: the wider side of the 95 % bootstrap interval over couples of performances; "
            "differences between spaces are paired.",
        ),
    )  # fmt: skip
