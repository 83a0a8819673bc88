"""Commands for folders of sound: ``groove data check`` and ``groove data cache``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import typer

__all__ = ["cache", "check"]


def check(
    folder: Path,
    jobs: int | None,
    engine: str,
    timeout_s: float | None,
    min_s: float,
    out: Path | None,
    *,
    json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Check a folder and list what is of no use; exits with 4 if anything is."""
    from groove_core.cli.inspect import columns
    from groove_core.console import displayed, set_quiet
    from groove_core.data import check as check_folder
    from groove_core.storage.files import dump_json

    set_quiet(quiet)
    report = check_folder(
        folder, jobs=jobs, engine=engine, timeout_s=timeout_s, min_s=min_s, out=out,
        overwrite=overwrite,
    )  # fmt: skip
    if json:
        sys.stdout.write(dump_json(report.data))
    else:
        table = columns([list(map(str, row)) for row in report.rows])
        print(displayed("\n".join([*([table, ""] if table else []), *report.notes])))
    if report.rows:
        raise typer.Exit(4)


def cache(clear: bool, limit_gb: float | None, json: bool) -> None:
    """Show the cache of features, after emptying or trimming it if asked to."""
    from groove_core.console import note
    from groove_core.errors import UsageError
    from groove_core.storage.cache import Cache
    from groove_core.storage.files import dump_json

    if limit_gb is not None and not 0 <= limit_gb < float("inf"):
        raise UsageError(f"--limit-gb cannot be {limit_gb}.", hint="--limit-gb 4")
    cache = Cache(limit_bytes=None if limit_gb is None else int(limit_gb * 1e9))
    if clear or limit_gb is not None:
        note(f"removed {cache.clear() if clear else cache.trim()} entries")
    stats = cache.stats()
    if json:
        sys.stdout.write(dump_json(dataclasses.asdict(stats)))
    else:
        print(f"folder   {stats.folder}")
        print(f"entries  {stats.entries}")
        print(f"size     {stats.bytes / 1e9:.3f} GB")
        print(f"limit    {stats.limit_bytes / 1e9:.3f} GB  (GROOVE_CACHE_GB)")
