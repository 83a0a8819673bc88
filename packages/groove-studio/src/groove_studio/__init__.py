"""Everything that is installed, in the browser: forms, players, editors and a history."""

from __future__ import annotations

from groove_studio.__about__ import __version__ as __version__

__all__ = ["__version__"]
