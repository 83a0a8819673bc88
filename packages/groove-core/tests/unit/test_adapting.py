"""Which songs are held out of an adaptation, and which weights are kept."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from groove_core.errors import InputError  # noqa: E402
from groove_core.learning import (  # noqa: E402
    Best,
    Split,
    auc,
    auc_rounds,
    bootstrap,
    hashed,
    parts_to_adapt,
)

nn = torch.nn

CARD = {"name": "net", "data": {}}


@pytest.mark.parametrize(("count", "held_out"), [(3, 1), (7, 1), (8, 2), (10, 2), (40, 8)])
def test_exactly_a_fifth_is_held_out(count, held_out):
    for start in range(5):
        parts = parts_to_adapt(CARD, [f"song {start + i}" for i in range(count)])
        assert (len(parts["train"]), len(parts["validation"])) == (count - held_out, held_out)
        assert not len(parts["test"])


def test_copies_of_a_song_stay_together():
    groups = [f"song {number // 3}" for number in range(24)]
    parts = parts_to_adapt(CARD, groups)
    sides = [{groups[i] for i in parts[part].tolist()} for part in ("train", "validation")]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_too_few_different_songs():
    with pytest.raises(InputError, match="Only 2 different tunes") as error:
        parts_to_adapt(CARD, ["one", "two", "two"], by="tune")
    assert "Give more songs" in error.value.hint


def test_what_a_checkpoint_knows_stays_on_its_side():
    groups = [f"song {i}" for i in range(10)]
    first = parts_to_adapt(CARD, groups)
    card = {"name": "net", "data": Split("song").card(groups, first)}
    again = parts_to_adapt(card, [*groups, *(f"other {i}" for i in range(10))])
    for part in ("train", "validation"):
        assert set(first[part].tolist()) <= set(again[part].tolist())
    learnt = {"name": "net", "data": {"learnt": {"groups": {
        "train": [hashed(group) for group in groups], "validation": [],
    }}}}  # fmt: skip
    with pytest.raises(InputError, match="net has learnt from all of these songs"):
        parts_to_adapt(learnt, groups)


def test_the_best_weights_are_kept():
    model = nn.Linear(1, 1)
    best = Best(model, 5.0)
    for weight, bits, waited in ((1.0, 4.0, 0), (2.0, 4.5, 1), (3.0, 3.0, 0), (4.0, 3.0, 1)):
        nn.init.constant_(model.weight, weight)
        best.take(model, bits)
        assert int(best.waited) == waited
    assert best.model.weight.item() == 3
    assert best.bits.tolist() == [5, 3]
    assert not any(p.requires_grad for p in best.parameters())


def test_equal_bits_are_not_better_however_they_are_rounded():
    for bits in (2.1 + number / 7 for number in range(20)):
        best = Best(nn.Linear(1, 1), bits)
        best.take(nn.Linear(1, 1), bits)
        assert int(best.waited) == 1


def test_the_best_weights_are_stored_and_resumed():
    best = Best(nn.Linear(1, 1), 5.0)
    best.take(nn.Linear(1, 1), 3.0)
    other = Best(nn.Linear(1, 1), 9.0)
    other.load_state_dict(best.state_dict())
    assert other.bits.tolist() == [5, 3]
    assert torch.equal(other.model.weight, best.model.weight)


def test_areas_of_two_readings_can_be_compared_round_by_round():
    """The same scores have no difference in any round, and the first round is the area itself."""
    generator = torch.Generator().manual_seed(1)
    good, bad = (
        [(torch.randn(5, generator=generator) + up).numpy() for _ in range(6)] for up in (1, 0)
    )
    draws = bootstrap(6)
    rounds = auc_rounds(good, bad, draws)
    assert rounds[0] == auc(good, bad, draws).value
    assert len(rounds) == len(draws)
    assert ((rounds - auc_rounds(good, bad, draws)) == 0).all()
