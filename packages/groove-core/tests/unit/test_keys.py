"""The key of what is heard."""

from __future__ import annotations

import numpy as np

from groove_core.values import find_key


def test_key_of_scales():
    major = np.zeros(12)
    major[[0, 2, 4, 5, 7, 9, 11]] = [3, 1, 2, 1, 2, 1, 0.5]
    for tonic in range(12):
        assert find_key(np.roll(major, tonic)) == (tonic, 0)
    minor = np.zeros(12)
    minor[[0, 2, 3, 5, 7, 8, 10]] = [3, 1, 2, 1, 2, 1, 0.5]
    for tonic in range(12):
        assert find_key(np.roll(minor, tonic)) == (tonic, 1)
    assert find_key(np.zeros(12)) in {(t, m) for t in range(12) for m in range(2)}
