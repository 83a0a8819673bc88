"""Adapting: what is learnt, held out, kept and remembered, with tiny tunes and networks."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from groove_core.learning import Run, hashed, rounded, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume
from melody_rnn import adapting
from melody_rnn.adapting import AdaptSettings, AdaptTraining, Own
from melody_rnn.lessons import Lesson
from melody_rnn.loading import PACKAGE
from melody_rnn.transformer import Transformer

CARD = {"name": "tiny", "sha256": "0" * 64, "data": {"name": "tunes"}}
FEW = AdaptSettings(epochs=4, batch_size=2, learning_rate=3e-3, precision="32")


@pytest.fixture
def model():
    torch.manual_seed(1)
    return rounded(Transformer(size=32, heads=2, layers=1, encoder_layers=1))


@pytest.fixture(scope="module")
def general(tunes_of):
    return Lesson(tunes_of(["train"] * 9 + ["validation"] * 2, corpus="before", seed=8, bars=2))


@pytest.fixture
def own(tunes_of, model, general):
    """Ten tunes of one kind: eighth notes in C."""
    return Own(tunes_of(["train"] * 10, bars=2), model, CARD, general)


# --- who is held out -------------------------------------------------------------------------


def test_groups_are_never_split(tunes_of, model, general):
    groups = [f"song {number // 3}" for number in range(24)]
    own = Own(tunes_of(["test"] * 24, bars=2, groups=groups), model, CARD, general)
    sides = {
        part: {groups[i] for i in numbers.tolist()} for part, numbers in own.parts.items() if part
    }
    assert sides["train"]
    assert sides["validation"]
    assert not sides["train"] & sides["validation"]
    assert not sides["test"]
    assert len(own.parts["train"]) + len(own.parts["validation"]) == 24


@pytest.mark.parametrize(("count", "held_out"), [(3, 1), (7, 1), (8, 2), (10, 2), (40, 8)])
def test_a_fifth_is_held_out_whichever_tunes_they_are(tunes_of, model, general, count, held_out):
    for seed in range(3):
        tunes = tunes_of(["train"] * count, bars=2, seed=seed)
        parts = Own(tunes, model, CARD, general).parts
        assert (len(parts["train"]), len(parts["validation"])) == (count - held_out, held_out)


def events_of(lines) -> set[bytes]:
    return {line.events.tobytes() for line in lines}


def test_held_out_tunes_are_never_in_a_batch(own):
    training = AdaptTraining(FEW, own, 1)
    held_out, mine = events_of(own.held_out[0]), events_of(own.lines)
    before, forgotten = events_of(own.general.lines), events_of(own.others()[0])
    assert (len(mine), len(held_out)) == (8, 2)
    seen: set[bytes] = set()
    for epoch in range(3):
        batches = training.batches(torch.Generator().manual_seed(epoch))
        rows = torch.cat(list(batches)).tolist()
        assert sorted(rows) == list(range(len(training.windows)))
        seen |= {row[:32].tobytes() for row in training.windows.events}
        mixed = training.learnt_lines
        assert mine < events_of(mixed)
        rehearsed = sum(len(line) for line in mixed) / sum(len(line) for line in own.lines) - 1
        assert rehearsed == pytest.approx(min(3.0, 9 / len(own.lines)), abs=0.2)
    assert seen <= mine | before
    assert not seen & (held_out | forgotten)
    assert seen > mine


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_tunes(tunes_of, model, general, count):
    own = Own(tunes_of(["train"] * count), model, CARD, general)
    with pytest.raises(InputError, match=f"Only {count} different tunes") as error:
        AdaptTraining(FEW, own, 1)
    assert "Give more songs" in error.value.hint


def test_copies_of_a_tune_are_not_several(tunes_of, model, general):
    own = Own(tunes_of(["train"] * 9, groups=["one", "two", "two"] * 3), model, CARD, general)
    with pytest.raises(InputError, match="Only 2 different tunes"):
        AdaptTraining(FEW, own, 1)


def test_too_little_to_learn_from(tunes_of, model, general):
    own = Own(tunes_of(["train"] * 4), model, CARD, general)
    with pytest.raises(InputError, match=r"have \d of the 8 windows of up to 512 steps"):
        AdaptTraining(FEW, own, 1)


# --- what is kept ----------------------------------------------------------------------------


class Worse(AdaptTraining):
    """One whose steps lead away."""

    def minimise(self, loss, step, *optimizers):
        super().minimise(-loss, step, *optimizers)


def test_a_training_that_gets_worse_leaves_the_network_as_it_was(own, model, capsys):
    before = copy.deepcopy(model.state_dict())
    training = trained(Worse, replace(FEW, epochs=9, patience=2), own, Run(1))
    assert len(training.history) == 2  # and then it is not waited any longer
    for name, tensor in before.items():
        assert torch.equal(training.model.state_dict()[name], tensor), name
        assert torch.equal(model.state_dict()[name], tensor), name
    assert not torch.equal(training.average.module.event.weight, before["event.weight"])
    shown = capsys.readouterr().err
    assert "nothing more is learnt after epoch 2 of 9" in shown
    assert "the network is as it was" in shown


def test_the_weights_of_the_best_epoch_are_kept(own, monkeypatch):
    """Of the bits of five epochs the second ones are least, and three are waited for."""
    seen, bits = [], iter([5.0, 4.0, 3.0, 3.5, 3.1, 3.0])

    def told(self, model):
        seen.append(copy.deepcopy(model.state_dict()))
        return next(bits)

    monkeypatch.setattr(Own, "bits", told)
    training = trained(AdaptTraining, replace(FEW, epochs=20, patience=3), own, Run(1))
    assert len(training.history) == 5
    assert next(bits, None) is None
    for name, tensor in training.model.state_dict().items():
        assert torch.equal(tensor, seen[2][name].half().float()), name
    assert not torch.equal(seen[2]["event.weight"], seen[1]["event.weight"])


def test_it_learns_what_it_hears(own):
    training = trained(AdaptTraining, replace(FEW, epochs=8), own, Run(1))
    before, after = training.best.bits.tolist()
    assert after < 0.9 * before
    assert own.bits(training.model) == pytest.approx(after, rel=0.02)


def test_it_learns_with_dropout(own, monkeypatch):
    """A checkpoint comes in evaluation mode, in which nothing would be dropped."""
    modes = []
    loss = AdaptTraining.loss

    def watched(self, batch, step):
        modes.append(self.model.training)
        return loss(self, batch, step)

    monkeypatch.setattr(AdaptTraining, "loss", watched)
    trained(AdaptTraining, replace(FEW, epochs=2), own, Run(1))
    assert set(modes) == {True}


def test_a_resumed_training_is_as_an_unbroken_one(own, tmp_path):
    """With the best weights so far, and how long has been waited for better ones."""
    worse = check_resume(Worse, replace(FEW, patience=3), own, tmp_path / "worse")
    assert len(worse.history) == 3
    assert torch.equal(worse.model.event.weight, own.model.event.weight)


def test_a_resumed_training_has_the_same_average(own, tmp_path):
    one = check_resume(AdaptTraining, replace(FEW, epochs=2), own, tmp_path)
    assert int(one.average.updates) == one.clock.steps


def test_other_tunes_or_weights_are_another_training(own, tunes_of, general):
    training = AdaptTraining(FEW, own, 1)
    other = copy.deepcopy(own.model)
    with torch.no_grad():
        other.out.bias += 1
    more = Own(tunes_of(["train"] * 10, bars=2, seed=1), own.model, CARD, general)
    for changed in (Own(own.tunes, other, CARD, general), more):
        assert AdaptTraining(FEW, changed, 1).fingerprint() != training.fingerprint()
    same = Own(own.tunes, copy.deepcopy(own.model), CARD, general)
    assert AdaptTraining(FEW, same, 2).fingerprint() == training.fingerprint()


# --- what is remembered ----------------------------------------------------------------------


def test_the_card_remembers_all_that_the_weights_know(own):
    learnt = {"by": "tune", "groups": {"train": [hashed("long ago")], "validation": []}}
    own = replace(own, card={**CARD, "data": {"name": "tunes", "learnt": learnt}})
    card = AdaptTraining(FEW, own, 1).split()
    known = {part: set(some) for part, some in card["learnt"]["groups"].items()}
    groups = own.tunes.groups
    rehearsed = {head.group for head in own.general.tunes.heads if head.part == "train"}
    mine = {groups[i] for i in own.parts["train"]}
    assert known["train"] == {hashed(one) for one in {*mine, *rehearsed, "long ago"}}
    assert known["validation"] == {hashed(groups[i]) for i in own.parts["validation"]}
    assert card["learnt"]["by"] == "tune"
    assert (card["train"], card["validation"]) == (len(mine) + 9, 10 - len(mine))


def test_a_second_training_keeps_what_is_held_out_on_its_side(own):
    first = AdaptTraining(FEW, own, 1).split()
    again = replace(own, card={**CARD, "data": first})
    assert {part: some.tolist() for part, some in again.parts.items()} == {
        part: some.tolist() for part, some in own.parts.items()
    }
    all_learnt = {**first, "learnt": {"groups": {
        "train": [hashed(group) for group in own.tunes.groups], "validation": [],
    }}}  # fmt: skip
    with pytest.raises(InputError, match="tiny has learnt from all of these tunes"):
        AdaptTraining(FEW, replace(own, card={**CARD, "data": all_learnt}), 1)


def test_what_was_forgotten_is_measured_on_other_tunes_of_all_corpora(
    own, tunes_of, model, monkeypatch
):
    from groove_core.tunes import TuneSet

    monkeypatch.setattr(adapting, "GENERAL", 6)
    sets = [tunes_of(["validation"] * 6, corpus=name, bars=2) for name in ("one", "two")]
    mine = own.tunes.groups[0]
    shared = tunes_of(["validation"], groups=[mine], bars=2)
    both = TuneSet.of([s.tune(i) for s in (*sets, shared) for i in range(len(s))])
    lines, tunes = replace(own, general=Lesson(both)).others()
    assert len(lines) == 6
    assert {both.heads[i].corpus for i in tunes} == {"one", "two"}


# --- the report ------------------------------------------------------------------------------


def test_the_report_compares_before_and_after(own, monkeypatch):
    monkeypatch.setattr(adapting, "SAMPLES", 4)
    monkeypatch.setattr(adapting, "STEPS", 64)
    training = trained(AdaptTraining, FEW, own, Run(1))
    report = training.measure("mine")
    before, after, control = report.rows
    assert [row[0] for row in report.rows] == ["before", "mine", "held-out tunes"]
    assert before[1].value == pytest.approx(own.bits(own.model), rel=1e-6)
    assert after[1].value == pytest.approx(own.bits(training.model), rel=1e-6)
    assert after[1].value < before[1].value
    assert before[2].value != after[2].value
    assert control[1:3] == (None, None)
    assert all(0 <= row[3].value <= 1 for row in (control, after))
    assert report.data["split"] == "validation"


def test_copies_are_looked_for_in_what_was_learnt(own, monkeypatch):
    """A network that sings the first tune has copied all of it, one that is silent nothing."""
    monkeypatch.setattr(adapting, "SAMPLES", 4)
    monkeypatch.setattr(adapting, "STEPS", 64)
    sung = own.lines[0].events[None]
    training = AdaptTraining(FEW, own, 1)
    monkeypatch.setattr(adapting, "drawn", lambda network, like, seed: np.repeat(sung, 4, axis=0))
    before, after, _ = training.measure("mine").rows
    assert before[3].value == after[3].value == 1
    monkeypatch.setattr(adapting, "drawn", lambda network, like, seed: np.zeros((4, 64), int))
    assert training.measure("mine").rows[0][3] is None


def test_tunes_in_triplets_have_no_copies_on_the_other_grid(own, monkeypatch):
    triplets = [replace(line, grid=3, bar=12) for line in own.lines]
    monkeypatch.setitem(vars(own), "lines", triplets)
    monkeypatch.setitem(vars(own), "held_out", (triplets[:2], [0, 1]))
    rows = AdaptTraining(FEW, own, 1).measure("mine").rows
    assert [row[3] for row in rows] == [None] * 3


def test_a_whole_training_and_its_checkpoint(own, tmp_path, monkeypatch):
    from groove_core.learning import train

    monkeypatch.setattr(adapting, "SAMPLES", 2)
    monkeypatch.setattr(adapting, "STEPS", 32)
    run = Run(1, name="mine", folder=tmp_path / "mine", source={"name": "songs"})
    report = train(AdaptTraining, FEW, own, run)
    assert len(report.data["history"]) <= 4
    model, card = checkpoints.load(PACKAGE, str(tmp_path / "mine"), Transformer, device="cpu")
    assert card["start"] == {"name": "tiny", "sha256": "0" * 64, "data": {"name": "tunes"}}
    assert card["data"]["name"] == "songs"
    assert card["training"]["rehearsal"] == 3.0
    assert card["metrics"]["split"] == "validation"
    assert own.bits(model) == pytest.approx(report.rows[1][1].value, rel=1e-6)
    # Nothing that the weights know, or were chosen by, is measured on any more.
    with pytest.raises(InputError, match="mine was trained on this data"):
        own.tunes.as_learnt([card])
