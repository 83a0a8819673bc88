"""Adapting: what is learnt, held out, kept and remembered, with tiny networks and songs."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from groove_core.learning import Run, hashed, rounded, train, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume
from music_vae import adapting
from music_vae.adapting import AdaptSettings, AdaptTraining, LowRank, Own
from music_vae.evaluation import bits_of
from music_vae.loading import PACKAGE
from music_vae.model import MusicVAE
from music_vae.windows import Song, WindowSet

CARD = {
    "name": "tiny", "sha256": "0" * 64, "data": {"name": "songs"}, "paper": "1803.05428",
    "intended_use": "tests", "limits": "none",
}  # fmt: skip
FEW = AdaptSettings(rank=2, epochs=4, batch_size=8, learning_rate=3e-2, transpose=0)


@pytest.fixture
def model(networks):
    return rounded(copy.deepcopy(networks["mel-2bar"]))


@pytest.fixture(scope="module")
def general(songs_of):
    songs = [
        Song(f"before {i}", song.stretches, "train" if i < 3 else "validation")
        for i, song in enumerate(songs_of(6, bars=3))
    ]
    return WindowSet.of(songs, ["melody"], 2)


@pytest.fixture
def own(songs_of, model, general):
    return Own(WindowSet.of(songs_of(10, bars=4), ["melody"], 2), model, CARD, general)


# --- low rank --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mel-2bar", "drums-2bar", "mel-16bar", "trio-16bar"])
def test_nothing_is_changed_at_first_and_merged_changes_are_the_same(networks, events_of, kind):
    model = networks[kind]
    events = events_of(model.voices, 3, model.steps)
    noise = torch.zeros(3, model.latent)
    low = LowRank(model, 2)
    wanted = model(events, noise)[0]
    for one, other in zip(low(events, noise), wanted, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        for up in low.up:
            torch.nn.init.normal_(up, std=0.3)
    changed, merged = low(events, noise), low.merged()
    for one, other, before in zip(changed, merged(events, noise)[0], wanted, strict=True):
        torch.testing.assert_close(one, other)
        assert not torch.allclose(one, before)
    for name, weight in merged.state_dict().items():
        is_changed = not torch.equal(weight, model.state_dict()[name])
        assert is_changed is (name.startswith("decoder.") and "weight" in name), name


def test_only_what_is_added_learns(model, events_of):
    low = LowRank(model, 2)
    low(events_of(["melody"], 4, 32), torch.zeros(4, 6))[0].sum().backward()
    learnt = {name for name, one in low.named_parameters() if one.requires_grad}
    assert all(name.startswith(("down.", "up.")) for name in learnt)
    assert len(low.up) == 4  # first state, two of the LSTM, the output
    assert all(up.grad.abs().sum() > 0 for up in low.up)


def test_writing_hears_the_changes(model):
    """`decode` reads the matrices of the LSTM by itself."""
    low = LowRank(model, 2)
    with torch.no_grad():
        for up in low.up:
            torch.nn.init.normal_(up, std=2.0)
    z = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    events = low.merged().decode(z)
    assert not torch.equal(events, model.decode(z))
    logits = low.merged().decoder(z, events)[0]
    torch.testing.assert_close(logits.argmax(dim=-1), events[:, 0])


# --- who is held out -------------------------------------------------------------------------


def test_held_out_songs_are_never_learnt(own):
    learnt, (held_out, _) = own.learnt, own.held_out
    assert len(own.parts["train"]) == 8
    assert len(own.parts["validation"]) == 2
    assert len(learnt) + len(held_out) == len(own.windows)
    known = {one.tobytes() for one in learnt}
    assert not any(one.tobytes() in known for one in held_out)
    training = AdaptTraining(FEW, own, 1)
    batches = torch.cat(list(training.batches(torch.Generator().manual_seed(0))))
    assert int(batches.max()) < len(learnt)
    np.testing.assert_array_equal(training.events, learnt)


def test_too_few_songs_or_windows(songs_of, model, general):
    two = Own(WindowSet.of(songs_of(2), ["melody"], 2), model, CARD, general)
    with pytest.raises(InputError, match="Only 2 different songs"):
        AdaptTraining(FEW, two, 1)
    short = Own(WindowSet.of(songs_of(4, bars=3), ["melody"], 2), model, CARD, general)
    with pytest.raises(InputError, match="have 6 of the 16 windows of 2 bars"):
        AdaptTraining(FEW, short, 1)


def test_what_was_forgotten_is_measured_on_other_songs(own, general, monkeypatch):
    _, song = own.others()
    assert set(song.tolist()) == {3, 4, 5}
    monkeypatch.setattr(adapting, "GENERAL", 2)
    assert len(own.others()[0]) == 2
    mine = replace(general, groups=(*general.groups[:3], own.windows.groups[0], "a", "b"))
    assert set(replace(own, general=mine).others()[1].tolist()) == {4, 5}


# --- what is kept ----------------------------------------------------------------------------


class Worse(AdaptTraining):
    """One whose steps lead away."""

    def minimise(self, loss, step, *optimizers):
        super().minimise(-loss, step, *optimizers)


def test_a_training_that_gets_worse_leaves_the_decoder_as_it_was(own, model, capsys):
    before = {name: one.clone() for name, one in model.state_dict().items()}
    training = trained(Worse, replace(FEW, epochs=9, patience=2), own, Run(1))
    assert len(training.history) == 2  # and then it is not waited any longer
    for name, tensor in before.items():
        assert torch.equal(model.state_dict()[name], tensor), name
        if not name.startswith("prior"):
            assert torch.equal(training.model.state_dict()[name], tensor), name
    assert "the decoder is as it was" in capsys.readouterr().err


def test_the_weights_of_the_best_epoch_are_kept(own, monkeypatch):
    """Of the bits of five epochs the second ones are least, and three are waited for."""
    seen, bits = [], iter([5.0, 4.0, 3.0, 3.5, 3.1, 3.0])

    def told(self, model):
        seen.append(model.merged().state_dict())
        return next(bits)

    monkeypatch.setattr(Own, "bits", told)
    training = trained(AdaptTraining, replace(FEW, epochs=20, patience=3), own, Run(1))
    assert len(training.history) == 5
    for name, tensor in training.model.state_dict().items():
        if not name.startswith("prior"):
            assert torch.equal(tensor, seen[2][name].half().float()), name


def test_it_learns_what_it_hears(own, model):
    training = trained(AdaptTraining, replace(FEW, epochs=12), own, Run(1))
    before, after = training.best.bits.tolist()
    assert after < 0.8 * before
    assert own.bits(training.model) == pytest.approx(after, rel=0.02)
    for name, weight in training.model.encoder.state_dict().items():
        assert torch.equal(weight, model.encoder.state_dict()[name])


def test_bits_are_those_of_events(own, model):
    events, _ = own.held_out
    assert own.bits(model) == pytest.approx(bits_of(model, events).sum() / (events > 0).sum())


def test_the_prior_goes_where_the_songs_are(own, networks):
    """Draws are nearer to the codes of own songs than before."""
    training = trained(AdaptTraining, FEW, own, Run(1))
    from music_vae.coding import codes_of

    mine = codes_of(training.model, own.learnt)
    apart = []
    for model in (own.model, training.model):
        drawn = model.prior.draw(500, torch.Generator().manual_seed(1))
        apart.append((drawn.mean(dim=0) - mine.mean(dim=0)).norm())
    assert apart[1] < 0.7 * apart[0]
    assert training.extra["prior"]["counts_as"] > 0


def test_a_resumed_training_is_as_an_unbroken_one(own, tmp_path):
    worse = check_resume(Worse, replace(FEW, patience=3), own, tmp_path / "worse")
    assert len(worse.history) == 3
    check_resume(AdaptTraining, replace(FEW, epochs=2), own, tmp_path / "better")


def test_other_songs_or_weights_are_another_training(own, songs_of):
    fingerprint = AdaptTraining(FEW, own, 1).fingerprint()
    other = copy.deepcopy(own.model)
    with torch.no_grad():
        other.mean.bias += 1
    songs = WindowSet.of(songs_of(11, bars=4), ["melody"], 2)
    for changed in (replace(own, model=other), replace(own, windows=songs)):
        assert AdaptTraining(FEW, changed, 1).fingerprint() != fingerprint
    assert AdaptTraining(FEW, replace(own), 2).fingerprint() == fingerprint


# --- what is remembered ----------------------------------------------------------------------


def test_a_whole_training_and_its_checkpoint(own, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting, "SAMPLES", 8)
    learnt = {"by": "song", "groups": {"train": [hashed("long ago")], "validation": []}}
    own = replace(own, card={**CARD, "data": {"name": "songs", "learnt": learnt}})
    run = Run(1, name="mine", folder=tmp_path / "mine", source={"name": "few"})
    report = train(AdaptTraining, FEW, own, run)
    model, card = checkpoints.load(PACKAGE, str(tmp_path / "mine"), MusicVAE, device="cpu")
    assert card["start"] == {"name": "tiny", "sha256": "0" * 64, "data": {"name": "songs"}}
    assert card["training"]["rank"] == 2
    assert (card["intended_use"], card["paper"]) == ("tests", "1803.05428")
    assert card["metrics"]["split"] == "validation"
    known = card["data"]["learnt"]["groups"]
    groups = own.windows.groups
    assert set(known["train"]) == {
        hashed("long ago"), *(hashed(groups[i]) for i in own.parts["train"])
    }  # fmt: skip
    assert set(known["validation"]) == {hashed(groups[i]) for i in own.parts["validation"]}
    assert [row[0] for row in report.rows] == ["before", "mine", "held-out songs"]
    before, after, control = (dict(zip(report.columns, row, strict=True)) for row in report.rows)
    own_bits = "own songs, bits per event"
    assert before[own_bits].value == pytest.approx(own.bits(own.model), rel=1e-5)
    assert after[own_bits].value == pytest.approx(own.bits(model), rel=1e-5)
    assert after[own_bits].value < before[own_bits].value
    assert before["songs of before"].value != after["songs of before"].value
    assert control["intervals, like own songs"].value == pytest.approx(1)
    assert control[own_bits] is None


def test_copies_are_looked_for_in_what_was_learnt(own, monkeypatch):
    training = trained(AdaptTraining, FEW, own, Run(1))
    sung = np.repeat(own.learnt[:1], 4, axis=0)
    monkeypatch.setattr(adapting, "drawn_by", lambda *args, **more: sung)
    report = training.measure("mine")
    for size in (16, 32):
        assert report.cell("mine", f"copied, {size} steps").value == 1
        assert report.cell("held-out songs", f"copied, {size} steps").value < 0.5
