"""Training front ends: pairs, labels, variations, interruption, whitening."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import UsageError
from groove_core.learning import Run, trained
from groove_core.testing.training import check_resume
from music_recsys.making import heard
from music_recsys.songs import Song, check_kinds, divided, open_songs, split_of
from music_recsys.training import (
    ContrastTraining,
    Heard,
    Settings,
    _discriminants,
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
    pieces, one = torch.arange(5).repeat(2), torch.zeros(10, dtype=torch.long)
    places = torch.cat([first, second])
    assert float(contrast(places, pieces, one, 0.2)[0]) == pytest.approx(total / 10, rel=1e-4)
    assert float(contrast(torch.cat([first, first]), pieces, one, 0.2)[1]) == 1


def test_several_songs_of_one_groove_belong_together():
    """Equation 2 of Khosla et al.: the mean over the partners of each."""
    places = torch.randn(6, 3)
    pieces, one = torch.tensor([0, 0, 0, 1, 1, 2]), torch.zeros(6, dtype=torch.long)
    pieces[5] = 1
    z = torch.nn.functional.normalize(places, dim=1)
    total = 0.0
    for i in range(6):
        others = [k for k in range(6) if k != i]
        below = sum(math.exp(float(z[i] @ z[k]) / 0.5) for k in others)
        partners = [k for k in others if pieces[k] == pieces[i]]
        logs = [math.log(math.exp(float(z[i] @ z[k]) / 0.5) / below) for k in partners]
        total -= sum(logs) / len(partners)
    assert float(contrast(places, pieces, one, 0.5)[0]) == pytest.approx(total / 6, rel=1e-4)


def test_only_places_of_one_set_are_told_apart():
    places = torch.randn(8, 3)
    pieces, sets = torch.arange(4).repeat(2), torch.tensor([0, 0, 1, 1]).repeat(2)
    apart = [
        contrast(places[sets == n], pieces[sets == n], sets[sets == n], 0.2)[0] for n in (0, 1)
    ]
    assert float(contrast(places, pieces, sets, 0.2)[0]) == pytest.approx(float(sum(apart)) / 2)


def test_variation_moves_rows_and_keeps_what_happens_in_time():
    windows = torch.randn(4, 20, 400)
    still = varied(windows, torch.ones(20), torch.randn(4, 20), torch.zeros(4, 20, 400))
    moved = still - windows
    assert torch.allclose(moved, moved[..., :1].expand_as(moved), atol=1e-5)
    assert moved.abs().max() > 0.1


def test_partners_are_other_songs_of_the_piece_where_there_are_any():
    two = [[song[0], song[0] + 1] for song in pieces(3)]
    task = ContrastTraining(SMALL, Heard([two, pieces(4, 1)]), 1)
    assert len(task.songs) == 10
    assert [task._partner(song, 0.7) for song in range(10)] == [1, 0, 3, 2, 5, 4, 6, 7, 8, 9]
    assert task.set.tolist() == [0] * 6 + [1] * 4


def test_it_learns_and_resumes_to_the_same_weights(tmp_path):
    settings = Settings(epochs=4, batch_size=8, windows=2)
    data = Heard([pieces(16)], {"genre": ["a", "b", None, "a"] * 4})
    whole = check_resume(ContrastTraining, settings, data, tmp_path)
    assert whole.history[-1]["contrast"] < whole.history[0]["contrast"]
    assert whole.history[-1]["genre"] < whole.history[0]["genre"]


def test_a_finished_training_may_be_given_another_last_layer(tmp_path):
    settings = replace(SMALL, epochs=1)
    run = Run(seed=1, folder=tmp_path / "mine", name="mine")
    first = trained(ContrastTraining, settings, Heard([pieces(8)]), run)
    assert first.model.head.out_features == 104
    other = replace(settings, space="pieces", summary=False)
    again = trained(ContrastTraining, other, Heard([pieces(8)]), replace(run, resume=True))
    assert (again.model.space, again.model.head.out_features) == ("pieces", 64)
    assert torch.equal(again.model.rows[0].weight, first.model.rows[0].weight)
    assert len(again.history) == 1


def test_labels_are_taught_and_thrown_away():
    data = Heard([pieces(8)], {"genre": ["a", "b"] * 4, "tempo": [None] * 7 + ["1"]})
    task = ContrastTraining(SMALL, data, 1)
    assert data.classes == {"genre": ["a", "b"], "tempo": ["1"]}
    assert {name for name, _ in task.model.named_children()} == {"trunk", "rows", "lstm", "head"}
    assert task.card()["data"]["labels"] == data.classes


def test_whitening():
    torch.manual_seed(0)
    net = front_end("mfcc", "lstm").eval()
    songs = [piece[0] for piece in pieces(30)]
    whitened(net, songs, range(30))
    out = torch.cat([net.listen(song)[::4] for song in songs])
    assert out.shape[1] == 64 + 40
    assert out.mean(dim=0).abs().max() < 1e-2
    together = torch.corrcoef(out[:, :10].T)
    assert (together - torch.eye(10)).abs().max() < 1e-2
    assert (out[:, 64:].std(dim=0) - 1).abs().max() < 1e-2


def test_the_space_of_pieces_keeps_what_tells_them_apart():
    """A direction in which every piece is as wide as all of them together says nothing."""
    torch.manual_seed(0)
    owner = torch.arange(40).repeat_interleave(10)
    x = torch.randn(400, 6, dtype=torch.double)
    x[:, 2] += 5 * torch.randn(40, dtype=torch.double)[owner]
    x[:, 4] *= 30  # large, and of no use
    x -= x.mean(dim=0)
    found = _discriminants(x, owner, 2)
    assert found[:, 0].abs().argmax() == 2
    told = (x @ found).std(dim=0)
    assert told[0] > 2 * told[1]
    assert (x @ found).square().mean() == pytest.approx(1)


def songs(count: int) -> list[Song]:
    """Describe songs of twelve libraries, of which each has some grooves."""
    return [
        Song(None, str(n), {"library": f"l{n % 12}"}, f"l{n % 12}:{n % 60}", tempo_bpm=60.0 + n)  # type: ignore[arg-type]
        for n in range(count)
    ]


def test_what_is_held_out_teaches_nothing():
    some = songs(480)
    free, held = (divided(some, split_of(0.6), kinds) for kinds in ((), ("library",)))
    assert sum(map(len, held.values())) == 480
    families = [{some[n].family for n in held[part]} for part in ("train", "validation", "test")]
    assert not families[0] & (families[1] | families[2])
    learnt = {some[n].tastes["library"] for n in held["train"].tolist()}
    assert len(learnt) < 12 == len({some[n].tastes["library"] for n in free["train"].tolist()})
    assert set(held["train"].tolist()) < set(free["train"].tolist())


def test_songs_without_the_kind_that_is_held_out_are_divided_as_ever():
    some = [Song(None, str(n), {}, str(n)) for n in range(50)]  # type: ignore[arg-type]
    free, held = (divided(some, split_of(0.6), kinds) for kinds in ((), ("library",)))
    assert all(np.array_equal(free[part], held[part]) for part in free)


def test_labels_of_songs():
    [one] = songs(1)
    assert one.label("library") == "l0"
    assert one.label("genre") is None
    assert [Song(None, "", {}, "", tempo_bpm=b).label("tempo") for b in (60.0, 119.0, 120.0)] == [  # type: ignore[arg-type]
        "24", "28", "28",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'gerne'") as raised:
        check_kinds("genre, gerne", ["genre"])
    assert raised.value.hint == "Did you mean genre?"


def test_what_is_learnt_from(tmp_path, sound, write):
    lines = ["path,genre,library,groove,tempo_bpm"]
    for n in range(24):
        write(tmp_path / f"{n}.wav", sound(n % 2, n, 9.0))
        lines.append(f"{n}.wav,g{n % 2},l{n % 2},{n // 4},{100 + n}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    data = heard(
        [open_songs(tmp_path)], "mfcc", 0.5, labels=["genre", "tempo", "groove"], held_out=[]
    )
    [pieces] = data.sets
    assert all(len(piece) > 1 for piece in pieces)  # the songs of a groove, in one piece
    assert len(data.labels["genre"]) == sum(map(len, pieces))
    assert data.classes["genre"] == ["g0", "g1"]
    assert data.split["train"] == sum(map(len, pieces))
    with pytest.raises(UsageError, match="No song has a drummer"):
        heard([open_songs(tmp_path)], "mfcc", 0.5, labels=["drummer"])


def test_a_fraction_is_part_of_a_larger_one_and_holds_out_the_same(tmp_path, sound, write):
    lines = ["path,genre,library,groove"]
    for n in range(48):
        write(tmp_path / f"{n}.wav", sound(n % 2, n, 8.1))
        lines.append(f"{n}.wav,g{n % 2},l,{n // 2}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    songs = open_songs(tmp_path)
    few, more, whole = (
        heard([songs], "mfcc", 0.7, labels=["genre", "groove"], fraction=fraction)
        for fraction in (0.4, 0.7, 1.0)
    )
    learnt = [set(one.split["learnt"]["groups"]["train"]) for one in (few, more, whole)]
    assert 0 < len(learnt[0]) < len(learnt[1]) < len(learnt[2])
    assert learnt[0] < learnt[1] < learnt[2]
    assert all(len(piece) == 2 for piece in few.sets[0])  # grooves stay whole
    assert (few.split["test"], few.split["validation"]) == (
        whole.split["test"], whole.split["validation"]
    )  # fmt: skip
    assert few.fraction == 0.4
