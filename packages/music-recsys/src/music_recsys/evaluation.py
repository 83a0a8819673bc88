"""Listeners whose taste is known, and how few ratings find it in songs that are new.

A made-up listener likes the songs of one drummer, genre, instrument ... and no others. Some
songs are rated 5 or 1, half of them liked where there are as many; the others are ranked.
Neither those that are rated nor those that are ranked taught the front end, and no piece and
no groove is in both.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.learning import auc, divide, mean
from groove_core.storage import Cache
from groove_core.values import Cell, Report
from music_recsys.features import PER_SECOND, windows_of
from music_recsys.model import PassageNet
from music_recsys.songs import Song, SongSet, read_columns
from music_recsys.taste import Pooling, learn_taste
from music_recsys.training import front_end, whitened
from music_recsys.windows import WINDOW_S

__all__ = ["COUNTS", "area", "measure_change", "measure_tastes", "ndcg"]

Floats = npt.NDArray[np.float64]
COUNTS = (5, 20, 100)
"""Ratings."""
DRAWS = 5
"""Of songs that are rated, for each listener."""
MEASURES = ("AUC", "NDCG@10")
RATED = 0.6
"""Share of what is left that may be rated; the rest is ranked."""
FEWEST_RATED, FEWEST_RANKED = 8, 3
"""Liked songs that a listener needs."""
HALF_S = 12
CHANGED_RATINGS, CHANGED_TESTS = 20, 20
BASELINE, RANDOM, UNTRAINED = "mean MFCC + logistic regression", "random", "untrained network"


def area(scores: npt.ArrayLike, liked: npt.ArrayLike) -> float:
    """Give the area under the ROC curve; ties count half."""
    s, y = np.asarray(scores, np.float64), np.asarray(liked, bool)
    return auc([s[y]], [s[~y]], np.ones((1, 1))).value


def ndcg(scores: npt.ArrayLike, liked: npt.ArrayLike, k: int = 10) -> float:
    """Give the normalised discounted cumulative gain of the first k."""
    y = np.asarray(liked, np.float64)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = discount[: min(k, int(y.sum()))].sum()
    return float(y[order] @ discount[: len(order)] / best)


@dataclass(frozen=True, slots=True)
class Listener:
    """One who likes songs of one value of one kind."""

    kind: str
    value: str
    pool: tuple[int, ...]
    """Songs that may be rated."""
    ranked: tuple[int, ...]


def listeners(songs: Sequence[Song]) -> list[Listener]:
    """Find who can be measured: enough songs to rate, enough to be ranked."""
    found = []
    rated = divide([song.family for song in songs], (RATED, 1 - RATED), salt="rated") == 0
    for kind in sorted({kind for song in songs for kind in song.tastes}):
        new = [i for i, song in enumerate(songs) if kind in song.tastes and not song.learnt]
        pool = [i for i in new if rated[i]]
        ranked = [i for i in new if not rated[i]]
        rateable, rankable = (Counter(songs[i].tastes[kind] for i in p) for p in (pool, ranked))
        found += [
            Listener(kind, value, tuple(pool), tuple(ranked))
            for value in sorted(rateable)
            if rateable[value] >= FEWEST_RATED
            and len(ranked) > rankable[value] >= FEWEST_RANKED
            and len(rateable) > 1
        ]
    return found


def _summary(columns: Tensor) -> Floats:
    """Give mean and deviation of each row [shape=(2 rows,)], as the baseline sees a passage."""
    x = columns.float()
    summary: Floats = torch.cat([x.mean(dim=1), x.std(dim=1)]).double().numpy()
    return summary


class _Scale:
    """Standardises what the baseline sees."""

    def __init__(self, known: Sequence[Floats]) -> None:
        self.mean, self.deviation = np.mean(known, axis=0), np.std(known, axis=0) + 1e-9

    def __call__(self, summary: Floats) -> Floats:
        scaled: Floats = (summary - self.mean) / self.deviation
        return scaled


class _Material:
    """Songs as every method hears them, from the columns that all of them see.

    The baseline hears a song as a whole, or, with `by_window`, each of its passages.
    """

    def __init__(
        self,
        songs: SongSet,
        nets: dict[str, PassageNet],
        cache: Cache | None,
        *,
        by_window: bool,
    ) -> None:
        first = next(iter(nets.values()))
        self.songs, self.columns = read_columns(songs.songs, first.columns, cache)
        learnt = [x for song, x in zip(self.songs, self.columns, strict=True) if song.learnt]
        known = learnt or self.columns
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            untrained = front_end(first.kind, first.reader).eval()
        some = known[:300]
        untrained.standardise(torch.cat([x.float() for x in some], dim=1))
        untrained.settle(windows_of(x.float()) for x in some)
        whitened(untrained, some)
        untrained.to(first.mean.device)
        self.methods: dict[str, Callable[[Tensor], Floats]] = {
            name: self._by(net) for name, net in {**nets, UNTRAINED: untrained}.items()
        }
        if by_window:
            scale = _Scale([_summary(windows_of(x)[0]) for x in known])
            self.methods[BASELINE] = lambda x: np.stack([scale(_summary(w)) for w in windows_of(x)])
        else:
            scale = _Scale([_summary(x) for x in known])
            self.methods[BASELINE] = lambda x: scale(_summary(x))[None]

    @staticmethod
    def _by(net: PassageNet) -> Callable[[Tensor], Floats]:
        return lambda x: net.listen(x.float()).double().numpy()


def measure_tastes(
    sets: Sequence[SongSet],
    nets: dict[str, PassageNet],
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure how well tastes are found after 5, 20 and 100 ratings.

    Parameters
    ----------
    sets : sequence of SongSet
    nets : dict of PassageNet
        Front ends by name, that see the same columns; the first is the one that is compared
        with the baseline.
    pooling : str
    seed : int
    cache : Cache, optional

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    found: dict[str, dict[tuple[int, str], list[float]]] = {}
    who: list[tuple[str, str]] = []
    for songs in sets:
        material = _Material(songs, nets, cache, by_window=False)
        here = listeners(material.songs)
        needed = sorted({i for one in here for i in (*one.pool, *one.ranked)})
        for name, hear in material.methods.items():
            note(f"{songs.name}: {name}")
            heard = {i: hear(material.columns[i]) for i in needed}
            _one_method(found.setdefault(name, {}), material.songs, here, heard, pooling, seed)
        _at_random(found.setdefault(RANDOM, {}), material.songs, here, seed)
        who += [(f"{songs.name}: {one.kind}", one.value) for one in here]
    if not who:
        raise InputError(
            "No listener can be made up: a taste needs eight songs that may be rated and three "
            "that are ranked, besides those that the front end learnt from.",
            hint="Give more songs, in folders named after what they have in common.",
        )
    pieces = {song.piece: song.learnt for songs in sets for song in songs.songs}
    share = sum(pieces.values()) / len(pieces)
    return _report(found, who, next(iter(nets)), share, pooling)


def _chosen(
    songs: Sequence[Song], one: Listener, count: int, seed: tuple[int, ...]
) -> tuple[list[int], Floats]:
    """Draw the songs that are rated, half of them liked where there are as many."""
    rng = np.random.default_rng((*seed, count, *os.fsencode(one.value)))
    likes = [i for i in one.pool if songs[i].tastes[one.kind] == one.value]
    others = [i for i in one.pool if songs[i].tastes[one.kind] != one.value]
    liked = rng.permutation(likes)[: (count + 1) // 2].tolist()
    chosen = [*liked, *rng.permutation(others)[: count - len(liked)].tolist()]
    return chosen, np.array([songs[i].tastes[one.kind] == one.value for i in chosen], np.float64)


def _ranks(songs: Sequence[Song], one: Listener) -> npt.NDArray[np.bool_]:
    return np.array([songs[i].tastes[one.kind] == one.value for i in one.ranked])


def _one_method(
    found: dict[tuple[int, str], list[float]],
    songs: Sequence[Song],
    here: Sequence[Listener],
    heard: dict[int, Floats],
    pooling: Pooling,
    seed: int,
) -> None:
    for one in track(here, "listeners", total=len(here)):
        truth = _ranks(songs, one)
        for count in COUNTS:
            drawn = []
            for draw in range(DRAWS):
                chosen, liked = _chosen(songs, one, count, (seed, draw))
                taste = learn_taste([heard[i] for i in chosen], liked, pooling)
                scores = [taste.song(heard[i])[0] for i in one.ranked]
                drawn.append((area(scores, truth), ndcg(scores, truth)))
            for what, value in zip(MEASURES, np.mean(drawn, axis=0).tolist(), strict=True):
                found.setdefault((count, what), []).append(value)


def _at_random(
    found: dict[tuple[int, str], list[float]],
    songs: Sequence[Song],
    here: Sequence[Listener],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    for one in here:
        truth = _ranks(songs, one)
        for count in COUNTS:
            scores = rng.random((100, len(truth)))
            found.setdefault((count, "AUC"), []).append(
                float(np.mean([area(s, truth) for s in scores]))
            )
            found.setdefault((count, "NDCG@10"), []).append(
                float(np.mean([ndcg(s, truth) for s in scores]))
            )


def _report(
    found: dict[str, dict[tuple[int, str], list[float]]],
    who: Sequence[tuple[str, str]],
    ours: str,
    share: float,
    pooling: Pooling,
) -> Report:
    keys = [(count, what) for what in MEASURES for count in COUNTS]
    rows: list[tuple[Cell, ...]] = [
        (name, *(mean(values[key]) for key in keys)) for name, values in found.items()
    ]
    margins = {
        name: mean(np.subtract(found[ours][20, "AUC"], values[20, "AUC"]))
        for name, values in found.items()
        if name not in (ours, RANDOM)
    }
    kinds = sorted({kind for kind, _ in who})
    each: dict[str, Any] = {
        kind: {
            "listeners": [value for k, value in who if k == kind],
            **{
                name: {
                    f"{what} after {count}": round(float(np.mean(
                        [x for x, (k, _) in zip(values[count, what], who, strict=True) if k == kind]
                    )), 4)
                    for count, what in keys
                }
                for name, values in found.items()
            },
        }
        for kind in kinds
    }  # fmt: skip
    return Report(
        f"{len(who)} listeners with a known taste",
        ("", *(f"{what} after {count}" for count, what in keys)),
        tuple(rows),
        notes=(
            f"AUC of {ours} after 20 ratings (paired, over listeners): "
            + "; ".join(f"{gain} above {name}" for name, gain in margins.items())
            + ".",
            "±: the wider side of the 95 % bootstrap interval over listeners; songs score by "
            f"{pooling}.",
            f"Front ends learnt from {share:.0%} of the pieces, without labels; rated and ranked "
            "are others, which share no groove; of a library, few grooves are left to rank.",
        ),
        data={
            "pooling": pooling,
            "margins": {name: asdict(gain) for name, gain in margins.items()},
            "kinds": each,
        },
    )  # fmt: skip


def measure_change(
    sets: Sequence[SongSet],
    nets: dict[str, PassageNet],
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
        material = _Material(songs, nets, cache, by_window=True)
        here = listeners(material.songs)
        who += [f"{songs.name}: {one.kind} {one.value}" for one in here]
        for number, one in enumerate(track(here, "listeners", total=len(here))):
            rng = np.random.default_rng((seed, number))
            rated = _changed(material, one, one.pool, CHANGED_RATINGS, rng)
            tests = _changed(material, one, one.ranked, 2 * CHANGED_TESTS, rng)
            liked = np.arange(CHANGED_RATINGS) % 2 == 0
            for name, hear in material.methods.items():
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
        notes=(f"After {CHANGED_RATINGS} ratings of whole songs; passages of {WINDOW_S} s that are "
               "wholly before or after the change, in songs that were not rated.",),
    )  # fmt: skip


def _changed(
    material: _Material, one: Listener, numbers: Sequence[int], count: int, rng: np.random.Generator
) -> list[Tensor]:
    """Join halves of songs; every other song is liked."""
    half = HALF_S * PER_SECOND
    long = [i for i in numbers if material.columns[i].shape[1] >= half]
    likes = [i for i in long if material.songs[i].tastes[one.kind] == one.value]
    others = [i for i in long if material.songs[i].tastes[one.kind] != one.value]
    if not likes or not others:
        raise InputError(f"The songs are shorter than {HALF_S} s.", hint="Give longer songs.")
    made = []
    for number in range(count):
        before = material.columns[int(rng.choice(others))]
        after = material.columns[int(rng.choice(likes if number % 2 == 0 else others))]
        made.append(torch.cat([before[:, :half], after[:, -half:]], dim=1))
    return made


def _found_after(curve: Floats) -> float:
    starts = np.arange(len(curve))
    before, after = starts + WINDOW_S <= HALF_S, starts >= HALF_S
    kept = before | after
    return area(curve[kept], after[kept])
