"""Training, splits and statistics: what networks of every package need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.learning.adapting import *
    from groove_core.learning.ema import *
    from groove_core.learning.layers import *
    from groove_core.learning.loop import *
    from groove_core.learning.planes import *
    from groove_core.learning.run import *
    from groove_core.learning.schedules import *
    from groove_core.learning.splits import *
    from groove_core.learning.statistics import *
    from groove_core.learning.step import *
    from groove_core.learning.trainer import *
    from groove_core.learning.training import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        adapting="Best adapted_split parts_to_adapt",
        ema="EMA",
        layers="Dropout PixelNorm frozen gradient_penalty minibatch_deviation pixel_norm "
        "r1_penalty",
        loop="fit",
        planes="place_near trustworthiness tsne",
        run="Run launch",
        schedules="Schedule constant cosine linear warm_up",
        splits="PARTS Split as_learnt content_name divide fingerprint hashed or_own parts_for "
        "parts_to_learn refuse_learnt",
        statistics="about_intervals auc auc_rounds bootstrap distances frechet_distance interval "
        "mean means nearest spearman wilson",
        step="Step current_step epoch_generator learning_from seeded",
        trainer="made_with rounded source train trained",
        training="Settings Training digest shuffled",
    )
