"""The sets of songs that come with the package."""

from __future__ import annotations

import functools
from pathlib import Path

from groove_core.tunes import TuneSet
from music_vae.phrases import PhraseSet

__all__ = ["DATA", "phrases", "tunes"]

DATA = Path(__file__).with_name("data")


@functools.cache
def tunes() -> TuneSet:
    """Read the shipped melodies."""
    return TuneSet.read(DATA / "tunes.npz")


@functools.cache
def phrases() -> PhraseSet:
    """Read the shipped phrases: songs of POP909 with choruses, verses and bridges."""
    return PhraseSet.read(DATA / "phrases.npz")
