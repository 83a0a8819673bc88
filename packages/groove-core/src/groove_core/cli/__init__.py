"""The ``groove`` command. Only this package imports typer."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    import gc
    import os

    if (wanted := os.environ.get("_GROOVE_COMPLETE", "")).startswith("complete_"):
        from groove_core.cli.completion import answer

        raise SystemExit(answer(wanted))
    # Imports make many objects and no garbage: looking for some, as often as Python
    # does, takes a tenth of the time that `import torch` takes.
    gc.set_threshold(100_000, 20, 20)
    # torch would read the metadata of every distribution for devices that Groove has no use
    # for, and a damaged one would end it.
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    from groove_core.console import own_streams

    own_streams()
    try:
        from groove_core.cli.app import run_cli
    except KeyboardInterrupt:  # before `run_cli` could answer it
        raise SystemExit(130) from None
    raise SystemExit(run_cli())
