"""A small Transformer that writes melodies under conditions, and around notes that are given.

Vaswani et al., "Attention Is All You Need" (1706.03762), a decoder, with rotary positions (Su et
al., 2104.09864) on two clocks: half of the angles turn with the quarter notes, half with the bars.
So a head sees how far back a step lies, and how many bars back, wherever in the melody they are.

    x_t = E[y_(t-1)] + sum_k L_k[y_(t - k bars)] + R[a, y_(t-d)] + conditions_t + encoder(given)_t
    p(y_t | y_1 ... y_(t-1), conditions, given) = softmax(W decoder(x_1 ... x_t) + b)

The echo d is the number of whole bars, back or ahead, at which the melody has agreed with itself
for longest around here, and a is how long: what came there is what a repetition would bring now. So
the label "as one or two bars ago" of the lookback network becomes an input, for any number of bars,
and ahead where notes are given.

The encoder reads the notes that are given, before and behind a step, in both directions; beside it
the next of them is told, and how far it is. Where nothing is given none of this takes part. Of the
chords, that of the step and that of a quarter note later are told.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import Dropout
from groove_core.tunes import METRES
from melody_rnn.lines import CLASSES, NOTE, OPEN

__all__ = [
    "DENSITIES", "GIVEN", "ONSET", "REGISTERS", "UNKNOWN", "Block", "Conditions", "Transformer",
    "echo_level", "echoes",
]  # fmt: skip

PHASES = 72
"""Twelfths of a quarter note in the longest bar, 6/4."""
DENSITIES, REGISTERS = 8, 6
"""Levels of notes per bar and of mean pitch; the level behind the last is "open"."""
BACK = (1, 2, 4)
"""Bars that every step looks back, beside all that it attends to."""
UNKNOWN, ONSET = CLASSES, CLASSES + 1
"""What may be given instead of an event: nothing, or a note of whatever pitch."""
GIVEN = CLASSES + 2
AGES = 64
ECHOES = 32
"""Bars up to which an echo is looked for."""
AGREEMENTS = 8
"""Levels of how long the melody has agreed: no step, less than a quarter note, then doubling."""


class Conditions(NamedTuple):
    """What a melody is to be like; the first axis is the batch.

    Parameters
    ----------
    bar, grid : int tensors [shape=(n,)]
        Steps per bar and per quarter.
    metre : int tensor [shape=(n,)]
        Index into `METRES`; ``len(METRES)`` where it is open.
    mode : int tensor [shape=(n,), 0 major, 1 minor, 2 open]
    density, register : int tensors [shape=(n,)]
        See `density_of`, `register_of`; the last level is open.
    root : int tensor [shape=(n, steps), 0 to 13]
    chord : int tensor [shape=(n, steps)]
        Pitch classes as 12 bits.
    """

    bar: Tensor
    grid: Tensor
    metre: Tensor
    mode: Tensor
    density: Tensor
    register: Tensor
    root: Tensor
    chord: Tensor


def clocks(on: Conditions, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return quarter notes and bars since the beginning, and twelfths of a quarter in the bar.

    Each has the shape (n, steps); the first two are floats.
    """
    at = torch.arange(steps, device=on.bar.device)
    quarter = at / on.grid[:, None]
    bar = at // on.bar[:, None]
    phase = at % on.bar[:, None] * 12 // on.grid[:, None]
    return quarter, bar.float(), phase


def heard_again(
    events: Tensor, bar: Tensor, grid: Tensor, given: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return how long melodies have agreed with their echo, and what it brings [each (n, steps)].

    The echo is as many whole bars back as the melody has agreed with itself for longest, up to the
    step before; or as many bars ahead, where what is given there agrees with what was written. To
    that is added for how long what is given agrees behind the step. Of equal ones, those back come
    before those ahead, and near ones before far ones.

    Parameters
    ----------
    events : int tensor [shape=(n, steps)]
        The event of a step itself is not looked at.
    bar, grid : int tensors [shape=(n,)]
    given : int tensor [shape=(n, steps), 0 to 39], optional

    Returns
    -------
    int tensor [shape=(n, steps)]
        Level of the agreement: see `echo_level`; `AGREEMENTS` more for echoes ahead.
    int tensor [shape=(n, steps)]
        The event; `CLASSES` where there is no echo.
    """
    steps = events.shape[1]
    at = torch.arange(steps, device=events.device)
    after = None if given is None else agreed_behind(given, bar)
    most = echoes(int(bar.min()), steps)
    longest = torch.zeros_like(events)
    heard, ahead = torch.full_like(events, CLASSES), torch.zeros_like(events)

    def take(number: int, run: Tensor, event: Tensor, known: Tensor) -> None:
        nonlocal longest, heard, ahead
        run = F.pad(run, (1, 0))[:, :steps]  # up to the step before
        if after is not None:
            run = run + after[..., number]
        better = known & (run > longest)
        longest = torch.where(better, run, longest)
        heard = torch.where(better, event, heard)
        ahead = torch.where(better, int(number >= most), ahead)

    for bars in range(1, most + 1):
        place = at - bars * bar[:, None]
        before, known = events.gather(1, place.clamp(min=0)), place >= 0
        same = (events == before) & known
        take(bars - 1, agreed(same, ~same), before, known)
    for bars in range(1, most + 1):
        if given is None:
            break
        later, known = shifted(given, bars * bar)
        same = events == later
        take(most + bars - 1, agreed(same & known, ~same & known), later, known)
    return echo_level(longest, grid[:, None]) + AGREEMENTS * ahead, heard


def agreed(same: Tensor, other: Tensor) -> Tensor:
    """Count the steps that were the same since the last one that was not [shape=(n, steps)]."""
    count = same.cumsum(dim=1)
    return count - torch.where(other, count, 0).cummax(dim=1).values


def agreed_behind(given: Tensor, bar: Tensor) -> Tensor:
    """Count for how many steps what is given agrees with itself, some bars back or ahead.

    Returns
    -------
    int tensor [shape=(n, steps, 2 times echoes)]
        From each step on, up to the first one that differs: 1, 2, 3 ... bars back, then ahead.
    """
    most = echoes(int(bar.min()), given.shape[1])
    found = []
    for bars in [*range(-1, -most - 1, -1), *range(1, most + 1)]:
        there, known = shifted(given, bars * bar)
        known = known & (given < CLASSES)
        same = given == there
        run = agreed((same & known).flip(1), (~same & known).flip(1)).flip(1)
        found.append(run)
    return torch.stack(found, dim=2)


def shifted(given: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is given some steps ahead of each step, and whether it is an event."""
    steps = given.shape[1]
    place = torch.arange(steps, device=given.device) + by[:, None]
    found = given.gather(1, place.clamp(0, steps - 1))
    return found, (place >= 0) & (place < steps) & (found < CLASSES)


def echoes(bar: int, steps: int) -> int:
    """Return how many bars an echo can lie back."""
    return min(max((steps - 1) // bar, 1), ECHOES)


def echo_level(longest: Tensor, grid: Tensor) -> Tensor:
    """Return the level of how long a melody has agreed, in steps: 0 for none, 1 below a quarter."""
    level = (longest / grid).log2().floor().clamp(-1, AGREEMENTS - 3) + 2
    return torch.where(longest > 0, level, 0).long()


class Rotary(nn.Module):
    """Angles of the two clocks [each shape=(n, steps, half of a head)]."""

    periods: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        each = size // 4
        # Not on the device "meta", for whose arithmetic torch loads its compiler, a second's work.
        share = torch.arange(each, device="cpu") / (each - 1)
        quarters = 0.5 * 256**share  # to 128 quarter notes
        bars = 2.0 * 32**share  # to 64 bars
        self.register_buffer("periods", torch.cat([quarters, bars]), persistent=False)
        self.each = each

    def forward(self, quarter: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines."""
        turns = torch.cat(
            [
                quarter[..., None] / self.periods[: self.each],
                bar[..., None] / self.periods[self.each :],
            ],
            dim=-1,
        )
        angle = 2 * torch.pi * turns
        return angle.cos()[:, None], angle.sin()[:, None]


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs of numbers of heads [shape=(n, heads, steps, size)]."""
    cos, sin = angles
    one, two = x.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1).to(x.dtype)


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a norm and added to what there was."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size, bias=False)
        self.out = nn.Linear(size, size, bias=False)
        self.wide = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], *, causal: bool) -> Tensor:
        """Return x after the block."""
        n, steps, size = x.shape
        q, k, v = (
            part.reshape(n, steps, self.heads, size // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).chunk(3, dim=-1)
        )
        q, k = rotate(q, angles), rotate(k, angles)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + self.drop(self.out(seen.transpose(1, 2).reshape(n, steps, size)))
        found: Tensor = x + self.drop(self.narrow(F.gelu(self.wide(self.norm_2(x)))))
        return found


class Transformer(nn.Module):
    """See the module.

    Parameters
    ----------
    size, heads : int
        Numbers of a step, and heads of attention.
    layers, encoder_layers : int
    dropout : float
    """

    def __init__(
        self,
        *,
        size: int = 128,
        heads: int = 4,
        layers: int = 4,
        encoder_layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "size": size, "heads": heads, "layers": layers, "encoder_layers": encoder_layers,
            "dropout": dropout,
        }  # fmt: skip
        self.event = nn.Embedding(CLASSES + 1, size)
        self.ago = nn.ModuleList(nn.Embedding(CLASSES + 1, size) for _ in BACK)
        self.echo = nn.Embedding(2 * AGREEMENTS * (CLASSES + 1), size)
        self.last_note = nn.Embedding(CLASSES - NOTE + 1, size)
        self.age = nn.Embedding(AGES, size)
        self.phase = nn.Embedding(PHASES, size)
        self.metre = nn.Embedding(len(METRES) + 1, size)
        self.mode = nn.Embedding(OPEN + 1, size)
        self.density = nn.Embedding(DENSITIES + 1, size)
        self.register_level = nn.Embedding(REGISTERS + 1, size)
        self.root = nn.Embedding(14, size)
        self.chord = nn.Linear(12, size, bias=False)
        self.next_chord = nn.Linear(12, size, bias=False)
        self.rotary = Rotary(size // heads)
        self.blocks = nn.ModuleList(Block(size, heads, dropout) for _ in range(layers))
        self.given = nn.Embedding(GIVEN, size)
        self.given_phase = nn.Embedding(PHASES, size)
        self.next_note = nn.Embedding(CLASSES - NOTE, size)
        self.until = nn.Embedding(AGES, size)
        self.encoder = nn.ModuleList(Block(size, heads, 0.0) for _ in range(encoder_layers))
        self.bridge = nn.Linear(size, size)
        self.drop = Dropout(dropout)
        self.norm = nn.LayerNorm(size)
        self.out = nn.Linear(size, CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.05)
        nn.init.zeros_(self.bridge.weight)

    def around(self, on: Conditions, given: Tensor | None, steps: int) -> tuple[Tensor, Any]:
        """Return what is known of each step before anything is drawn, and the angles."""
        quarter, bar, phase = clocks(on, steps)
        angles = self.rotary(quarter, bar)
        whole = self.metre(on.metre) + self.mode(on.mode)
        whole = whole + self.density(on.density) + self.register_level(on.register)
        bits = (on.chord[..., None] >> torch.arange(12, device=on.chord.device) & 1).float()
        x = whole[:, None] + self.phase(phase) + self.root(on.root) + self.chord(bits)
        at = torch.arange(steps, device=on.bar.device)
        quarter_on = (at + on.grid[:, None]).clamp(max=steps - 1)
        x = x + self.next_chord(bits.gather(1, quarter_on[..., None].expand_as(bits)))
        if given is not None:
            rows = (given != UNKNOWN).any(dim=1).nonzero()[:, 0]
            some = tuple(part[rows] for part in angles)
            y = (self.given(given) + self.given_phase(phase) + whole[:, None])[rows]
            for block in self.encoder:
                y = block(y, some, causal=False)
            x = x.index_add(0, rows, self.bridge(y).to(x.dtype)) + self.to_come(given)
        return x, angles

    def to_come(self, given: Tensor) -> Tensor:
        """Embed the next note that is given, from each step on, and how far it is; 0 for none."""
        steps = given.shape[1]
        at = torch.arange(steps, device=given.device)
        is_note = (given >= NOTE) & (given < CLASSES)
        where = torch.where(is_note, at, steps).flip(1).cummin(dim=1).values.flip(1)
        note = given.gather(1, where.clamp(max=steps - 1)) - NOTE
        known = where < steps
        far = self.until((where - at).clamp(max=AGES - 1))
        found: Tensor = (self.next_note(torch.where(known, note, 0)) + far) * known[..., None]
        return found

    def past(self, events: Tensor, on: Conditions, given: Tensor | None) -> Tensor:
        """Embed what lies before each step of melodies, and its echo [shape=(n, steps, size)].

        Parameters
        ----------
        events : int tensor [shape=(n, steps)]
            The event of a step itself is not looked at.
        """
        steps = events.shape[1]
        at = torch.arange(steps, device=events.device)
        began = torch.where(events >= NOTE, at, -1).cummax(dim=1).values
        began = F.pad(began, (1, 0), value=-1)[:, :steps]

        def event(where: Tensor) -> Tensor:
            return torch.where(where < 0, CLASSES, events.gather(1, where.clamp(min=0)))

        x = self.event(event((at - 1).expand(len(events), -1)))
        for table, bars in zip(self.ago, BACK, strict=True):
            x = x + table(event(at - bars * on.bar[:, None]))
        level, heard = heard_again(events, on.bar, on.grid, given)
        x = x + self.echo(level * (CLASSES + 1) + heard)
        note = torch.where(began < 0, CLASSES - NOTE, event(began) - NOTE)
        found: Tensor = x + self.last_note(note) + self.age((at - began).clamp(max=AGES) - 1)
        return found

    def forward(self, events: Tensor, on: Conditions, given: Tensor | None = None) -> Tensor:
        """Return the logits of each event of melodies [shape=(n, steps, 38)].

        Parameters
        ----------
        events : int tensor [shape=(n, steps), 0 to 37]
        on : Conditions
        given : int tensor [shape=(n, steps), 0 to 39], optional
            Events that are known from the beginning, `ONSET` or `UNKNOWN`.
        """
        x, angles = self.around(on, given, events.shape[1])
        x = self.drop(x + self.past(events, on, given))
        for block in self.blocks:
            x = block(x, angles, causal=True)
        logits: Tensor = self.out(self.norm(x))
        return logits
