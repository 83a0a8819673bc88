"""Draw melodies from a network, an event at a time, within what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from melody_rnn.encodings import LOOKBACK, Encoding
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF
from melody_rnn.recurrent import Recurrent, event_chances
from melody_rnn.transformer import Conditions, Echoes, Past, Transformer

__all__ = ["Allowed", "draws", "write"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
LEAST = -1e6
"""Logit of an event that a network finds impossible."""


class Allowed(Protocol):
    """What may happen at a step: asked for once a step, in order."""

    def __call__(self, step: int, events: Ints) -> Bools:
        """Return which events may come [shape=(n, 38)], of melodies so far [shape=(n, step)]."""


class _Recurrent:
    """The chances of the next event by a recurrent network."""

    def __init__(self, model: Recurrent, count: int) -> None:
        self.model, self.count = model, count
        self.encoding: Encoding = model.encoding(count)
        self.state: Any = None
        self.device = next(model.parameters()).device
        self.x = torch.zeros(count, 1, model.encoding.size, device=self.device)

    def logits(self, events: Tensor, step: int) -> Tensor:
        labels, self.state = self.model(self.x, self.state)
        labels = labels[:, 0]
        if model_repeats(self.model) and step < LOOKBACK[-1]:
            # Trained to call the first silence a repetition, it would otherwise stay silent.
            labels[:, CLASSES:] = -torch.inf
        ago = [events[:, step - back] if step >= back else events[:, 0] * 0 for back in LOOKBACK]
        return event_chances(labels.softmax(dim=-1), ago).log()

    def take(self, events: Ints) -> None:
        """Tell the network what came."""
        told = self.encoding.step(events)
        self.x = torch.from_numpy(told).to(self.device)[:, None]


def model_repeats(model: Recurrent) -> bool:
    """Return whether a network has labels for repetitions."""
    return model.encoding.labels > CLASSES


class _Cached:
    """The chances of the next event by the Transformer, which keeps keys and values."""

    def __init__(
        self, model: Transformer, on: Conditions, given: Tensor | None, steps: int
    ) -> None:
        self.model, self.on = model, on
        self.around, self.angles = model.around(on, given, steps)
        self.past = [Past(steps) for _ in model.blocks]
        self.echoes = Echoes(on.bar, steps)

    def logits(self, events: Tensor, step: int) -> Tensor:
        runs = self.echoes.step(events, step)
        known = self.model.past(events[:, : step + 1], self.on.bar, self.on.grid, runs, step)
        x = self.around[:, step : step + 1] + known
        angles = tuple(part[:, :, step : step + 1] for part in self.angles)
        for block, past in zip(self.model.blocks, self.past, strict=True):
            x = block(x, angles, causal=True, past=past)
        found: Tensor = self.model.out(self.model.norm(x))[:, 0]
        return found

    def take(self, events: Ints) -> None:
        """Nothing: `logits` looks at all events."""


def draws(seeds: Sequence[int], steps: int) -> Floats:
    """Return the random numbers of each melody, from its own seed [shape=(n, steps), 0 to 1]."""
    return np.stack([np.random.default_rng(seed).random(steps) for seed in seeds])


@torch.inference_mode()
def write(
    model: Recurrent | Transformer,
    steps: int,
    random: Floats,
    *,
    on: Conditions | None = None,
    given: Tensor | None = None,
    allowed: Allowed | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    watch: Callable[[int], None] | None = None,
) -> Ints:
    """Draw the events of melodies.

    Parameters
    ----------
    model : Recurrent or Transformer
        In evaluation mode.
    steps : int
    random : float array [shape=(n, steps), 0 to 1]
        See `draws`.
    on : Conditions
        Of the Transformer, on its device.
    given : int tensor [shape=(n, steps)], optional
        What the Transformer's encoder reads.
    allowed : callable, optional
        See `Allowed`. One event that is allowed alone is taken, whatever the network says.
    temperature : float
        0 takes the likeliest event.
    top_p : float [0 to 1]
        Only the likeliest events, which together have this chance, are drawn from.

    Returns
    -------
    int array [shape=(n, steps), 0 to 37]
    """
    n = len(random)
    voice = (
        _Recurrent(model, n) if isinstance(model, Recurrent) else _Cached(model, on, given, steps)  # type: ignore[arg-type]
    )
    device = next(model.parameters()).device
    events = torch.zeros(n, steps, dtype=torch.int64, device=device)
    whole = np.zeros((n, steps), np.int64)
    sounds = np.zeros(n, bool)
    for step in range(steps):
        logits = voice.logits(events, step).double().cpu().numpy()
        may = np.ones((n, CLASSES), bool) if allowed is None else allowed(step, whole[:, :step])
        may[:, OFF] &= sounds | ~may[:, [HOLD, *range(NOTE, CLASSES)]].any(axis=1)
        # What is allowed can happen even where the network is sure that it does not.
        logits = np.where(may, np.maximum(logits, LEAST), -np.inf)
        chosen = choose(logits, random[:, step], temperature, top_p)
        whole[:, step] = chosen
        sounds = np.where(chosen >= NOTE, True, np.where(chosen == OFF, False, sounds))
        events[:, step] = torch.from_numpy(chosen)
        voice.take(chosen)
        if watch is not None:
            watch(step)
    return whole


def choose(logits: Floats, random: Floats, temperature: float, top_p: float) -> Ints:
    """Choose a class each by the inverse of its cumulative chances."""
    if not temperature:
        return np.asarray(logits.argmax(axis=1))
    scaled = logits / temperature
    chances = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    if top_p < 1:
        order = np.argsort(-chances, axis=1, kind="stable")
        ranked = np.take_along_axis(chances, order, axis=1)
        before = np.cumsum(ranked, axis=1) - ranked
        np.put_along_axis(chances, order, np.where(before < top_p, ranked, 0), axis=1)
    ends = np.cumsum(chances, axis=1)
    chosen = (ends < random[:, None] * ends[:, -1:]).sum(axis=1)
    # A random number of exactly 0 or rounding must not choose what has no chance.
    drawable = np.take_along_axis(chances, chosen[:, None], axis=1)[:, 0] > 0
    return np.asarray(np.where(drawable, chosen, chances.argmax(axis=1)))
