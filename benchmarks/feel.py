"""The audio model of groove-vae: an epoch against a loop over frames, and comparing long parts.

    python benchmarks/feel.py
    python benchmarks/feel.py --minutes 30

The peer is what one writes first: an LSTM cell called for each frame, in each direction,
with the same weights. See `pairs` for how.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from pairs import FEWEST, pair, show, times
from torch import Tensor

from groove_core.learning import Run, fit
from groove_core.render import kits
from groove_core.render.kits import RATE, Hits
from groove_core.values import Audio
from groove_vae import compare
from groove_vae.comparison import Comparison
from groove_vae.performances import load
from groove_vae.training import FeelTraining, Rendered, Settings


class Loop(torch.nn.Module):
    """A bidirectional LSTM as a Python loop over frames."""

    def __init__(self, lstm: torch.nn.LSTM) -> None:
        super().__init__()
        self.cells = torch.nn.ModuleList()
        for suffix in ("", "_reverse"):
            cell = torch.nn.LSTMCell(lstm.input_size, lstm.hidden_size)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).data.copy_(getattr(lstm, f"{name}_l0{suffix}").data)
            self.cells.append(cell)

    def forward(self, frames: Tensor) -> tuple[Tensor, None]:
        """Give the states of frames [shape=(n, frames, inputs)]."""
        sides = []
        for cell, order in zip(self.cells, (1, -1), strict=True):
            state, states = None, []
            for frame in frames.unbind(dim=1)[::order]:
                state = cell(frame, state)
                states.append(state[0])
            sides.append(torch.stack(states[::order], dim=1))
        return torch.cat(sides, dim=-1), None


def epoch(steps: int, rounds: int) -> dict:
    """Time steps of a training; the batches, which both need, are rendered before."""
    settings = Settings(batches=steps, epochs=1)
    performances = load("train")[:50]
    rendered = Rendered(performances, settings, seed=0)
    batches = rendered.batches()
    segments = rendered[torch.cat(batches)]
    results: dict[str, float] = {}

    def trained(name: str, *, loop: bool) -> None:
        task = FeelTraining(settings, performances)
        if loop:
            task.model.lstm = Loop(task.model.lstm)
            parameters = task.model.parameters()
            task.optimizers["model"] = torch.optim.AdamW(parameters, lr=settings.learning_rate)
        task.batches, task.rendered = lambda generator: batches, segments
        [line] = fit(task, Run(0))
        results[name] = line["surprise"]

    row = pair(
        f"feel: {steps} training steps / a loop over frames",
        lambda: trained("ours", loop=False),
        lambda: trained("loop", loop=True),
        rounds,
        faster=True,
    )
    # Both learn the same: the same weights, batches and noise.
    assert abs(results["ours"] - results["loop"]) < 1e-3
    return row


def long_part(minutes: float) -> dict:
    """Time comparing two recordings of a long part on two kits, from the samples on."""
    # The longest that keeps to its tempo, as a part must that is compared.
    [whole] = [one for one in load(None) if one.id == "drummer2/session1/2"]
    bar_s = 240 / whole.bpm
    length_s = bar_s * np.ceil(whole.onset_s[-1] / bar_s)
    onset_s = np.concatenate([whole.onset_s + i * length_s for i in range(20)])
    drum, velocity = np.tile(whole.drum, 20), np.tile(whole.velocity, 20)
    hits = Hits.of_velocity(onset_s, drum, velocity).between(0, 60 * minutes)
    # The other one starts later and is 3 % slower, so that both must be found.
    slower = Hits(1.5 + 1.03 * hits.onset_s, hits.drum, hits.level_db)
    sounds = [
        Audio(kits.play(part, kits.general_midi(kit), seconds) / 4, RATE)
        for part, kit, seconds in ((hits, 0, 60 * minutes), (slower, 25, 62 * minutes))
    ]
    compare(load("test")[0].to_score())  # imports and the checkpoint
    found: list[Comparison] = []
    taken = times(lambda: found.append(compare(*sounds, tempo_bpm=whole.bpm)), FEWEST)
    return {
        "name": f"feel: comparing {minutes:g} minutes of two recordings",
        "ours, s": taken,
        "share of the duration": taken.value / (60 * minutes),
        "strokes": len(found[-1].strokes),
    }


def main() -> None:
    """Run the benchmarks and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [epoch(options.steps, options.rounds), long_part(options.minutes)]
    show("The audio model of groove-vae", rows, as_json=options.json)


if __name__ == "__main__":
    main()
