"""The source's experiments: what the filters learnt, and whether order in time is heard.

Networks are small and learn from clips that are made as they are needed; everything is drawn
from the seed. What instruments play in tests are pitches that they did not learn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from groove_core.console import note, track
from groove_core.learning import mean
from groove_core.values import Audio, Cell, Estimate, Report
from music_recsys import ladder
from music_recsys.features import PER_SECOND, SAMPLE_RATE, Columns, Kind
from music_recsys.inspection import following
from music_recsys.model import FIELDS, LAYERS, PassageNet, Reader

__all__ = ["READERS", "SOURCE", "climb", "filter_experiment", "learn", "order_experiment"]

READERS: dict[str, Reader] = {
    "CNN+LSTM": "lstm",
    "CNN, flattened": "flatten",
    "CNN, pooled": "pool",
}
SHIFTS = (0, 2, 6, 10, 50)
SOURCE = {
    "CNN (source)": (0.999, 0.910, 0.323, 0.119, 0.000, 0.000),
    "CNN+LSTM (source)": (0.999, 0.999, 0.998, 0.993, 0.014, 0.002),
}
"""Mean outputs of the slides, whatever they call them."""
CLIPS, TESTS, EPOCHS, BATCH = 600, 100, 40, 32
NOTES = 10
CLIMBING = 15
"""Epochs for a step of the ladder."""
LEARNING_RATE = 4e-3
CHANNELS, WIDTH = (8, 16, 16), 32
GAPS_S = (0.1, 3.0)
"""Of training with variable gaps."""


def learn(
    windows: Tensor,
    liked: Tensor,
    kind: Kind,
    reader: Reader,
    *,
    seed: int,
    epochs: int = EPOCHS,
    learning_rate: float = LEARNING_RATE,
    remembering: bool = False,
) -> PassageNet:
    """Teach a small network to tell liked windows from others.

    With `remembering`, an LSTM begins with open gates of memory (Jozefowicz, Zaremba and
    Sutskever, 2015): else some seeds never learn what is seconds apart.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = PassageNet(kind, reader, CHANNELS, WIDTH)
    if remembering and net.lstm is not None:
        with torch.no_grad():
            net.lstm.get_parameter("bias_ih_l0")[WIDTH : 2 * WIDTH] = 1.0
    net.standardise(windows.transpose(0, 1).flatten(1))
    optimizer = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(windows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        shuffled = torch.randperm(len(windows), generator=generator)
        for batch in shuffled.split(BATCH):
            if len(batch) < BATCH:
                continue
            loss = F.binary_cross_entropy_with_logits(net(windows[batch])[:, 0], liked[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def outputs(net: PassageNet, windows: Tensor) -> Tensor:
    """Give the probabilities of being liked [shape=(n,)]."""
    return torch.cat([torch.sigmoid(net(some)[:, 0]) for some in windows.split(100)])


def told_right(net: PassageNet, windows: Tensor, liked: Tensor) -> float:
    """Give the share of clips that are told right."""
    return float(((outputs(net, windows) > 0.5) == (liked > 0.5)).float().mean())


@dataclass(frozen=True)
class _Spacing:
    """Clips of "A, then B" and of everything else, at the trained spacing or at any."""

    columns: Columns
    variable: bool

    @property
    def settings(self) -> dict[str, Any]:
        """How to learn from them: any gap is harder, which fast steps do not settle on."""
        return {"epochs": 45, "learning_rate": 2e-3, "remembering": True} if self.variable else {}

    def train(self, seed: int) -> tuple[Tensor, Tensor]:
        def clip(liked: bool, rng: np.random.Generator) -> ladder.Samples:
            what = "A B" if liked else str(rng.choice(ladder.NEGATIVES))
            if not self.variable:
                return ladder.order(what, rng)
            return ladder.order(
                what, rng, first_s=float(rng.uniform(0.2, 4)), gap_s=float(rng.uniform(*GAPS_S))
            )

        return ladder.make(clip, CLIPS * (2 if self.variable else 1), self.columns, seed=(seed, 1))

    def test(self, what: str, seed: int, frames: int = 0) -> Tensor:
        rng = np.random.default_rng((seed, 2, frames))
        gap_s = ladder.shifted_s(frames)
        clips = [ladder.order(what, rng, test=True, gap_s=gap_s) for _ in range(TESTS)]
        return ladder.to_windows(clips, self.columns)


def order_experiment(*, seeds: int, kind: Kind = "mfcc") -> Report:
    """Teach "flute, then guitar" and test it with shorter gaps and in reverse (experiment 2).

    Returns
    -------
    Report
        Mean outputs: what is to be near 1, and, reversed and the other negatives, near 0.
    """
    columns = Columns(kind)
    found: dict[str, list[list[float]]] = {}
    todo = [(v, s) for v in (False, True) for s in range(1, seeds + 1)]
    for variable, seed in track(todo, "learning the order", total=len(todo)):
        spacing = _Spacing(columns, variable)
        windows, liked = spacing.train(seed)
        tests = [spacing.test("A B", seed, frames) for frames in SHIFTS]
        tests.append(spacing.test("B A", seed))
        others = torch.cat(
            [spacing.test(what, seed)[: TESTS // 4] for what in ladder.NEGATIVES[1:]]
        )
        for name, reader in READERS.items():
            if variable and reader == "flatten":  # has a weight for every place: it cannot
                continue
            net = learn(windows, liked, kind, reader, seed=seed, **spacing.settings)
            row = [float(outputs(net, test).mean()) for test in (*tests, others)]
            found.setdefault(name + (", any gap" if variable else ""), []).append(row)
            note(f"{name}, seed {seed}: " + " ".join(f"{x:.3f}" for x in row))
    rows: list[tuple[Cell, ...]] = [
        (name, *(_over_seeds([run[i] for run in runs]) for i in range(len(SHIFTS) + 2)))
        for name, runs in found.items()
    ]
    rows += [(name, *values, None) for name, values in SOURCE.items()]
    return Report(
        "A, then B: mean outputs",
        ("", *(f"gap {20 * s} ms shorter" if s else "A, then B" for s in SHIFTS),
         "B, then A", "other negatives"),
        tuple(rows),
        notes=(
            f"{_count(seeds)}, {TESTS} clips each, of pitches not learnt from; ± as over seeds. "
            f"The gap is {ladder.GAP_S:g} s in training; "
            f"'any gap': {GAPS_S[0]:g} to {GAPS_S[1]:g} s, anywhere in the window.",
            "Learnt is 'A, then B': with a gap that is much shorter, too, 1 is right. The source "
            "may have meant 'A, then B, about this far apart'; it does not say.",
        ),
        data={"seeds": seeds, "kind": kind},
    )  # fmt: skip


def _count(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''}"


def _over_seeds(values: npt.ArrayLike) -> Estimate | float:
    """Give the mean over seeds with its 95 % interval (bootstrap of the mean), if not of one."""
    array = np.asarray(values, np.float64)
    return mean(array) if len(array) > 1 else float(array[0])


def climb(*, seeds: int, kind: Kind = "mfcc") -> Report:
    """Teach each step of the ladder, and test it on clips not learnt from."""
    columns = Columns(kind)
    rows: list[tuple[Cell, ...]] = []
    for number, step in enumerate(track(ladder.LADDER, "climbing", total=len(ladder.LADDER)), 1):
        right: dict[str, list[float]] = {name: [] for name in READERS}
        for seed in range(1, seeds + 1):
            (windows, liked), (unseen, truth) = (
                ladder.make(partial(step.clip, test), count, columns, seed=(seed, number, test))
                for test, count in ((False, CLIPS), (True, TESTS * 2))
            )
            for name, reader in READERS.items():
                net = learn(windows, liked, kind, reader, seed=seed, epochs=CLIMBING)
                right[name].append(told_right(net, unseen, truth))
        rows.append((f"{number} {step.name}: {step.liked}", *map(_over_seeds, right.values())))
    return Report(
        "The ladder: share of clips not learnt from that are told right",
        ("liked", *READERS),
        tuple(rows),
        notes=(f"{_count(seeds)}; {CLIPS} clips to learn from, {2 * TESTS} to test.",),
        data={"seeds": seeds, "kind": kind},
    )


def filter_experiment(*, seeds: int, kind: Kind = "mfcc") -> Report:
    """Teach flute from guitar, and see whether filters follow envelopes (experiment 1).

    Returns
    -------
    Report
        Absolute correlation of filters' responses with the envelope of notes not learnt from,
        of trained networks and of untrained ones that saw the same columns.
    """
    columns = Columns(kind)
    step = ladder.LADDER[2]
    found: dict[tuple[int, str], list[float]] = {}
    right = []
    for seed in track(range(1, seeds + 1), "learning flute from guitar", total=seeds):
        windows, liked = ladder.make(partial(step.clip, False), CLIPS, columns, seed=(seed, 3))
        net = learn(windows, liked, kind, "lstm", seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random = PassageNet(kind, "lstm", CHANNELS, WIDTH).eval()
        random.standardise(windows.transpose(0, 1).flatten(1))
        random.settle(windows.split(100))  # so that only the weights differ
        rng = np.random.default_rng((seed, 4))
        unseen, truth = ladder.make(partial(step.clip, True), TESTS, columns, seed=(seed, 5))
        right.append(told_right(net, unseen, truth))
        phrases = [Audio(step.clip(True, True, rng), SAMPLE_RATE) for _ in range(NOTES)]
        for layer in range(1, LAYERS + 1):
            for name, one in (("learnt", net), ("untrained", random)):
                each = [following(one, sound, layer).mean() for sound in phrases]
                found.setdefault((layer, name), []).append(float(np.mean(each)))
    rows: list[tuple[Cell, ...]] = []
    for layer in range(1, LAYERS + 1):
        learnt, untrained = (np.array(found[layer, name]) for name in ("learnt", "untrained"))
        rows.append(
            (f"convolution {layer}, {FIELDS[layer - 1] / PER_SECOND:.2f} s wide",
             _over_seeds(learnt), _over_seeds(untrained), _over_seeds(learnt - untrained))
        )  # fmt: skip
    return Report(
        "Flute, not guitar: how closely filters follow the envelope",
        ("", "learnt", "untrained", "difference"),
        tuple(rows),
        notes=(
            f"Mean absolute correlation over filters; {_count(seeds)}, {NOTES} phrases each, of "
            "pitches not learnt from.",
            f"Told right: {np.mean(right):.3f} of unseen clips.",
        ),
        data={"seeds": seeds, "kind": kind, "accuracy": float(np.mean(right))},
    )
