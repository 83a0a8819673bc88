"""What networks know of tunes that they have not learnt, in bits of raw events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval
from groove_core.values import Cell, Estimate, Report
from melody_rnn.conditions import conditions_of, opened
from melody_rnn.encodings import told
from melody_rnn.lessons import Lesson
from melody_rnn.lines import CLASSES, HOLD, Line, Windows, windows
from melody_rnn.ngrams import NGrams
from melody_rnn.recurrent import Recurrent, bars_ago, event_chances
from melody_rnn.transformer import UNKNOWN, Transformer

__all__ = ["bits_of", "compared", "filled", "measured", "nats_of", "per"]

Network = Recurrent | Transformer
STEPS = 512
"""Steps of the longest piece that is measured at once: 32 bars of 4/4."""
BATCH = 32
COLUMNS = ("network", "corpus", "bits per step", "bits per event", "tunes")
Floats = npt.NDArray[np.float64]


def bits_of(network: Network, lines: Sequence[Line]) -> tuple[Floats, Floats]:
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
    bits, counts = np.zeros(len(lines)), np.zeros((len(lines), 2))
    order = np.argsort(some.known.sum(axis=1), kind="stable")
    for which in np.array_split(order, -(-len(order) // BATCH)):
        here = some.pick(which)
        here = here.until(int(here.known.shape[1] - here.known[:, ::-1].argmax(axis=1).min()))
        nats = nats_of(network, here) * here.known
        np.add.at(bits, here.line, nats.sum(axis=1) / math.log(2))
        happens = (here.events != HOLD) & here.known
        np.add.at(counts, here.line, np.stack([here.known.sum(1), happens.sum(1)], axis=1))
    return bits, counts


@torch.no_grad()
def nats_of(network: Network, some: Windows, given: Tensor | None = None) -> Floats:
    """Return the nats of each event of windows [shape=(n, steps)], in evaluation mode.

    Parameters
    ----------
    given : int tensor [shape=(n, steps)], optional
        What the encoder of the Transformer reads.
    """
    network.eval()
    device = next(network.parameters()).device
    events = torch.from_numpy(some.events).to(device)
    if isinstance(network, Recurrent):
        x = torch.from_numpy(told(network.encoding, some.events)).to(device)
        chances = event_chances(network(x)[0].softmax(dim=-1), bars_ago(events)).log()
    else:
        chances = network(events, opened(conditions_of(some, device)), given).log_softmax(dim=-1)
    nats: Floats = -chances.gather(-1, events[..., None])[..., 0].cpu().double().numpy()
    return nats


def per(bits: Floats, counts: Floats, owners: npt.ArrayLike) -> Estimate:
    """Return all bits divided by all counts, with an interval over the owners of the lines."""
    _, owner = np.unique(owners, return_inverse=True)
    draws = bootstrap(int(owner.max()) + 1)
    return interval((draws @ np.bincount(owner, bits)) / (draws @ np.bincount(owner, counts)))


def measured(network: Network, lesson: Lesson, name: str) -> Report:
    """Measure a network on the test split of each corpus.

    Raises
    ------
    InputError
        If no tune of the test split can be read.
    """
    return compared({name: network}, lesson, controls=False)


def compared(networks: Mapping[str, Network], lesson: Lesson, *, controls: bool = True) -> Report:
    """Measure networks on the test split of each corpus, beside what counting knows.

    Parameters
    ----------
    networks : dict of str to network
    lesson : Lesson
        Its lines are those that all of the networks can read.
    controls : bool
        Whether equal chances, the frequencies of events, and n-grams are measured, too: those
        that are best on the validation split of the corpus (or of all, where it has none).

    Raises
    ------
    InputError
        If no tune of the test split can be read.
    """
    plain = NGrams(lesson.lines, 0, place=False) if controls else None
    counted = NGrams(lesson.lines) if controls else None
    rows: list[tuple[Cell, ...]] = []
    for corpus in track(lesson.tunes.corpora, "measuring corpora"):
        lines, owners = lesson.part("test", corpus=corpus)
        if not lines:
            continue
        found = {name: bits_of(network, lines) for name, network in networks.items()}
        counts = next(iter(found.values()))[1]
        each = {name: bits for name, (bits, _) in found.items()}
        if plain and counted:
            each = _controls(plain, counted, _to_choose_by(lesson, corpus) or lines, lines) | each
        for name, bits in each.items():
            steps, events = (per(bits, column, owners) for column in counts.T)
            rows.append((name, corpus, steps, events, len(set(owners))))
    if not rows:
        raise InputError("No tune of the test split can be read.", hint="Give more songs.")
    return Report(
        "Bits of what comes next in tunes that were not learnt", COLUMNS, rows,
        notes=(
            "per event: all bits, divided by the notes and rests that begin.",
            "The Transformer is told metre and mode (major or minor), other networks nothing.",
            "n-grams: of the length and weight that are best on the corpus's validation songs.",
            f"Networks begin anew after {STEPS} steps of a long tune, n-grams go on.",
            about_intervals("tunes"),
        ),
    )  # fmt: skip


def _to_choose_by(lesson: Lesson, corpus: str) -> list[Line]:
    """Return the validation lines of a corpus, or of all if it has none."""
    return lesson.part("validation", corpus=corpus)[0] or lesson.part("validation")[0]


def _controls(
    plain: NGrams, counted: NGrams, chosen_by: Sequence[Line], lines: Sequence[Line]
) -> dict[str, Floats]:
    """Return the bits of each line by what needs no network."""
    tuned = counted.tuned(chosen_by)
    return {
        "equal chances": np.array([math.log2(CLASSES) * (len(x) - x.lead) for x in lines]),
        "frequencies": _bits(plain, lines),
        "n-grams": _bits(tuned, lines),
    }


def _bits(counted: NGrams, lines: Sequence[Line]) -> Floats:
    return np.array([-np.log2(counted.chances(line)[line.lead :]).sum() for line in lines])


def filled(
    transformer: Transformer, other: Network | None, lesson: Lesson, bars: int = 2
) -> Report:
    """Measure how much it helps to know both sides of some bars in the middle of test tunes.

    Parameters
    ----------
    transformer : Transformer
    other : network, optional
        One that knows the left side only, beside it.
    bars : int
        Bars that are hidden, of at least four times as many.
    """
    rows: list[tuple[Cell, ...]] = []
    for corpus in lesson.tunes.corpora:
        lines, owners = lesson.part("test", corpus=corpus)
        some = windows(lines, STEPS)
        whole = some.known.sum(axis=1) // some.bar
        some = some.pick(np.flatnonzero((whole >= 4 * bars) & some.known[:, 0]))
        if not len(some):
            continue
        nats, hidden = _hidden(transformer, other, some, bars)
        owner = np.asarray(owners)[some.line]
        events = (hidden & (some.events != HOLD)).sum(axis=1).astype(np.float64)
        bits = [(one * hidden).sum(axis=1) / math.log(2) for one in nats]
        gain = per(bits[0] - bits[1], bits[0], owner)
        shown = [per(one, events, owner) for one in bits]
        rows.append((corpus, *shown, gain, len(set(owner.tolist()))))
    if not rows:
        raise InputError(f"No test tune has {4 * bars} bars.", hint="Give longer songs.")
    beside = [] if other is None else [type(other).__name__.lower()]
    columns = ("corpus", "left side only", "both sides", *beside, "gain", "tunes")
    return Report(
        f"Bits per event of {bars} hidden bars", columns, rows,
        notes=("gain: share of the bits that the right side saves.", about_intervals("tunes")),
    )  # fmt: skip


def _hidden(
    transformer: Transformer, other: Network | None, some: Windows, bars: int
) -> tuple[list[Floats], npt.NDArray[np.bool_]]:
    """Return the nats of each event by each way, and which steps are hidden."""
    whole = some.known.sum(axis=1) // some.bar
    first = ((whole - bars) // 2 * some.bar)[:, None]
    at = np.arange(some.events.shape[1])
    hidden = (at >= first) & (at < first + bars * some.bar[:, None])
    given = np.where(hidden | ~some.known, UNKNOWN, some.events)
    found: list[list[Floats]] = []
    for which in np.array_split(np.arange(len(some)), -(-len(some) // BATCH)):
        here = some.pick(which)
        around = torch.from_numpy(given[which]).to(next(transformer.parameters()).device)
        ways = [nats_of(transformer, here), nats_of(transformer, here, around)]
        found.append([*ways, *([nats_of(other, here)] if other is not None else [])])
    return [np.concatenate(way) for way in zip(*found, strict=True)], hidden
