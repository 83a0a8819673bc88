"""Training a front end as people start it: songs in, a checkpoint out."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from groove_core.errors import InputError
from groove_core.learning.before import store
from groove_core.storage import Cache
from groove_core.values import Report
from music_recsys.__about__ import __version__
from music_recsys.features import PER_SECOND, Columns
from music_recsys.songs import Song, SongSet, read_columns, split_of
from music_recsys.training import Piece, Settings, train_front_end

__all__ = ["make_front_end"]

FEWEST = 4


def make_front_end(
    sets: Sequence[SongSet],
    settings: Settings,
    *,
    name: str,
    folder: Path,
    share: float,
    about: dict[str, str],
    **run: Any,
) -> Report:
    """Train on a share of the pieces and store.

    Parameters
    ----------
    about : dict
        ``data`` and ``license``, for the card.
    **run
        See `train_front_end`.

    Raises
    ------
    InputError
        If there are too few songs.
    """
    columns, cache = Columns(settings.kind), Cache()
    groups = [song.piece for songs in sets for song in songs.songs]
    which = [number for number, songs in enumerate(sets) for _ in songs.songs]
    split = split_of(share)
    parts = split.parts(groups, which)
    chosen: list[list[Song]] = [[] for _ in sets]
    songs = [song for one in sets for song in one.songs]
    for number in parts["train"].tolist():
        chosen[which[number]].append(songs[number])
    heard = [_pieces(some, columns, cache) for some in chosen if some]
    count = sum(map(len, heard))
    if count < FEWEST:
        raise InputError(
            f"{count} pieces are too few to learn from.", hint=f"Give {FEWEST} or more."
        )
    net, history = train_front_end(heard, settings, folder=folder, **run)
    last = history[-1]
    report = Report(
        f"{name}: which two of {2 * min(settings.batch_size, count)} passages are of one piece?",
        ("", "contrast", "told right"),
        (("last epoch of training", last["contrast"], last["right"]),),
        notes=("How well tastes are found with it: groove run music-recsys evaluate.",),
    )
    seconds = sum(x.shape[1] for pieces in heard for piece in pieces for x in piece) / PER_SECOND
    card = {
        "name": name,
        "version": "1",
        "package": "music-recsys",
        "data": {
            "name": about["data"],
            "license": about["license"],
            "split": "by piece",
            "share": share,
            "pieces": count,
            "hours": round(seconds / 3600, 2),
            "learnt": split.card(groups, parts),
        },
        "training": asdict(settings),
        "seed": run["seed"],
        "made_with": {
            "music-recsys": __version__,
            "groove-core": metadata.version("groove-core"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "license": "MIT",
        "intended_use": "Places of passages of music, among which few ratings show a taste.",
        "limits": "It knows what it heard. Trained without labels: what nobody hears in eight "
        "seconds (words, fame, memories) is not in it.",
        "paper": "arXiv:2002.05709; arXiv:2103.09410",
    }
    return store(folder, net, card, report, history=history)


def _pieces(chosen: Sequence[Song], columns: Columns, cache: Cache) -> list[Piece]:
    """Read the songs to learn from, those of one piece together."""
    together: dict[str, list[Tensor]] = defaultdict(list)
    kept, found = read_columns(chosen, columns, cache)
    for song, one in zip(kept, found, strict=True):
        together[song.piece].append(one)
    return list(together.values())
