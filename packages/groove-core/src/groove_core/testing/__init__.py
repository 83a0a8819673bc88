"""What plugin authors run in their own tests.

>>> from groove_core.testing import check_plugin
>>> check_plugin("my-package", run=True)  # doctest: +SKIP

The fixtures of `groove_core.testing.fixtures` are for one line of a ``conftest.py``:
``pytest_plugins = ["groove_core.testing.fixtures"]``.
"""

from __future__ import annotations

from groove_core.checks import RULES, Checked, Examined, Problem, check_plugin, examine

__all__ = ["RULES", "Checked", "Examined", "Problem", "check_plugin", "examine"]
