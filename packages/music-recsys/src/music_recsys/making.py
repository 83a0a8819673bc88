"""What a front end learns from, as people start a training: folders of songs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from torch import Tensor

from groove_core.errors import InputError
from groove_core.storage import Cache
from music_recsys.features import Columns, Kind
from music_recsys.songs import Song, SongSet, read_columns, split_of
from music_recsys.training import Heard, Piece

__all__ = ["heard"]

FEWEST = 4


def heard(sets: Sequence[SongSet], kind: Kind, share: float) -> Heard:
    """Read a share of the pieces of song sets.

    Raises
    ------
    InputError
        If there are too few songs.
    """
    columns, cache = Columns(kind), Cache()
    groups = [song.piece for songs in sets for song in songs.songs]
    which = [number for number, songs in enumerate(sets) for _ in songs.songs]
    split = split_of(share)
    parts = split.parts(groups, which)
    chosen: list[list[Song]] = [[] for _ in sets]
    songs = [song for one in sets for song in one.songs]
    for number in parts["train"].tolist():
        chosen[which[number]].append(songs[number])
    read = [_pieces(some, columns, cache) for some in chosen if some]
    count = sum(map(len, read))
    if count < FEWEST:
        raise InputError(
            f"{count} pieces are too few to learn from.", hint=f"Give {FEWEST} or more."
        )
    return Heard(read, split.card(groups, parts), share)


def _pieces(chosen: Sequence[Song], columns: Columns, cache: Cache) -> list[Piece]:
    """Read the songs to learn from, those of one piece together."""
    together: dict[str, list[Tensor]] = defaultdict(list)
    kept, found = read_columns(chosen, columns, cache)
    for song, one in zip(kept, found, strict=True):
        together[song.piece].append(one)
    return list(together.values())
