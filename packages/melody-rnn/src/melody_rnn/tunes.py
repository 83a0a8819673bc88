"""The tunes that the networks learn from: those that come with the package, or your own."""

from __future__ import annotations

import functools
from pathlib import Path

from groove_core import tunes
from groove_core.tunes import Tracer, TuneSet

__all__ = ["SHIPPED", "learnt", "open_tunes", "shipped"]

SHIPPED = Path(__file__).with_name("data") / "tunes.npz"


@functools.cache
def shipped() -> TuneSet:
    """Read the shipped tunes."""
    return TuneSet.read(SHIPPED)


@functools.cache
def learnt() -> Tracer:
    """Return what finds stretches in the tunes that the shipped networks learnt from."""
    tunes = shipped()
    return Tracer(tunes, tunes.of_part("train").tolist(), "the training set")


def open_tunes(data: Path | None = None, *, line: str | int | None = None) -> TuneSet:
    """Open a set of tunes, see `groove_core.tunes.open_tunes`, or else the shipped one."""
    return shipped() if data is None else tunes.open_tunes(data, line=line)
