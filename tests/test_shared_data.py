"""Data that two packages ship: one file, which git stores once."""

from __future__ import annotations

import melody_rnn.tunes
import music_vae.sets


def test_melodies_are_the_same_in_both_packages():
    one, two = melody_rnn.tunes.SHIPPED, music_vae.sets.DATA / "tunes.npz"
    assert one.read_bytes() == two.read_bytes()
