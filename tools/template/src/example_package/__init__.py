"""A summary in one sentence.

>>> from example_package import sample
>>> [beat] = sample(count=1, seed=1)
>>> beat.bars
2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from example_package.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from example_package.actions import *
else:
    __getattr__, __dir__, __all__ = lazy(__name__, actions="sample")
