"""A summary in one sentence.

>>> from example_package import sample
>>> [beat] = sample(count=1, seed=1)
>>> beat.bars
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from example_package.__about__ import __version__

if TYPE_CHECKING:
    from example_package.actions import sample

__all__ = ["__version__", "sample"]


def __getattr__(name: str) -> Any:
    # Names are looked up when they are used, so that an import stays cheap.
    if name in __all__:
        return getattr(importlib.import_module("example_package.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
