"""What networks know of tunes that they have not learnt, in bits of raw events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval
from groove_core.values import Estimate, Report
from melody_rnn.conditions import conditions_of, opened
from melody_rnn.encodings import told
from melody_rnn.lines import HOLD, Line, Windows, windows
from melody_rnn.recurrent import Recurrent, bars_ago, event_chances
from melody_rnn.transformer import Transformer

if TYPE_CHECKING:
    from melody_rnn.training import Lesson

__all__ = ["bits_of", "measured", "per"]

STEPS = 512
"""Steps of the longest piece that is measured at once: 32 bars of 4/4."""
BATCH = 32
Floats = npt.NDArray[np.float64]


@torch.no_grad()
def bits_of(network: Recurrent | Transformer, lines: Sequence[Line]) -> tuple[Floats, Floats]:
    """Return the bits of the events of each line, and how many steps and events it has.

    A label of repetition counts as the event that it repeats. The Transformer is told metre and
    mode, and nothing else. Lines of more than 512 steps are cut.

    Returns
    -------
    float array [shape=(lines,), bits]
    float array [shape=(lines, 2)]
        Steps, and steps at which something happens.
    """
    some = windows(lines, STEPS)
    device = next(network.parameters()).device
    bits, counts = np.zeros(len(lines)), np.zeros((len(lines), 2))
    network.eval()
    order = np.argsort(some.known.sum(axis=1), kind="stable")
    for which in np.array_split(order, -(-len(order) // BATCH)):
        here = some.pick(which)
        here = here.until(int(here.known.shape[1] - here.known[:, ::-1].argmax(axis=1).min()))
        nats = _nats(network, here, device).double().cpu().numpy() * here.known
        np.add.at(bits, here.line, nats.sum(axis=1) / math.log(2))
        happens = (here.events != HOLD) & here.known
        np.add.at(counts, here.line, np.stack([here.known.sum(1), happens.sum(1)], axis=1))
    return bits, counts


def _nats(network: Recurrent | Transformer, some: Windows, device: torch.device) -> Tensor:
    events = torch.from_numpy(some.events).to(device)
    if isinstance(network, Recurrent):
        x = torch.from_numpy(told(network.encoding, some.events)).to(device)
        chances = event_chances(network(x)[0].softmax(dim=-1), bars_ago(events)).log()
    else:
        chances = network(events, opened(conditions_of(some, device))).log_softmax(dim=-1)
    return -chances.gather(-1, events[..., None])[..., 0]


def per(bits: Floats, counts: Floats, owners: npt.ArrayLike) -> Estimate:
    """Return all bits divided by all counts, with an interval over the owners of the lines."""
    _, owner = np.unique(owners, return_inverse=True)
    draws = bootstrap(int(owner.max()) + 1)
    return interval((draws @ np.bincount(owner, bits)) / (draws @ np.bincount(owner, counts)))


def measured(network: Recurrent | Transformer, lesson: Lesson, name: str) -> Report:
    """Measure a network on the test split of each corpus.

    Raises
    ------
    InputError
        If no tune of the test split can be read.
    """
    rows = []
    for corpus in lesson.tunes.corpora:
        lines, owners = lesson.part("test", corpus=corpus)
        if lines:
            bits, counts = bits_of(network, lines)
            steps, events = (per(bits, column, owners) for column in counts.T)
            rows.append((name, corpus, steps, events, len(set(owners))))
    if not rows:
        raise InputError("No tune of the test split can be read.", hint="Give more songs.")
    return Report(
        "Bits of what comes next in tunes that were not learnt",
        ("network", "corpus", "bits per step", "bits per event", "tunes"),
        tuple(rows),
        notes=(about_intervals("tunes"),),
    )
