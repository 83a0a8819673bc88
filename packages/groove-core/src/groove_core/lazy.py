"""Public names that are imported when they are first used (PEP 562).

A package says its names once for Python and points type checkers and editors at the
modules that define them:

    if TYPE_CHECKING:
        from my_package.actions import *
    else:
        __getattr__, __dir__, __all__ = lazy(__name__, actions="sample train")
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["lazy"]


def lazy(
    package: str, *modules: str, **names: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    *modules : str
        Modules of the package; a star import leaves them out.
    **names : str
        Module of the package, and the names that the package takes from it.

    Examples
    --------
    >>> get, _, names = lazy("groove_core", "dsp", errors="GrooveError UsageError")
    >>> names
    ['GrooveError', 'UsageError']
    >>> get("UsageError")
    <class 'groove_core.errors.UsageError'>
    """
    homes = {name: module for module, listed in names.items() for name in listed.split()}

    def get(name: str) -> Any:
        if name not in homes and name not in modules:
            if "actions" in names and not name.startswith("_"):
                # The names that actions of a plugin once had; looked for only now, from above.
                return importlib.import_module("groove_core.actions.former").attribute(
                    package, name
                )
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{homes.get(name, name)}")
        value = getattr(module, name) if name in homes else module
        setattr(sys.modules[package], name, value)  # Python finds it without us the next time
        return value

    # A star takes the names alone: a module may need an extra that is not installed.
    return get, lambda: sorted({*homes, *modules}), sorted(homes)
