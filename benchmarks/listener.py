"""How fast a listener is served: scoring a song, learning anew, recommending from a million.

Songs are noise and vectors are made up: the time does not depend on what they hold.

    python benchmarks/listener.py
    python benchmarks/listener.py --json
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from pairs import pair, seconds, show, spread, times

from groove_core.values import Audio
from music_recsys import catalogue
from music_recsys.features import windows_of
from music_recsys.listening import FrontEnd
from music_recsys.taste import POOLINGS, learn_taste

SONG_S, RATE = 240, 22_050
TRACKS, WANTED, QUERIES = 1_000_000, 100, 50
ROUNDS = 5


def scoring(front_end: FrontEnd) -> Iterator[dict]:
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

    once = functools.partial(net.listen, columns)
    difference = f"{float((once() - one_by_one()).abs().max()):.1e}"
    name = "score: a song at once / window by window"
    row = pair(name, once, one_by_one, ROUNDS, faster=True)
    yield {**row, "largest difference": difference}
    yield pair("score: a song at once / 32 windows at once", once, batches, ROUNDS, faster=True)


def refitting(front_end: FrontEnd) -> Iterator[dict]:
    """Learn a taste from 100 songs of four minutes."""
    rng, dims = np.random.default_rng(0), front_end.net.outputs
    songs = [rng.normal(size=dims) + rng.normal(size=(SONG_S - 7, dims)) for _ in range(100)]
    liked = np.arange(100) % 2
    for pooling in POOLINGS:
        learning = functools.partial(learn_taste, songs, liked, pooling)
        yield {"name": f"learn: 100 ratings, {pooling}", "ours, s": times(learning, ROUNDS)}


def recommending(front_end: FrontEnd) -> Iterator[dict]:
    """Find the best of a million made-up tracks, by the index and exactly."""
    rng, dims = np.random.default_rng(0), front_end.net.outputs
    # Tracks come in kinds, as music does.
    kinds = rng.normal(size=(2000, dims))
    vectors = np.empty((TRACKS, dims), np.float16)
    for start in range(0, TRACKS, 100_000):
        some = rng.integers(len(kinds), size=100_000)
        apart = rng.normal(size=(len(some), dims))
        vectors[start : start + len(some)] = 0.7 * kinds[some] + 0.5 * apart
    directions = rng.normal(size=(QUERIES, dims)).astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [str(i) for i in range(TRACKS)]
        built = seconds(
            functools.partial(catalogue.write, folder, front_end.identity, names, names, vectors)
        )
        songs = catalogue.Catalogue.open(folder, front_end)
        size = songs.index.stat().st_size / 2**20 if songs.index else 0
        yield {"name": f"index: {TRACKS:,} tracks", "ours, s": built, "MiB": size}
        songs.best(directions[0], WANTED)  # opens it
        found = [songs.best(d, WANTED) for d in directions]
        best = [catalogue.exact(vectors, d, WANTED) for d in directions]
        recall = np.mean([len(set(a.tolist()) & set(b.tolist())) / WANTED
                          for a, b in zip(found, best, strict=True)])  # fmt: skip
        asked = [seconds(functools.partial(songs.best, d, WANTED)) for d in directions]
        some = directions[:5]
        whole = [seconds(functools.partial(catalogue.exact, vectors, d, WANTED)) for d in some]
        yield {
            "name": f"recommend: {WANTED} of {TRACKS:,} tracks",
            "ours, s": spread(asked),
            "exact, s": spread(whole),
            "of the best found": float(recall),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    end = FrontEnd.open()
    rows = [*scoring(end), *refitting(end), *recommending(end)]
    show("How fast a listener is served", rows, as_json=options.json)


if __name__ == "__main__":
    main()
