"""The Transformer a step at a time, with all that stays the same kept from step to step.

`Transformer.forward` sees whole melodies. Here, the keys and values of the steps so far are kept,
and so is for how long the melody has agreed with itself. The tables that say what lies before a
step are one table, of which each step sums some rows. A run of events that are known goes through
the network at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from melody_rnn.lines import CLASSES, NOTE
from melody_rnn.transformer import (
    AGES,
    AGREEMENTS,
    BACK,
    Block,
    Conditions,
    Transformer,
    agreed_behind,
    echo_level,
    echoes,
)

__all__ = ["Decoder"]

Ints = npt.NDArray[np.int64]


class _Before:
    """What lies before the next step of melodies, as rows of the one table.

    Parameters
    ----------
    bar, grid : int arrays [shape=(n,)]
    steps : int
    given : int tensor [shape=(n, steps)] or None
    """

    def __init__(self, bar: Ints, grid: Ints, steps: int, given: Tensor | None) -> None:
        n = len(bar)
        self.back = bar[:, None] * np.arange(1, echoes(int(bar.min()), steps) + 1)
        self.later: Ints | None = None
        if given is not None:
            # What is given as many bars ahead of each step; no event where there is nothing.
            ahead = np.full((n, steps + int(self.back.max())), CLASSES)
            ahead[:, :steps] = np.minimum(given.cpu().numpy(), CLASSES)
            place = np.arange(steps)[:, None] + self.back[:, None]
            self.later = np.take_along_axis(ahead[:, None], place.reshape(n, 1, -1), 2).reshape(
                n, steps, -1
            )
            self.after = agreed_behind(given.cpu(), torch.from_numpy(bar)).numpy()
            self.ahead = np.zeros_like(self.back)
        pad = max(int(self.back.max()), max(BACK) * int(bar.max()))
        # What lies before the beginning is equal to no event.
        self.events = np.full(n * (pad + steps), CLASSES)
        self.first = pad + np.arange(n) * (pad + steps)
        self.ago = self.first[:, None] - np.concatenate([[[1]] * n, bar[:, None] * BACK], axis=1)
        self.echo = self.first[:, None] - self.back
        self.row = np.arange(n)
        self.bar = bar
        longest = torch.arange(2 * steps + 1)
        levels = {g: echo_level(longest, torch.tensor(g)).numpy() for g in set(grid.tolist())}
        self.level = np.stack([levels[g] for g in grid.tolist()])
        self.runs = np.zeros_like(self.back)
        self.note = np.full(n, CLASSES - NOTE)
        self.began = np.full(n, -1)
        sizes = [CLASSES + 1] * (1 + len(BACK)) + [
            2 * AGREEMENTS * (CLASSES + 1),
            CLASSES - NOTE + 1,
        ]
        self.offsets = np.cumsum([0, *sizes])

    def rows(self, step: int) -> Ints:
        """Return the rows that are summed before a step [shape=(n, 7)]; asked for in order."""
        found = np.empty((len(self.row), len(self.offsets)), np.int64)
        found[:, : 1 + len(BACK)] = self.events[self.ago + step]
        runs, bars = self.runs, self.runs.shape[1]
        if self.later is not None:
            behind = self.after[:, step]
            runs = np.concatenate([
                (runs + behind[:, :bars]) * (step >= self.back),
                (self.ahead + behind[:, bars:]) * (self.later[:, step] < CLASSES),
            ], axis=1)  # fmt: skip
        which = runs.argmax(axis=1)  # of equal ones, the nearest
        longest = runs[self.row, which]
        back = self.events[self.first + step - (which % bars + 1) * self.bar]
        heard, level = np.where(longest > 0, back, CLASSES), self.level[self.row, longest]
        if self.later is not None:
            ahead = (which >= bars) & (longest > 0)
            heard = np.where(ahead, self.later[self.row, step, which % bars], heard)
            level = level + AGREEMENTS * ahead
        found[:, -3] = level * (CLASSES + 1) + heard
        found[:, -2] = self.note
        found[:, -1] = np.minimum(step - self.began, AGES) - 1
        return np.asarray(found + self.offsets)

    def take(self, step: int, events: Ints) -> None:
        """Add the events of a step [shape=(n,)]."""
        self.events[self.first + step] = events
        same = self.events[self.echo + step] == events[:, None]
        self.runs = (self.runs + 1) * same
        if self.later is not None:
            later = self.later[:, step]
            follows = (self.ahead + 1) * (later == events[:, None])
            self.ahead = np.where(later < CLASSES, follows, self.ahead)
        begins = events >= NOTE
        self.note = np.where(begins, events - NOTE, self.note)
        self.began = np.where(begins, step, self.began)


class _Kept:
    """A block of the network with its keys and values [shape=(n, heads, steps, size)]."""

    def __init__(self, block: Block, n: int, steps: int) -> None:
        self.norm_1, self.norm_2 = block.norm_1, block.norm_2
        # Products with a single row are twice as fast with matrices that lie in this order.
        layers = block.qkv, block.out, block.wide, block.narrow
        self.qkv, self.out, self.wide, self.narrow = (one.weight.t().contiguous() for one in layers)
        self.wide_bias, self.narrow_bias = block.wide.bias, block.narrow.bias
        self.heads = block.heads
        shape = (n, block.heads, steps, block.qkv.in_features // block.heads)
        self.keys, self.values = self.qkv.new_empty(shape), self.qkv.new_empty(shape)

    def __call__(
        self, x: Tensor, first: int, cos: Tensor, sin: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Return x [shape=(n times steps, size)] behind the block, for steps from the first on."""
        heads, (n, _, _, size) = self.heads, self.keys.shape
        count = len(x) // n
        end = first + count
        qkv = torch.mm(_normed(x, self.norm_1), self.qkv)
        qkv = qkv.view(n, count, 3 * heads, size).transpose(1, 2)
        turned = qkv[:, : 2 * heads]
        turned = torch.addcmul(turned * cos, turned.roll(size // 2, -1), sin)
        self.keys[:, :, first:end] = turned[:, heads:]
        self.values[:, :, first:end] = qkv[:, 2 * heads :]
        seen = F.scaled_dot_product_attention(
            turned[:, :heads], self.keys[:, :, :end], self.values[:, :, :end], attn_mask=mask
        )
        x = torch.addmm(x, seen.transpose(1, 2).reshape(n * count, heads * size), self.out)
        y = F.gelu(torch.addmm(self.wide_bias, _normed(x, self.norm_2), self.wide))
        return torch.addmm(x, y, self.narrow).add_(self.narrow_bias)


def _normed(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return what a norm does, without the detour over a module."""
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


class Decoder:
    """The chances of the next event by the Transformer.

    Parameters
    ----------
    model : Transformer
        In evaluation mode.
    on : Conditions
    given : int tensor [shape=(n, steps)] or None
        What the encoder reads.
    steps : int
    """

    def __init__(
        self, model: Transformer, on: Conditions, given: Tensor | None, steps: int
    ) -> None:
        self.model = model
        self.around, (cos, sin) = model.around(on, given, steps)
        self.cos, self.sin = torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)
        self.before = _Before(on.bar.cpu().numpy(), on.grid.cpu().numpy(), steps, given)
        tables = [model.event, *model.ago, model.echo, model.last_note, model.age]
        self.table = torch.cat([table.weight for table in tables])
        blocks = cast("Iterable[Block]", model.blocks)
        self.blocks = [_Kept(block, len(on.bar), steps) for block in blocks]

    def logits(self, step: int) -> npt.NDArray[np.float64]:
        """Return the logits of the events of a step [shape=(n, 38)]."""
        x = self._run(step, self.before.rows(step)[:, None])
        model = self.model
        logits = F.linear(_normed(x, model.norm), model.out.weight, model.out.bias)
        return np.asarray(logits.cpu().double().numpy())

    def take(self, step: int, events: Ints) -> None:
        """Add what came at a step whose logits were asked for [shape=(n,)]."""
        self.before.take(step, events)

    def skip(self, first: int, events: Ints) -> None:
        """Add events that were known, at once [shape=(n, steps)]."""
        rows = []
        for step, column in enumerate(events.T, first):
            rows.append(self.before.rows(step))
            self.before.take(step, column)
        self._run(first, np.stack(rows, axis=1))

    def _run(self, first: int, rows: Ints) -> Tensor:
        n, count, _ = rows.shape
        end = first + count
        index = torch.from_numpy(rows.reshape(n * count, -1)).to(self.table.device)
        x = F.embedding_bag(index, self.table, mode="sum")
        x = x + self.around[:, first:end].reshape(n * count, -1)
        mask = None
        if count > 1:
            mask = torch.ones(count, end, dtype=torch.bool, device=x.device).tril(first)
        cos, sin = self.cos[:, :, first:end], self.sin[:, :, first:end]
        for block in self.blocks:
            x = block(x, first, cos, sin, mask)
        return x
