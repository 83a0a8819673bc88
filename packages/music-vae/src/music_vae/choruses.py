"""Excerpts of the choruses of labelled songs, and of their other phrases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.drums import STEPS_PER_BAR
from music_vae.alphabets import melody_classes
from music_vae.phrases import PhraseSet
from music_vae.windows import cut

__all__ = ["Excerpts", "excerpts_of"]

MOSTLY = 0.75
"""Share of the bars of an excerpt that are chorus, or are not, at least."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Excerpts:
    """Excerpts of phrases, of the length of a model.

    Parameters
    ----------
    events : int array [shape=(n, 1, steps)]
    is_chorus : bool array [shape=(n,)]
    phrase, song : int array [each shape=(n,)]
        Numbers of the phrase that each begins in, and of its song.
    """

    events: Ints
    is_chorus: Bools
    phrase: Ints
    song: Ints

    def __len__(self) -> int:
        return len(self.events)


def excerpts_of(data: PhraseSet, bars: int, songs: Iterable[int]) -> Excerpts:
    """Cut the phrases of some songs into excerpts.

    The first one begins with its phrase, and the others follow bar by bar without overlapping. One
    that is longer than its phrase goes on into the next one; those of which neither three quarters
    are chorus nor three quarters are not are left out. So are those that are no windows to learn
    from (see `music_vae.windows`), and repetitions in a song.
    """
    of_song: dict[int, list[int]] = {}
    for number, phrase in enumerate(data.phrases):
        of_song.setdefault(phrase.song, []).append(number)
    rows = [
        (*one, song) for song in songs for one in _of_song(data, song, of_song.get(song, []), bars)
    ]
    if not rows:
        none = np.zeros(0, np.int64)
        return Excerpts(none.reshape(0, 1, bars * STEPS_PER_BAR), none.astype(bool), none, none)
    events, labels, numbers, owners = zip(*rows, strict=True)
    return Excerpts(np.stack(events), np.array(labels), np.array(numbers), np.array(owners))


def _of_song(
    data: PhraseSet, song: int, numbers: Sequence[int], bars: int
) -> Iterator[tuple[Ints, bool, int]]:
    """Yield each excerpt of a song, whether it is of a chorus, and the number of its phrase."""
    row = melody_classes(data.song(song).events)
    is_chorus = np.zeros(len(row) // STEPS_PER_BAR, bool)
    phrases = [(number, data.phrases[number]) for number in numbers]
    for _, phrase in phrases:
        is_chorus[phrase.bar : phrase.bar + phrase.bars] = phrase.role == "chorus"
    seen: set[bytes] = set()
    for number, phrase in phrases:
        for bar in range(phrase.bar, phrase.bar + phrase.bars, bars):
            share = is_chorus[bar : bar + bars].mean()
            kept, _ = cut(row[None, bar * STEPS_PER_BAR :][:, : bars * STEPS_PER_BAR],
                          ["melody"], bars)  # fmt: skip
            for window in kept:
                if not 1 - MOSTLY < share < MOSTLY and window.tobytes() not in seen:
                    seen.add(window.tobytes())
                    yield window, bool(share >= MOSTLY), number
