"""The verbs from Python, with the shipped models."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from drum_space import decode, encode, evaluate, interpolate, sample, vary
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import Codes, Report

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4, tempo_bpm=96)
FUNK = DrumPattern.from_masks([5, 4, 4, 1, 6, 4, 5, 2, 4, 2, 5, 1, 6, 4, 4, 4] * 2)


@pytest.mark.parametrize("model", ["acai", "vae", "ae"])
def test_sample(model):
    beats = list(sample(count=50, model=model, seed=4))
    assert len(beats) == 50
    assert all(beat.bars == 2 and beat.hits.any() for beat in beats)
    assert beats == list(sample(count=50, model=model, seed=4))
    assert beats != list(sample(count=50, model=model, seed=5))
    assert len({beat.hits.tobytes() for beat in beats}) > 45


def test_beats_come_in_batches_that_do_not_depend_on_how_many_follow():
    many = list(sample(count=1500, seed=4))
    assert len(many) == 1500
    assert many[:1024] == list(sample(count=1024, seed=4))


def test_temperature_spreads():
    def variety(temperature):
        beats = sample(count=200, seed=1, temperature=temperature)
        return len({beat.hits.tobytes() for beat in beats})

    assert variety(0.0) <= 4 < variety(1.0)


def test_genres_differ():
    def density(genre):
        return np.mean([b.hits.sum(axis=0) for b in sample(count=300, seed=1, genre=genre)], axis=0)

    jazz, punk = density("jazz"), density("punk")
    assert jazz[8] > 2 * punk[8]  # the ride
    with pytest.raises(UsageError) as caught:
        sample(genre="jaz")
    assert "jazz" in caught.value.hint


def test_interpolate_begins_and_ends_with_the_beats(tmp_path):
    beats = list(interpolate(ROCK, FUNK.save(tmp_path / "funk.mid"), steps=5, flat=True))
    assert len(beats) == 7
    assert beats[0] == ROCK
    assert beats[-1] == FUNK
    assert all(b.tempo_bpm == 96 for b in beats[:-1])
    # No jump from what is played to what the space remembers of it.
    changes = [(a.hits != b.hits).sum() for a, b in itertools.pairwise(beats)]
    assert min(changes) > 0
    assert max(changes) <= 1.5 * np.mean(changes)
    assert sum(changes) < 3 * (ROCK.hits != FUNK.hits).sum()


def test_a_beat_leads_to_itself():
    assert list(interpolate(ROCK, ROCK, steps=2, flat=True)) == [ROCK] * 4


def test_vary_strays_with_the_amount():
    def distance(amount):
        same, *_ = vary(ROCK, amount=0, count=1)
        beats = vary(ROCK, amount=amount, count=30, seed=1)
        return np.mean([(b.hits != same.hits).sum() for b in beats])

    assert distance(0) == 0
    assert 0 < distance(0.1) < distance(1)


def test_a_long_or_short_beat_is_cut_or_doubled(capsys):
    four = DrumPattern.join([DrumPattern.from_masks([0] * 16), ROCK, FUNK.slice_bars(0, 1)])
    start, *_ = interpolate(four, ROCK.slice_bars(0, 1), steps=1, flat=True)
    assert start == four.slice_bars(1)
    assert "using bars 2 and 3" in capsys.readouterr().err
    with pytest.raises(InputError, match="silent"):
        vary(DrumPattern.from_masks([0] * 32))


def test_encode_and_decode(tmp_path):
    path = DrumPattern.join([ROCK, FUNK]).save(tmp_path / "song.mid")
    codes = encode([path])
    assert codes.points.shape == (2, 4)
    assert codes.labels == ("song:1", "song:3")
    assert codes.model == "acai"
    beats = list(decode(codes))
    assert len(beats) == 2
    saved = Codes.read(codes.save(tmp_path / "codes.csv"))
    assert list(decode(saved)) == beats
    assert list(decode(codes.save(tmp_path / "codes.json"))) == beats
    with pytest.raises(InputError, match="of the model 'acai'"):
        decode(codes, model="vae")
    bare = tmp_path / "bare.csv"
    bare.write_text("a,0,0,0,0\nb,1,1,1,1\n")
    assert len(list(decode(bare))) == 2
    with pytest.raises(InputError, match="3 dimensions"):
        decode(Codes([[1, 2, 3]]))


def test_sixteen_dimensions_remember_more():
    from drum_space.data import open_patterns
    from drum_space.metrics import f1_score

    patterns = open_patterns()
    hits = patterns.hits[patterns.part("test")[::10]]
    scores = [DrumPattern(h).to_score() for h in hits]

    def f1(checkpoint):
        codes = encode(scores, checkpoint=checkpoint)
        again = np.stack([b.hits for b in decode(codes, checkpoint=checkpoint)])
        return f1_score(hits, again).mean()

    assert f1("acai16") > f1("acai") + 0.05


def test_evaluate_measures_what_the_card_says():
    """The shipped weights still have the numbers of their card."""
    from groove_core.storage import checkpoints

    report = evaluate(count=2000, checkpoints=["acai"], seed=1)
    card = checkpoints.read_card(checkpoints.find("drum-space", "acai").path)
    told = Report.from_json(card["metrics"]["report"])
    # not the share of distinct patterns, which falls with their number
    for column in ("survival", "copies", "distance", "hits", "middle survives", "F1"):
        now, then = report.cell("acai", column), told.cell("acai", column)
        assert now.low <= then.high, column
        assert then.low <= now.high, column
    assert report.cell("random bits", "survival").value > 0.99
    assert report.cell("training copied", "survival, new").value == 0
    assert report.cell("acai", "survival").value > 0.9


def test_no_beat_is_silent():
    assert all(beat.hits.any() for beat in sample(count=3000, seed=1))


def test_encode_takes_beats():
    np.testing.assert_array_equal(encode([ROCK]).points, encode(ROCK.to_score()).points)
