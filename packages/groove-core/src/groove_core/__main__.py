"""``python -m groove_core`` is the ``groove`` command."""

from __future__ import annotations

from groove_core.cli import main

if __name__ == "__main__":
    main()
