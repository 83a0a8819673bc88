"""What music-vae makes."""

from __future__ import annotations

from music_vae import sample


def test_a_seed_gives_the_same_beats():
    assert list(sample(count=3, seed=5)) == list(sample(count=3, seed=5))
