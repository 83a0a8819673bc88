"""What plugin authors run in their own tests.

>>> from groove_core.testing import check_plugin
>>> check_plugin("my-package", run=True)  # doctest: +SKIP

An engine for many files has `check_engine`.

The fixtures of `groove_core.testing.fixtures` are for one line of a ``conftest.py``:
``pytest_plugins = ["groove_core.testing.fixtures"]``.
"""

from __future__ import annotations

from groove_core.checks import RULES, Checked, Examined, Problem, check_plugin, examine
from groove_core.testing.engines import check_engine

__all__ = ["RULES", "Checked", "Examined", "Problem", "check_engine", "check_plugin", "examine"]
