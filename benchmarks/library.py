"""What a large library costs: a catalogue of a million tracks from shards, and songs by the hour.

Tracks and songs are made up: the time does not depend on what they hold.

    python benchmarks/library.py
    python benchmarks/library.py --tracks 100000 --json
"""

from __future__ import annotations

import argparse
import base64
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pairs import seconds

from groove_core.actions import run
from groove_core.batch import Shard, map_files
from groove_core.batch.names import Names
from groove_core.storage import dump_json
from groove_core.values import Audio
from music_recsys import catalogue
from music_recsys.listening import FrontEnd

SHARDS, WANTED, QUERIES = 20, 100, 50
SONGS, SONG_S, RATE = 5, 240, 22_050


def _heard(path: Path, *, vectors: np.ndarray) -> dict:
    vector = vectors[int(path.stem)]
    text = base64.b64encode(vector.tobytes()).decode()
    return {"sha256": f"{int(path.stem):064x}", "passages": 233, "float16": text}


def from_shards(front_end: FrontEnd, tracks: int) -> Iterator[dict]:
    """Build a catalogue from shards and at once, and ask both the same."""
    rng, dims = np.random.default_rng(0), front_end.net.outputs
    kinds = rng.normal(size=(2000, dims))  # tracks come in kinds, as music does
    vectors = np.empty((tracks, dims), "<f2")
    for start in range(0, tracks, 100_000):
        some = vectors[start : start + 100_000]
        apart = rng.normal(size=some.shape)
        some[:] = 0.7 * kinds[rng.integers(len(kinds), size=len(some))] + 0.5 * apart
    paths = [f"/made/up/{n // 1000:05d}/{n:09d}.flac" for n in range(tracks)]
    settings = {"what": catalogue.WHAT, "front_end": front_end.identity}
    work = functools.partial(_heard, vectors=vectors)
    with tempfile.TemporaryDirectory() as scratch:
        many, one = Path(scratch, "many"), Path(scratch, "one")
        many.mkdir()

        def in_shards() -> None:
            names = Names(paths)
            for number in range(1, SHARDS + 1):
                out = many / f"journal.{number}-of-{SHARDS}.jsonl"
                shard = Shard(number, SHARDS)
                for _ in map_files(work, names, shard=shard, out=out, settings=settings):
                    pass

        yield {"name": f"{tracks:,} tracks in {SHARDS} shards: journals", "s": seconds(in_shards)}
        size = sum(path.stat().st_size for path in many.iterdir())
        yield {
            "name": "joined, in a process of its own",
            **_alone(f"from music_recsys.catalogue import join; join(Path({str(many)!r}))"),
            "bytes a track in journals": size / tracks,
        }
        hashes = [f"{n:064x}" for n in range(tracks)]
        write = functools.partial(catalogue.write, one, front_end.identity, paths, hashes, vectors)
        yield {"name": "at once, of vectors that are there", "s": seconds(write)}
        both = [catalogue.Catalogue.open(folder, front_end) for folder in (many, one)]
        asked = rng.normal(size=(QUERIES, dims)).astype(np.float32)
        same = sum(np.array_equal(*(c.best(d, WANTED) for c in both)) for d in asked)
        files = [{path.name for path in (many, one)[i].glob("*-*.*") if "-of-" not in path.name}
                 for i in (0, 1)]  # fmt: skip
        yield {
            "name": f"answers of {QUERIES} that are the same",
            "same": same,
            "equal lists": (many / "songs.json").read_bytes() == (one / "songs.json").read_bytes(),
            "equal names of content": files[0] == files[1],
            "MiB of lists, vectors, index": sum(
                (one / name).stat().st_size for name in [*files[1], "songs.json"]
            ) / 2**20,
        }  # fmt: skip
        opened = (
            "from music_recsys.catalogue import Catalogue; import numpy as np;"
            "from music_recsys.listening import FrontEnd; end = FrontEnd.open();"
            f"Catalogue.open(Path({str(one)!r}), end).best(np.ones(end.net.outputs), {WANTED})"
        )
        yield {"name": "opened and asked, in a process of its own", **_alone(opened)}


def _alone(code: str) -> dict:
    """Run code in a process of its own, with what it takes to import everything."""
    told = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)"
    command = [sys.executable, "-c", f"from pathlib import Path; {code}\n{told}"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"s": time.perf_counter() - start, "peak MiB": float(done.stdout)}


def songs() -> Iterator[dict]:
    """Hear and classify songs of four minutes, with one process of one thread."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder, into = Path(scratch, "songs"), Path(scratch, "catalogue")
        for number in range(SONGS):
            noise = rng.normal(0, 0.1, SONG_S * RATE)
            Audio(noise, RATE).save(folder / f"{number}.flac")
        index = seconds(functools.partial(catalogue.build, folder, into, jobs=1))
        passages = sum(path.stat().st_size for path in into.rglob("*.npy")) / SONGS
        yield {
            "name": "music-recsys index: a song of four minutes", "s": index / SONGS,
            "KiB of passages": passages / 2**10,
        }  # fmt: skip
        first = folder / "0.flac"
        run("genre-map", "classify", sounds=[first])  # weights are read, code is compiled
        whole = seconds(functools.partial(run, "genre-map", "classify", sounds=[folder]))
        line = len(json.dumps(run("genre-map", "classify", sounds=[first])))
        yield {
            "name": "genre-map classify: a song of four minutes", "s": whole / SONGS,
            "KiB of a line": line / 2**10,
        }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    end = FrontEnd.open()
    rows = [*songs(), *from_shards(end, options.tracks)]
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "name"))
    if options.json:
        sys.stdout.write(dump_json(rows))
        return
    for row in rows:
        for key in columns:
            if key in row:
                shown = f"{row[key]:,.3g}" if isinstance(row[key], float) else row[key]
                print(f"{row['name']:52}{key:30}{shown}")


if __name__ == "__main__":
    main()
