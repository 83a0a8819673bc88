"""Finding and loading packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.plugins.loader import *
    from groove_core.plugins.names import kebab as kebab
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        loader="Installed Plugin commands damaged describe engines find installed load "
        "load_all load_watcher observers resolve watchers",
        names="kebab",
    )
