"""Lists: diverse where it is wanted, with reasons; values that survive their files."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.values import Audio
from music_recsys.recommending import Liked, candidate, choose, diverse, nearest
from music_recsys.results import Curve, Recommendation, Recommendations
from music_recsys.taste import learn_taste


def test_diversity():
    vectors = np.array([[1, 0], [0.99, 0.1], [0.98, 0.15], [0, 1.0]])
    worth = [1.0, 0.9, 0.8, 0.1]
    assert diverse(worth, vectors, 3, 0.0) == [0, 1, 2]
    assert diverse(worth, vectors, 2, 0.6) == [0, 3]
    assert sorted(diverse(worth, vectors, 9, 1.0)) == [0, 1, 2, 3]  # each once


def test_the_nearest_passage():
    liked = [Liked("a", np.eye(3)), Liked("b", np.array([[0.1, 0.1, 5.0], [3.0, 3.0, 0.0]]))]
    assert nearest(np.array([1.0, 1.0, 0.0]), liked) == ("b", 1, pytest.approx(1.0))
    assert nearest(np.ones(3), []) is None


def some():
    rng = np.random.default_rng(0)
    likes = [np.array([2.0, 0, 0]) + rng.normal(size=(6, 3)) for _ in range(6)]
    others = [np.array([-2.0, 0, 0]) + rng.normal(size=(6, 3)) for _ in range(6)]
    return learn_taste([*likes, *others], [1] * 6 + [0] * 6), likes, others, rng


def test_choosing_says_why():
    taste, likes, others, _ = some()
    candidates = [candidate(taste, f"/x/{i}.wav", p) for i, p in enumerate([*others, *likes])]
    first, *_ = choose(taste, candidates, [Liked("l", likes[0])], count=3, diversity=0, explore=0)
    assert int(first.name[:-4]) >= 6
    assert first.probability > 0.5
    assert first.best_s == int(np.argmax(first.curve))
    assert first.like == "l"
    with pytest.raises(InputError):
        choose(taste, [], [], count=3, diversity=0, explore=0)


def test_exploring_prefers_what_is_in_doubt():
    taste, likes, _, _ = some()
    strange = likes[0] * 0.5 + np.array([0.0, 30.0, 0.0])
    candidates = [candidate(taste, "known", likes[0]), candidate(taste, "strange", strange)]
    sure = choose(taste, candidates, [], count=1, diversity=0, explore=0)[0]
    bold = choose(taste, candidates, [], count=1, diversity=0, explore=10)[0]
    assert (sure.path, bold.path) == ("known", "strange")


def test_a_song_known_only_as_a_whole():
    taste, likes, _, _ = some()
    one = candidate(taste, "far.wav", likes[0].mean(axis=0)[None], seconds=False)
    [found] = choose(taste, [one], [], count=1, diversity=0, explore=0)
    assert (found.best_s, found.why, len(found.curve)) == (-1, "as a whole", 0)


def test_values_survive_their_files(tmp_path):
    curve = Curve("a.wav", 0.7, np.array([0.1, 2.0, -1]), np.array([0.5, 0.5, 0.6]))
    songs = (
        Recommendation("/m/a.wav", 0.9, 2.0, 0.3, 1, "b.wav", 65, 0.8, [0.1, 2.0], [0.5, 0.4]),
        Recommendation("/m/far.wav", 0.4, -0.2, 0.3),
    )
    found = Recommendations("anna", songs, 12, 40)
    for value in (curve, found):
        value.save(tmp_path / "v.json")
        assert type(value).read(tmp_path / "v.json").to_json() == value.to_json()
        value.save(tmp_path / "v.png")
        assert (tmp_path / "v.png").stat().st_size > 5000
        with pytest.raises(UsageError):
            value.save(tmp_path / "v.wav")
    assert curve.best_s == 1
    assert "best from 0:01, which sounds like b.wav at 1:05" in found.to_text()
    found.save(tmp_path / "v.m3u8")
    lines = (tmp_path / "v.m3u8").read_text().splitlines()
    assert lines == ["#EXTM3U", "#EXTINF:-1,a.wav", "/m/a.wav", "#EXTINF:-1,far.wav", "/m/far.wav"]
    heard = Curve("a", 0.5, np.zeros(1), np.ones(1), sound=Audio(np.zeros(100, np.float32), 8000))
    heard.save(tmp_path / "h.wav")
    assert heard.to_json() == Curve("a", 0.5, np.zeros(1), np.ones(1)).to_json()
