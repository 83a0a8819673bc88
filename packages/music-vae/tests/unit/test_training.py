"""Training of tiny networks."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, Step, launch, train, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume
from music_vae.coding import free_running
from music_vae.loading import PACKAGE, Name
from music_vae.model import MusicVAE
from music_vae.training import LAYERS, PRESETS, Settings, VAETraining
from music_vae.windows import Song, WindowSet

SMALL = Settings(latent=4, encoder=8, decoder=8, flow=4, epochs=2, batch_size=8)
TRIO = replace(
    SMALL, voices=("melody", "bass", "drums"), bars=16, by_bar=True, conductor=8, listens=4,
    deaf=0.5, epochs=2, batch_size=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def windows(songs_of) -> WindowSet:
    return WindowSet.of(songs_of(12, bars=4), ["melody"], 2)


@pytest.fixture(scope="module")
def trios(trio_of) -> WindowSet:
    from music_vae.pieces import song_of

    songs = [
        Song(f"{i}", song_of(trio_of(17, i), TRIO.voices).stretches, "train") for i in range(2)
    ]
    return WindowSet.of(songs, TRIO.voices, 16)


def test_there_is_a_preset_for_each_model():
    assert set(PRESETS) == set(get_args(Name))


def test_the_flat_decoder_has_as_many_weights_as_the_conductor():
    """So that what the conductor is worth is not what weights are worth."""
    sizes = {}
    for name in ("mel-16bar", "mel-16bar-flat"):
        made = MusicVAE(**PRESETS[name].network)
        del made.flow  # it has no part in reconstruction
        sizes[name] = sum(p.numel() for p in made.parameters())
    assert sizes["mel-16bar-flat"] == pytest.approx(sizes["mel-16bar"], rel=0.005)


@pytest.mark.parametrize("more", [{}, {"patience": 1.0}, {"average": 0.9}, {"unheard": 0.5}])
def test_a_resumed_training_is_an_unbroken_one(windows, tmp_path, more):
    check_resume(VAETraining, replace(SMALL, **more), windows, tmp_path)


def test_a_resumed_trio_is_an_unbroken_one(trios, tmp_path):
    check_resume(VAETraining, TRIO, trios, tmp_path)


def test_a_network_learns_pieces_by_heart(learnt):
    """They come back from their codes alone."""
    model, windows = learnt
    assert (free_running(model, windows.events) == windows.events).all()


def test_beta_and_own_events_follow_the_steps(windows, monkeypatch):
    """Also behind a resumption: they are counted by the clock, which is stored."""
    seen = []

    def spy(step, *, top, keep):
        seen.append((step, top, keep))
        return 0.5

    monkeypatch.setattr("music_vae.training.beta_at", spy)
    made = trained(VAETraining, replace(SMALL, beta=0.3, beta_keep=0.9), windows, Run(1))
    assert [step for step, *_ in seen] == list(range(made.clock.steps))
    assert {(top, keep) for _, top, keep in seen} == {(0.3, 0.9)}


def test_a_share_of_the_events_is_not_heard(windows, monkeypatch):
    shares = []
    forward = MusicVAE.forward

    def spy(self, events, noise, way, **told):
        shares.append(told["unheard"].float().mean().item())
        return forward(self, events, noise, way, **told)

    monkeypatch.setattr(MusicVAE, "forward", spy)
    trained(VAETraining, replace(SMALL, unheard=0.3, epochs=1), windows, Run(1))
    assert np.mean(shares) == pytest.approx(0.3, abs=0.03)


def test_free_bits_are_not_paid(windows, monkeypatch):
    """With more free bits than there are, the loss is the reconstruction alone."""
    losses = {}
    for free in (0.0, 1e6):
        settings = replace(SMALL, free_bits=free, beta=1000.0, beta_keep=0.0, epochs=12,
                           learning_rate=1e-2)  # fmt: skip
        losses[free] = trained(VAETraining, settings, windows, Run(1)).history[-1]["kl"]
    assert losses[0.0] < 2 < 10 < losses[1e6]


def test_pieces_are_transposed_at_random_within_the_piano(windows):
    training = VAETraining(SMALL, windows)
    events = windows.events[:3]
    shifts = {}
    for share in (0.0, 0.5, 0.999):
        moved = training.transposed(events, torch.full((3,), share)).numpy()
        notes = events >= 2
        assert (moved[~notes] == events[~notes]).all()
        [shifts[share]] = set((moved - events)[notes].tolist())
    assert list(shifts.values()) == [-5, 0, 5]


def test_drums_are_put_together_of_two_pieces():
    """Each group is of the piece itself or of one other, and so told; all else stays."""
    settings = replace(TRIO, layered=0.5)
    rng = np.random.default_rng(0)
    events = rng.integers(0, 90, (200, 3, 256))
    events[:, 2] = rng.integers(0, 512, (200, 256))
    given = torch.from_numpy(events)
    training = object.__new__(VAETraining)
    training.settings = settings
    made, is_real = training.layered(
        given, 200, Step(launch("cpu"), torch.Generator().manual_seed(1), size=200)
    )
    assert torch.equal(made[:, :2], given[:, :2])
    assert torch.equal(made[is_real], given[is_real])
    assert is_real.float().mean() == pytest.approx(0.5, abs=0.1)
    assert sum(LAYERS) == 511
    changed = 0
    for number in torch.nonzero(~is_real)[:20, 0].tolist():
        sources = set()
        for layer in LAYERS:
            same = ((given[:, 2] & layer) == (made[number, 2] & layer)).all(dim=1)
            sources.add(int(same.nonzero()[0, 0]))
        assert len(sources | {number}) <= 2
        changed += sources != {number}
    assert changed > 10


def test_an_average_is_what_is_kept(windows):
    made = trained(VAETraining, replace(SMALL, average=0.5), windows, Run(1))
    plain = trained(VAETraining, SMALL, windows, Run(1))
    assert not torch.equal(made.model.mean.weight, plain.model.mean.weight)
    assert made.model is made.result()


def test_a_training_is_stored_and_measured(songs_of, tmp_path):
    songs = [
        Song(song.group, song.stretches, part)
        for song, part in zip(songs_of(6, bars=4), ["train"] * 3 + ["test"] * 3, strict=True)
    ]
    windows = WindowSet.of(songs, ["melody"], 2)
    report = train(VAETraining, SMALL, windows, Run(1, name="mine", folder=tmp_path / "mine"))
    assert report.columns == ("", "per step", "per event", "F1")
    model, card = checkpoints.load(PACKAGE, tmp_path / "mine", MusicVAE)
    assert model.config == MusicVAE(**SMALL.network).config
    assert card["paper"] == "arXiv:1803.05428"
    assert card["data"]["learnt"]["counts"] == {"train": 3, "validation": 0, "test": 3}
    assert card["metrics"]["report"]["data"]["active"] >= 0


def test_windows_of_another_length_are_refused(windows):
    with pytest.raises(UsageError, match=r"2 bars of melody, the network reads 16 of drums"):
        VAETraining(replace(SMALL, bars=16, voices=("drums",)), windows)


def test_nothing_to_learn_from_is_refused(windows):
    empty = replace(windows, parts={"train": np.zeros(0, np.int64)})
    with pytest.raises(InputError, match="no windows"):
        VAETraining(SMALL, empty)


def test_bars_are_not_sampled_on_a_schedule():
    with pytest.raises(UsageError, match="flat decoders"):
        Settings(conductor=8, patience=1000)
