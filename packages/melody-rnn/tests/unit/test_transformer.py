"""The Transformer: what each step may see, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from melody_rnn.cutting import METRES
from melody_rnn.decoding import Decoder
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF, OPEN, OPEN_ROOT
from melody_rnn.transformer import (
    DENSITIES,
    ECHOES,
    ONSET,
    REGISTERS,
    UNKNOWN,
    Conditions,
    Rotary,
    Transformer,
    agreements,
    clocks,
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


def agreement(events: list[int], bar: int, step: int, bars: int) -> int:
    """Count the steps before one that are equal to those some bars earlier, by looking."""
    count = 0
    while (at := step - 1 - count - bars * bar) >= 0 and events[step - 1 - count] == events[at]:
        count += 1
    return count


def test_agreements_are_what_one_counts():
    steps, names = 75, list(BARS)
    events = drawn(len(names), steps, kinds=5)
    events[:, 40:64] = events[:, 40 - 24 : 64 - 24]
    bar = told(steps, *names).bar
    found = agreements(events, bar)
    assert found.shape == (len(names), steps, (steps - 1) // 8)
    assert found.max() >= 20
    for row in range(len(names)):
        for step in range(steps):
            wanted = [
                agreement(events[row].tolist(), int(bar[row]), step, bars + 1)
                for bars in range(found.shape[2])
            ]
            assert found[row, step].tolist() == wanted, (names[row], step)


def test_echoes_are_looked_for_in_32_bars():
    events = torch.zeros(1, 40 * 8, dtype=torch.int64)
    events[0, 0::8] = 5
    found = agreements(events, torch.tensor([8]))
    assert found.shape[2] == ECHOES
    # Every bar is the same: k bars ago agrees with all since the k-th bar.
    assert found[0, -1].tolist() == [len(events[0]) - 1 - 8 * k for k in range(1, ECHOES + 1)]


def test_of_equal_agreements_the_nearest_bar_is_heard(network):
    """Two bars ago agrees as long as one bar ago here: what came one bar ago is the echo."""
    bar, grid = torch.tensor([8]), torch.tensor([4])
    events = drawn(1, 24, seed=2)
    runs = torch.zeros(1, 24, 2, dtype=torch.int64)
    runs[0, 20] = torch.tensor([4, 4])
    one = network.past(events, bar, grid, runs)[0, 20]
    runs[0, 20] = torch.tensor([4, 0])
    assert torch.equal(network.past(events, bar, grid, runs)[0, 20], one)
    events[0, 4], events[0, 12] = 7, 8
    level = 2  # one quarter note
    runs[0, 20] = torch.tensor([3, 4])
    two = network.past(events, bar, grid, runs)[0, 20]
    runs[0, 20] = torch.tensor([4, 3])
    one = network.past(events, bar, grid, runs)[0, 20]
    table = network.echo.weight
    wanted = table[level * (CLASSES + 1) + 8] - table[level * (CLASSES + 1) + 7]
    torch.testing.assert_close(one - two, wanted, atol=1e-6, rtol=0)


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
