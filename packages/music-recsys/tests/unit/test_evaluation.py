"""Measuring front ends: made-up listeners, what is held out, intervals, controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_core.values import Estimate
from music_recsys import changing
from music_recsys import listeners as listening
from music_recsys.changing import measure_change
from music_recsys.evaluation import (
    Ranked,
    Trial,
    Trials,
    measure_labels,
    measure_parts,
    measure_tastes,
)
from music_recsys.features import Columns
from music_recsys.hearing import BASELINE, Material, compared
from music_recsys.listeners import Listener, choose, listeners
from music_recsys.sizes import measure_intervals, measure_sizes
from music_recsys.songs import Song, SongSet, as_learnt, open_songs, split_of
from music_recsys.training import front_end


@pytest.fixture
def known(tmp_path, sound, write):
    """Make 60 songs of three kinds with made-up columns."""
    for kind in (0, 1):
        for seed in range(24):
            write(tmp_path / "songs" / f"k{kind}" / f"{seed}.wav", sound(kind, seed, 9.0))
    return open_songs(tmp_path / "songs")


def test_tastes_that_are_plain_are_found(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    net = front_end("mfcc", "lstm").eval()
    report = measure_tastes([known], {"ours": net}, pooling="mean", seed=1, cache=None)
    for name in ("ours", BASELINE):
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
    found = listeners(songs)
    assert found
    for one in found:
        rated = {songs[i].family for i in one.pool}
        assert not rated & {songs[i].family for i in one.ranked}


def card_of(songs, share):
    pieces = [song.piece for song in songs]
    split = split_of(share)
    return {"name": "mine", "data": split.card(pieces, split.parts(pieces))}


def test_no_song_is_on_two_sides(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    [known] = as_learnt([known], card_of(known.songs, 0.3))
    learnt = {song.piece for song in known.songs if song.learnt}
    assert 5 < len(learnt) < 40
    found = listeners(known.songs)
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


def test_the_shipped_front_end_knows_what_it_learnt():
    from music_recsys.listening import FrontEnd
    from music_recsys.rendered import LEADS

    data = FrontEnd.open().card["data"]
    learnt, chose = (set(data["learnt"]["groups"][part]) for part in ("train", "validation"))
    assert not learnt & chose
    assert min(len(learnt), len(chose)) > 100
    assert set(data["labels"]) == {"genre", "library", "drummer", "instrument", "tempo"}
    assert set(data["labels"]["instrument"]) < set(LEADS)  # the others are held out


def test_the_part_after_the_change_is_found(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    monkeypatch.setattr(changing, "HALF_S", 8)
    monkeypatch.setattr(changing, "CHANGED_TESTS", 4)
    net = front_end("mfcc", "lstm").eval()
    report = measure_change([known], {"ours": net}, seed=1, cache=None)
    for name in ("ours, mean", f"{BASELINE}, mean"):
        cell = report.cell(name, "AUC per second")
        assert isinstance(cell, Estimate)
        assert cell.value > 0.9, name


def test_nobody_to_measure(tmp_path, sound, write):
    write(tmp_path / "a" / "x.wav", sound(0, 0))
    net = front_end("mfcc", "lstm").eval()
    with pytest.raises(InputError, match="No listener"):
        measure_tastes([open_songs(tmp_path)], {"ours": net}, pooling="mean", seed=1, cache=None)


def test_ratings_are_balanced_where_they_can_be(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    [one, *_] = listeners(known.songs)
    chosen, liked = choose(known.songs, one, 5, (1, 0))
    assert len(set(chosen)) == 5
    assert liked.sum() == 3
    assert not set(chosen) & set(one.ranked)
    assert np.isin(chosen, one.pool).all()


def test_labels_that_were_learnt_are_reported_apart(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    net = front_end("mfcc", "lstm").eval()
    report = measure_labels(
        [known], net, "mine", {"folder": ["k0"]}, pooling="mean", seed=1, cache=None
    )
    assert [row[:2] for row in report.rows] == [
        ("all", 2), ("labels it learnt", 1), ("labels it never saw", 1),
        ("songs: folder, learnt", 1), ("songs: folder, never saw", 1),
    ]  # fmt: skip


def test_the_parts_of_a_front_end(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    net = front_end("log-mel", "lstm", "spectrum").eval()
    report = measure_parts([known], net, "mine", pooling="mean", seed=1, cache=None)
    assert [row[0] for row in report.rows] == [
        "MFCC statistics of songs",
        *(f"MFCC statistics of excerpts{rest}" for rest in ("", ", components", ", pieces")),
        *(
            f"lstm, {name}{rest}"
            for name in ("untrained", "trained")
            for rest in (
                "",
                ", components",
                ", pieces",
                ", components, and MFCC statistics",
                ", components, and statistics of its input",
            )
        ),
    ]
    gain = report.cell("lstm, trained, pieces", "above untrained")
    assert isinstance(gain, Estimate)
    assert report.cell("lstm, untrained", "above untrained") is None


def trial(scores: dict[str, list[float]], families: list[str]) -> Trial:
    """Make a listener who likes the first two songs, and rank them by scores."""
    songs = [
        Song(None, str(n), {"genre": "a" if n < 2 else "b"}, one)  # type: ignore[arg-type]
        for n, one in enumerate(families)
    ]
    one = Listener("genre", "a", (), tuple(range(len(songs))))
    made = Trial("set: genre", one, songs)
    for name, some in scores.items():
        s = np.array(some)
        won = (np.sign(s[:2, None] - s[2:]) + 1) / 2
        made.ranked[name, 20] = Ranked(won, 0.0)
    return made


def test_differences_are_paired():
    """Two ways that rank alike differ by nothing, however much listeners differ."""
    trials = Trials([
        trial({"x": [1, n, 2, 0.5], "y": [10, 10 * n, 20, 5], "z": [9, 9, 0, 0]}, list("abcd"))
        for n in (0, 3)
    ])  # fmt: skip
    same = trials.gain("x", "y", 20)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert trials.rounds("x", 20)[0] == pytest.approx((0.25 + 0.75) / 2)
    assert trials.gain("z", "x", 20).value == pytest.approx(0.5)
    first = np.array([True, False])
    assert trials.rounds("x", 20, first)[0] == pytest.approx(0.25)


def test_songs_of_one_groove_are_drawn_together():
    """Twenty songs of two grooves are no more certain than two songs."""
    apart = [[1.0, 1.0, *[0.0] * 10, *[2.0] * 10]]
    many = trial({"x": apart[0]}, ["a", "b", *["c"] * 10, *["d"] * 10])
    few = trial({"x": [1, 1, 0, 2]}, list("abcd"))
    spreads = [np.nanstd(Trials([one]).rounds("x", 20)[1:]) for one in (many, few)]
    assert spreads[0] == pytest.approx(spreads[1], abs=0.02)
    free = trial({"x": apart[0]}, [str(n) for n in range(22)])
    assert np.nanstd(Trials([free]).rounds("x", 20)[1:]) < 0.6 * spreads[0]


def test_four_times_as_much_halves_an_interval():
    rng = np.random.default_rng(0)
    some = [
        trial({"x": rng.normal(size=42).tolist()}, [f"{n}" for n in range(42)]) for _ in range(40)
    ]
    once, four = (
        np.nanstd(Trials(some, listeners=k, families=k).rounds("x", 20)[1:]) for k in (1, 4)
    )
    assert four == pytest.approx(once / 2, rel=0.15)
    assert Trials(some, listeners=4, families=4).rounds("x", 20)[0] == pytest.approx(
        Trials(some).rounds("x", 20)[0]
    )


def test_the_gain_by_songs_learnt_from(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    nets = {name: front_end("mfcc", "lstm").eval() for name in "abc"}
    learnt = {"a": 400, "b": 400, "c": 100}
    report = measure_sizes([known], nets, learnt, pooling="mean", seed=1, cache=None)
    assert [row[:2] for row in report.rows] == [("100", 1), ("400", 2)]
    each = report.data["each"]
    few, many = (report.cell(size, "AUC") for size in ("100", "400"))
    assert isinstance(few, Estimate)
    assert isinstance(many, Estimate)
    assert few.value == pytest.approx(each["c"], abs=1e-4)
    assert many.value == pytest.approx((each["a"] + each["b"]) / 2, abs=1e-4)
    with pytest.raises(UsageError, match="as many songs"):
        measure_sizes([known], nets, dict.fromkeys("abc", 9), pooling="mean", seed=1, cache=None)
    with pytest.raises(UsageError, match="does not say"):
        measure_sizes([known], nets, {**learnt, "b": 0}, pooling="mean", seed=1, cache=None)


def test_the_interval_with_more_listeners(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    net = front_end("mfcc", "lstm").eval()
    report = measure_intervals([known], net, "mine", pooling="mean", seed=1, cache=None)
    assert report.rows[0][0] == "2"
    assert len({row[:2] for row in report.rows}) == len(report.rows)
    assert len({row[2].value for row in report.rows}) == 1


def test_mfcc_of_mel_bands_are_those_of_the_sound(tmp_path, sound, write):
    path = write(tmp_path / "x.wav", sound(1, 0))
    bands = Columns("log-mel").read(path).float()
    assert torch.allclose(
        Columns("mfcc").of_bands(bands), Columns("mfcc").read(path).float(), atol=0.15
    )
    assert torch.equal(Columns("log-mel").of_bands(bands), bands)


def test_front_ends_of_different_columns_are_compared(known, monkeypatch):
    monkeypatch.setattr(listening, "FEWEST_RATED", 3)
    nets = {"a": front_end("log-mel", "pool", "spectrum").eval(), "b": front_end("mfcc", "lstm")}
    ways = compared(Material(known, None), {name: net.eval() for name, net in nets.items()})
    song = Columns("log-mel").read(known.songs[0].path)
    assert {name: hear(song).shape[1] for name, hear in ways.items()} == {
        "a": 192, "b": 104, "untrained network": 192, BASELINE: 40,
    }  # fmt: skip
