"""Two versions of a part that differ in known ways: what to learn from, and to be tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS
from groove_core.render.kits import Hits

__all__ = ["KINDS", "Change", "Strokes", "changed"]

KINDS = ("untouched", "timing", "dynamics", "ghost")
SNARE = next(i for i, drum in enumerate(KIT_DRUMS) if drum.name == "snare")
APART_S = 0.12
"""Nearer to something that was changed, nothing counts as untouched."""
ROOM_S = 0.03
"""What is moved stays so far from its neighbours."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Strokes:
    """Where to compare, and what was done there.

    Parameters
    ----------
    onset_s : float array [shape=(n,)]
        In the programmed version; of a ghost note, in the played one.
    kind : int array [shape=(n,), index into `KINDS`]
    amount : float array [shape=(n,)]
        Milliseconds, dB, or, of ghost notes, 1 and the dB above the faintest; 0 where untouched.
    level_db : float array [shape=(n,)]
        Against the loudest hit of the programmed version.
    """

    onset_s: Floats
    kind: Ints
    amount: Floats
    level_db: Floats

    def __getitem__(self, chosen: npt.NDArray[np.bool_]) -> Strokes:
        return Strokes(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Change:
    """What may be done to strokes.

    Parameters
    ----------
    timing_ms, dynamics_db, ghost_db : sequences of float
        Amounts to draw from. A ghost note lies so far above the faintest, -40 dB.
    share : float
        Of strokes that are changed.
    weights : sequence of three floats
        How often each kind.
    """

    timing_ms: Sequence[float]
    dynamics_db: Sequence[float]
    ghost_db: Sequence[float]
    share: float = 0.2
    weights: Sequence[float] = (0.45, 0.4, 0.15)


FAINTEST_DB = -40.0


def changed(hits: Hits, how: Change, rng: np.random.Generator) -> tuple[Hits, Strokes]:
    """Move some strokes, play some louder or softer, and add ghost notes on the snare.

    Returns
    -------
    hits : Hits
        The played version of what is programmed.
    strokes : Strokes
    """
    number = hits.strokes()
    count = int(number.max(initial=-1)) + 1
    first = np.full(count, np.inf)
    np.minimum.at(first, number, hits.onset_s)
    last = np.zeros(count)
    np.maximum.at(last, number, hits.onset_s)
    loudest = np.full(count, -np.inf)
    np.maximum.at(loudest, number, hits.level_db)
    before = np.concatenate([[0.1], first[1:] - last[:-1]]) if count else np.zeros(0)
    after = np.concatenate([before[1:], [0.1]])
    kind = np.zeros(count, np.int64)
    amount = np.zeros(count)
    onset, level = hits.onset_s.copy(), hits.level_db.copy()
    share = np.array(how.weights) / sum(how.weights)
    ghosts: list[tuple[float, float]] = []
    for stroke in np.nonzero(rng.random(count) < how.share)[0]:
        one = number == stroke
        what = int(rng.choice(3, p=share)) + 1
        sign = rng.choice([-1.0, 1.0])
        if what == 1:
            ms = float(rng.choice(how.timing_ms))
            room = after[stroke] if sign > 0 else before[stroke]
            if room < ms / 1000 + ROOM_S:
                continue
            onset[one] += sign * ms / 1000
            amount[stroke] = ms
        elif what == 2:
            db = float(rng.choice(how.dynamics_db))
            sign = sign if loudest[stroke] + db <= 0 else -1.0
            level[one] += sign * db
            amount[stroke] = db
        else:
            if after[stroke] < 0.12 or stroke + 1 == count:
                continue
            above = float(rng.choice(how.ghost_db))
            at = last[stroke] + after[stroke] * rng.uniform(0.4, 0.6)
            ghosts.append((at, above))
            continue
        kind[stroke] = what
    ghost_s = np.array([at for at, _ in ghosts])
    above_db = np.array([db for _, db in ghosts])
    top = hits.level_db.max(initial=-40.0)
    played = Hits(
        np.concatenate([onset, ghost_s]),
        np.concatenate([hits.drum, np.full(len(ghosts), SNARE)]),
        np.concatenate([level, top + FAINTEST_DB + above_db]),
    )
    every_s = np.concatenate([first, ghost_s])
    kinds = np.concatenate([kind, np.full(len(ghosts), 3)])
    amounts = np.concatenate([amount, 1 + above_db])
    touched = every_s[kinds > 0]
    near = np.abs(every_s[:, None] - touched).min(axis=1, initial=np.inf) < APART_S
    kept = (kinds > 0) | ~near
    levels = np.concatenate([loudest - top, FAINTEST_DB + above_db])
    return played, Strokes(every_s, kinds, amounts, levels)[kept]
