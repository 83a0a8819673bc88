"""How fast a listener is served: scoring a song, learning anew, recommending from a million.

Songs are noise and vectors are made up: the time does not depend on what they hold.

    python benchmarks/listener.py
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from pairs import pair, seconds, show

from groove_core.values import Audio
from music_recsys import catalogue
from music_recsys.features import windows_of
from music_recsys.listening import FrontEnd
from music_recsys.taste import POOLINGS, learn_taste

SONG_S, RATE = 240, 22_050
TRACKS, WANTED, QUERIES = 1_000_000, 100, 50


def scoring(front_end: FrontEnd) -> None:
    """Score a song of four minutes at once, window by window, and in batches of windows."""
    rng = np.random.default_rng(0)
    net = front_end.net
    columns = net.columns.of(Audio(rng.normal(0, 0.1, SONG_S * RATE), RATE))

    def one_by_one() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([net(window[None]) for window in windows_of(columns)])

    def batches() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([net(some) for some in windows_of(columns).split(32)])

    rounds = 5
    once = functools.partial(net.listen, columns)
    show(
        [
            pair("score: a song at once / window by window", once, one_by_one, rounds),
            pair("score: a song at once / 32 windows at once", once, batches, rounds),
        ],
        as_json=False,
    )
    print(f"largest difference: {float((once() - one_by_one()).abs().max()):.1e}")


def refitting() -> None:
    """Learn a taste from 100 songs of four minutes."""
    rng = np.random.default_rng(0)
    songs = [rng.normal(size=104) + rng.normal(size=(SONG_S - 7, 104)) for _ in range(100)]
    liked = np.arange(100) % 2
    for pooling in POOLINGS:
        learning = functools.partial(learn_taste, songs, liked, pooling)
        print(f"learn: 100 ratings, {pooling}: {seconds(learning):.2f} s")


def recommending(front_end: FrontEnd) -> None:
    """Find the best of a million made-up tracks, by the index and exactly."""
    rng = np.random.default_rng(0)
    # Tracks come in kinds, as music does.
    kinds = rng.normal(size=(2000, 104))
    vectors = np.empty((TRACKS, 104), np.float16)
    for start in range(0, TRACKS, 100_000):
        some = rng.integers(len(kinds), size=100_000)
        vectors[start : start + 100_000] = 0.7 * kinds[some] + 0.5 * rng.normal(size=(100_000, 104))
    directions = rng.normal(size=(QUERIES, 104)).astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [str(i) for i in range(TRACKS)]
        built = seconds(
            functools.partial(catalogue.write, folder, front_end.identity, names, names, vectors)
        )
        songs = catalogue.Catalogue.open(folder, front_end)
        size = songs.index.stat().st_size / 2**20 if songs.index else 0
        print(f"index: {TRACKS:,} tracks in {built:.0f} s, {size:.0f} MiB")
        songs.best(directions[0], WANTED)  # opens it
        found = [songs.best(d, WANTED) for d in directions]
        best = [catalogue.exact(vectors, d, WANTED) for d in directions]
        recall = np.mean([len(set(a.tolist()) & set(b.tolist())) / WANTED
                          for a, b in zip(found, best, strict=True)])  # fmt: skip
        asked = [seconds(functools.partial(songs.best, d, WANTED)) for d in directions]
        some = directions[:5]
        whole = [seconds(functools.partial(catalogue.exact, vectors, d, WANTED)) for d in some]
        middle, worst = np.median(asked), np.max(asked)
        print(f"recommend: {1000 * middle:.1f} ms a query, {1000 * worst:.1f} at worst")
        print(f"  {recall:.3f} of the best {WANTED} found; exact: {1000 * np.median(whole):.0f} ms")


if __name__ == "__main__":
    end = FrontEnd.open()
    scoring(end)
    refitting()
    recommending(end)
