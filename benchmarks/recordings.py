"""How well the shipped classifier tells the genre of recordings that may be passed on.

    python benchmarks/recordings.py UNPACKED EXAMPLES --corpus genre-corpus
    python benchmarks/recordings.py --corpus genre-corpus    # packages that are installed

`recordings.tsv` names the tracks: clips that come in Debian packages, and librosa's examples
(github.com/librosa/data). Nothing is downloaded. Install the packages, or unpack them with
`apt-get download PACKAGE` and `dpkg-deb -x PACKAGE_*.deb UNPACKED/PACKAGE`, and give the folder.

The rule for labels, fixed before the classifier heard a track; nobody listened for a genre:

1. The tag GENRE counts if it holds one of the ten genres as a word: "Death Metal" is metal.
2. Else the title or the name of the file counts, if it holds one, as in "City blues". A title that
   is one word with another meaning (a hedgehog's "Rock") does not.
3. A work of a composer of the classical repertoire (Brahms) is classical.
4. All other tracks are left out. They are counted in `recordings-left-out.tsv`, by what is stated.

Frets on Fire keeps the guitar of a song in a file of its own: "song.ogg + guitar.ogg" is the sum.
Up to three excerpts of 30 s, as long as the songs that the classifier learnt from, are taken from
each track at equal distances; a track's probabilities are the mean over them. Authors are drawn in
the bootstrap, since the songs of one author are not independent.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from genre_map.evaluation import Heard
from genre_map.model import GenreClassifier
from genre_map.pictures import read_pictures
from genre_map.songs import Song, SongSet, open_songs
from genre_map.splits import Fold
from genre_map.validation import BASELINE, logistic, mfcc_statistics
from groove_core.errors import InputError
from groove_core.learning import about_intervals, means
from groove_core.storage import Cache, checkpoints
from groove_core.values import Audio, Cell, Report

TABLE = Path(__file__).with_suffix(".tsv")
LEFT_OUT = TABLE.with_name("recordings-left-out.tsv")
RATE, EXCERPT_S, EXCERPTS = 22_050, 30.0, 3
NO_GENRE = "-"
NOTHING, OTHER = "no genre stated", "none of the ten"
"""Why a track is left out."""
FEW = 5
"""A genre of fewer authors gets no interval: it would be narrower than what is known."""


@dataclass(frozen=True)
class Track:
    """A row of the table: a track, and what its author says of it."""

    package: str
    file: str
    """Path in the package; files that sound together are joined by " + "."""
    license: str
    """An SPDX identifier."""
    author: str
    stated: str
    """The genre in the author's words."""
    where: str
    genre: str
    """One of the ten, or "-" where none of them is stated: the track is not measured."""
    sound: str
    """``recorded`` where the source says that it was played, or ``synthesised``, or ``unknown``."""

    def find(self, folders: Sequence[Path]) -> list[Path] | None:
        """Return its files in the first of the folders that has them all."""
        names = self.file.split(" + ")
        for folder in folders:
            for root in (folder / self.package, folder):
                paths = [root / name for name in names]
                if all(path.is_file() for path in paths):
                    return paths
        return None


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a table whose cells are separated by tabs."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def find_all(tracks: Sequence[Track], folders: Sequence[Path]) -> list[list[Path]]:
    """Return the files of tracks.

    Raises
    ------
    InputError
        If some are not there.
    """
    found = {track.file: track.find(folders) for track in tracks}
    missing = sorted({track.package for track in tracks if found[track.file] is None})
    if missing:
        raise InputError(
            f"These packages are neither installed nor in the folders given: {', '.join(missing)}.",
            hint="Unpack them as the head of benchmarks/recordings.py says; librosa's examples "
            "are in github.com/librosa/data.",
        )
    return [paths for paths in found.values() if paths]


def excerpts(paths: Sequence[Path]) -> Iterator[Audio]:
    """Cut excerpts at equal distances from files that sound together."""
    duration_s = min(Audio.info(path).duration_s for path in paths)
    count = int(min(EXCERPTS, max(1, duration_s // EXCERPT_S)))
    length_s = min(EXCERPT_S, duration_s)
    for number in range(count):
        start_s = max(0.0, (number + 0.5) / count * duration_s - length_s / 2)
        parts = [
            Audio.read(path, sample_rate=RATE, mono=True, start_s=start_s, duration_s=length_s)
            for path in paths
        ]
        samples = min(part.samples.shape[1] for part in parts)
        yield Audio(np.sum([part.samples[:, :samples] for part in parts], axis=0), RATE)


def cut(tracks: Sequence[Track], found: Sequence[Sequence[Path]], into: Path) -> SongSet:
    """Write the excerpts of tracks into folders by genre; each knows the number of its track."""
    songs = []
    for number, (track, paths) in enumerate(zip(tracks, found, strict=True)):
        for part, sound in enumerate(excerpts(paths)):
            name = f"{number:03d}-{part}"
            path = into / track.genre / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sound.save(path, bits=32)
            songs.append(Song(path, track.genre, {"track": str(number)}, name=name))
    return SongSet("folder", tuple(songs))


def by_track(heard: Heard, owner: np.ndarray) -> Heard:
    """Take the mean over the excerpts of each track; `owner` [shape=(excerpts,)] is its number."""
    _, first, number = np.unique(owner, return_index=True, return_inverse=True)
    share = np.eye(len(first))[number].T
    share /= share.sum(axis=1, keepdims=True)
    mean = share @ heard.mean
    return Heard(heard.truth[first], mean, mean.argmax(axis=1), share @ heard.windows)


def cells(heard: Heard, authors: np.ndarray, present: Sequence[int]) -> list[Cell]:
    """Return accuracy, macro recall, calibration error, and the recall of each genre."""
    accuracy, _, _, _, error = heard.cells(authors)
    right = heard.mean.argmax(axis=1) == heard.truth
    each: list[Cell] = []
    # No interval: a draw that lacks the author of a genre would be a mean over other genres.
    recall = float(np.mean([right[heard.truth == genre].mean() for genre in present]))
    for genre in present:
        mine = heard.truth == genre
        [share] = means([right[mine]], authors[mine])
        each.append(share if len(set(authors[mine])) >= FEW else share.value)
    return [accuracy, recall, error, *each]


def measure(
    tracks: Sequence[Track], folders: Sequence[Path], corpus: Path, checkpoint: str | None
) -> Report:
    """Let the classifier and the baseline hear the tracks, and compare.

    Raises
    ------
    InputError
        If a track is missing, or the corpus has other genres than the classifier.
    """
    model, card = checkpoints.load("genre-map", checkpoint or "classifier", GenreClassifier)
    known = open_songs(corpus)
    if known.genres != model.genres:
        raise InputError(
            f"{corpus} has other genres than the classifier.",
            hint="Build it with groove run genre-map dataset --into genre-corpus --songs 240.",
        )
    measured = [track for track in tracks if track.genre in model.genres]
    with TemporaryDirectory() as scratch:
        clips = cut(measured, find_all(measured, folders), Path(scratch))
        clips, pictures = read_pictures(clips, model.layout, None)
        labels = [model.genres.index(song.genre) for song in clips]
        owner = np.array([int(song.groups["track"]) for song in clips])
        heard = by_track(Heard.of(model, pictures, labels), owner)
        statistics = np.concatenate([mfcc_statistics(known, Cache()), mfcc_statistics(clips, None)])
    end = len(known) + len(clips)
    fold = Fold(tuple(range(len(known))), (), tuple(range(len(known), end)))
    baseline = logistic(statistics, np.array([*known.labels, *labels]), fold, seed=1)
    kept = [measured[i] for i in np.unique(owner)]
    counts = Counter(track.genre for track in kept)
    present = [i for i, genre in enumerate(model.genres) if counts[genre]]
    authors = np.array([track.author for track in kept])
    most = max(present, key=lambda i: counts[model.genres[i]])
    chance = 1 / len(model.genres)
    return Report(
        f"Recordings: {len(kept)} tracks of {len(set(authors))} authors",
        (
            "", "accuracy", "macro recall", "calibration error",
            *(f"{model.genres[i]}, {counts[model.genres[i]]}" for i in present),
        ),
        (
            (card["name"], *cells(heard, authors, present)),
            (BASELINE, *cells(by_track(baseline, owner), authors, present)),
            ("always the most frequent", counts[model.genres[most]] / len(kept), 1 / len(present),
             None, *(float(i == most) for i in present)),
            ("by chance", chance, chance, None, *(chance for _ in present)),
        ),
        notes=(
            _favourite(heard, model.genres),
            *_notes(kept, [track for track in tracks if track not in measured], model.genres),
        ),
        data={
            "counts": {genre: counts[genre] for genre in model.genres},
            "confusion": {card["name"]: [heard.confusion()]},
            "tracks": [
                {"file": track.file, "author": track.author, "genre": track.genre,
                 "heard": _top(model.genres, mean)}
                for track, mean in zip(kept, heard.mean, strict=True)
            ],
        },
    )  # fmt: skip


def _top(genres: Sequence[str], mean: np.ndarray) -> dict[str, float]:
    order = np.argsort(-mean, kind="stable")[:3]
    return {genres[i]: round(float(mean[i]), 3) for i in order}


def _favourite(heard: Heard, genres: Sequence[str]) -> str:
    """Say which genre it answers most often, so that nobody takes its recall for knowledge."""
    counts = np.array(heard.confusion())
    favourite = int(counts.sum(axis=0).argmax())
    said, right = counts[:, favourite].sum(), counts[favourite, favourite]
    return (
        f"The classifier says {genres[favourite]} of {said} tracks; {right} of these are "
        f"{genres[favourite]}."
    )


def _notes(
    tracks: Sequence[Track], unmeasured: Sequence[Track], genres: Sequence[str]
) -> tuple[str, ...]:
    left = Counter(NOTHING if track.stated == NO_GENRE else OTHER for track in unmeasured)
    for row in rows_of(LEFT_OUT):
        left[row["why"]] += int(row["tracks"])
    played = sum(track.sound == "recorded" for track in tracks)
    authors = {g: len({track.author for track in tracks if track.genre == g}) for g in genres}
    absent = ", ".join(genre for genre, found in authors.items() if not found)
    few = ", ".join(genre for genre, found in authors.items() if 0 < found < FEW)
    return (
        f"A genre is what the author states in tags or title. No track has {absent}; {few} have "
        "too few authors for an interval.",
        f"{played} tracks are said to be played; of the others their sources do not say whether "
        "they are played or synthesised.",
        f"Left out: {sum(left.values())} tracks of these and other packages; of {left[NOTHING]} no "
        f"genre is stated, of {left[OTHER]} another genre, such as Electronica.",
        f"{BASELINE}: trained on all songs of the rendered corpus.",
        "macro recall: mean over the genres that have tracks.",
        about_intervals("authors"),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", nargs="*", type=Path,
        help="folders with the unpacked packages, and with librosa's examples (default: /)",
    )  # fmt: skip
    parser.add_argument("--corpus", type=Path, required=True, help="rendered corpus of ten genres")
    parser.add_argument("--checkpoint", help="classifier to measure (default: the packaged one)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    tracks = [Track(**row) for row in rows_of(TABLE)]
    report = measure(tracks, options.folders or [Path("/")], options.corpus, options.checkpoint)
    print(json.dumps(report.to_json(), indent=1) if options.json else report.to_text())


if __name__ == "__main__":
    main()
