"""Many songs, heard once: a folder with a journal, a vector for each song, and its passages.

A vector is the mean of a song's passages. Which of them score highest is a search for the
largest inner product: exact below `EXACT` songs, from there on by an index that looks at the
nearest of some hundred clusters (faiss, an extra; Douze et al., "The Faiss Library", 2024).
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.actions import given, leave_out
from groove_core.batch import Shard, map_files, merge
from groove_core.batch.engines import LOCAL, jobs_of
from groove_core.batch.journal import Outcome, read_outcomes, read_settings
from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.storage import (
    atomic_path,
    dump_json,
    file_sha256,
    kept_reason,
    locked,
    read_json,
    sweep_below,
    write_text,
)
from groove_core.values import Audio, Report
from music_recsys.listening import FrontEnd, Passages

__all__ = [
    "EXACT", "Catalogue", "build", "find_neighbours", "is_catalogue", "join", "make_index",
    "write",
]  # fmt: skip

JOURNAL, SONGS, PASSAGES = "journal.jsonl", "songs.json", "passages"
SHARDS = "journal.*-of-*.jsonl"
LOCK = ".catalogue.lock"
EXACT = 50_000
"""Songs below which every one is looked at."""
CHECKED = 4
"""Times as many as are wanted are asked of the index, and scored exactly."""
PROBED, TAUGHT, ROUNDS = 0.2, 60, 8
"""Share of the clusters that a search looks at, vectors that teach each, rounds of k-means."""
MAX_SONGS = 10_000_000
"""Songs that the list of a catalogue may name."""
WHAT = "catalogue of songs"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Songs to recommend from.

    Parameters
    ----------
    folder : Path
    front_end : str
        Hash of the front end that heard them.
    paths : sequence of str
    hashes : sequence of str
        Of the files' content.
    vectors : float16 array [shape=(songs, d)]
    index : Path, optional
        Of neighbours, where there are many songs.
    """

    folder: Path
    front_end: str
    paths: Sequence[str]
    hashes: Sequence[str]
    vectors: npt.NDArray[np.float16]
    index: Path | None = None

    @classmethod
    def open(cls, folder: Path, front_end: FrontEnd) -> Catalogue:
        """Open what `build` made.

        Raises
        ------
        InputError
            If there is none, it is not finished, or another front end heard it.
        """
        if not (folder / SONGS).is_file():
            unfinished = any(folder.glob("journal*.jsonl"))
            raise InputError(
                f"{folder} is {'an unfinished' if unfinished else 'no'} {WHAT}.",
                hint=f"groove run music-recsys index SONGS --into {folder}",
            )
        about = _listed(folder / SONGS)
        if about["front_end"] != front_end.identity:
            raise InputError(
                f"Another front end heard the songs of {folder}.",
                hint=f"groove run music-recsys index SONGS --into {folder} --restart",
            )
        try:
            vectors = np.load(folder / about["vectors"], mmap_mode="r", allow_pickle=False)
            if vectors.dtype != np.dtype("<f2") or vectors.ndim != 2:
                raise ValueError("its vectors are not those of songs")
            if not len(vectors) == len(about["paths"]) == len(about["hashes"]):
                raise ValueError(f"{len(vectors)} vectors for {len(about['paths'])} songs")
        except (OSError, ValueError, EOFError, OverflowError, TokenError) as error:
            raise InputError(
                f"{folder} is damaged: {error}.",
                hint="Index the songs again; those that were heard are not heard anew.",
            ) from error
        index = folder / about["index"]
        return cls(
            folder, about["front_end"], about["paths"], about["hashes"], vectors,
            index if index.is_file() else None,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.paths)

    def best(self, direction: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
        """Give the numbers of the songs whose vectors score highest, the best first.

        Parameters
        ----------
        direction : float array [shape=(d,)]
        count : int
        """
        wanted = np.asarray(direction, np.float32)
        count = min(count, len(self))
        if self.index is not None:
            found = find_neighbours(self.index, wanted, CHECKED * count)
            if found is not None:
                return found[exact(self.vectors[found], wanted, min(count, len(found)))]
        return exact(self.vectors, wanted, count)

    def passages(self, number: int) -> Passages | None:
        """Give the passages of a song; None where only its vector is known."""
        return _stored(passages_path(self.folder, self.front_end, self.hashes[number]))


def _listed(path: Path) -> dict[str, Any]:
    """Read the list of a catalogue; the files that it names are in its folder."""
    about = _list_of(path)
    types = {"front_end": str, "vectors": str, "index": str, "paths": list, "hashes": list}
    for name, kind in types.items():
        found = about.get(name) if isinstance(about, dict) else None
        texts = found if isinstance(found, list) else [found]
        if not isinstance(found, kind) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{path} has no {name}.", hint="Index the songs again.")
    names = (about["vectors"], about["index"], *about["hashes"])
    if not all(re.fullmatch(r"[\w.-]+", name) for name in names):
        raise InputError(f"{path} names files elsewhere.", hint="Index the songs again.")
    listed: dict[str, Any] = about
    return listed


def _list_of(path: Path) -> Any:
    return read_json(path, max_bytes=256 * MAX_SONGS, max_values=2 * MAX_SONGS)


def is_catalogue(folder: Path) -> bool:
    """Tell whether a folder is a catalogue, finished or not."""
    about = read_settings(folder / JOURNAL) or {}
    if about.get("what") != WHAT and (folder / SONGS).is_file():  # made of vectors, not of songs
        with contextlib.suppress(InputError):
            listed = _list_of(folder / SONGS)
            about = listed if isinstance(listed, dict) else {}
    return bool(about.get("what") == WHAT)


def exact(vectors: npt.NDArray[np.float16], direction: Floats, count: int) -> npt.NDArray[np.int64]:
    """Look at every vector, some at a time: 16-bit numbers are widened before they are summed."""
    parts = [
        vectors[start : start + EXACT].astype(np.float32) @ direction
        for start in range(0, len(vectors), EXACT)
    ]
    scores = np.concatenate(parts)
    top = np.argpartition(-scores, count - 1)[:count]
    return top[np.argsort(-scores[top], kind="stable")]


def passages_path(folder: Path, front_end: str, sha256: str) -> Path:
    """Say where the passages of a song are kept, as a front end heard them."""
    return folder / PASSAGES / front_end[:16] / sha256[:2] / f"{sha256}.npy"


def _stored(path: Path) -> Passages | None:
    """Read passages; None where there are none, or the file is damaged."""
    try:
        if not path.is_file():
            return None
        # Mapped first: a header may claim more than there is.
        found: Passages = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        return found if found.ndim == 2 and found.dtype.kind == "f" else None
    except (OSError, ValueError, EOFError, OverflowError, TokenError):
        return None


@functools.lru_cache(maxsize=1)
def _front_end(checkpoint: str | None, device: str) -> FrontEnd:
    return FrontEnd.open(checkpoint, device)


def _hear(path: Path, *, checkpoint: str | None, device: str, into: Path) -> dict[str, Any]:
    """Hear one song, in whatever process: its passages to a file, its vector to the journal."""
    front_end = _front_end(checkpoint, device)
    sha256 = file_sha256(path)
    target = passages_path(into, front_end.identity, sha256)
    heard = _stored(target)
    if heard is None:
        heard = front_end.passages(path)
        with atomic_path(target) as temporary, kept_reason(temporary) as file:
            np.save(file, heard, allow_pickle=False)
    mean = heard.astype(np.float32).mean(axis=0).astype("<f2")
    return {
        "sha256": sha256,
        "passages": len(heard),
        "float16": base64.b64encode(mean.tobytes()).decode(),
    }


def build(
    songs: Path,
    into: Path,
    *,
    checkpoint: str | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    shard: Shard | None = None,
    device: str = "cpu",
    timeout_s: float | None = None,
    restart: bool = False,
) -> Report:
    """Hear all songs of a folder; killed and started again, none is heard twice.

    Of a shard only the journal and the passages are written, which `join` takes.

    Raises
    ------
    InputError
        If there are no songs, or none can be read.
    UsageError
        If the catalogue was made with another front end, or is in use by another process.
    """
    front_end = _front_end(checkpoint, device)
    files = Audio.files(songs)
    given(files)
    journal = into / JOURNAL
    if shard is not None:
        journal = journal.with_suffix(f".{shard.number}-of-{shard.of}.jsonl")
    settings = {"what": WHAT, "front_end": front_end.identity}
    before = read_settings(journal)
    if before is not None and before != settings and not restart:
        raise UsageError(
            f"Another front end heard the songs of {into}.", hint="--restart, or another --into"
        )

    def current(outcome: Outcome) -> bool:
        sha256 = (outcome.result or {})["sha256"]
        return _stored(passages_path(into, front_end.identity, sha256)) is not None

    with contextlib.ExitStack() as stack:
        if shard is None:  # of shards, others may be at work in the folder
            stack.enter_context(locked(into, into / LOCK))
            sweep_below(into)
        outcomes = map_files(
            functools.partial(_hear, checkpoint=checkpoint, device=device, into=into),
            files, jobs=jobs_of(jobs, engine), engine=engine, shard=shard,
            out=journal, settings=settings, overwrite=restart, timeout_s=timeout_s,
            current=current, text="listening",
        )  # fmt: skip
        if shard is None:
            return _write_heard(into, front_end.identity, outcomes)
        heard = [outcome.error is None for outcome in _told(outcomes)]
        return _report(f"Shard {shard} of the songs", into, sum(heard), len(heard))


def join(into: Path) -> Report:
    """Make the catalogue of what shards have heard, without their songs.

    Raises
    ------
    InputError
        If there are no shards in the folder.
    UsageError
        If they are not all there and finished, or do not fit.
    """
    parts = sorted(into.glob(SHARDS))
    if not parts:
        raise InputError(
            f"{into} holds no shards.",
            hint=f"groove run music-recsys index SONGS --shard 1/2 --into {into}",
        )
    with locked(into, into / LOCK):
        merge(parts, into / JOURNAL)
        settings = read_settings(into / JOURNAL) or {}
        if settings.get("what") != WHAT:
            raise InputError(f"The shards in {into} are not of songs.", hint="Give another --into.")
        return _write_heard(into, settings["front_end"], read_outcomes(into / JOURNAL))


def _told(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Say which songs are left out, and why."""
    for outcome in outcomes:
        if error := outcome.error:
            leave_out(outcome.file, InputError(error["message"], hint=error["hint"]))
        yield outcome


def _write_heard(into: Path, front_end: str, outcomes: Iterable[Outcome]) -> Report:
    """Write the catalogue of outcomes."""
    paths, hashes, vectors = [], [], bytearray()
    count = 0
    for count, outcome in enumerate(_told(outcomes), 1):  # noqa: B007 - counted
        if outcome.result is not None:
            paths.append(str(Path(outcome.file).resolve()))
            hashes.append(outcome.result["sha256"])
            vectors += base64.b64decode(outcome.result["float16"])
    if not paths:
        raise InputError(f"No song for {into} can be read.", hint="See what was left out, above.")
    write(into, front_end, paths, hashes, np.frombuffer(vectors, "<f2").reshape(len(paths), -1))
    if (into / PASSAGES).is_dir():
        for heard in (into / PASSAGES).iterdir():  # by other front ends: of no use to anyone now
            if heard.name != front_end[:16]:
                shutil.rmtree(heard, ignore_errors=True)
    return _report(f"{len(paths)} songs", into, len(paths), count, front_end=front_end)


def _report(what: str, into: Path, heard: int, count: int, **about: str) -> Report:
    return Report(
        f"{what} in {into}",
        ("", "songs"),
        (("heard", heard), ("left out", count - heard)),
        data={"folder": str(into), **about},
    )


def write(
    into: Path,
    front_end: str,
    paths: Sequence[str],
    hashes: Sequence[str],
    vectors: npt.NDArray[np.float16],
) -> None:
    """Write a catalogue of vectors; with an index, where there are many.

    The list names the files that belong to it and is replaced last: whoever reads meanwhile has
    the old one or the new one, whole.
    """
    content = hashlib.sha256(np.ascontiguousarray(vectors).data).hexdigest()[:16]
    files = {"vectors": f"vectors-{content}.npy", "index": f"index-{content}.faiss"}
    with atomic_path(into / files["vectors"]) as temporary, kept_reason(temporary) as file:
        np.save(file, vectors, allow_pickle=False)
    if len(vectors) >= EXACT:
        make_index(into / files["index"], vectors)
    about = {
        "what": WHAT, "front_end": front_end, **files, "paths": [*paths], "hashes": [*hashes],
    }  # fmt: skip
    write_text(into / SONGS, dump_json(about, indent=None))
    for old in (*into.glob("vectors-*.npy"), *into.glob("index-*.faiss")):
        if old.name not in files.values():
            old.unlink(missing_ok=True)


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError:
        note('exact search; pip install "music-recsys[index]" makes many songs faster')
        return None
    return faiss


def make_index(path: Path, vectors: npt.NDArray[np.float16]) -> None:
    """Build the index, if faiss is installed: clusters of vectors of 8 bits a number."""
    faiss = _faiss()
    if faiss is None:
        return
    clusters = 2 ** round(math.log2(len(vectors)) / 2)
    index = faiss.index_factory(vectors.shape[1], f"IVF{clusters},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = ROUNDS
    index.nprobe = max(1, int(PROBED * clusters))
    some = np.random.default_rng(0).permutation(len(vectors))[: TAUGHT * clusters]
    index.train(vectors[np.sort(some)].astype(np.float32))
    for start in range(0, len(vectors), EXACT):
        index.add(vectors[start : start + EXACT].astype(np.float32))
    with atomic_path(path) as temporary:
        faiss.write_index(index, str(temporary))


@functools.lru_cache(maxsize=1)
def _opened(path: Path, changed_ns: int) -> Any:
    faiss = _faiss()
    return None if faiss is None else faiss.read_index(str(path))


def find_neighbours(path: Path, direction: Floats, count: int) -> npt.NDArray[np.int64] | None:
    """Ask the index for the highest inner products; None if faiss is not installed."""
    index = _opened(path, path.stat().st_mtime_ns)
    if index is None:
        return None
    _, found = index.search(direction[None], count)
    numbers: npt.NDArray[np.int64] = found[0][found[0] >= 0]
    return numbers
