"""Serving a listener: the taste behind a profile, the songs to choose from, what is played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.actions import each
from groove_core.console import note
from groove_core.errors import InputError
from groove_core.storage import Cache, check_file, file_sha256
from groove_core.values import Audio
from music_recsys.catalogue import EXACT, Catalogue, is_catalogue
from music_recsys.evaluation import area
from music_recsys.inspection import excerpt, medley
from music_recsys.listening import FrontEnd, Passages
from music_recsys.profile import Profile, Rated
from music_recsys.recommending import CANDIDATES, Candidate, Liked, candidate
from music_recsys.taste import Pooling, Taste, learn_taste, liking
from music_recsys.windows import WINDOW_S

__all__ = ["LIKED", "Known", "best_passages", "candidates_of"]

LIKED = 3.5
"""Ratings above this are of liked songs."""
PARTS, FEWEST = 5, 5
PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """The songs that a listener rated and that can be heard."""

    rated: Sequence[Rated]
    songs: Sequence[Passages]

    @classmethod
    def of(cls, profile: Profile, front_end: FrontEnd) -> Known:
        """Read them from a profile; what has moved and was never heard is told and left out."""
        rated, songs = [], []
        for one in profile.ratings():
            heard = profile.passages(one, front_end)
            if heard is None:
                note(f"left out: {one.path} has moved, and this front end has never heard it")
                continue
            rated.append(one)
            songs.append(heard)
        return cls(rated, songs)

    @property
    def ratings(self) -> npt.NDArray[np.float64]:
        """Give the ratings, 1 to 5 [shape=(songs,)]."""
        return np.array([one.rating for one in self.rated])

    def liked(self) -> list[Liked]:
        """Give the songs that are liked."""
        pairs = zip(self.rated, self.songs, strict=True)
        return [Liked(r.name, np.asarray(s, np.float64)) for r, s in pairs if r.rating > LIKED]

    def taste(self, pooling: Pooling) -> Taste:
        """Learn the taste; it takes a moment, so it is never out of date.

        Raises
        ------
        InputError
            If nothing is rated, or no rated song can be heard.
        """
        return learn_taste(self.songs, liking(self.ratings), pooling)

    def held_out(self, pooling: Pooling) -> float | None:
        """Predict each fifth from the others; give the mean area under the ROC curve.

        Scores of different fifths come from different tastes and are never compared. None where
        too few are liked, or too few are not.
        """
        liked = self.ratings > LIKED
        if min(liked.sum(), (~liked).sum()) < FEWEST:
            return None
        # Each part has its share of both.
        part = np.zeros(len(liked), int)
        for which in (liked, ~liked):
            part[which] = np.random.default_rng(0).permutation(int(which.sum())) % PARTS
        areas = []
        for number in range(PARTS):
            others, mine = (np.flatnonzero(x).tolist() for x in (part != number, part == number))
            rest = Known([self.rated[i] for i in others], [self.songs[i] for i in others])
            taste = rest.taste(pooling)
            areas.append(area([taste.song(self.songs[i])[0] for i in mine], liked[mine]))
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
    files, cache = Audio.files(songs), Cache()

    def listen(path: Path, _: str) -> None:
        sha256 = file_sha256(check_file(path))
        if sha256 not in known:
            known.add(sha256)
            found.append(candidate(taste, str(path.resolve()), front_end.passages(path, cache)))

    for _ in each(files, listen, "listening"):
        pass
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
