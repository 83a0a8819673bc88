"""The sets of songs that come with the package, your own, and the windows that are cut of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from groove_core import tunes as core
from groove_core.errors import InputError, UsageError
from groove_core.storage import list_files, read_arrays
from groove_core.tunes import Tracer, TuneSet, read_tunes
from groove_core.tunes.reading import published
from groove_core.values import Value
from music_vae.alphabets import VOICES
from music_vae.made import made_trios
from music_vae.phrases import CORPUS, PhraseSet, read_structure
from music_vae.songs import SongSet, read_songs
from music_vae.windows import Song, WindowSet, of_melodies

__all__ = [
    "DATA", "LICENSES", "beats", "build", "learnt", "phrases", "songs_of", "trios", "tunes",
    "windows_of",
]  # fmt: skip

DATA = Path(__file__).with_name("data")
V = TypeVar("V", bound=Value)
MELODY, DRUMS = ("melody",), ("drums",)
LICENSES = {
    MELODY: ("melody-tunes", "MIT AND CC0-1.0 AND BSD-3-Clause AND Artistic-1.0"),
    DRUMS: ("groove-midi-beats", "CC-BY-4.0"),
    VOICES: ("trios", "MIT AND CC-BY-4.0 AND BSD-3-Clause AND Artistic-1.0"),
}
"""Name and licence of the shipped songs of each kind."""


class Reads(Protocol):
    """What reads windows: a network, or the settings of one."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of its voices."""

    @property
    def bars(self) -> int:
        """Length of its windows."""


def tunes(root: Path | None = None) -> TuneSet:
    """Read the shipped melodies, or those of a folder or a file."""
    return _shipped("tunes", TuneSet) if root is None else core.open_tunes(root)


def beats(root: Path | None = None) -> SongSet:
    """Read the shipped beats, performances of the Groove MIDI Dataset; or those of a folder."""
    return _shipped("beats", SongSet) if root is None else _own(root, DRUMS)


def trios(root: Path | None = None) -> SongSet:
    """Read the shipped trios, game music and made ones (`music_vae.made`); or those of a folder."""
    return _shipped("trios", SongSet) if root is None else _own(root, VOICES)


def phrases(root: Path | None = None) -> PhraseSet:
    """Read the shipped phrases, songs of POP909 with choruses, verses and bridges; or a file."""
    return _shipped("phrases", PhraseSet) if root is None else PhraseSet.read(root)


@functools.cache
def _shipped(name: str, kind: type[V]) -> V:
    return kind.read(DATA / f"{name}.npz")


@functools.cache
def learnt() -> Tracer:
    """Return what finds stretches in the melodies that the shipped networks learnt from."""
    every = tunes()
    return Tracer(every, every.of_part("train").tolist(), "the training set")


def _own(root: Path, voices: Sequence[str]) -> SongSet:
    """Read a folder of songs, or a file that the action ``dataset`` has made."""
    if root.suffix != ".npz":
        return read_songs([root], voices)
    if "voices" not in read_arrays(root, what="a set of songs (.npz)"):
        raise InputError(
            f"{root} is not a set of {' and '.join(voices)}.",
            hint="Make one with the action dataset and --of drums or trios.",
        )
    found = SongSet.read(root)
    if found.voices != tuple(voices):
        raise InputError(
            f"{root} has songs of {' and '.join(found.voices)}, not of {' and '.join(voices)}.",
            hint="Choose --model by what the songs have.",
        )
    return found


def songs_of(voices: Sequence[str], data: Path | None = None) -> Iterable[Song]:
    """Return songs of some voices: the shipped ones, or those of a folder or file.

    Parameters
    ----------
    voices : sequence of str
    data : path, optional
        A folder of songs, or an ``.npz`` file that the action ``dataset`` has made.

    Raises
    ------
    InputError
        If there is nothing usable in it, or it has other voices.
    """
    if tuple(voices) == MELODY:
        return _of_tunes(tunes(data))
    return beats(data) if tuple(voices) == DRUMS else trios(data)


def _of_tunes(found: TuneSet) -> Iterable[Song]:
    for number in range(len(found)):
        tune = found.tune(number)
        yield of_melodies(tune.group, tune.melodies, tune.part)


def windows_of(model: Reads, data: Path | None = None) -> WindowSet:
    """Cut the windows that a network reads out of the shipped songs, or of your own.

    Parameters
    ----------
    model : MusicVAE or Settings
    data : path, optional
        See `songs_of`.

    Raises
    ------
    InputError
        If no window is kept.
    """
    return WindowSet.of(songs_of(model.voices, data), model.voices, model.bars)


def build(
    folders: Sequence[Path], of: str, *, splits: Path | None = None, made: bool = False
) -> TuneSet | SongSet | PhraseSet:
    """Build a set of songs: what the action ``dataset`` does.

    Parameters
    ----------
    folders : sequence of paths
    of : ``melodies``, ``drums``, ``trios`` or ``phrases``
    splits : path, optional
        Folder with tables of a published split.
    made : bool
        Trios made of the shipped phrases and beats, too.

    Raises
    ------
    InputError
        If nothing can be used.
    UsageError
        If `made` is asked of other than trios.
    """
    if made and of != "trios":
        raise UsageError(f"Only trios are made, not {of}.", hint="Add --of trios.")
    if of == "melodies":
        melodies, left_out = read_tunes(folders, splits=splits)
        return TuneSet.of(melodies, dict(left_out.most_common()))
    if of == "phrases":
        archives = [path for folder in folders for path in list_files(folder, (".zip",))]
        named = [path for path in archives if path.stem == "structure"] or archives
        if len(named) != 1:
            raise InputError(
                f"{len(named)} zip files could be the labels of POP909.",
                hint="Give its structure.zip.",
            )
        table = published(splits, [CORPUS]).get(CORPUS)
        return read_structure(named[0], table)
    found = read_songs(folders, DRUMS if of == "drums" else VOICES, splits=splits)
    return found + made_trios(phrases(), beats()) if made else found
