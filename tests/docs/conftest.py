"""The site is built once, whichever workers ask for it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in ("docs", "tools"):
    sys.path.insert(0, str(ROOT / folder))


@dataclass
class Site:
    """A built site."""

    folder: Path
    problems: list[str]

    def page(self, name: str) -> str:
        """Give the Markdown of a page, whole."""
        return (self.folder / "work/pages" / name).read_text(encoding="utf-8")

    def section(self, name: str, anchor: str) -> str:
        """Give one section of a page."""
        from composing import section

        return section(self.page(name), anchor)


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id) -> Site:
    """Build the site."""
    pytest.importorskip("zensical")
    import build_site
    from filelock import FileLock

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    folder = base / "groove-site"
    with FileLock(base / "groove-site.lock"):
        if not (folder / "problems.json").exists():
            (folder / "work").mkdir(parents=True)
            problems = build_site.build(folder / "site", folder / "work")
            (folder / "problems.json").write_text(json.dumps(problems))
    return Site(folder, json.loads((folder / "problems.json").read_text()))
