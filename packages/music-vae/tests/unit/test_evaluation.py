"""Measures, against counts by hand and networks of which the truth is known."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from music_vae.coding import codes_of, free_running, teacher_forced
from music_vae.evaluation import (
    accuracy,
    measured,
    of_other_songs,
    per,
    space_of,
)
from music_vae.model import MusicVAE
from music_vae.windows import Song, WindowSet


def test_accuracy_by_hand():
    real = np.array([[41, 0, 0, 1, 43, 0, 0, 0], [41, 0, 0, 0, 0, 0, 0, 0]])
    made = np.array([[41, 0, 1, 0, 44, 0, 0, 0], [41, 0, 0, 0, 0, 0, 0, 45]])
    steps, events, f1 = accuracy(real, made, [0, 1])
    assert steps.value == pytest.approx(12 / 16)  # 3 and 1 steps are wrong
    assert events.value == pytest.approx(2 / 4)  # 41 of [41, off, 43], and 41
    assert f1.value == pytest.approx(2 * 2 / (4 + 5))


def test_always_hold_has_the_steps_and_no_event():
    real = np.array([[41, 0, 0, 0], [0, 0, 42, 1]])
    steps, events, f1 = accuracy(real, np.zeros_like(real), [0, 1])
    assert (steps.value, events.value, f1.value) == (5 / 8, 0, 0)


def test_intervals_are_over_songs():
    """A song of many windows is one draw; of windows alone the interval would be narrow."""
    right = np.repeat([1.0, 0.0], 500)
    by_song = per(right, np.ones(1000), np.repeat(["a", "b"], 500))
    by_window = per(right, np.ones(1000), np.arange(1000))
    assert by_song.value == by_window.value == 0.5
    assert (by_song.low, by_song.high) == (0.0, 1.0)
    assert by_window.high - by_window.low < 0.08


def test_nothing_can_be_divided_by_no_event():
    """Not infinitely many bits for each event of a silent piece."""
    found = per([3.0, 2.0], [0, 0], [0, 1])
    assert math.isnan(found.value)
    assert per([3.0, 2.0], [0, 1], [0, 1]).value == 5


def test_ways_of_reading(networks, events_of):
    """Batches do not matter, and the code is the mean of the posterior."""
    model = networks["mel-2bar"]
    events = events_of(["melody"], 300, 32).numpy()
    codes = codes_of(model, events)
    torch.testing.assert_close(codes[256:], model.encode(torch.from_numpy(events[256:]))[0])
    logits = model.decoder(codes, torch.from_numpy(events))[0]
    assert (teacher_forced(model, events)[:, 0] == logits.argmax(-1).numpy()).mean() > 0.999
    assert (free_running(model, events) == model.decode(codes).numpy()).mean() > 0.999


@pytest.mark.parametrize("sizes", [[3, 3], [1, 2, 3], [5, 1, 1, 4], [2, 1, 4]])
def test_codes_are_exchanged_between_songs(sizes):
    owner = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    partner = of_other_songs(owner)
    assert (owner[partner] != owner).all()
    if 2 * max(sizes) <= sum(sizes):
        assert sorted(partner) == list(range(len(owner)))


def test_one_song_has_nobody_to_exchange_with():
    with pytest.raises(InputError, match="one song"):
        of_other_songs(np.zeros(4))


@pytest.fixture(scope="module")
def windows(songs_of) -> WindowSet:
    songs = [Song(song.group, song.stretches, "train") for song in songs_of(8, bars=4)]
    return WindowSet.of(songs, ["melody"], 2)


def test_a_decoder_that_does_without_its_code_sets_off_the_alarm(windows):
    """Weights of 0 from the code: the posterior collapse, made."""
    torch.manual_seed(0)
    model = MusicVAE(latent=4, encoder=8, decoder=8, flow=4).eval()
    core = model.decoder.core(0)
    with torch.no_grad():
        core.start.weight.zero_()
        core.lstm.weight_ih_l0[:, 90:] = 0
    space = space_of(model, windows.events, windows.song)
    assert space.gain_bits.value == pytest.approx(0, abs=1e-3)
    assert space.alarms == [
        "the code of another piece is as good as its own", "no dimension of the code varies"
    ]  # fmt: skip


def test_a_code_that_tells_is_no_alarm(learnt):
    """Each of six notes is told by the code alone: log2(6) bits, and more where others err."""
    model, windows = learnt
    space = space_of(model, windows.events, windows.song)
    assert not space.alarms
    assert space.gain_bits.low > math.log2(6)
    assert 1 <= space.active <= 4
    assert space.kl_bits.value > math.log2(6)


@pytest.mark.parametrize(("share", "is_deaf"), [(0.0, True), (0.02, True), (1.0, False)])
def test_a_decoder_that_hardly_hears_its_code_sets_off_the_alarm(learnt, share, is_deaf):
    """Codes vary as before, so that only what they save of a piece can tell."""
    model, windows = copy.deepcopy(learnt[0]), learnt[1]
    core = model.decoder.core(0)
    with torch.no_grad():
        core.start.weight *= share
        core.lstm.weight_ih_l0[:, 90:] *= share
    space = space_of(model, windows.events, windows.song)
    assert space.active >= 1
    assert space.alarms == (["the code of another piece is as good as its own"] if is_deaf else [])


def test_bits_of_a_uniform_decoder(windows):
    model = MusicVAE(latent=4, encoder=8, decoder=8, flow=4).eval()
    with torch.no_grad():
        model.decoder.core(0).out.weight.zero_()
        model.decoder.core(0).out.bias.zero_()
        model.mean.bias.fill_(2.0)
        model.deviation.bias.fill_(math.log(math.e - 1))  # softplus of it is 1
        model.mean.weight.zero_()
        model.deviation.weight.zero_()
    space = space_of(model, windows.events, windows.song)
    assert space.bits.value == pytest.approx(32 * math.log2(90), rel=1e-5)
    assert space.kl_bits.value == pytest.approx(4 * 2 / math.log(2), rel=1e-4)
    assert space.gain_bits.value == 0
    assert space.active == 0


def test_a_report_has_a_row_for_each_voice_and_way(networks, trio_of):
    from music_vae.pieces import song_of

    model = networks["trio-16bar"]
    songs = [
        Song(f"{i}", song_of(trio_of(16, i), model.voices).stretches, "test") for i in range(2)
    ]
    report = measured(model, WindowSet.of(songs, model.voices, 16), "mine")
    assert [row[0] for row in report.rows] == [
        f"{voice}, {way}" for voice in ("melody", "bass", "drums")
        for way in ("told what was played", "from the code alone", "from the code of another song",
                    "always hold")
    ]  # fmt: skip
    assert report.cell("melody, always hold", "per event").value == 0
    assert report.cell("bass, always hold", "per step").value == pytest.approx(0.75)
    assert report.data["alarms"]


def test_controls_know_only_what_they_may(learnt):
    """Six bars that all sides know: the nearest learnt piece is the piece, that of others none."""
    model, windows = learnt
    both = replace(windows, parts={"train": np.arange(6), "test": np.arange(6)})
    report = measured(model, both, "mine")
    assert report.cell("melody, the nearest learnt piece", "F1").value == 1
    assert report.cell("melody, from the code alone", "F1").value > 0.9
    assert report.cell("melody, from the code of another song", "F1").value < 0.3


def test_a_test_split_of_one_song_is_refused(networks, windows):
    few = replace(windows, parts={"test": np.flatnonzero(windows.song == 0)})
    with pytest.raises(InputError, match="windows of 1 songs"):
        measured(networks["mel-2bar"], few, "mine")
