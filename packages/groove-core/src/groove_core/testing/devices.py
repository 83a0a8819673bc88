"""Check that an action computes where it is told to, and the same everywhere.

A test of a plugin names the devices, of which a GPU is one only where there is one:

    @pytest.mark.parametrize("device", DEVICES)
    def test_sample(device):
        check_device("my-package", "sample", device, count=2)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from groove_core.actions import start
from groove_core.storage import checkpoints

__all__ = ["DEVICES", "check_device", "difference"]

DEVICES = ("cpu:0", pytest.param("cuda", marks=pytest.mark.gpu))
"""Where to compute beside the CPU. ``cpu:0`` is the CPU under a name that no default has, so
that weights which are loaded without a word about the device are found without a GPU."""


def check_device(
    package: str, action: str, device: str, /, *, tolerance: float = 0.0, **options: Any
) -> None:
    """Check that an action loads all its weights to a device, and gives what the CPU gives.

    Parameters
    ----------
    package, action : str
    device : str
        See `DEVICES`.
    tolerance : float
        Largest difference between numbers on a GPU, in units of the largest number of the same
        array. On the CPU under another name there must be none.
    **options
        Options of the action; with a seed, where it draws.

    Raises
    ------
    AssertionError
        If it loads nothing, loads something elsewhere, or gives something else.
    """
    loaded: list[str] = []
    load = checkpoints.load

    def recorded(*args: Any, device: str = "cpu", **more: Any) -> Any:
        loaded.append(device)
        return load(*args, device=device, **more)

    def values(where: str) -> list[Any]:
        started = start(package, action, {**options, "device": where}, write=False)
        return [value for _, value in started.values]

    with _exact():
        wanted = values("cpu")
        with mock.patch.object(checkpoints, "load", recorded):
            found = values(device)
    assert loaded, f"{package} {action} loads no weights"
    assert {*loaded} == {device}, f"{package} {action} loads weights to {', '.join(loaded)}"
    allowed = tolerance if torch.device(device).type != "cpu" else 0.0
    for number, (here, there) in enumerate(zip(found, wanted, strict=True)):
        most = max(difference(here, there), default=0.0)
        assert most <= allowed, f"value {number + 1} of {package} {action} differs by {most:.2g}"


@contextmanager
def _exact() -> Iterator[None]:
    """Let a GPU multiply in 32 bits: it rounds to 19 where it may."""
    backends: Any = torch.backends
    parts = (backends.cuda.matmul, backends.cudnn)
    before = [part.allow_tf32 for part in parts]
    for part in parts:
        part.allow_tf32 = False
    try:
        yield
    finally:
        for part, allowed in zip(parts, before, strict=True):
            part.allow_tf32 = allowed


def difference(found: Any, wanted: Any) -> Iterator[float]:
    """Yield how far the numbers of two results are from each other; infinity of what is no number.

    >>> list(difference({"a": [1.0, 4.0]}, {"a": [1.0, 4.0]}))
    [0.0, 0.0]
    >>> max(difference({"a": [1.0, "x"]}, {"a": [1.5, "y"]}))
    inf
    """
    if dataclasses.is_dataclass(found) and type(found) is type(wanted):
        for field in dataclasses.fields(found):
            yield from difference(getattr(found, field.name), getattr(wanted, field.name))
    elif isinstance(found, Mapping) and found.keys() == wanted.keys():
        for key, one in found.items():
            yield from difference(one, wanted[key])
    elif isinstance(found, (list, tuple)) and len(found) == len(wanted):
        for pair in zip(found, wanted, strict=True):
            yield from difference(*pair)
    elif isinstance(found, (np.ndarray, float)) and np.shape(found) == np.shape(wanted):
        if np.array_equal(found, wanted, equal_nan=np.asarray(found).dtype.kind == "f"):
            yield 0.0
        else:
            here, there = (np.asarray(one, np.float64) for one in (found, wanted))
            yield float(np.abs(here - there).max() / max(1e-9, np.abs(there).max()))
    else:
        yield 0.0 if found == wanted else np.inf
