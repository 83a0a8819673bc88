"""What is measured of samples, against counts by hand and pieces of which the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.tunes import HISTOGRAMS, MEASURES
from music_vae.alphabets import melody_classes
from music_vae.evaluation import samples
from music_vae.evaluation.samples import DRUMS, PLACES, Copies, drawn_by, sampled, sheet_of
from music_vae.windows import Song, WindowSet

NAMES = list(MEASURES)


def row_of(*pitches: int, steps: int = 32) -> np.ndarray:
    row = np.zeros(steps, np.int64)
    row[: 2 * len(pitches) : 2] = melody_classes(pitches)
    return row


# --- measures --------------------------------------------------------------------------------


def test_a_melody_is_measured_in_its_own_scale():
    """Transposed by whatever, a melody is as it was, and all of its notes are in the scale."""
    tune = np.array([60, 62, 64, 65, 67, 69, 71, 72] * 2)
    sheets = [sheet_of(row_of(*(tune + up))[None], "melody") for up in range(-5, 7)]
    for sheet in sheets:
        np.testing.assert_allclose(sheet.rows, sheets[0].rows)
        for one, other in zip(sheet.counts, sheets[0].counts, strict=True):
            np.testing.assert_array_equal(one, other)
    found = dict(zip(NAMES, sheets[0].rows[0], strict=True))
    assert found["in scale"] == 1
    assert found["range"] == 12
    assert found["notes a bar"] == 8
    assert found["repeats 1 ago"] == 1
    assert np.isnan(found["repeats 4 ago"])
    pitch_classes, _, _, places = sheets[0].counts
    assert pitch_classes[0].tolist() == [4, 0, 2, 0, 2, 2, 0, 2, 0, 2, 0, 2]
    assert places[0].tolist() == [2, 0] * 8


def test_beats_are_measured_by_their_hits():
    """A kick is class 1, as a note off is in a melody: bars of kicks alone are no rests."""
    kick, snare_and_hat = 1, 2 + 4
    row = np.zeros(48, np.int64)
    row[[0, 16, 32]] = kick
    row[40] = snare_and_hat
    sheet = sheet_of(row[None], "drums")
    found = dict(zip(NAMES, sheet.rows[0], strict=True))
    assert found["repeats 1 ago"] == 1 / 2
    assert found["notes a bar"] == pytest.approx(5 / 3)
    assert np.isnan(found["in scale"])
    drums, places = sheet.counts
    assert drums[0].tolist() == [3, 1, 1, 0, 0, 0, 0, 0, 0]
    assert places[0].nonzero()[0].tolist() == [0, 8]
    assert places[0][[0, 8]].tolist() == [3, 2]


# --- copies ----------------------------------------------------------------------------------


def test_copies_of_a_melody_in_whatever_key():
    rng = np.random.default_rng(1)
    learnt = np.stack([row_of(*rng.integers(55, 80, 16)) for _ in range(5)])
    other = np.stack([row_of(*rng.integers(55, 80, 16)) for _ in range(2)])
    copies = Copies(learnt, "melody")
    moved = np.where(learnt[:2] > 1, learnt[:2] + 4, learnt[:2])
    half = np.concatenate([learnt[:1, :16], other[:1, 16:]], axis=1)
    for size, shares in zip(samples.SIZES, copies.shares(np.concatenate([moved, other, half])),
                            strict=True):  # fmt: skip
        assert shares[:4].tolist() == [1, 1, 0, 0]
        assert shares[4] == (0 if size == 32 else pytest.approx(1 / 17, abs=1 / 17))
    silent = np.zeros((1, 32), np.int64)
    assert all(np.isnan(share) for [share] in copies.shares(silent))


def literal_beats(learnt, row, size: int) -> float:
    def stretches(one):
        for first in range(0, len(one) - size + 1, 4):
            if (one[first : first + size] > 0).sum() * 4 >= size:
                yield tuple(one[first : first + size].tolist())

    known = {stretch for one in learnt for stretch in stretches(one)}
    mine = list(stretches(row))
    return np.mean([stretch in known for stretch in mine]) if mine else np.nan


def test_copies_of_beats_against_brute_force():
    rng = np.random.default_rng(2)
    rows = rng.choice([0, 0, 1, 4, 511], (9, 64))
    learnt, mine = rows[:5], rows[5:]
    for number, row in enumerate(mine[:3]):
        row[4 * number : 4 * number + 40] = learnt[number, 8:48]
    mine[3] = 0
    for size, found in zip(samples.SIZES, Copies(learnt, "drums").shares(mine), strict=True):
        wanted = [literal_beats(learnt, row, size) for row in mine]
        np.testing.assert_allclose(found, wanted)
        assert 0 < found[0] < 1
        assert np.isnan(found[3])


# --- the report ------------------------------------------------------------------------------


def test_samples_follow_seed_and_prior(networks):
    model = networks["mel-2bar"]
    first = drawn_by(model, "fitted", 3, seed=1)
    np.testing.assert_array_equal(first, drawn_by(model, "fitted", 3, seed=1))
    assert not np.array_equal(first, drawn_by(model, "fitted", 3, seed=2))
    assert not np.array_equal(first, drawn_by(model, "normal", 3, seed=1))


def test_a_report_of_samples(networks, songs_of):
    songs = [
        Song(song.group, song.stretches, "train" if number < 6 else "test")
        for number, song in enumerate(songs_of(9, bars=4))
    ]
    windows = WindowSet.of(songs, ["melody"], 2)
    report = sampled(networks["mel-2bar"], windows, "mine", count=6)
    rows = {row[0]: dict(zip(report.columns, row, strict=True)) for row in report.rows}
    assert list(rows) == [
        f"melody, {kind}" for kind in ("held-out songs", "learnt songs", "chance",
                                       "the codes of held-out songs", "the fitted prior",
                                       "a Gaussian, without the flow", "N(0, I)")
    ]  # fmt: skip
    real, learnt = rows["melody, held-out songs"], rows["melody, learnt songs"]
    for name in (*HISTOGRAMS, PLACES):
        assert real[f"{name}, like real ones"].value == pytest.approx(1)
        assert 0 < rows["melody, chance"][f"{name}, like real ones"].value < 1
    for size in samples.SIZES:
        assert learnt[f"copied, {size} steps"].value == 1
        assert rows["melody, chance"][f"copied, {size} steps"].value == 0
    assert real["notes a bar"].value == 8
    assert real["pieces"] == 6
    # Two bars have no bar four before, and no melody has drums.
    assert "repeats 4 ago" not in report.columns
    assert not any(note.startswith("repeats 4 ago") for note in report.notes)
    assert any(note.startswith("repeats 1 ago") for note in report.notes)
    assert f"{DRUMS}, like real ones" not in report.columns
    for part in ("train", "test"):
        few = replace(windows, parts={**windows.parts, part: np.zeros(0, int)})
        with pytest.raises(InputError, match="that were learnt"):
            sampled(networks["mel-2bar"], few, "mine")


def test_a_report_of_trios_has_rows_for_each_voice(networks, trio_of):
    from music_vae.pieces import song_of

    model = networks["trio-16bar"]
    songs = [
        Song(f"{i}", song_of(trio_of(16, i), model.voices).stretches, part)
        for i, part in enumerate(["train", "train", "test"])
    ]
    report = sampled(model, WindowSet.of(songs, model.voices, 16), "mine", count=2)
    assert len(report.rows) == 21
    assert report.cell("drums, held-out songs", f"{DRUMS}, like real ones").value == 1
    assert report.cell("drums, held-out songs", "pitch classes, like real ones") is None
    assert report.cell("bass, held-out songs", "notes a bar").value == 4
    assert report.cell("bass, held-out songs", "copied, 16 steps").value == 1  # all have the same
