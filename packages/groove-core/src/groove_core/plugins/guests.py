"""Code of plugins in this process: what it does to the process is undone, and named."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from groove_core.console import note, prints_aside
from groove_core.endings import signals_only

__all__ = ["guest"]

State = tuple[Any, Callable[[Any], object]]
"""Something of the process, and what puts it back."""


@contextlib.contextmanager
def guest(who: str, *, draws: bool = False) -> Iterator[None]:
    """Run code of a plugin so that it is in nobody's way.

    What it prints goes to stderr. Working folder, locale, warnings and random state are as they
    were after the block, and a note says what was changed. A `KeyboardInterrupt` that no signal
    has caused is an error like any other.

    Parameters
    ----------
    who : str
        What notes call it.
    draws : bool
        Whether it may use the random state of the process, as actions of libraries do.
    """
    before = _states(draws)
    try:
        with prints_aside(), signals_only():
            yield
    finally:
        now = _states(draws)
        for what, (state, put_back) in before.items():
            if now[what][0] != state:
                note(f"warning: {who} changed the {what}, which is put back")
                with contextlib.suppress(OSError):  # the folder has gone
                    put_back(state)


def _states(draws: bool) -> dict[str, State]:
    states: dict[str, State] = {
        "working folder": (_folder(), lambda folder: os.chdir(folder or ".")),
        "warnings that are shown": (_filters(), _set_filters),
    }
    if locale := sys.modules.get("locale"):
        query = locale.setlocale(locale.LC_ALL)
        states["locale"] = query, lambda before: locale.setlocale(locale.LC_ALL, before)
    if not draws:
        states["random state"] = random.getstate(), random.setstate
        if "numpy.random" in sys.modules:
            from numpy.random import get_state, set_state

            state: Any = get_state(legacy=False)  # noqa: NPY002
            flat = str(state["state"]["pos"]), state["state"]["key"].tobytes()
            states["random state of NumPy"] = flat, lambda _: set_state(state)  # noqa: NPY002
    return states


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return None


def _filters() -> list[Any]:
    """Return the filters that concern all warnings; libraries add others when imported."""
    return [one for one in warnings.filters if one[1] is one[3] is None and one[2] is Warning]


def _set_filters(before: list[Any]) -> None:
    others = [one for one in warnings.filters if one not in _filters()]
    warnings.resetwarnings()
    for one in reversed([*others, *before]):
        warnings.filters.insert(0, one)  # type: ignore[attr-defined]
