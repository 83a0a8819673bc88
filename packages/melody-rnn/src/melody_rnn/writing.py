"""Draw melodies from a network, an event at a time, within what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.tunes import ONE_NOTE, STILL_BARS
from melody_rnn.decoding import Decoder
from melody_rnn.encodings import BAR, LOOKBACK, Encoding
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF
from melody_rnn.recurrent import Recurrent, event_chances
from melody_rnn.transformer import Conditions, Transformer

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

    def logits(self, step: int) -> Floats:
        """Return the logarithms of the chances of the events of a step [shape=(n, 38)]."""
        labels, self.state = self.model(self.x, self.state)
        ago = [self.encoding.ago(back - 1) for back in LOOKBACK]
        # In training, silence in the first bars is called a repetition, and never silence. Without
        # these labels a network would begin a note at every step, and then repeat that.
        before = [np.full(self.count, HOLD) if events is None else events for events in ago]
        events = [torch.from_numpy(one).to(self.device) for one in before]
        chances = event_chances(labels[:, 0].softmax(dim=-1), events)
        return np.asarray(chances.log().cpu().double().numpy())

    def take(self, step: int, events: Ints) -> None:
        """Tell the network what came at a step [shape=(n,)]."""
        told = self.encoding.step(events)
        self.x = torch.from_numpy(told).to(self.device)[:, None]

    def skip(self, first: int, events: Ints) -> None:
        """Tell the network of events that were known, at once [shape=(n, steps)]."""
        told = [self.x]
        for step, column in enumerate(events.T, first):
            self.take(step, column)
            told.append(self.x)
        _, self.state = self.model(torch.cat(told[:-1], dim=1), self.state)


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
    known: Ints | None = None,
    allowed: Allowed | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Ints:
    """Draw the events of melodies, which do not get stuck: see `groove_core.tunes.is_stuck`.

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
    known : int array [shape=(n, steps)], optional
        Events that are not drawn; -1, in all melodies at the same steps, where they are.
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
        _Recurrent(model, n) if isinstance(model, Recurrent) else Decoder(model, on, given, steps)  # type: ignore[arg-type]
    )
    whole = np.full((n, steps), -1) if known is None else known.copy()
    free = np.flatnonzero((whole < 0).any(axis=0)).tolist()
    course = _Course(np.full(n, BAR) if on is None else on.bar.cpu().numpy())
    at = 0
    for step in free:
        if step > at:
            voice.skip(at, whole[:, at:step])
            course.take(whole[:, at:step])
        at = step + 1
        logits = voice.logits(step)
        may = np.ones((n, CLASSES), bool) if allowed is None else allowed(step, whole[:, :step])
        may = course.followed(may)
        # What is allowed can happen even where the network is sure that it does not.
        logits = np.where(may, np.maximum(logits, LEAST), -np.inf)
        chosen = choose(logits, random[:, step], temperature, top_p)
        whole[:, step] = chosen
        course.take(chosen[:, None])
        voice.take(step, chosen)
    return whole


class _Course:
    """How melodies have gone so far.

    Parameters
    ----------
    bar : int array [shape=(n,)]
        Steps of a bar.
    """

    def __init__(self, bar: Ints) -> None:
        self.rows = np.arange(len(bar))
        self.sounds = np.zeros(len(bar), bool)
        self.last = np.full(len(bar), NOTE)
        """The last note, how often it began in a row, and how many steps ago."""
        self.times, self.ago = np.zeros_like(bar), np.zeros_like(bar)
        self.longest = (STILL_BARS - 1) * bar

    def take(self, events: Ints) -> None:
        """Add events [shape=(n, steps)]."""
        for column in events.T:
            begins = column >= NOTE
            self.sounds = np.where(column == HOLD, self.sounds, begins)
            times = np.where(column == self.last, self.times + 1, 1)
            self.times = np.where(begins, times, self.times)
            self.last = np.where(begins, column, self.last)
            self.ago = np.where(begins, 0, self.ago + 1)

    def followed(self, may: Bools) -> Bools:
        """Leave out, of what may happen, ends of silence and what gets stuck; never all."""
        less = may.copy()
        less[:, OFF] &= self.sounds
        less = np.where(less.any(axis=1, keepdims=True), less, may)
        moving = less.copy()
        moving[self.rows, self.last] &= self.times < ONE_NOTE - 1
        moving[:, :NOTE] &= (self.ago < self.longest)[:, None]
        return np.where(moving.any(axis=1, keepdims=True), moving, less)


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
