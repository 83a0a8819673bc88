"""Choruses: what is cut out of labelled songs, and what is heard, of songs made so."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from groove_core.tunes import Tune, TuneSet
from groove_core.values import LeadSheet
from music_vae.alphabets import melody_classes
from music_vae.choruses import excerpts_of
from music_vae.evaluation import choruses
from music_vae.evaluation.choruses import heard, likeness_of, statistics
from music_vae.phrases import PhraseSet
from music_vae.prior import Prior

LABELS = "i2A4B4A4B4B4o2"  # B is the chorus


def song(number: int, part: str, labels: str = LABELS, high: int = 12) -> Tune:
    """Make a song whose choruses are an octave higher, with a walk of its own in each phrase."""
    rng = np.random.default_rng(number)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    rows, bar = [], 0
    for letter, bars in zip(labels[::2], map(int, labels[1::2]), strict=True):
        if letter.isupper():
            starts = np.arange(16 * bar, 16 * (bar + bars), 2)
            walk = np.abs(np.cumsum(rng.integers(-2, 3, len(starts)))) % 8
            up = high * (letter == "B")
            rows += [(at, 2, pitch + up, 80) for at, pitch in zip(starts, scale[walk], strict=True)]
        bar += bars
    sheet = LeadSheet(np.array(rows), 4, (4, 4), 16 * bar, 0, 100.0, "C")
    return Tune(f"{number}", "pop909", f"group {number}", part, (sheet,))


def set_of(parts, labels: str = LABELS, high: int = 12) -> PhraseSet:
    tunes = [song(number, part, labels, high) for number, part in enumerate(parts)]
    return PhraseSet(TuneSet.of(tunes), [labels] * len(tunes))


@pytest.fixture(scope="module")
def data() -> PhraseSet:
    return set_of(["train"] * 6 + ["validation"] * 2 + ["test"] * 4)


# --- excerpts --------------------------------------------------------------------------------


def test_excerpts_of_two_bars_follow_their_phrases(data):
    found = excerpts_of(data, 2, [0, 3])
    assert found.events.shape == (20, 1, 32)
    assert set(found.song.tolist()) == {0, 3}
    # Phrases of a song: A, B, A, B, B, each with two excerpts.
    assert found.phrase[:10].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert found.is_chorus[:10].tolist() == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 4
    row = melody_classes(data.song(0).events)
    np.testing.assert_array_equal(found.events[2, 0], row[16 * 6 : 16 * 8])


def test_long_excerpts_count_where_they_are_mostly_of_one_kind():
    data = set_of(["train"], "A8A8B8B8B8A8B8B8")
    found = excerpts_of(data, 16, [0])
    # Beginning with each phrase: AA, AB (half and half), BB, BB, BA, AB, BB, and the end.
    assert found.phrase.tolist() == [0, 2, 3, 6]
    assert found.is_chorus.tolist() == [False, True, True, True]


def test_repetitions_in_a_song_are_one_and_silence_is_none():
    tune = song(0, "train", "A4B4A4B4B4")
    [sheet] = tune.melodies
    notes = sheet.notes[sheet.notes[:, 0] < 128]
    again = notes[notes[:, 0] >= 64] + np.array([128, 0, 0, 0])  # the chorus again; A is silent
    sheet = replace(sheet, notes=np.concatenate([notes, again]))
    data = PhraseSet(TuneSet.of([replace(tune, melodies=(sheet,))]), ["A4B4A4B4B4"])
    found = excerpts_of(data, 2, [0])
    assert found.phrase.tolist() == [0, 0, 1, 1]


# --- statistics ------------------------------------------------------------------------------


def test_statistics_by_hand():
    row = np.zeros(32, np.int64)
    row[[0, 4, 8]] = melody_classes([60, 64, 67])
    row[12] = 1  # off: of the bars, 12 steps sound
    names = ["density", "syncopation", "register", "interval", "scale", "low", "high", "spread",
             "sounding"]  # fmt: skip
    found = dict(zip(names, statistics(row[None, None])[0].tolist(), strict=True))
    assert found["density"] == 1.5
    assert found["register"] == pytest.approx(191 / 3)
    assert found["interval"] == 3.5
    assert found["high"] - found["low"] == 7
    assert found["spread"] == pytest.approx(np.std([60, 64, 67]))
    assert found["sounding"] == 12 / 32


# --- what is heard ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hearing(networks, data):
    """A network with a reading of the made choruses."""
    model = copy.deepcopy(networks["mel-2bar"])
    model.set_likeness(likeness_of(model, data, range(6), range(6, 8)))
    return model


def test_a_reading_learns_from_the_songs_that_it_is_told(networks, data, monkeypatch):
    seen = []
    fitted = choruses.fitted
    monkeypatch.setattr(
        choruses, "fitted", lambda x, *more: seen.append((len(x), len(more[1]))) or fitted(x, *more)
    )
    likeness_of(networks["mel-2bar"], data, [0, 1, 2], [5])
    assert seen == [(30, 10)]
    assert likeness_of(networks["mel-2bar"], data, [], [5]) is None
    verses = set_of(["train"], "A4A4A4A4A4")  # returns most: a chorus, and nothing else
    assert likeness_of(networks["mel-2bar"], verses, [0], []) is None


def test_choruses_an_octave_higher_are_told_from_the_others(hearing, data):
    report = heard(hearing, data, "mine", count=20)
    area = {row[0]: row[1] for row in report.rows}
    assert area["statistics"].value == 1
    assert area["codes and statistics"].value == 1
    assert report.cell("codes and statistics", "above statistics").value == 0
    assert report.cell("statistics", "above statistics") is None
    assert report.cell("codes", "pieces") == 20  # phrases of four songs
    assert report.cell("statistics, against their song", "above statistics") is None
    assert report.cell("codes, against their song", "above statistics").value <= 0
    rows = {row[0]: row[3:] for row in report.rows}
    assert rows["held-out choruses"][1] == 24
    assert rows["samples like choruses"][1] == 20
    assert rows["samples"][0].value <= 1


def test_songs_in_keys_of_their_own_are_told_by_what_is_higher_in_each(hearing):
    """A chorus lies six semitones above its verse, but songs lie anywhere: only this helps."""
    tunes = []
    for number, part in enumerate(["train"] * 24 + ["validation"] * 6 + ["test"] * 24):
        tune = song(number, part, high=6)
        [sheet] = tune.melodies
        up = int(np.random.default_rng(number).integers(-24, 25))
        notes = sheet.notes + np.array([0, 0, up, 0])
        tunes.append(replace(tune, melodies=(replace(sheet, notes=notes),)))
    report = heard(hearing, PhraseSet(TuneSet.of(tunes), [LABELS] * len(tunes)), "mine", count=4)
    assert report.cell("statistics", "area under the curve").value < 0.8
    assert report.cell("statistics, against their song", "area under the curve").value > 0.95


def test_the_mean_of_a_song_is_taken_off():
    rows = torch.tensor([[1.0, 0.0], [5.0, 2.0], [3.0, 7.0]])
    found = choruses._against(rows, np.array([4, 9, 4]))
    assert found.tolist() == [[-1, -3.5], [0, 0], [1, 3.5]]


def test_choruses_like_all_else_are_not_told_from_it(hearing):
    """Of the same walks without the octave, nothing can be known: about half of the area."""
    same = set_of(["train"] * 30 + ["validation"] * 8 + ["test"] * 30, high=0)
    report = heard(hearing, same, "mine", count=4)
    for kind in ("statistics", "codes", "codes and statistics"):
        area = report.cell(kind, "area under the curve")
        assert 0.35 < area.value < 0.65
        assert area.low < 0.52
    assert report.cell("codes", "above statistics").low < 0.02


def test_samples_near_choruses_are_heard_if_the_network_remembers(hearing, data, monkeypatch):
    """One that writes what is heard in its codes: near choruses, mostly a chorus."""
    some = excerpts_of(data, 2, range(8, 12))
    high, low = some.events[some.is_chorus][:1], some.events[~some.is_chorus][:1]

    def remembered(model, codes, **more):
        is_chorus = (model.likeness.read(codes) > 0).numpy()[:, None, None]
        return np.where(is_chorus, high, low)

    monkeypatch.setattr(choruses, "decoded", remembered)
    monkeypatch.setattr(Prior, "near", lambda self, codes, count, generator: codes[:count])
    rows = {row[0]: row[3] for row in heard(hearing, data, "mine", count=12).rows}
    for kind in ("choruses", "other phrases"):
        real, near = rows[f"held-out {kind}"].value, rows[f"samples like {kind}"].value
        assert near == pytest.approx(real, abs=0.25)
    assert rows["samples like choruses"].value > rows["samples like other phrases"].value


def test_what_cannot_be_heard_is_refused(networks, hearing, data):
    with pytest.raises(InputError, match="mine has not learnt what choruses are like"):
        heard(networks["mel-2bar"], data, "mine")
    for parts in (["train"] * 6, ["test"] * 6):
        with pytest.raises(InputError, match="excerpts are of choruses"):
            heard(hearing, set_of(parts), "mine")


def test_a_training_reads_the_labelled_songs_that_it_learnt(data, monkeypatch):
    """Others are not touched: neither the songs of its test split, nor those it does not have."""
    from groove_core.learning import Run, trained
    from music_vae import training
    from music_vae.training import Settings, VAETraining
    from music_vae.windows import Song, WindowSet, of_melodies

    settings = Settings(latent=4, encoder=8, decoder=8, flow=4, epochs=1, batch_size=8)
    songs = [
        of_melodies(f"group {number}", [data.song(number)], part)
        for number, part in enumerate(["train", "train", "validation", "test"])
    ]
    windows = WindowSet.of(songs, ["melody"], 2)
    seen = []
    monkeypatch.setattr(training, "phrases", lambda: data)
    monkeypatch.setattr(
        training, "likeness_of", lambda model, every, *sides: seen.append(sides) or None
    )
    assert not trained(VAETraining, settings, windows, Run(1)).model.likeness.weights.any()
    assert seen == [([0, 1], [2])]
    monkeypatch.undo()
    monkeypatch.setattr(training, "phrases", lambda: data)
    assert trained(VAETraining, settings, windows, Run(1)).model.likeness.weights.any()
    others = WindowSet.of([Song("x", songs[0].stretches, "train")], ["melody"], 2)
    assert not trained(VAETraining, settings, others, Run(1)).model.likeness.weights.any()
