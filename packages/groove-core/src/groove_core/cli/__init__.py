"""The ``groove`` command. Only this package imports typer."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    from groove_core.cli.app import run_cli

    raise SystemExit(run_cli())
