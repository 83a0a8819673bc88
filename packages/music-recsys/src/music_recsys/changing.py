"""Whether seconds find the part of a song that is liked, where only songs were rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import mean
from groove_core.storage import Cache
from groove_core.values import Report
from music_recsys.features import PER_SECOND
from music_recsys.hearing import RANDOM, Material, compared
from music_recsys.listeners import Listener, area, listeners
from music_recsys.model import PassageNet
from music_recsys.songs import SongSet
from music_recsys.taste import learn_taste
from music_recsys.windows import WINDOW_S

__all__ = ["measure_change"]

Floats = npt.NDArray[np.float64]
HALF_S = 12
CHANGED_RATINGS, CHANGED_TESTS = 20, 20


def measure_change(
    sets: Sequence[SongSet],
    nets: Mapping[str, PassageNet],
    *,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure whether seconds find the part that is liked: only what comes after the change.

    Songs are two halves of 12 s of different songs. Liked are those whose second half is of
    the listener's taste; the ratings do not say which half it was.

    Returns
    -------
    Report
        AUC of seconds after the change against seconds before it, in liked songs that were
        not rated.
    """
    found: dict[str, list[float]] = {}
    who: list[str] = []
    for songs in sets:
        material = Material(songs, cache)
        here = listeners(material.songs)
        who += [f"{songs.name}: {one.kind} {one.value}" for one in here]
        methods = compared(material, nets, whole=False) if here else {}
        for number, one in enumerate(track(here, "listeners", total=len(here))):
            rng = np.random.default_rng((seed, number))
            rated = _changed(material, one, one.pool, CHANGED_RATINGS, rng)
            tests = _changed(material, one, one.ranked, 2 * CHANGED_TESTS, rng)
            liked = np.arange(CHANGED_RATINGS) % 2 == 0
            for name, hear in methods.items():
                heard = [hear(song) for song in rated]
                unseen = [hear(song) for song in tests[::2]]
                for pooling in ("mean", "attention"):
                    taste = learn_taste(heard, liked.astype(float), pooling)
                    areas = [_found_after(taste.curve(song)[0]) for song in unseen]
                    found.setdefault(f"{name}, {pooling}", []).append(float(np.mean(areas)))
    if not who:
        raise InputError("No listener can be made up.", hint="Give more songs of each taste.")
    rows = tuple((name, mean(x)) for name, x in found.items())
    return Report(
        f"Only the part after the change is liked: {len(who)} listeners",
        ("", "AUC per second"),
        (*rows, (RANDOM, 0.5)),
        notes=(f"After {CHANGED_RATINGS} ratings of whole songs; excerpts of {WINDOW_S} s that are "
               "wholly before or after the change, in songs that were not rated.",
               "±: the wider side of the 95 % bootstrap interval over listeners."),
    )  # fmt: skip


def _changed(
    material: Material, one: Listener, numbers: Sequence[int], count: int, rng: np.random.Generator
) -> list[Tensor]:
    """Join halves of songs; every other song is liked."""
    half = HALF_S * PER_SECOND
    long = [i for i in numbers if material.bands[i].shape[1] >= half]
    likes = [i for i in long if material.songs[i].tastes[one.kind] == one.value]
    others = [i for i in long if material.songs[i].tastes[one.kind] != one.value]
    if not likes or not others:
        raise InputError(f"The songs are shorter than {HALF_S} s.", hint="Give longer songs.")
    made = []
    for number in range(count):
        before = material.bands[int(rng.choice(others))]
        after = material.bands[int(rng.choice(likes if number % 2 == 0 else others))]
        made.append(torch.cat([before[:, :half], after[:, -half:]], dim=1))
    return made


def _found_after(curve: Floats) -> float:
    starts = np.arange(len(curve))
    before, after = starts + WINDOW_S <= HALF_S, starts >= HALF_S
    kept = before | after
    return area(curve[kept], after[kept])
