"""Training front ends: pairs, variations, interruption, whitening; and measuring them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from groove_core.testing.training import check_resume
from groove_core.values import Estimate
from music_recsys import evaluation
from music_recsys.evaluation import measure_change, measure_tastes
from music_recsys.songs import SongSet, as_learnt, open_songs, split_of
from music_recsys.training import (
    ContrastTraining,
    Heard,
    Settings,
    contrast,
    front_end,
    varied,
    whitened,
)

SMALL = Settings(epochs=3, batch_size=8, windows=1)


def pieces(count: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        rate = 2 + 20 * torch.rand((), generator=generator)
        beat = torch.sin(torch.arange(900) / rate)
        rows = torch.randn(20, 1, generator=generator)
        made.append([rows * beat + 0.3 * torch.randn(20, 900, generator=generator)])
    return made


def test_contrast_is_the_equation():
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    z = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    total = 0.0
    for i in range(10):
        j = (i + 5) % 10
        top = math.exp(float(z[i] @ z[j]) / 0.2)
        total -= math.log(
            top / sum(math.exp(float(z[i] @ z[k]) / 0.2) for k in range(10) if k != i)
        )
    assert float(contrast(first, second, 0.2)[0]) == pytest.approx(total / 10, rel=1e-4)
    assert float(contrast(first, first, 0.2)[1]) == 1


def test_variation_moves_rows_and_keeps_what_happens_in_time():
    windows = torch.randn(4, 20, 400)
    still = varied(windows, torch.ones(20), torch.randn(4, 20), torch.zeros(4, 20, 400))
    moved = still - windows
    assert torch.allclose(moved, moved[..., :1].expand_as(moved), atol=1e-5)
    assert moved.abs().max() > 0.1


def test_a_batch_is_of_one_set():
    task = ContrastTraining(SMALL, Heard([pieces(10), pieces(20, 1)]), 1)
    batches = task.batches(torch.Generator().manual_seed(0))
    assert len(batches) == 1 + 2
    assert all((batch < 10).all() or (batch >= 10).all() for batch in batches)


def test_it_learns_and_resumes_to_the_same_weights(tmp_path):
    settings = Settings(epochs=4, batch_size=8, windows=2)
    whole = check_resume(ContrastTraining, settings, Heard([pieces(16)]), tmp_path)
    assert whole.history[-1]["contrast"] < whole.history[0]["contrast"]


def test_whitening():
    torch.manual_seed(0)
    net = front_end("mfcc", "lstm").eval()
    songs = [piece[0] for piece in pieces(30)]
    whitened(net, songs)
    out = torch.cat([net.listen(song)[::4] for song in songs])
    assert out.shape[1] == 64 + 40
    assert out.mean(dim=0).abs().max() < 1e-2
    together = torch.corrcoef(out[:, :10].T)
    assert (together - torch.eye(10)).abs().max() < 1e-2
    assert (out[:, 64:].std(dim=0) - 1).abs().max() < 1e-2


@pytest.fixture
def known(tmp_path, sound, write):
    """Give 60 songs of three kinds, of which columns are made up."""
    for kind in (0, 1):
        for seed in range(24):
            write(tmp_path / "songs" / f"k{kind}" / f"{seed}.wav", sound(kind, seed, 9.0))
    return open_songs(tmp_path / "songs")


def test_tastes_that_are_plain_are_found(known, monkeypatch):
    monkeypatch.setattr(evaluation, "FEWEST_RATED", 3)
    net = front_end("mfcc", "lstm").eval()
    report = measure_tastes([known], {"ours": net}, pooling="mean", seed=1, cache=None)
    for name in ("ours", evaluation.BASELINE):
        cell = report.cell(name, "AUC after 20")
        assert isinstance(cell, Estimate)
        assert cell.value > 0.95
    by_chance = report.cell("random", "AUC after 20")
    assert isinstance(by_chance, Estimate)
    assert by_chance.value == pytest.approx(0.5, abs=0.1)


def test_songs_of_one_groove_are_on_one_side(tmp_path):
    lines = ["path,genre,library,groove"]
    for number in range(60):
        genre = number % 2
        lines.append(f"{number}.wav,g{genre},lib{genre},groove{number // 2 % 10}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    songs = open_songs(tmp_path).songs
    assert len({song.family for song in songs}) == 20
    found = evaluation.listeners(songs)
    assert found
    for one in found:
        rated = {songs[i].family for i in one.pool}
        assert not rated & {songs[i].family for i in one.ranked}


def card_of(songs, share):
    pieces = [song.piece for song in songs]
    split = split_of(share)
    return {"name": "mine", "data": split.card(pieces, split.parts(pieces))}


def test_no_song_is_on_two_sides(known, monkeypatch):
    monkeypatch.setattr(evaluation, "FEWEST_RATED", 3)
    [known] = as_learnt([known], card_of(known.songs, 0.3))
    learnt = {song.piece for song in known.songs if song.learnt}
    assert 5 < len(learnt) < 25
    found = evaluation.listeners(known.songs)
    assert found
    for one in found:
        rated = {known.songs[i].piece for i in one.pool}
        ranked = {known.songs[i].piece for i in one.ranked}
        assert not learnt & rated
        assert not learnt & ranked
        assert not rated & ranked


def test_pieces_that_were_learnt_from_are_refused_by_name(known, tmp_path):
    """Wherever their files are now; what a front end does not know is measured."""
    card = card_of(known.songs, 0.5)
    sides = {
        side: [s for s in as_learnt([known], card)[0].songs if s.learnt == side]
        for side in (True, False)
    }
    for number, song in enumerate(sides[True]):
        target = tmp_path / "again" / f"{number:02}.wav"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(song.path.read_bytes())
    with pytest.raises(InputError, match=r"mine was trained on this data: .*00\.wav"):
        as_learnt([open_songs(tmp_path / "again")], card)
    [new] = as_learnt([SongSet("new", tuple(sides[False]))], card)
    assert not any(song.learnt for song in new.songs)


def test_a_card_without_a_list_cannot_say_what_was_learnt(known, capsys):
    [same] = as_learnt([known], {"name": "old", "data": {}})
    assert same == known
    assert "old does not say what it learnt from" in capsys.readouterr().err


def test_the_shipped_front_ends_know_their_pieces():
    from music_recsys.listening import FrontEnd

    for name in ("front-end", "pooled-front-end"):
        data = FrontEnd.open(name).card["data"]
        # One piece may have been left out of the training; nobody can say which.
        assert len(data["learnt"]["groups"]["train"]) == data["pieces"] + 1 == 1673


def test_the_part_after_the_change_is_found(known, monkeypatch):
    monkeypatch.setattr(evaluation, "FEWEST_RATED", 3)
    monkeypatch.setattr(evaluation, "HALF_S", 8)
    monkeypatch.setattr(evaluation, "CHANGED_TESTS", 4)
    net = front_end("mfcc", "lstm").eval()
    report = measure_change([known], {"ours": net}, seed=1, cache=None)
    for name in ("ours, mean", f"{evaluation.BASELINE}, mean"):
        cell = report.cell(name, "AUC per second")
        assert isinstance(cell, Estimate)
        assert cell.value > 0.9, name


def test_nobody_to_measure(tmp_path, sound, write):
    write(tmp_path / "a" / "x.wav", sound(0, 0))
    net = front_end("mfcc", "lstm").eval()
    with pytest.raises(InputError, match="No listener"):
        measure_tastes([open_songs(tmp_path)], {"ours": net}, pooling="mean", seed=1, cache=None)


def test_ratings_are_balanced_where_they_can_be(known, monkeypatch):
    monkeypatch.setattr(evaluation, "FEWEST_RATED", 3)
    [one, *_] = evaluation.listeners(known.songs)
    chosen, liked = evaluation._chosen(known.songs, one, 5, (1, 0))
    assert len(set(chosen)) == 5
    assert liked.sum() == 3
    assert not set(chosen) & set(one.ranked)
    assert np.isin(chosen, one.pool).all()
