"""The verbs of groove-chords, and the network behind them."""

from typing import Annotated

from groove_chords.chart import Chart
from groove_core.actions import Checkpoint, Device, Into, Opt, Resume, Seed, action, draw_seed
from groove_core.values import Report


@action
def train(
    charts: Annotated[list[Chart], Opt("charts to learn from")],
    *,
    epochs: Annotated[int, Opt("passes over the charts", min=1, max=1000)] = 20,
    into: Into = None,
    resume: Resume = False,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Learn which chord follows which."""
    from groove_chords.model import ChordTraining, Settings, pairs
    from groove_core import learning

    run = learning.Run.of(
        "groove-chords", "my-chords", into=into, seed=draw_seed(seed), device=device, resume=resume
    )
    return learning.train(ChordTraining, Settings(epochs=epochs), pairs(charts), run)


@action
def sample(
    *,
    bars: Annotated[int, Opt("length", unit="bars", min=1, max=64)] = 8,
    checkpoint: Checkpoint = "my-chords",
    seed: Seed = None,
    device: Device = "auto",
) -> Chart:
    """Write a chart, chord by chord."""
    from groove_chords.model import Chords
    from groove_core.storage import checkpoints

    model, _ = checkpoints.load("groove-chords", checkpoint, Chords, device=device)
    return model.write(bars, draw_seed(seed))
