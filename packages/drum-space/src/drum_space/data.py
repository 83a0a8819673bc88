"""Sets of two-bar drum patterns: built from MIDI files, split by performance."""

from __future__ import annotations

import base64
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.actions import given, leave_out
from groove_core.batch import map_items
from groove_core.batch.engines import LOCAL, jobs_of
from groove_core.drums import DRUMS, DrumPattern, NoDrumsError, extract_patterns
from groove_core.errors import InputError
from groove_core.learning import PARTS, Split, as_learnt, content_name
from groove_core.storage import (
    check_file,
    is_hidden,
    list_files,
    member,
    read_arrays,
    read_table,
    write_arrays,
    zip_members,
)
from groove_core.values import Value
from groove_core.values.scores.score import MAX_BYTES, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PatternSet",
    "Source",
    "build",
    "open_patterns",
    "pack",
    "reasons",
    "rotations",
    "sources",
]

STEPS = 32
STRIDE_BARS = 0.5
"""Windows start every half bar; their rotations by half bars count as the same pattern."""
BY_HASH = Split("performance")
SHIPPED = Path(__file__).with_name("patterns") / "patterns.npz"
MIDI = (".mid", ".midi")
FEW = 64
"""Files that are read before other processes have started."""

Bits = npt.NDArray[np.bool_]


def pack(hits: Bits) -> list[bytes]:
    """Give one hashable key per pattern [shape=(n, 32, 14)]."""
    return [row.tobytes() for row in _bits(hits)]


def _bits(hits: Bits) -> npt.NDArray[np.uint8]:
    """Pack patterns to 56 bytes each [shape=(n, 56)]."""
    return np.packbits(hits.reshape(len(hits), STEPS * len(DRUMS)), axis=1)


def _hits(bits: npt.NDArray[np.uint8]) -> Bits:
    """Unpack patterns [shape=(n, 56)]."""
    return np.unpackbits(bits, axis=1).view(bool).reshape(-1, STEPS, len(DRUMS))


def rotations(hits: Bits) -> Iterator[Bits]:
    """Give the patterns [shape=(n, 32, 14)] started at each of their half bars."""
    for steps in range(0, STEPS, int(STRIDE_BARS * 16)):
        yield np.roll(hits, -steps, axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class PatternSet(Value):
    """Unique two-bar patterns, each with its source, genre and split.

    Parameters
    ----------
    hits : bool array [shape=(n, 32, 14)]
    source : int array [shape=(n,)]
        Index into `sources`: one performance or piece each.
    half_bar : int array [shape=(n,)]
        Half bar of the source at which the pattern starts.
    split : int array [shape=(n,)]
        Index into `groove_core.learning.PARTS`.
    sources, genres : sequence of str
        File and genre of each source.
    dropped : dict of str to int
        Windows left out while building, by reason.
    groups : sequence of str
        What a split knows each source by: its content, wherever the file is. Default: `sources`.
    """

    kind: ClassVar[str] = "pattern-set"
    suffixes: ClassVar[tuple[str, ...]] = ("npz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("npz", "txt")

    hits: Bits
    source: npt.NDArray[Any]
    half_bar: npt.NDArray[Any]
    split: npt.NDArray[Any]
    sources: tuple[str, ...]
    genres: tuple[str, ...]
    dropped: dict[str, int] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", self.sources)

    def __len__(self) -> int:
        return len(self.hits)

    def part(self, split: str) -> npt.NDArray[np.int64]:
        """Give the indices of the patterns of a split."""
        return np.nonzero(self.split == PARTS.index(split))[0]

    def split_card(self) -> dict[str, Any]:
        """Return what the card of a model says of the patterns that it learnt from."""
        groups = [self.groups[source] for source in self.source.tolist()]
        parts = {part: self.part(part) for part in PARTS}
        return BY_HASH.or_published(groups, parts).card(groups, parts)

    def as_learnt(self, cards: Iterable[Mapping[str, Any]]) -> PatternSet:
        """Divide the set by what checkpoints learnt from: what none of them knows is a test.

        A set of which they learnt nothing keeps its split, see `groove_core.learning.as_learnt`.

        Raises
        ------
        InputError
            If one of them learnt from all of it.
        """
        own = {part: self.part(part) for part in PARTS}
        groups, names = (
            [some[source] for source in self.source.tolist()]
            for some in (self.groups, self.sources)
        )
        split = np.zeros(len(self), np.int64)
        parts = as_learnt(cards, groups, names=names, own=own)
        for number, part in enumerate(PARTS):
            split[parts[part]] = number
        kept = _unique(self.hits, split, Counter())
        return replace(
            self, hits=self.hits[kept], source=self.source[kept], half_bar=self.half_bar[kept],
            split=split[kept],
        )  # fmt: skip

    def genre_of(self) -> npt.NDArray[np.str_]:
        """Give the genre of every pattern."""
        genres: npt.NDArray[np.str_] = np.array(self.genres, dtype=np.str_)[self.source]
        return genres

    def pattern(self, index: int) -> DrumPattern:
        """Give one pattern as a value."""
        return DrumPattern(self.hits[index])

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "bits": _bits(self.hits),
            "source": self.source.astype("<u4"),
            "half_bar": self.half_bar.astype("<u2"),
            "split": self.split.astype("u1"),
            "sources": np.array(self.sources, dtype=np.str_),
            "genres": np.array(self.genres, dtype=np.str_),
            "groups": np.array(self.groups, dtype=np.str_),
            "dropped": np.array([f"{k}={v}" for k, v in self.dropped.items()], dtype=np.str_),
        }

    @classmethod
    def _from_arrays(cls, arrays: Any) -> Self:
        hits = _hits(arrays["bits"])
        source, half_bar, split = (
            arrays[name].astype(np.int64).reshape(len(hits))
            for name in ("source", "half_bar", "split")
        )
        names, genres = (tuple(map(str, arrays[name])) for name in ("sources", "genres"))
        groups = tuple(map(str, arrays["groups"])) if "groups" in arrays else names
        for what, index, count in (("source", source, len(names)), ("split", split, len(PARTS))):
            if len(index) and not 0 <= index.min() <= index.max() < count:
                raise ValueError(f"a pattern is of a {what} that is not there")
        if not len(genres) == len(groups) == len(names):
            raise ValueError(f"{len(genres)} genres and {len(groups)} groups, {len(names)} sources")
        dropped = (str(entry).rpartition("=") for entry in arrays["dropped"])
        return cls(
            hits, source, half_bar, split, names, genres,
            {name: int(count) for name, _, count in dropped}, groups,
        )  # fmt: skip

    def _save_npz(self, path: Path) -> None:
        write_arrays(path, self._arrays())

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        arrays = read_arrays(path, what="a set of patterns (.npz)")
        try:
            return cls._from_arrays(arrays)
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{path} is not a set of patterns: {error}.",
                hint="groove run drum-space dataset FOLDER makes one.",
            ) from error

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"kind": self.kind, "patterns": len(self)}
        for name, array in self._arrays().items():
            if array.dtype.kind == "U":
                document[name] = array.tolist()
            else:
                document[name] = base64.b64encode(array.tobytes()).decode()
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        kinds = {"bits": "u1", "source": "<u4", "half_bar": "<u2", "split": "u1"}
        arrays: dict[str, Any] = {
            name: np.frombuffer(base64.b64decode(document[name]), dtype=kind)
            for name, kind in kinds.items()
        }
        arrays["bits"] = arrays["bits"].reshape(document["patterns"], -1)
        return cls._from_arrays({**document, **arrays})

    def to_text(self) -> str:
        lines = [f"{len(self)} unique two-bar patterns of {len(self.sources)} sources"]
        for split in PARTS:
            part = self.part(split)
            hits = self.hits[part].sum() / max(1, len(part))
            lines.append(
                f"  {split:12} {len(part):6}  from {len(set(self.source[part])):5} sources, "
                f"{hits:.1f} hits"
            )
        genres = Counter(self.genre_of().tolist())
        lines.append("genres: " + ", ".join(f"{g} {n}" for g, n in genres.most_common()))
        if self.dropped:
            lines.append("left out:")
            lines += [f"  {count:7} {reason}" for reason, count in sorted(self.dropped.items())]
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how often each drum plays on each step."""
        from groove_core.values import new_axes

        ax = ax or new_axes(8, 3.4)
        image = ax.imshow(self.hits.mean(axis=0).T, aspect="auto", cmap="viridis")
        ax.set_yticks(range(len(DRUMS)), [drum.name for drum in DRUMS])
        ax.set_xticks(
            range(0, STEPS, 4), [f"{s // 16 + 1}.{s % 16 // 4 + 1}" for s in range(0, STEPS, 4)]
        )
        ax.set_xlabel("bar.beat")
        ax.figure.colorbar(image, ax=ax, label="share of patterns")
        return ax


def open_patterns(root: str | Path | None = None) -> PatternSet:
    """Open a set of patterns: a ``.npz`` file, a folder of MIDI files, or the shipped set.

    Raises
    ------
    InputError
        If there is nothing usable in it.
    """
    if root is None:
        return PatternSet.read(SHIPPED)
    if Path(root).suffix == ".npz":
        return PatternSet.read(root)
    return build([Path(root)])


@dataclass(frozen=True)
class Source:
    """A MIDI file, in a folder or in a zip file."""

    name: str
    genre: str
    content: Callable[[], bytes]
    split: str = ""
    """The published one, if there is one."""


def sources(folders: Iterable[Path]) -> Iterator[Source]:
    """Find MIDI files, also inside zip files.

    A folder with the ``info.csv`` of the Groove MIDI Dataset uses its split and its
    styles; elsewhere the genre is the name of the first folder below the one given.
    """
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder} does not exist.", hint="Give a folder of MIDI files.")
        root = folder if folder.is_dir() else folder.parent
        title = root.resolve().name  # "." has a name, too
        table = _groove_midi_table(folder)
        if table is not None:
            for row in table:
                name = f"{title}/{row['midi_filename']}"
                genre = row["style"].partition("/")[0]
                published = row["split"] if row["split"] in PARTS else ""
                listed = partial(_listed, folder, row["midi_filename"])
                yield Source(name, genre, listed, published)
            continue
        for path in list_files(folder, (*MIDI, "zip")):
            inside = path.relative_to(root)
            genre = inside.parts[0] if len(inside.parts) > 1 else title
            name = f"{title}/{inside.as_posix()}"
            if path.suffix.lower() in MIDI:
                yield Source(name, genre, partial(_content, path))
            elif path.suffix.lower() == ".zip":
                try:
                    for inner, content in zip_members(path, _is_midi):
                        yield Source(f"{title}/{inner}", genre, content)
                except InputError as error:
                    yield Source(name, genre, partial(_refuse, error))


def _content(path: Path) -> bytes:
    return check_file(path, what="a MIDI file", max_bytes=MAX_BYTES).read_bytes()


def _listed(folder: Path, name: str) -> bytes:
    return _content(member(folder, name))


def _refuse(error: InputError) -> bytes:
    raise error


def _is_midi(name: str) -> bool:
    return name.lower().endswith(MIDI) and not is_hidden(name)


def _groove_midi_table(folder: Path) -> list[dict[str, str]] | None:
    """Read the table of the Groove MIDI Dataset, if the folder has it."""
    table = folder / "info.csv"
    if not table.is_file():
        return None
    wanted = ("midi_filename", "style", "split")
    with contextlib.suppress(InputError):  # another table of that name
        rows = [row for row in read_table(table, wanted) if row["midi_filename"]]
        return rows or None
    return None


def build(
    folders: Iterable[Path],
    *,
    stride_bars: float = STRIDE_BARS,
    jobs: int | None = None,
    engine: str = LOCAL,
) -> PatternSet:
    """Build a set of unique patterns from MIDI files, so many at a time.

    Files are divided 80 : 10 : 10 by a hash of their content, unless their split is published.
    Patterns are unique within a split. A pattern that also occurs in a split nearer
    to the test split, as it is or started at another half bar, is left out of the
    other: the held-out splits stay whole, and nothing of them is learnt.

    Raises
    ------
    InputError
        If no file has a usable pattern.
    """
    files = list(sources(folders))
    given(source.name for source in files)
    dropped: Counter[str] = Counter()
    found: list[tuple[Source, str, Bits, npt.NDArray[np.int64]]] = []
    jobs = jobs_of(jobs, engine, few=len(files) < FEW)
    work = partial(_windows, stride_bars=stride_bars)
    for source, outcome in map_items(
        work, files, jobs=jobs, engine=engine, text="reading MIDI files"
    ):
        if outcome.error is not None:
            if outcome.error["kind"] == NoDrumsError.__name__:  # as most of a large collection
                dropped["files: no drums"] += 1
                continue
            if not isinstance(error := outcome.to_error(), InputError):
                raise error
            dropped["files: not readable"] += 1
            leave_out(source.name, error)
            continue
        about = outcome.check()
        dropped.update(about["dropped"])
        if half_bar := about["half_bar"]:
            bits = np.frombuffer(base64.b64decode(about["bits"]), np.uint8)
            hits = _hits(bits.reshape(len(half_bar), -1))
            found.append((source, about["content"], hits, np.array(half_bar, np.int64)))
    if not found:
        where = ", ".join(str(f) for f in folders)
        raise InputError(
            f"No file in {where} has a two-bar drum pattern in 4/4"
            + (f" ({reasons(dropped)})." if dropped else "."),
            hint="Give a folder of MIDI files with drums on channel 10.",
        )
    groups = [group for _, group, _, _ in found]
    by_hash = BY_HASH.parts(groups)
    part = {number: name for name in PARTS for number in by_hash[name].tolist()}
    number = [PARTS.index(one.split or part[i]) for i, (one, _, _, _) in enumerate(found)]
    counts = [len(windows) for _, _, windows, _ in found]
    hits = np.concatenate([windows for _, _, windows, _ in found])
    split, origin = np.repeat(number, counts), np.repeat(np.arange(len(found)), counts)
    kept = _unique(hits, split, dropped)
    # Sources of which nothing was kept are not listed.
    used, renumbered = np.unique(origin[kept], return_inverse=True)
    return PatternSet(
        hits=hits[kept],
        source=renumbered,
        half_bar=np.concatenate([half_bar for _, _, _, half_bar in found])[kept],
        split=split[kept],
        sources=tuple(found[i][0].name for i in used),
        genres=tuple(found[i][0].genre for i in used),
        dropped=dict(sorted((+dropped).items())),
        groups=tuple(groups[i] for i in used),
    )


def _windows(source: Source, *, stride_bars: float) -> dict[str, Any]:
    """Return the patterns of a file as JSON holds them, and what was left out of it."""
    content = source.content()
    score = Score.from_midi(content, name=source.name)
    windows = extract_patterns(score, stride_bars=stride_bars)
    dropped = {f"windows {reason}": n for reason, n in windows.dropped.items()}
    return {
        "content": content_name(content),
        "bits": base64.b64encode(_bits(windows.hits).tobytes()).decode(),
        "half_bar": np.round(windows.bar * 2).astype(int).tolist(),
        "dropped": {**dropped, "notes: no drum of ours": windows.unknown_notes},
    }


def reasons(dropped: Counter[str]) -> str:
    """Give the commonest reasons for which something was left out."""
    return ", ".join(f"{n} {reason}" for reason, n in dropped.most_common(4))


def _unique(hits: Bits, split: npt.NDArray[Any], dropped: Counter[str]) -> npt.NDArray[np.int64]:
    """Return the first of equal patterns of a split, unless a split nearer to the test has it.

    Those of the training split come first, those of the test split last.
    """
    keys, taken, parts = pack(hits), set[bytes](), []
    for number in reversed(range(len(PARTS))):
        mine: dict[bytes, int] = {}
        for index in np.flatnonzero(split == number).tolist():
            if keys[index] in taken:
                dropped["patterns also in a split nearer to the test"] += 1
            elif keys[index] in mine:
                dropped["patterns seen before in the split"] += 1
            else:
                mine[keys[index]] = index
        parts.append(np.array([*mine.values()], dtype=np.int64))
        for rotated in rotations(hits[parts[-1]]):
            taken.update(pack(rotated))
    return np.concatenate(parts[::-1])
