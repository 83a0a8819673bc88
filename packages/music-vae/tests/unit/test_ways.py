"""Which pieces of a way are written."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from music_vae.ways import CANDIDATES, evenly_apart, shares_for


def pieces(*changed: int) -> np.ndarray:
    """Make pieces of 20 steps, the first so many of which are those of the other end."""
    return (np.arange(20) < np.array(changed)[:, None]).astype(int)[:, None]


def test_pieces_are_kept_at_even_distances():
    made = pieces(0, 0, 0, 0, 5, 9, 10, 11, 19, 20)
    assert evenly_apart(made, 3).tolist() == [0, 6, 9]
    assert evenly_apart(made, 5)[1] == 4


def test_no_piece_goes_back_if_another_does_not():
    made = pieces(0, 12, 4, 8, 20)
    assert evenly_apart(made, 4).tolist() == [0, 2, 3, 4]


def test_all_are_kept_if_all_are_wanted():
    assert evenly_apart(pieces(0, 7, 3, 20), 4).tolist() == [0, 1, 2, 3]
    assert evenly_apart(pieces(0, 20), 2).tolist() == [0, 1]


def test_equal_pieces_are_no_obstacle():
    assert evenly_apart(pieces(8, 8, 8), 2).tolist() == [0, 2]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_it_is_the_best_of_all_choices(count):
    """Compared with trying each."""
    rng = np.random.default_rng(count)
    made = rng.integers(0, 3, (8, 2, 6))

    def cost(chosen: tuple[int, ...]) -> float:
        apart = lambda a, b: (made[a] != made[b]).mean()  # noqa: E731
        most = max(apart(a, b) for a in range(8) for b in range(8))
        total = 0.0
        for a, b in itertools.pairwise(chosen):
            back = apart(0, b) < apart(0, a) or apart(7, b) > apart(7, a)
            total += apart(a, b) ** 2 + back * most**2
        return total

    choices = [(0, *some, 7) for some in itertools.combinations(range(1, 7), count - 2)]
    found = evenly_apart(made, count)
    assert cost(tuple(found)) == pytest.approx(min(map(cost, choices)))


def test_more_are_written_than_are_kept():
    shares = shares_for(9)
    assert len(shares) == CANDIDATES * 8 + 1
    assert (shares[0], shares[-1]) == (0, 1)
