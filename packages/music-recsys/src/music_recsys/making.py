"""What a front end learns from, as people start a training: folders of songs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from groove_core.errors import InputError, UsageError
from groove_core.learning import PARTS, divide
from groove_core.storage import Cache
from music_recsys.features import Columns, Kind
from music_recsys.songs import GROOVE, Song, SongSet, divided, read_columns, split_of
from music_recsys.training import Heard, Piece

__all__ = ["heard"]

FEWEST = 4


def heard(
    sets: Sequence[SongSet],
    kind: Kind,
    share: float,
    *,
    labels: Sequence[str] = (),
    held_out: Sequence[str] = (),
    fraction: float = 1.0,
) -> Heard:
    """Read the songs of song sets that are to be learnt from.

    Parameters
    ----------
    sets : sequence of SongSet
    kind : {"mfcc", "log-mel"}
    share : float [0 to 1]
        Of the families, and of the values of what is held out.
    labels : sequence of str
        Kinds of labels to learn. With ``groove``, songs of one groove belong together.
    held_out : sequence of str
        Kinds of which only a share of the values is learnt, see `divided`.
    fraction : float [0 to 1]
        Of the families that could be learnt from, which are. A smaller fraction is part of a
        larger one, and what is held out stays the same.

    Raises
    ------
    InputError
        If there are too few songs.
    UsageError
        If no song has a label of a kind.
    """
    songs = [song for one in sets for song in one.songs]
    which = [number for number, one in enumerate(sets) for _ in one.songs]
    split = split_of(share)
    parts = divided(songs, split, held_out)
    if fraction < 1:
        families = [songs[number].family for number in parts["train"].tolist()]
        drawn = divide(families, (fraction, 1 - fraction), salt="fraction")
        parts["train"] = parts["train"][drawn == 0]
    taught = [kind for kind in labels if kind != GROOVE]
    for one in taught:
        if not any(song.label(one) for song in songs):
            raise UsageError(
                f"No song has a {one}.",
                hint=f"Add a column {one} to manifest.csv, or leave it out.",
            )
    columns, cache = Columns(kind), Cache()
    read: list[list[Piece]] = []
    ordered: list[Song] = []
    for number in range(len(sets)):
        chosen = [songs[n] for n in parts["train"].tolist() if which[n] == number]
        if not chosen:
            continue
        together: dict[str, list[int]] = defaultdict(list)
        kept, found = read_columns(chosen, columns, cache)
        for at, song in enumerate(kept):
            together[song.family if GROOVE in labels else song.piece].append(at)
        read.append([[found[at] for at in some] for some in together.values()])
        ordered += [kept[at] for some in together.values() for at in some]
    if len(ordered) < FEWEST:
        raise InputError(
            f"{len(ordered)} songs are too few to learn from.", hint=f"Give {FEWEST} or more."
        )
    pieces = [song.piece for song in songs]
    return Heard(
        read,
        {kind: [song.label(kind) for song in ordered] for kind in taught},
        split.or_published(pieces, {part: parts[part] for part in PARTS}).card(pieces, parts),
        share,
        fraction,
    )
