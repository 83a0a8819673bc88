"""Drawing events: seeds, batches, what is allowed, and what is never drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.tunes import is_stuck
from groove_core.values import LeadSheet
from melody_rnn import composing, writing
from melody_rnn.attention import Attention
from melody_rnn.evaluation import nats_of
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF, OPEN, OPEN_ROOT, windows
from melody_rnn.recurrent import Basic, Lookback, Recurrent
from melody_rnn.samples import lines_of
from melody_rnn.transformer import DENSITIES, REGISTERS, UNKNOWN, Conditions, Transformer
from melody_rnn.writing import choose, draws, write

KINDS = {"basic": Basic, "lookback": Lookback, "attention": Attention, "transformer": Transformer}


def network(kind: str) -> Recurrent | Transformer:
    """Make a small network with opinions: an untrained one finds all events about equal."""
    torch.manual_seed(2)
    settings = {"hidden": 16} if kind != "transformer" else {"size": 32, "heads": 1, "layers": 1}
    made = KINDS[kind](**settings)
    torch.nn.init.normal_(made.out.weight, std=0.2 if kind == "transformer" else 2.0)
    return made.eval()


def asked(kind: str, n: int, steps: int) -> dict[str, Conditions]:
    if kind != "transformer":
        return {}
    columns = [torch.full((n,), value) for value in (16, 4, 0, OPEN, DENSITIES, REGISTERS)]
    steps_of = [torch.full((n, steps), value) for value in (OPEN_ROOT, 0)]
    return {"on": Conditions(*columns, *steps_of)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_64_is_64_single_melodies(kind):
    steps, model = 48, network(kind)
    random = draws(range(64), steps)
    whole = write(model, steps, random, **asked(kind, 64, steps))
    assert len(np.unique(whole, axis=0)) == 64
    assert whole.tobytes() == write(model, steps, random, **asked(kind, 64, steps)).tobytes()
    for row in range(0, 64, 5):
        one = write(model, steps, draws([row], steps), **asked(kind, 1, steps))
        assert np.array_equal(one[0], whole[row]), row


def test_random_numbers_of_a_melody_depend_on_its_own_seed():
    assert np.array_equal(draws([5, 9], 8)[1], draws([9], 8)[0])
    assert np.array_equal(draws([9], 8)[:, :4], draws([9], 4))


@pytest.mark.parametrize("kind", KINDS)
def test_at_temperature_0_the_likeliest_event_comes(kind):
    steps, model = 11, network(kind)  # the twelfth note of a kind would not come
    for top_p in (1.0, 0.5):
        found = write(model, steps, draws([1, 2], steps), temperature=0, top_p=top_p,
                      **asked(kind, 2, steps))  # fmt: skip
        assert np.array_equal(found[0], found[1])
    if kind == "transformer":
        with torch.inference_mode():
            logits = model(torch.from_numpy(found[:1]), asked(kind, 1, steps)["on"])[0].numpy()
        sounds = False
        for step, event in enumerate(found[0]):
            if not sounds:
                logits[step, OFF] = -np.inf
            assert event == logits[step].argmax()
            sounds = event >= NOTE or (sounds and event == HOLD)


@pytest.mark.parametrize("kind", KINDS)
def test_no_note_ends_while_none_sounds(kind):
    model = network(kind)
    with torch.no_grad():
        model.out.bias[OFF] += 4
    found = write(model, 48, draws(range(8), 48), **asked(kind, 8, 48))
    assert (found == OFF).sum() > 20
    for line in found:
        sounds = False
        for event in line:
            assert event != OFF or sounds
            sounds = event >= NOTE or (sounds and event == HOLD)


@pytest.mark.parametrize("kind", ["lookback", "attention"])
def test_in_the_first_two_bars_a_repetition_is_the_silence_that_it_was_in_training(kind):
    """A network whose only silence is "as two bars ago" can be silent in the first bars, too."""
    model = network(kind)
    torch.nn.init.zeros_(model.out.weight)
    torch.nn.init.zeros_(model.out.bias)
    with torch.no_grad():
        model.out.bias[HOLD] = -50
        model.out.bias[CLASSES + 1] = 3
    found = write(model, 96, draws(range(64), 96))
    share = np.exp(3) / (np.exp(3) + CLASSES)
    assert (found[:, 1:32] == HOLD).mean() == pytest.approx(share, abs=0.05)
    assert (found[:, 32:64] == found[:, :32]).mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("kind", ["basic", "lookback", "attention"])
def test_the_chances_while_writing_are_those_that_are_measured(kind):
    """From the first step on: `bits` would be of another network than the one that writes."""
    model, rng = network(kind), np.random.default_rng(1)
    events = rng.choice([HOLD, HOLD, HOLD, OFF, 20, 25], (3, 80))
    measured = nats_of(model, windows(lines_of(events), 80))
    voice = writing._Recurrent(model, 3)
    for step, column in enumerate(events.T):
        with torch.inference_mode():
            logits = voice.logits(step)
        np.testing.assert_allclose(-logits[np.arange(3), column], measured[:, step], atol=1e-5)
        voice.take(step, column)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_what_is_allowed_alone_comes_whatever_the_network_says(kind, temperature):
    """Also where the network is so sure of something else that it leaves no chance at all."""
    model = network(kind)
    with torch.no_grad():
        model.out.bias[HOLD] = 2000
    wanted = np.array([NOTE, HOLD, OFF, NOTE + 5, NOTE + 7, HOLD])
    seen = []

    def allowed(step: int, events: np.ndarray) -> np.ndarray:
        seen.append((step, events.copy()))
        may = np.zeros((2, CLASSES), bool)
        may[:, wanted[step]] = True
        return may

    found = write(model, 6, draws([1, 2], 6), allowed=allowed, temperature=temperature,
                  top_p=0.9, **asked(kind, 2, 6))  # fmt: skip
    assert found.tolist() == [wanted.tolist()] * 2
    assert [step for step, _ in seen] == list(range(6))
    assert all(np.array_equal(events, found[:, :step]) for step, events in seen)


def test_of_several_that_are_allowed_none_else_comes():
    model = network("basic")
    scale = np.isin(np.arange(CLASSES), [HOLD, NOTE, NOTE + 4, NOTE + 7])
    found = write(model, 64, draws(range(4), 64), allowed=lambda _, events: np.tile(scale, (4, 1)))
    assert set(np.unique(found)) == {HOLD, NOTE, NOTE + 4, NOTE + 7}


@pytest.mark.parametrize("kind", KINDS)
def test_known_events_stay_and_the_others_are_drawn_as_if_they_had_been(kind):
    steps, model = 64, network(kind)
    random = draws(range(3), steps)
    whole = write(model, steps, random, **asked(kind, 3, steps))
    known = whole.copy()
    known[:, 5:9] = known[:, 36:60] = known[:, 62:] = -1
    assert np.array_equal(write(model, steps, random, known=known, **asked(kind, 3, steps)), whole)
    assert np.array_equal(write(model, steps, random, known=whole, **asked(kind, 3, steps)), whole)


def test_what_is_given_changes_what_the_transformer_writes():
    model = network("transformer")
    torch.nn.init.normal_(model.bridge.weight)
    given = torch.full((1, 32), UNKNOWN)
    given[0, 20] = NOTE
    other = given.clone()
    other[0, 20] = NOTE + 12
    on = asked("transformer", 1, 32)
    one, two = (write(model, 32, draws([1], 32), given=some, **on) for some in (given, other))
    assert not np.array_equal(one[:, :20], two[:, :20])


def test_all_of_a_melody_can_be_written_anew():
    """Nothing is given then, and the encoder has nothing to read."""
    model, melody = network("transformer"), LeadSheet.from_text("C4 - E4 - G4 - - . " * 4)
    for takes in (
        composing.fill(model, melody, (1, 2), composing.Wish(), 2, 1),
        composing.vary(model, melody, "nothing", 1.0, composing.Wish(), 2, 1),
    ):
        assert [take.length for take in takes] == [32, 32]


# --- choosing --------------------------------------------------------------------------------

CHANCES = np.array([0.5, 0.3, 0.15, 0.05])


def shares(temperature: float, top_p: float, chances: np.ndarray = CHANCES) -> np.ndarray:
    n = 20_000
    random = (np.arange(n) + 0.5) / n
    found = choose(np.tile(np.log(chances), (n, 1)), random, temperature, top_p)
    return np.bincount(found, minlength=len(chances)) / n


def test_chances_are_kept():
    np.testing.assert_allclose(shares(1.0, 1.0), CHANCES, atol=1e-4)


def test_temperature_makes_chances_more_or_less_alike():
    for temperature in (0.5, 2.0):
        wanted = CHANCES ** (1 / temperature)
        np.testing.assert_allclose(shares(temperature, 1.0), wanted / wanted.sum(), atol=1e-4)


@pytest.mark.parametrize(("top_p", "kept"), [(0.5, 1), (0.51, 2), (0.79, 2), (0.94, 3), (0.97, 4)])
def test_top_p_keeps_the_fewest_events_that_reach_it(top_p, kept):
    wanted = np.where(np.arange(4) < kept, CHANCES, 0)
    np.testing.assert_allclose(shares(1.0, top_p), wanted / wanted.sum(), atol=1e-4)
    mixed = [2, 0, 3, 1]  # of whatever order
    np.testing.assert_allclose(
        shares(1.0, top_p, CHANCES[mixed]), (wanted / wanted.sum())[mixed], atol=1e-4
    )


@pytest.mark.parametrize("random", [0.0, 1 - 2**-53])
def test_the_ends_of_the_random_numbers_choose_nothing_impossible(random):
    logits = np.array([[-np.inf, 0.0, 0.0, -np.inf]])
    assert choose(logits, np.array([random]), 1.0, 1.0)[0] in (1, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("liked", [HOLD, NOTE + 20])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_no_melody_gets_stuck(kind, liked, temperature):
    model, steps = network(kind), 160
    with torch.no_grad():
        model.out.bias[liked] = 60
    found = write(model, steps, draws(range(3), steps), temperature=temperature,
                  **asked(kind, 3, steps))  # fmt: skip
    assert (found == liked).mean() > 0.6
    assert not any(is_stuck(row) for row in found)


def test_what_is_allowed_alone_comes_even_if_it_gets_stuck():
    may = np.isin(np.arange(CLASSES), [NOTE + 3])
    found = write(network("basic"), 20, draws([1], 20), allowed=lambda _, events: may[None])
    assert (found == NOTE + 3).all()
