"""Which song of a folder a line of a listening history means: by artist and title.

Of a file they are its tags or, without tags, its name: ``Artist - Title.mp3``, or
``Artist/Album/01 Title.mp3``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from music_recsys.plays import Play, Played

__all__ = ["History", "match"]

Key = tuple[str, str]
NUMBER = re.compile(r"^\d{1,3}(-\d{1,3})?[ ._-]+(?=\S)")
"""Of a track, at the beginning of a file's name."""
BRACKETS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
ENDING = re.compile(r"\s+-\s+[^-]*\b(remaster|remastered|live|version|edit|mix|mono|stereo)\b.*$")
GUEST = re.compile(r"\s+(feat\.?|ft\.?|featuring|with)\s.*$")
NAMED, LISTED = 5, 1000
"""Songs that are not there: named in a sentence, and listed as data."""
SIGNS = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class History:
    """A listening history, and what of it is in a folder of songs.

    Parameters
    ----------
    songs : sequence of Played
    matched, unmatched : int
        Lines whose song is there, and is not.
    missing : sequence of (str, int)
        Songs that are not there, as ``Artist - Title``, the most played first.
    bad : int
        Lines that are no plays.
    """

    songs: Sequence[Played]
    matched: int
    unmatched: int
    missing: Sequence[tuple[str, int]]
    bad: int

    def notes(self) -> list[str]:
        """Say in sentences what was found, and what was not."""
        named = ", ".join(f"{name} ({count})" for name, count in self.missing[:NAMED])
        more = len(self.missing) - NAMED
        found = [f"{self.matched} lines of the history are of {len(self.songs)} songs here."]
        if self.missing:
            rest = f" and {more} more" if more > 0 else ""
            found.append(
                f"{self.unmatched} lines are of {len(self.missing)} songs that are not: "
                f"{named}{rest}."
            )
        if self.bad:
            found.append(f"{self.bad} lines could not be read.")
        return found

    def counts(self) -> dict[str, Any]:
        """Return the same as data."""
        return {
            "songs": len(self.songs), "matched": self.matched, "unmatched": self.unmatched,
            "unreadable": self.bad, "missing": [name for name, _ in self.missing[:LISTED]],
        }  # fmt: skip


def match(plays: Iterable[Play | None], files: Sequence[Path]) -> History:
    """Find the songs that were played.

    The exact artist and title come first; without them, those without guests, brackets and
    "remastered", if they mean one song only.

    Parameters
    ----------
    plays : iterable of Play or None
        None is a line that could not be read.
    files : sequence of Path
        Sound files.
    """
    exact: dict[Key, Path] = {}
    loose: dict[Key, Path | None] = {}
    for path in files:
        for artist, title in _called(path):
            exact.setdefault(_key(artist, title), path)
            key = _loose_key(artist, title)
            loose[key] = path if loose.get(key, path) == path else None
    counts: Counter[tuple[Path, bool]] = Counter()
    missing: Counter[str] = Counter()
    matched = unmatched = bad = 0
    for one in plays:
        if one is None:
            bad += 1
            continue
        found = exact.get(_key(one.artist, one.title))
        found = found or loose.get(_loose_key(one.artist, one.title))
        if found is None:
            unmatched += 1
            missing[f"{one.artist} - {one.title}"] += one.plays
            continue
        matched += 1
        counts[found, True] += one.plays
        counts[found, False] += one.skips
    paths = dict.fromkeys(path for path, _ in counts)
    songs = [Played(path, counts[path, True], counts[path, False]) for path in paths]
    return History(
        [song for song in songs if song.plays or song.skips],
        matched, unmatched, missing.most_common(), bad,
    )  # fmt: skip


def _called(path: Path) -> list[Key]:
    """Return the artists and titles that a file may have: its tags, or else its name."""
    tags = _tags(path)
    if all(tags):
        return [tags]
    stem = NUMBER.sub("", path.stem)
    artist, dash, title = stem.partition(" - ")
    if dash:
        return [(artist, NUMBER.sub("", title))]
    return [(folder.name, stem) for folder in (path.parent, path.parent.parent)]


def _tags(path: Path) -> Key:
    """Return artist and title as the file says; empty where it does not."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as sound:
            tags = sound.copy_metadata()
    except (OSError, RuntimeError, ValueError):
        return ("", "")
    return (tags.get("artist", "").strip(), tags.get("title", "").strip())


def _plain(text: str) -> str:
    """Return a text without case, accents, signs and doubled spaces."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(SIGNS.sub(" ", kept.replace("&", " and ")).split())


def _key(artist: str, title: str) -> Key:
    return _plain(artist), _plain(title)


def _loose_key(artist: str, title: str) -> Key:
    """Return artist and title without what one edition of a song has and another has not."""
    first = re.split(r"[;,/]|\s&\s|\sfeat", artist.casefold(), maxsplit=1)[0]
    short = BRACKETS.sub("", GUEST.sub("", ENDING.sub("", title.casefold()))) or title
    return _key(GUEST.sub("", first) or artist, short)
