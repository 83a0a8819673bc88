"""From music to a code: all voices are read at once, forwards and backwards.

    h = [LSTM_forwards(x)_T, LSTM_backwards(x)_1]

The flat encoder reads step by step. That over bars reads each bar so, with shared weights, and
then the bars: long pieces are read in parallel, and nothing has to survive 256 steps.

Ours reads a bar at once: each step in its own place, by two layers with shared weights for all
bars. An LSTM both ways then hears the bars, and what it says at a bar becomes the share of the code
that is about this bar:

    a_b = f([W x_{b,1}, ..., W x_{b,16}]),  h_b = [LSTM_forwards(a)_b, LSTM_backwards(a)_b, a_b]
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from music_vae.decoders import STEPS_PER_BAR, Features
from music_vae.recurrent import set_first_weights

__all__ = ["BarEncoder", "FlatEncoder", "ShareEncoder"]

EMBEDDING = 32
"""Numbers that a step of each voice is read as, where bars are read at once."""


class _BothWays(nn.Module):
    """A bidirectional LSTM, of which the last states are kept."""

    def __init__(self, inputs: int, size: int, *, features: int = 0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, size, batch_first=True, bidirectional=True)
        set_first_weights(self.lstm, features)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last states of both ways [shape=(n, 2 * size)]."""
        h = self.lstm(x)[1][0]
        return torch.cat([h[0], h[1]], dim=-1)


class FlatEncoder(nn.Module):
    """Reads step by step.

    Parameters
    ----------
    voices : sequence of str
    size : int
        Of the LSTM of each way.
    """

    def __init__(self, voices: Sequence[str], size: int) -> None:
        super().__init__()
        self.features = Features(voices)
        self.steps = _BothWays(self.features.size, size, features=self.features.size)
        self.size = 2 * size

    def forward(self, events: Tensor) -> Tensor:
        """Read events [shape=(n, voices, steps)]; returns [shape=(n, size)]."""
        read: Tensor = self.steps(self.features(events))
        return read


class BarEncoder(nn.Module):
    """Reads the steps of each bar, and then the bars; each way is half as wide as a flat one."""

    def __init__(self, voices: Sequence[str], size: int) -> None:
        super().__init__()
        self.features = Features(voices)
        self.steps = _BothWays(self.features.size, size // 2, features=self.features.size)
        self.size = 2 * (size // 2)
        self.bars = _BothWays(self.size, size // 2)

    def forward(self, events: Tensor) -> Tensor:
        """Read events [shape=(n, voices, steps)], whole bars; returns [shape=(n, size)]."""
        x = self.features(events)
        bars = x.shape[1] // STEPS_PER_BAR
        each = self.steps(x.reshape(len(x) * bars, STEPS_PER_BAR, -1))
        read: Tensor = self.bars(each.reshape(len(x), bars, -1))
        return read


class ShareEncoder(nn.Module):
    """Reads each bar at once, and then the bars; a bar has its own share of the code."""

    def __init__(self, voices: Sequence[str], size: int) -> None:
        super().__init__()
        self.features = Features(voices)
        embedding = len(voices) * EMBEDDING
        self.step = nn.Linear(self.features.size, embedding)
        nn.init.normal_(self.step.weight, std=0.5)  # one of many features is 1
        self.bar = nn.Sequential(
            nn.SiLU(), nn.Linear(STEPS_PER_BAR * embedding, size), nn.SiLU(),
            nn.Linear(size, size), nn.SiLU(),
        )  # fmt: skip
        self.bars = nn.LSTM(size, size // 2, batch_first=True, bidirectional=True)
        set_first_weights(self.bars)
        self.size = size + 2 * (size // 2)

    def forward(self, events: Tensor) -> Tensor:
        """Read events [shape=(n, voices, steps)], whole bars; returns [shape=(n, bars, size)]."""
        x = self.step(self.features(events))
        bars = self.bar(x.unflatten(1, (-1, STEPS_PER_BAR)).flatten(2))
        return torch.cat([self.bars(bars)[0], bars], dim=-1)
