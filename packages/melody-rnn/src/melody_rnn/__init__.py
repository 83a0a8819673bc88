"""Melodies that continue, fill gaps and vary, and say where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy
from melody_rnn.__about__ import __version__ as __version__

if TYPE_CHECKING:
    from melody_rnn.actions import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__, actions="adapt dataset evaluate extend fill sample trace train vary"
    )
