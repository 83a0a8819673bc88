"""Training and playing a GAN of notes: ours beside network and losses of the GANSynth paper.

    python benchmarks/notes.py --size full --device cuda --compile
    python benchmarks/notes.py --songs one.mid two.mid

All run in turn, A B C A B C ..., on made-up notes; medians count. Ours has R1 in every sixteenth
step, so steps with and without are timed apart and weighted. The paper's network is measured at
its final resolution, where it is for most of its time. Batches are the defaults of both on a GPU,
and on a CPU small ones, since a batch hardly matters there.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from gansynth_lite.layout import LAYOUTS, Layout
from gansynth_lite.lessons import Lesson
from gansynth_lite.notes import Notes
from gansynth_lite.progressive_training import ProgressiveSettings, ProgressiveTraining
from gansynth_lite.training import R1_EVERY, GANTraining, Settings
from groove_core import Track
from groove_core.learning import Step

INSTRUMENTS, FAMILIES = 8, ("a", "b", "c", "d")
PITCHES = range(24, 85)
ROUNDS = 3
"""At least."""


def made_up(layout: Layout) -> Notes:
    """Give plucked tones of a few instruments at all pitches of the paper."""
    rng = np.random.default_rng(0)
    time_s = np.arange(layout.samples) / layout.sample_rate
    every = [(pitch, one) for one in range(INSTRUMENTS) for pitch in PITCHES[one % 4 :: 4]]
    samples = np.empty((len(every), layout.samples), np.int16)
    loud = rng.uniform(0.1, 1, (INSTRUMENTS, 8))
    for row, (pitch, one) in zip(samples, every, strict=True):
        hz = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, 9)
        tone = (loud[one] / np.arange(1, 9) * (hz < layout.sample_rate / 2)) @ np.sin(
            2 * np.pi * hz[:, None] * time_s
        )
        tone *= np.exp(-time_s * (1 + one / 2))
        row[:] = 32_767 * tone / np.abs(tone).max()
    pitches, instruments = np.array(every).T
    return Notes(
        samples=samples, pitches=pitches, families=instruments % len(FAMILIES),
        instruments=instruments, velocities=np.full(len(every), 100), family_names=FAMILIES,
        instrument_names=tuple(str(i) for i in range(INSTRUMENTS)),
        sample_rate=layout.sample_rate, source="folder", name="made up", license="CC0-1.0",
    )  # fmt: skip


@dataclass
class Trained:
    """A network that is trained, and how long its steps took."""

    name: str
    batch: int
    step: Callable[[bool], object]
    """Whether one with R1."""
    regular: bool
    """Whether some steps have R1."""
    plain_s: list[float] = field(default_factory=list)
    r1_s: list[float] = field(default_factory=list)
    warm_s: float = 0.0
    memory: float = 0.0
    """GiB, beyond what was there."""

    @property
    def images_per_s(self) -> float:
        """With as many R1 as there are."""
        step = statistics.median(self.plain_s)
        if self.regular:
            step = ((R1_EVERY - 1) * step + statistics.median(self.r1_s)) / R1_EVERY
        return self.batch / step


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Time one call to its end."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def prepared(name: str, task: Any, batch: int, device: torch.device) -> Trained:
    """Put a task on a device, as `fit` does, and give its steps."""
    for module in task.modules.values():
        module.to(device)
    fabric = SimpleNamespace(
        device=device, global_rank=0, world_size=1, backward=lambda loss: loss.backward()
    )
    generator = torch.Generator().manual_seed(0)
    [pieces] = task.batches(generator)
    # At the end of a training all levels are grown.
    now = Step(fabric, generator, 1.0, batch)

    def step(r1: bool) -> object:
        task.clock.steps = 0 if r1 else 1
        return task.learn(pieces, now)

    return Trained(name, batch, step, isinstance(task, GANTraining))


def warmed(one: Trained, device: torch.device) -> None:
    """Run once for memory to be found, kernels chosen and, where asked for, compiled."""
    before = torch.cuda.memory_allocated() if device.type == "cuda" else 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    one.warm_s = seconds(lambda: one.step(True), device)
    one.warm_s += seconds(lambda: one.step(False), device)
    if device.type == "cuda":
        one.memory = (torch.cuda.max_memory_allocated() - before) / 2**30


def training(
    notes: Notes, layout: Layout, options: argparse.Namespace, device: torch.device
) -> list[GANTraining | ProgressiveTraining]:
    """Print images per second, and give a task of each."""
    cuda = device.type == "cuda"
    ours = options.batch or (16 if cuda else 4)
    theirs = options.batch or (8 if cuda else 4)
    tasks: list[GANTraining | ProgressiveTraining] = []
    trained = []
    lesson = Lesson(notes, {"train": np.arange(len(notes))})

    def add(task: GANTraining | ProgressiveTraining, name: str) -> None:
        settings = task.settings
        tasks.append(task)
        trained.append(prepared(f"{name}, {settings.precision}", task, settings.batch_size, device))

    def of_ours(**more: Any) -> GANTraining:
        return GANTraining(Settings(layout, batches=1, batch_size=ours, **more), lesson)

    def of_theirs(batch: int, **more: Any) -> ProgressiveTraining:
        settings = ProgressiveSettings(layout, batches=1, batch_size=batch, **more)
        return ProgressiveTraining(settings, lesson)

    add(of_theirs(theirs), "paper")
    add(of_ours(), "ours")
    if cuda or options.bf16:
        if ours != theirs:
            add(of_theirs(ours), "paper")
        add(of_theirs(ours, precision="bf16"), "paper")
        add(of_ours(precision="bf16"), "ours")
    if options.compile:
        add(of_ours(precision="bf16" if cuda else "32", compile=True), "ours compiled")
    for one in trained:
        warmed(one, device)
    start, rounds = time.perf_counter(), 0
    while rounds < ROUNDS or time.perf_counter() - start < options.seconds:
        for one in trained:
            one.plain_s.append(seconds(lambda one=one: one.step(False), device))
            if one.regular and rounds < 2 * ROUNDS:
                one.r1_s.append(seconds(lambda one=one: one.step(True), device))
        rounds += 1
    paper = trained[0].images_per_s
    print(f"{rounds} rounds")
    print(f"{'training':<22}{'batch':>6}{'images/s':>10}{'ratio':>8}{'first s':>9}{'GiB':>7}")
    for one in trained:
        memory = f"{one.memory:.1f}" if cuda else "-"
        speed = one.images_per_s
        print(f"{one.name:<22}{one.batch:>6}{speed:>10.2f}{speed / paper:>8.2f}"
              f"{one.warm_s:>9.1f}{memory:>7}")  # fmt: skip
    return tasks[:2]


def playing(
    tasks: list[GANTraining | ProgressiveTraining], layout: Layout, batch: int, device: torch.device
) -> None:
    """Print notes per second, from instrument to sound, in 32 bits."""
    pitch = torch.tensor([float(PITCHES[i % len(PITCHES)]) for i in range(batch)], device=device)
    found: dict[str, list[float]] = {}
    for rounds in range(1 + 2 * ROUNDS):
        for name, task in zip(("paper", "ours"), tasks, strict=True):
            model = task.result().eval()
            w = torch.randn(batch, model.code, device=device)

            def play(model: Any = model, w: torch.Tensor = w) -> object:
                with torch.no_grad():
                    return layout.to_samples(model(w, pitch))

            taken = seconds(play, device)
            if rounds:
                found.setdefault(name, []).append(batch / taken)
    print(f"{'playing':<22}{'batch':>6}{'notes/s':>10}{'ratio':>8}{'x real time':>13}")
    for name, speeds in found.items():
        speed, paper = statistics.median(speeds), statistics.median(found["paper"])
        print(f"{name:<22}{batch:>6}{speed:>10.1f}{speed / paper:>8.2f}"
              f"{speed * layout.duration_s:>13.0f}")  # fmt: skip


def songs(paths: list[Path]) -> None:
    """Print how fast the shipped model plays MIDI files, once loaded and as a whole process."""
    from gansynth_lite.actions import render
    from groove_core import Score

    first = Score([Track([[0, 100, 60, 90]])], tempos=[[0, 500_000]])
    loading = seconds(lambda: render(first, seed=1), torch.device("cpu"))
    print(f"{torch.get_num_threads()} threads; loaded after {loading:.1f} s")
    print(
        f"{'song':<12}{'length s':>10}{'seconds':>10}{'x real time':>13}{'whole s':>10}{'GiB':>7}"
    )
    for path in paths:
        score = Score.read(path)
        taken = [
            seconds(lambda score=score: render(score, seed=1), torch.device("cpu"))
            for _ in range(ROUNDS)
        ]
        command = [sys.executable, "-m", "groove_core", "run", "gansynth-lite", "render"]
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            subprocess.run(
                [*command, path, "--seed", "1", "--out", folder, "--quiet"],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            whole = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        middle = statistics.median(taken)
        print(f"{path.stem:<12}{score.duration_s:>10.0f}{middle:>10.1f}"
              f"{score.duration_s / middle:>13.0f}{whole:>10.1f}{memory:>7.2f}")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=LAYOUTS, default="small")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=20.0, help="of training, after warm-up")
    parser.add_argument("--batch", type=int, help="of all")
    parser.add_argument("--bf16", action="store_true", help="on a CPU, too")
    parser.add_argument("--compile", action="store_true", help="ours compiled, too")
    parser.add_argument("--songs", type=Path, nargs="+", help="MIDI files to play instead")
    options = parser.parse_args()
    if options.songs:
        songs(options.songs)
        return
    device, layout = torch.device(options.device), LAYOUTS[options.size]
    where = torch.cuda.get_device_name() if device.type == "cuda" else (
        f"CPU, {torch.get_num_threads()} threads"
    )  # fmt: skip
    print(f"{options.size}: {layout.bins} x {layout.frames}, torch {torch.__version__}, {where}")
    if device.type == "cuda":
        print(f"TF32 in convolutions: {torch.backends.cudnn.allow_tf32}")
    tasks = training(made_up(layout), layout, options, device)
    playing(tasks, layout, 16 if device.type == "cuda" else 4, device)


if __name__ == "__main__":
    main()
