"""One function over many files: here, in processes of their own, or on other machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.batch.jobs import *
    from groove_core.batch.journal import Outcome as Outcome
    from groove_core.batch.shards import Shard as Shard
    from groove_core.batch.shards import merge as merge
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        jobs="map_files map_items",
        journal="Outcome",
        shards="Shard merge",
    )
