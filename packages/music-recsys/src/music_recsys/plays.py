"""Listening history: the exports of services, read one play at a time, as weak ratings.

Known are CSV files (Last.fm, Spotify, Apple Music, iTunes) and JSON, as one list or one object a
line (Spotify, ListenBrainz). How often a song was played says how well it is liked, in logarithms
and with less certainty than a rating (Hu, Koren and Volinsky, "Collaborative Filtering for
Implicit Feedback Datasets", ICDM 2008); a play that ended within seconds speaks against it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from groove_core.errors import InputError
from groove_core.storage import check_file

__all__ = ["WEAK", "Play", "Played", "exports", "read_plays", "weak_ratings"]

WEAK = 0.25
"""Weight of a rating that plays suggest, beside one that was given."""
SKIPPED_S = 30.0
"""A play that is shorter is a skip."""
TOP = 0.95
"""Share of the songs that are played less than one that gets the highest rating."""
MAX_LINE, CHUNK = 2**20, 2**16
BETWEEN = re.compile(r"[\s,\[\]]*")
"""What stands between the objects of a list."""
MAX_COUNT = 10**6
SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl")
ARTIST = (
    "artist", "artistname", "artist_name", "artist name", "album artist",
    "master_metadata_album_artist_name", "container artist name",
)  # fmt: skip
TITLE = (
    "track", "trackname", "track_name", "track name", "title", "name", "song", "song name",
    "master_metadata_track_name", "track description",
)  # fmt: skip
PLAYED_MS = ("msplayed", "ms_played", "play duration milliseconds")
PLAYS, SKIPS = ("plays", "play count", "playcount"), ("skips", "skip count", "skipcount")
LASTFM = ("artist", "album", "track", "time")
"""Columns of an export of Last.fm without a line of names."""
HINT = "Its first line must name the columns, for example artist,track,msPlayed."


@dataclass(frozen=True, slots=True)
class Play:
    """One line of a history: a play, or the count of them."""

    artist: str
    title: str
    plays: int = 1
    skips: int = 0


@dataclass(frozen=True, slots=True)
class Played:
    """A song of the listener's, and how often it was played and skipped."""

    path: Path
    plays: int
    skips: int


def weak_ratings(counts: Sequence[tuple[int, int]]) -> list[float]:
    """Turn plays and skips into ratings of 1 to 5.

    3 plus twice the difference of log(1 + plays) and log(1 + skips), as a share of the logarithm
    of a song that is played often (the 95th percentile, or 3 if that is less).

    >>> [round(rating, 2) for rating in weak_ratings([(7, 0), (1, 0), (0, 2), (1, 1)])]
    [5.0, 3.74, 1.83, 3.0]
    """
    if not counts:
        return []
    plays, skips = (np.log2(1 + np.array(some, np.float64)) for some in zip(*counts, strict=True))
    top = max(2.0, float(np.quantile(plays, TOP)))
    ratings: list[float] = (3 + 2 * ((plays - skips) / top).clip(-1, 1)).tolist()
    return ratings


def exports(source: Path) -> list[Path]:
    """Return a file, or the files of a folder that may be exports.

    Raises
    ------
    InputError
        If a folder holds none.
    """
    if not source.is_dir():
        return [source]
    found = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(
            f"{source} holds no listening history.", hint=f"Give {', '.join(SUFFIXES)} files."
        )
    return found


def read_plays(path: Path) -> Iterator[Play | None]:
    """Yield the plays of an export, one at a time; None for any other line.

    Raises
    ------
    InputError
        If the file holds no history, or lacks a column.
    """
    check_file(path, what="a listening history (.csv, .tsv, .json or .jsonl)")
    with path.open("rb") as stream:
        start = stream.read(CHUNK)
        stream.seek(0)
        text = start.decode(_encoding(start), errors="replace")
        if "\0" in text:
            raise InputError(f"{path} is not text.", hint="Give the export as CSV or JSON.")
        if text.lstrip().startswith(("[", "{")):
            yield from _of_objects(path, _texts(stream))
        else:
            yield from _of_table(path, _texts(stream))


def _encoding(start: bytes) -> str:
    """Return the encoding that the first bytes of a file speak for."""
    return "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def _decoded(line: bytes, encoding: str) -> str:
    """Decode a line; one that is not UTF-8 is read as Windows-1252, which spreadsheets write."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _texts(stream: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a file, each decoded by itself; a very long one in pieces."""
    start = stream.read(2)
    stream.seek(0)
    if _encoding(start) == "utf-16":
        import codecs

        decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        rest = ""
        while chunk := stream.read(CHUNK):
            *lines, rest = (rest + decoder.decode(chunk)).splitlines(keepends=True) or [""]
            yield from lines
        yield rest
        return
    first = True
    while line := stream.readline(MAX_LINE):
        yield _decoded(line, "utf-8-sig" if first else "utf-8")
        first = False


def _of_table(path: Path, lines: Iterator[str]) -> Iterator[Play | None]:
    """Read a table, with a line of names or as Last.fm's exports without."""
    first = next(lines, "")
    delimiter = max("\t;,", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    names = [name.strip().lower() for name in header]
    if not _has(names, TITLE):
        if len(names) != len(LASTFM) or _has(names, ARTIST):
            raise InputError(f"{path} has no column with the titles of songs.", hint=HINT)
        names = [*LASTFM]
        yield _play(dict(zip(names, header, strict=False)))
    elif not _has(names, ARTIST) and "track name" not in names:
        raise InputError(f"{path} has no column with the artists of songs.", hint=HINT)
    rows = csv.reader((line.replace("\0", "") for line in lines), delimiter=delimiter)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if row:
            yield _play(dict(zip(names, row, strict=False)))


def _of_objects(path: Path, pieces: Iterator[str]) -> Iterator[Play | None]:
    """Read the objects of a JSON list, or of a file with one a line."""
    decoder, text, at, found = json.JSONDecoder(), "", 0, False
    while True:
        at = broken = BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        try:
            one, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            end, broken = at, error.pos
        except RecursionError:
            end = at
        if end > at:
            found = True
            yield _play(_flat(one)) if isinstance(one, dict) else None
            at = end
            continue
        more = "" if broken + CHUNK < len(text) else "".join(_some(pieces))
        if more:  # the object may only be cut off
            text, at = text[at:] + more, 0
        elif at < len(text):  # what cannot be read costs itself only
            found = True
            yield None
            following = text.find("{", at + 1)
            at = following if following > 0 else len(text)
        else:
            break
    if not found:
        raise InputError(f"{path} holds no plays.", hint="Give the export of a service.")


def _some(pieces: Iterator[str]) -> Iterator[str]:
    """Take pieces up to the length of a chunk."""
    length = 0
    for piece in pieces:
        yield piece
        length += len(piece)
        if length >= CHUNK:
            return


def _flat(one: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts and numbers of an object, those of ListenBrainz' metadata among them."""
    inner = one.get("track_metadata")
    whole = {**one, **inner} if isinstance(inner, dict) else one
    return {
        str(name).lower(): str(value)
        for name, value in whole.items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }


def _has(names: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(name in names for name in wanted)


def _first(row: Mapping[str, str], names: Sequence[str]) -> str:
    return next((row[name].strip() for name in names if row.get(name, "").strip()), "")


def _count(text: str) -> int | None:
    """Read a count; None where there is none."""
    try:
        return min(MAX_COUNT, max(0, int(float(text))))
    except (ValueError, OverflowError):
        return None


def _play(row: Mapping[str, str]) -> Play | None:
    """Read a play; None where the artist or the title is missing, or a number is not one."""
    artist, title = _first(row, ARTIST), _first(row, TITLE)
    if not artist:  # Apple's track history has both in one column
        artist, _, title = title.partition(" - ")
    # A quotation mark that is never closed would make a title of many lines.
    if not artist.strip() or not title.strip() or "\n" in artist + title:
        return None
    counted, skipped, played = (_first(row, names) for names in (PLAYS, SKIPS, PLAYED_MS))
    if counted or skipped:
        plays, skips = _count(counted or "0"), _count(skipped or "0")
        return None if plays is None or skips is None else Play(artist, title, plays, skips)
    if played:
        try:
            skip = float(played) < 1000 * SKIPPED_S
        except ValueError:
            return None
        return Play(artist, title, int(not skip), int(skip))
    return Play(artist, title)
