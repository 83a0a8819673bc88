"""What steps along attributes do, against steps of which the effect is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from music_vae.attributes import attributes_of, measure
from music_vae.evaluation import shifts
from music_vae.evaluation.shifts import AMOUNTS, rank_correlations, shifted
from music_vae.windows import Song, WindowSet


@pytest.fixture(scope="module")
def windows(songs_of) -> WindowSet:
    songs = [Song(song.group, song.stretches, "test") for song in songs_of(4, bars=4)]
    return WindowSet.of(songs, ["melody"], 2)


def test_rank_correlations_against_pearson_of_ranks():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (50, 5)).astype(float)
    for row, found in zip(values, rank_correlations(values), strict=True):
        ranks = [np.mean([i for i, one in enumerate(sorted(row)) if one == mine]) for mine in row]
        if len(set(ranks)) == 1:
            assert found == 0
        else:
            assert found == pytest.approx(np.corrcoef(ranks, np.arange(5))[0, 1])
    assert np.isnan(rank_correlations([[1, 2, np.nan, 4, 5]])).all()


def test_what_moves_is_told_from_what_stays(networks, windows, monkeypatch):
    """A decoder that writes as many notes as the first number of a code says, all of one pitch."""
    model = networks["mel-2bar"]
    names = list(attributes_of(["melody"]))
    steps = torch.zeros(len(names), 6)
    steps[names.index("density"), 0] = 1.0

    def written(model, codes):
        made = np.zeros((len(codes), 1, 32), np.int64)
        for piece, code in zip(made, codes, strict=True):
            piece[0, : 2 * int(8 + round(2 * code[0].item())) : 2] = 41
        return made

    monkeypatch.setattr(shifts, "decoded", written)
    monkeypatch.setattr(shifts, "codes_of", lambda model, events: torch.zeros(len(events), 6))
    readings = type("Fake", (), {"steps": steps})
    monkeypatch.setattr(type(model), "readings", property(lambda self: readings))
    report = shifted(model, windows, "mine")
    assert report.cell("density up", "density").value == 1
    assert report.cell("density up", "register").value == 0
    assert report.cell("density up", "moved by").value == pytest.approx(4)  # notes a bar
    assert report.cell("register up", "register").value == 0
    assert report.cell("a random direction", "density").value == 0


def test_a_report_has_a_row_for_each_attribute(networks, windows):
    report = shifted(networks["mel-2bar"], windows, "mine", count=3)
    names = list(attributes_of(["melody"]))
    assert [row[0] for row in report.rows] == [
        *(f"{name} up" for name in names), "a random direction"
    ]  # fmt: skip
    assert list(report.columns[1:-1]) == names
    # Nothing is fitted to a network that has learnt nothing, so nothing moves it.
    assert all(row[1].value == 0 for row in report.rows)
    assert len(AMOUNTS) == 5
    empty = WindowSet(windows.events, windows.song, windows.groups, windows.voices,
                      {"test": np.zeros(0, int)})  # fmt: skip
    with pytest.raises(InputError, match="no windows"):
        shifted(networks["mel-2bar"], empty, "mine")


def test_attributes_are_measured_of_what_is_written(networks, windows, monkeypatch):
    seen = []
    monkeypatch.setattr(
        shifts,
        "measure",
        lambda events, voices: seen.append(len(events)) or measure(events, voices),
    )
    shifted(networks["mel-2bar"], windows, "mine", count=4)
    assert seen == [4 * len(AMOUNTS)] * 6
