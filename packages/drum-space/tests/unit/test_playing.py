"""Drawn beats are played as drummers play."""

from __future__ import annotations

import numpy as np
import pytest

from drum_space import decode, encode, interpolate, sample, vary
from drum_space.metrics import f1_score
from drum_space.playing.evaluation import (
    COLUMNS,
    DISTANCES,
    Played,
    distances,
    evaluate_playing,
    measure,
)
from drum_space.playing.performing import _remembering
from drum_space.playing.players import Performance, Players, build, open_players
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import Estimate

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4, tempo_bpm=96)


@pytest.fixture(scope="module")
def funk() -> list[DrumPattern]:
    return list(sample(count=60, genre="funk", seed=2))


def test_beats_are_played_and_come_back_from_their_files(funk, tmp_path):
    flat = list(sample(count=60, genre="funk", seed=2, flat=True))
    assert [one.hits.tobytes() for one in funk] == [one.hits.tobytes() for one in flat]
    assert all(one.velocity is None and one.offset_ticks is None for one in flat)
    assert funk == list(sample(count=60, genre="funk", seed=2))
    for number, beat in enumerate(funk[:10]):
        assert len(set(beat.velocity[beat.hits].tolist())) > 3
        assert DrumPattern.read(beat.save(tmp_path / f"{number}.mid")) == beat
        assert beat.to_score().end_tick == 32 * 120  # no bar is put before it


def test_loudness_and_timing_are_those_of_drummers(funk):
    velocity = np.stack([beat.velocity for beat in funk]).reshape(-1, 16, 14).astype(float)
    hit = velocity > 0

    def mean(drum, steps):
        return velocity[:, steps, drum].sum() / hit[:, steps, drum].sum()

    assert mean(1, [4, 12]) > mean(1, slice(1, None, 2)) + 30  # backbeats above ghost notes
    assert mean(2, slice(0, None, 4)) > mean(2, slice(1, None, 2))
    late = np.concatenate([beat.offset_ticks[beat.hits] for beat in funk])
    assert 10 < late.std() * 125 / 120 < 25  # ms


def test_swing_and_feel_are_as_asked():
    def place(**more):
        late = [[], []]
        for beat in sample(count=30, genre="hiphop", seed=1, **more):
            for odd in (0, 1):
                ticks = beat.offset_ticks if beat.offset_ticks is not None else 0 * beat.hits
                late[odd] += ticks[odd::2][beat.hits[odd::2]].tolist()
        return 50 * (1 + (np.mean(late[1]) - np.mean(late[0])) / 120)

    assert place(swing=50) == pytest.approx(50, abs=2)
    assert place(swing=62) == pytest.approx(62, abs=2)
    assert place(swing=62, flat=True) == pytest.approx(62, abs=0.5)
    [jazz] = sample(count=1, seed=1, feel="Jazz")
    [rock] = sample(count=1, seed=1, feel="rock")
    assert (jazz.hits == rock.hits).all()
    assert jazz != rock
    assert 0 < len(open_players().named("bossa")) < len(open_players().named("latin"))
    with pytest.raises(UsageError) as caught:
        sample(feel="jaz")
    assert "--feel jazz" in caught.value.hint


def test_phrases_vary_as_their_players_do():
    long = list(sample(count=12, bars=16, genre="rock", seed=1, fill_every=0))
    groups = np.stack([one.hits for one in long]).reshape(12, 8, 32, 14)
    near = f1_score(groups[:, :-1].reshape(-1, 32, 14), groups[:, 1:].reshape(-1, 32, 14))
    far = f1_score(groups[:, :4].reshape(-1, 32, 14), groups[:, 4:].reshape(-1, 32, 14))
    assert 0.55 < near.mean() < 0.85
    assert far.mean() > near.mean() - 0.1  # around one beat, not away from it
    filled = list(sample(count=12, bars=16, genre="rock", seed=1, fill_every=8))
    bars = np.stack([one.hits for one in filled]).reshape(12, 16, 16, 14)
    usual = f1_score(bars[:, 3::8].reshape(-1, 16, 14), bars[:, 1::8].reshape(-1, 16, 14))
    fill = f1_score(bars[:, 7::8].reshape(-1, 16, 14), bars[:, 5::8].reshape(-1, 16, 14))
    assert fill.mean() < usual.mean() - 0.15
    with pytest.raises(UsageError, match="even"):
        sample(bars=3)


def test_vary_keeps_what_stays(funk):
    beat = funk[0]
    assert list(vary(beat, amount=0, count=2)) == [beat, beat]
    assert list(vary(ROCK, amount=0, count=1)) == [ROCK]
    locked = [0, 1]
    for one in vary(beat, amount=0.5, count=5, seed=1, keep="kick,snare"):
        assert one != beat
        for name in ("hits", "velocity", "offset_ticks"):
            assert (getattr(one, name) == getattr(beat, name))[:, locked].all()
        same = one.hits & beat.hits
        assert (one.velocity == beat.velocity)[same].all()
    with pytest.raises(UsageError) as caught:
        vary(beat, keep="kik")
    assert "kick" in caught.value.hint


def test_a_way_leads_from_one_playing_to_the_other(funk):
    start, end = funk[:2]
    way = list(interpolate(start, end, steps=3))
    assert [way[0], way[-1]] == [start, end]
    both = start.hits & end.hits & way[2].hits
    middle = (start.velocity.astype(float) + end.velocity) / 2
    np.testing.assert_allclose(way[2].velocity[both], middle[both], atol=0.51)
    # What was programmed is played.
    first, *_ = interpolate(ROCK, end, steps=1)
    assert (first.hits == ROCK.hits).all()
    assert first.velocity is not None
    [again] = decode(encode([start]))
    assert again.velocity is not None


def test_noise_remembers_and_a_loop_closes():
    white = np.random.default_rng(0).standard_normal((32, 4000))
    noise = _remembering(white, 0.9)
    assert noise.var() == pytest.approx(1, abs=0.05)
    # As an endless AR(1) process that is asked to repeat itself, step by step.
    slow, gain = np.zeros((32, 4000)), np.sqrt((1 + 0.9**32) / (1 - 0.9**32) / (1 - 0.9**2))
    for step in range(32 * 20):
        slow[step % 32] = 0.9 * slow[step % 32 - 1] + white[step % 32]
    np.testing.assert_allclose(noise, slow / gain, atol=1e-6)
    assert np.abs(_remembering(white, 0.9, closed=True).mean(axis=0)).max() < 1e-9


def test_players_are_learnt_from_performances(tmp_path):
    rows = ["midi_filename,style,split,beat_type,time_signature"]
    rng = np.random.default_rng(0)
    for number, split in enumerate(("train", "train", "test", "test", "test")):
        hits = np.tile(ROCK.hits, (6, 1))
        velocity = 40 + 30 * min(number, 2) + 20 * hits[:, :1] + rng.integers(-3, 4, hits.shape)
        late = np.where(np.arange(192)[:, None] % 4 == 2, 20, 0) + rng.integers(0, 5, hits.shape)
        DrumPattern(hits, velocity, late, 96).save(tmp_path / f"{number}.mid")
        rows.append(f"{number}.mid,funk/groove{number},{split},beat,4-4")
    (tmp_path / "info.csv").write_text("\n".join(rows))
    again = DrumPattern.read(tmp_path / "3.mid")
    draws = {"third": lambda **_: [again] * 3}
    report = evaluate_playing(tmp_path, draws)
    assert report.cell("third", "overlap").value == 1
    assert report.cell("real, test", "velocity inside") == 1
    by_genre = evaluate_playing(tmp_path, draws, by_genre=True)
    assert [row[:2] for row in by_genre.rows] == [
        ("funk, third", "3 of test"), ("funk, real, train", "3 of test"),
    ]  # fmt: skip
    assert by_genre.cell("funk, third", "velocities") == 0
    assert by_genre.cell("funk, real, train", "velocities") > 20  # softer
    players = build(tmp_path)
    assert players.names == ("0.mid", "1.mid")
    assert players.styles == ("funk/groove0", "funk/groove1")
    assert players.mean_velocity[0, 0, 2] == pytest.approx(60, abs=2)
    assert players.mean_velocity[1, 2, 2] == pytest.approx(70, abs=2)
    late = players.mean_late[:, [2, 4], 2]
    np.testing.assert_allclose(late[:, 0] - late[:, 1], 20, atol=2)
    assert players.alike.tolist() == [1, 1]
    players.save(tmp_path / "players.npz")
    again = Players.read(tmp_path / "players.npz")
    assert again.styles == players.styles
    np.testing.assert_array_equal(again.noise, players.noise)
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(InputError, match="not a table of players"):
        Players.read(tmp_path / "other.npz")


def test_who_fits_a_beat_plays_such_beats():
    players = open_players()
    ride = np.zeros((16, 14), bool)
    ride[[0, 4, 6, 8, 12, 14], 8] = ride[[4, 12], 2] = True
    best = np.argsort(-players.fit(ride))[:5]
    assert all(players.share[one, ::4, 8].mean() > players.share[:, ::4, 8].mean() for one in best)


def test_the_measures_know_what_is_real():
    rng = np.random.default_rng(1)
    hits = np.tile(ROCK.hits.reshape(2, 16, 14), (8, 1, 1))

    def player(level):
        velocity = np.where(hits, level + 20 * hits[..., :1] + rng.integers(-5, 6, hits.shape), 0)
        return Performance(
            "", "rock", "test", 120.0, velocity, hits * rng.normal(0, 10, hits.shape)
        )

    real = [player(level) for level in (50, 60, 70)]

    def value(cell):
        return cell.value if isinstance(cell, Estimate) else cell

    found = dict(
        zip(COLUMNS, map(value, measure(Played(real, real), Played(real, real))), strict=True)
    )
    assert found["velocity inside"] == 1
    assert found["velocity, KL"] == 0
    assert found["timing, ms"] == pytest.approx(10, abs=1)
    assert found["overlap"] == found["overlap, far"] == 1
    assert found["fourth bars differ"] == 0
    loud = [player(100)]
    found = dict(
        zip(COLUMNS, map(value, measure(Played(loud, loud), Played(real, real))), strict=True)
    )
    assert found["velocity inside"] == 0
    assert found["velocity, KL"] > 1
    same = dict(zip(DISTANCES, distances(Played(real, real), Played(real, real)), strict=True))
    assert same.pop("inside") == 1
    assert not any(same.values())
    away = dict(zip(DISTANCES, distances(Played(loud, loud), Played(real, real)), strict=True))
    assert away["velocities"] == pytest.approx(100 - 70, abs=2)  # from the loudest of the three
    assert away["overlap"] == 0
    assert 0 < away["inside"] < 1
