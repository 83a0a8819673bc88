"""Training, splits and statistics: what networks of every package need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.learning.splits import *
    from groove_core.learning.statistics import *
    from groove_core.learning.training import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        splits="PARTS Split content_name divide fingerprint hashed parts_for refuse_learnt",
        statistics="auc bootstrap interval spearman wilson",
        training="Run Shard Task cosine epoch_generator fit launch measured rounded store",
    )
