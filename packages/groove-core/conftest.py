"""Without torch, what needs it is not collected; `tests/unit/test_light.py` says what must work."""

from importlib.util import find_spec

NEED_TORCH = [
    "src/groove_core/dsp",
    "src/groove_core/learning",
    "src/groove_core/testing/devices.py",
    "src/groove_core/testing/training.py",
]
collect_ignore = [] if find_spec("torch") else NEED_TORCH
