"""The Transformer: what each step may see, and what it must not see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from groove_core.tunes import METRES
from melody_rnn.decoding import Decoder
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF, OPEN, OPEN_ROOT
from melody_rnn.transformer import (
    AGREEMENTS,
    DENSITIES,
    ECHOES,
    ONSET,
    REGISTERS,
    UNKNOWN,
    Conditions,
    Rotary,
    Transformer,
    clocks,
    heard_again,
    rotate,
)

BARS = {"4/4": (16, 4), "3/4": (12, 4), "6/8": (12, 4), "2/4": (8, 4), "triplets": (12, 3)}
"""Steps per bar and per quarter note."""


@pytest.fixture(scope="module")
def network() -> Transformer:
    torch.manual_seed(5)
    made = Transformer(size=32, heads=2, layers=2, encoder_layers=1).eval()
    torch.nn.init.normal_(made.bridge.weight, std=0.2)  # it begins at zero
    return made


def drawn(n: int, steps: int, seed: int = 0, kinds: int = CLASSES) -> torch.Tensor:
    """Draw melodies; with few kinds of events they repeat themselves by chance."""
    rng = np.random.default_rng(seed)
    likely = np.array([HOLD, HOLD, HOLD, OFF, *range(NOTE, CLASSES)])
    return torch.from_numpy(rng.choice(likely[:kinds], (n, steps)))


def told(steps: int, *names: str, seed: int = 0) -> Conditions:
    """Return conditions of which none is open, of a melody in each of some metres."""
    rng = np.random.default_rng(seed)
    n = len(names)
    bar, grid = np.array([BARS[name] for name in names]).T
    metre = [METRES.index((4, 4) if name == "triplets" else tuple(map(int, name.split("/"))))
             for name in names]  # fmt: skip
    columns = [
        bar, grid, metre, rng.integers(OPEN, size=n), rng.integers(DENSITIES, size=n),
        rng.integers(REGISTERS, size=n), rng.integers(OPEN_ROOT, size=(n, steps)),
        rng.integers(4096, size=(n, steps)),
    ]  # fmt: skip
    return Conditions(*(torch.tensor(np.asarray(column), dtype=torch.int64) for column in columns))


# --- echoes ----------------------------------------------------------------------------------


def echo(events: list[int], bar: int, grid: int, given: list[int] | None) -> list[tuple[int, int]]:
    """Return level and event of the echo of each step, by looking at one bar after the other."""
    steps = len(events)
    furthest = min((steps - 1) // bar, ECHOES)

    def is_given(at: int) -> bool:
        return given is not None and 0 <= at < steps and given[at] < CLASSES

    def written(step: int, by: int) -> int:
        """Count the steps before that agree; bars back, up to the first that does not."""
        count = 0
        for at in range(step - 1, -1, -1):
            if by < 0 and at + by < 0:
                break
            if by > 0 and not is_given(at + by):
                continue
            if events[at] != (events[at + by] if by < 0 else given[at + by]):
                break
            count += 1
        return count

    def behind(step: int, by: int) -> int:
        """Count the steps of what is given that agree from here on."""
        count = 0
        for at in range(step, steps):
            if is_given(at) and is_given(at + by):
                if given[at] != given[at + by]:
                    break
                count += 1
        return count

    found = []
    for step in range(steps):
        best = (0, CLASSES, False)
        for bars in [*range(-1, -furthest - 1, -1), *range(1, furthest + 1)]:
            by = bars * bar
            if step + by < 0 if by < 0 else not is_given(step + by):
                continue
            count = written(step, by) + behind(step, by)
            if count > best[0]:
                best = (count, (events if by < 0 else given)[step + by], by > 0)
        count, event, ahead = best
        level = (
            min(max(math.floor(math.log2(count / grid)), -1), AGREEMENTS - 3) + 2 if count else 0
        )
        found.append((level + AGREEMENTS * ahead, event))
    return found


@pytest.mark.parametrize("around", [False, True])
def test_an_echo_is_what_one_finds_by_looking(around):
    steps, names = 75, list(BARS)
    bar, grid = told(steps, *names)[:2]
    events = drawn(len(names), steps, kinds=5)
    for row, size in enumerate(bar.tolist()):
        events[row, 2 * size : 4 * size] = events[row, : 2 * size]
    given = None
    if around:
        given = events.clone()
        given[:, 20:30], given[:, 70:], given[0, 18:40] = UNKNOWN, UNKNOWN, ONSET
    level, heard = heard_again(events, bar, grid, given)
    for row, name in enumerate(names):
        wanted = echo(events[row].tolist(), int(bar[row]), int(grid[row]),
                      None if given is None else given[row].tolist())  # fmt: skip
        found = list(zip(level[row].tolist(), heard[row].tolist(), strict=True))
        assert found == wanted, name
    assert len(level.unique()) > 5
    assert (level >= AGREEMENTS).any() == around


def test_what_is_given_later_is_heard_before(network):
    """The hidden bar comes again two bars later, so its echo is known."""
    on, events = told(64, "4/4"), drawn(1, 64, seed=3)
    events[:, 48:] = events[:, 16:32]
    given = events.clone()
    given[:, 16:32] = UNKNOWN
    events[0, 32:48], given[0, 32:48] = events[0, :16], events[0, :16]  # so the bars before agree
    level, heard = heard_again(events, on.bar, on.grid, given)
    assert torch.equal(heard[0, 16:32], events[0, 16:32])
    assert (level[0, 16:32] >= AGREEMENTS).all()


@pytest.mark.parametrize(("bars", "is_heard"), [(ECHOES, True), (ECHOES + 1, False)])
def test_echoes_are_looked_for_in_32_bars(bars, is_heard):
    events = torch.from_numpy(np.random.default_rng(0).integers(CLASSES, size=(1, 40 * 8)))
    here = 39 * 8
    there = here - bars * 8
    events[0, here : here + 6] = events[0, there : there + 6]
    _, heard = heard_again(events, torch.tensor([8]), torch.tensor([4]))
    assert (int(heard[0, here + 6]) == int(events[0, there + 6])) == is_heard


# --- what a step sees -------------------------------------------------------------------------


def test_no_step_sees_itself_or_what_follows(network):
    steps, names = 48, ["4/4", "3/4", "6/8", "triplets"]
    on, events = told(steps, *names), drawn(4, steps, kinds=8)
    before = network(events, on)
    for step in (0, 15, 16, 31, steps - 2):
        other = events.clone()
        other[:, step] = torch.where(events[:, step] == 9, 10, 9)
        after = network(other, on)
        torch.testing.assert_close(after[:, : step + 1], before[:, : step + 1])
        assert (after[:, step + 1] - before[:, step + 1]).abs().amax(dim=1).min() > 1e-4


def test_what_is_given_reaches_steps_before_and_behind(network):
    steps = 48
    on, events = told(steps, "4/4", "triplets"), drawn(2, steps)
    given = torch.full((2, steps), UNKNOWN)
    given[:, 20] = 9
    without = network(events, on, given)
    given[:, 40] = ONSET
    change = (network(events, on, given) - without).abs().amax(dim=2)
    assert change[:, 0].min() > 1e-5
    assert change[:, -1].min() > 1e-5


def test_the_encoder_leaves_a_melody_alone_of_which_nothing_is_given(network):
    steps = 32
    on, events = told(steps, "4/4", "3/4"), drawn(2, steps)
    given = torch.full((2, steps), UNKNOWN)
    given[1, 4] = 20
    plain = network(events, on)
    both = network(events, on, given)
    torch.testing.assert_close(both[0], plain[0])
    assert not torch.allclose(both[1], plain[1])


@pytest.mark.parametrize("some_given", [False, True])
def test_writing_step_by_step_is_the_whole_network(network, some_given):
    """Keys, values and echoes that are kept give the logits of the network on all steps."""
    steps, names = 70, list(BARS)
    on, events = told(steps, *names), drawn(len(names), steps, seed=4, kinds=6)
    given = None
    if some_given:
        given = torch.where(torch.arange(steps) % 16 < 8, events, UNKNOWN)
        given[0] = UNKNOWN
    with torch.inference_mode():
        whole = network(events, on, given)
        decoder = Decoder(network, on, given, steps)
        for step in range(steps):
            np.testing.assert_allclose(decoder.logits(step), whole[:, step], atol=1e-4)
            decoder.take(step, events[:, step].numpy())


@pytest.mark.parametrize(("first", "end"), [(0, 1), (0, 40), (3, 4), (5, 60)])
def test_known_events_go_through_the_network_at_once(network, first, end):
    steps, names = 70, list(BARS)
    on, events = told(steps, *names), drawn(len(names), steps, seed=4, kinds=6)
    with torch.inference_mode():
        whole = network(events, on)
        decoder = Decoder(network, on, None, steps)
        for step in range(first):
            decoder.logits(step)
            decoder.take(step, events[:, step].numpy())
        decoder.skip(first, events[:, first:end].numpy())
        for step in range(end, steps):
            np.testing.assert_allclose(decoder.logits(step), whole[:, step], atol=1e-4)
            decoder.take(step, events[:, step].numpy())


# --- clocks ----------------------------------------------------------------------------------


def test_clocks_of_metres():
    quarter, bar, phase = clocks(told(24, "3/4", "triplets"), 24)
    assert quarter[0, [0, 4, 13]].tolist() == [0, 1, 3.25]
    assert bar[0, [11, 12]].tolist() == [0, 1]
    assert phase[0, [0, 1, 4, 11, 12]].tolist() == [0, 3, 12, 33, 0]
    torch.testing.assert_close(quarter[1, [1, 3]], torch.tensor([1 / 3, 1.0]))
    assert phase[1, [1, 2, 3, 12]].tolist() == [4, 8, 12, 0]


@pytest.mark.parametrize("name", BARS)
def test_attention_sees_distances_only(name):
    """A query and a key that both lie whole bars later agree as much as before."""
    bar, _ = BARS[name]
    steps, size = 6 * bar, 32
    quarter, bars, _ = clocks(told(steps, name), steps)
    angles = Rotary(size)(quarter, bars)
    q, k = torch.randn(2, 1, 1, 1, size, generator=torch.Generator().manual_seed(1))
    turned_q = rotate(q.expand(1, 1, steps, size), angles)
    turned_k = rotate(k.expand(1, 1, steps, size), angles)
    scores = (turned_q @ turned_k.transpose(2, 3))[0, 0]
    # Angles of up to a few hundred radians are rounded to single precision.
    torch.testing.assert_close(scores[bar:, bar:], scores[:-bar, :-bar], atol=1e-3, rtol=0)
    # A part of a bar is another distance in bars where a bar line lies between.
    assert (scores[1:, 1:] - scores[:-1, :-1]).abs().max() > 0.1


def test_a_melody_whole_bars_later_is_heard_equally(network):
    """The blocks alone: what lies before the melody is not attended to."""
    steps, name = 32, "4/4"
    on = told(steps + 32, name)
    _, angles = network.around(on, None, steps + 32)
    x = torch.randn(1, steps, 32, generator=torch.Generator().manual_seed(2))
    found = []
    for start in (0, 16, 32):
        here, y = tuple(part[:, :, start : start + steps] for part in angles), x
        for block in network.blocks:
            y = block(y, here, causal=True)
        found.append(y)
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[0], found[2], atol=1e-4, rtol=0)
