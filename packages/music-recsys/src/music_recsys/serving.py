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
from music_recsys.inspection import excerpt, medley
from music_recsys.listeners import area
from music_recsys.listening import Encoder, FrontEnd, Passages
from music_recsys.matching import History, match
from music_recsys.plays import exports, read_plays
from music_recsys.profile import Profile, Rated
from music_recsys.recommending import CANDIDATES, Candidate, Liked, candidate
from music_recsys.taste import Pooling, Taste, learn_taste, liking
from music_recsys.windows import WINDOW_S

__all__ = ["LIKED", "Known", "add_plays", "best_passages", "candidates_of"]

LIKED = 3.5
"""Ratings above this are of liked songs."""
PARTS, FEWEST = 5, 5
PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """The songs that a listener rated or played, and that can be heard."""

    rated: Sequence[Rated]
    songs: Sequence[Passages]

    @classmethod
    def of(cls, profile: Profile, encoder: Encoder) -> Known:
        """Read them from a profile; what has moved and was never heard is told and left out."""
        rated, songs = [], []
        for one in (*profile.ratings(), *profile.weak_ratings()):
            try:
                heard = profile.passages(one, encoder)
            except InputError as error:
                if encoder.kept:
                    raise
                note(f"left out: {error.message}")
                continue
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

    @property
    def given(self) -> npt.NDArray[np.bool_]:
        """Return which ratings were given, not suggested by plays [shape=(songs,)]."""
        return np.array([one.weight == 1 for one in self.rated], bool)

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
        weights = [one.weight for one in self.rated]
        return learn_taste(self.songs, liking(self.ratings), pooling, weights)

    def held_out(self, pooling: Pooling) -> float | None:
        """Predict each fifth of the given ratings from all others; return the mean area (ROC).

        Scores of different fifths come from different tastes and are never compared. None where
        too few are liked, or too few are not.
        """
        liked, given = self.ratings > LIKED, self.given
        if min((liked & given).sum(), (~liked & given).sum()) < FEWEST:
            return None
        # Each part has its share of both; what plays suggest is in none of them.
        part = np.full(len(liked), PARTS)
        for which in (liked & given, ~liked & given):
            part[which] = np.random.default_rng(0).permutation(int(which.sum())) % PARTS
        areas = []
        for number in range(PARTS):
            others, mine = (np.flatnonzero(x).tolist() for x in (part != number, part == number))
            rest = Known([self.rated[i] for i in others], [self.songs[i] for i in others])
            taste = rest.taste(pooling)
            areas.append(area([taste.song(self.songs[i])[0] for i in mine], liked[mine]))
        return float(np.mean(areas))


def add_plays(
    profile: Profile, encoder: Encoder, plays: Path, folder: Path, service: str
) -> History:
    """Add the songs of a folder that a listening history names to a profile.

    Parameters
    ----------
    plays : Path
        Export of a service, or a folder of them, whose plays are added up.
    service : str
        Its earlier counts are replaced.

    Raises
    ------
    InputError
        If the history holds none of the songs.
    """
    lines = (one for path in exports(plays) for one in read_plays(path))
    history = match(lines, Audio.files(folder))
    if not history.songs:
        raise InputError(
            f"None of the {history.unmatched} plays is of a song in {folder}.",
            hint="Songs are found by their tags, or by names like Artist - Title.mp3.",
        )
    for _ in each(
        history.songs,
        lambda one, _: profile.play(one, service, encoder),
        "listening",
        files=[one.path for one in history.songs],
    ):
        pass
    return history


def candidates_of(
    songs: Path,
    encoder: Encoder,
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
        if not isinstance(encoder, FrontEnd):
            raise InputError(
                f"{songs} is a catalogue, which a front end has heard.",
                hint="Give the folder of songs that the embeddings are of.",
            )
        catalogue = Catalogue.open(songs, encoder)
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
            heard = encoder.passages(path, cache)
            seconds = encoder.kept or len(heard) > 1  # one embedding is of the song as a whole
            found.append(candidate(taste, str(path.resolve()), heard, seconds=seconds))

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
