"""Work on many files on a Ray cluster: the same command, more machines."""

from __future__ import annotations

from groove_ray.__about__ import __version__ as __version__

__all__ = ["__version__"]
