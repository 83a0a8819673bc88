"""Serving a listener: the taste behind a profile, the songs to choose from, what is played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groove_core.cache import Cache
from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.files import check_file, file_sha256, list_files, printable
from groove_core.values.audio import Audio
from music_recsys.catalogue import EXACT, Catalogue, is_catalogue
from music_recsys.evaluation import area
from music_recsys.features import WINDOW_S
from music_recsys.inspection import excerpt, medley
from music_recsys.listening import FrontEnd
from music_recsys.profile import Profile
from music_recsys.recommending import CANDIDATES, Candidate, Liked, candidate
from music_recsys.taste import Pooling, Taste, learn_taste, liking

__all__ = ["LIKED", "best_passages", "candidates_of", "held_out", "learnt"]

LIKED = 3.5
"""Ratings above this are of liked songs."""
PARTS, FEWEST = 5, 5
PAUSE_S = 0.5


def learnt(profile: Profile, front_end: FrontEnd, pooling: Pooling) -> tuple[Taste, list[Liked]]:
    """Learn a taste from all that was rated; it takes a moment, so it is never out of date.

    Raises
    ------
    InputError
        If nothing is rated, or no rated song can be heard.
    """
    songs, ratings, likes = [], [], []
    for one in profile.ratings():
        heard = profile.passages(one, front_end)
        if heard is None:
            note(f"left out: {one.path} has moved, and this front end has never heard it")
            continue
        songs.append(heard)
        ratings.append(one.rating)
        if one.rating > LIKED:
            likes.append(Liked(one.name, np.asarray(heard, np.float64)))
    return learn_taste(songs, liking(ratings), pooling), likes


def held_out(profile: Profile, front_end: FrontEnd, pooling: Pooling) -> float | None:
    """Predict each fifth of the ratings from the others; give the mean area under the ROC curve.

    Scores of different fifths come from different tastes and are never compared. None where too
    few are liked, or too few are not.
    """
    known = [(one, profile.passages(one, front_end)) for one in profile.ratings()]
    songs = [heard for _, heard in known if heard is not None]
    ratings = np.array([one.rating for one, heard in known if heard is not None])
    liked = ratings > LIKED
    if min(liked.sum(), (~liked).sum()) < FEWEST:
        return None
    # Each part has its share of both.
    part = np.zeros(len(songs), int)
    for which in (liked, ~liked):
        part[which] = np.random.default_rng(0).permutation(int(which.sum())) % PARTS
    areas = []
    for number in range(PARTS):
        others, mine = np.flatnonzero(part != number), np.flatnonzero(part == number)
        taste = learn_taste([songs[i] for i in others], liking(ratings[others]), pooling)
        areas.append(area([taste.song(songs[i])[0] for i in mine], liked[mine]))
    return float(np.mean(areas))


def candidates_of(
    songs: Path,
    front_end: FrontEnd,
    taste: Taste,
    rated: set[str],
    *,
    count: int,
    thorough: bool,
) -> tuple[list[Candidate], int]:
    """Give the songs to choose from, and how many there are in all.

    Parameters
    ----------
    songs : Path
        A catalogue, of which the best by their means are looked at, or a folder of songs, all
        of which are.
    rated : set of str
        Hashes of songs that are left out.
    count : int
        Songs that will be chosen.
    thorough : bool
        Whether the best cannot be told by their means; then all songs of a catalogue are looked
        at, if they are not too many.
    """
    found, known = [], set(rated)  # two files of one sound are one song
    if is_catalogue(songs):
        catalogue = Catalogue.open(songs, front_end)
        wanted = len(rated) + max(CANDIDATES, 5 * count)
        if thorough and len(catalogue) < EXACT:
            wanted = len(catalogue)
        elif thorough:
            note(f"of {len(catalogue)} songs, the {wanted} best by their means are looked at")
        for number in catalogue.best(taste.weights[:-1], wanted).tolist():
            if catalogue.hashes[number] in known:
                continue
            known.add(catalogue.hashes[number])
            heard = catalogue.passages(number)
            seen = catalogue.vectors[number][None] if heard is None else heard
            found.append(candidate(taste, catalogue.paths[number], seen, seconds=heard is not None))
        return found, len(catalogue)
    files, cache = list_files(songs, Audio.suffixes), Cache()
    for path in track(files, "listening", total=len(files)):
        try:
            sha256 = file_sha256(check_file(path))
            if sha256 not in known:
                known.add(sha256)
                heard = front_end.passages(path, cache)
                found.append(candidate(taste, printable(path.resolve()), heard))
        except InputError as error:
            note(f"left out: {path}: {error.message}")
    return found, len(files)


def best_passages(best: Sequence[tuple[str, int]]) -> Audio | None:
    """Play passages of songs (path, second) one after the other, of those that can be read."""
    heard = []
    for path, start_s in best:
        try:
            sound = Audio.read(path, start_s=start_s, duration_s=WINDOW_S, mono=True)
            heard.append(excerpt(sound, 0, WINDOW_S))
        except InputError as error:
            note(f"not played: {error.message}")
    return medley(heard, PAUSE_S)
