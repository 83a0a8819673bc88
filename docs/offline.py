"""The site without a server or a network: search from files, and a look at every link."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import zensical

__all__ = ["check", "worker_script"]

WORKER = """\
// Browsers start no worker from a file, but they do start one from a text. Only there:
// from a server, the search worker is loaded as usual.
if (location.protocol === "file:") {
  const source = %s;
  const Native = window.Worker;
  window.Worker = class extends Native {
    constructor(url, options) {
      const local = String(url).includes("/workers/search");
      super(local ? URL.createObjectURL(new Blob([source])) : url, options);
    }
  };
}
"""


def worker_script() -> str:
    """Give the script that lets the search work where the site is opened from a disk."""
    folder = Path(str(zensical.__file__)).parent / "templates/assets/javascripts/workers"
    [worker] = folder.glob("search.*.min.js")
    return WORKER % json.dumps(worker.read_text(encoding="utf-8"))


class _Page(HTMLParser):
    """The anchors and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what a tag names and what it loads."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name == "href" and value:
                (self.loads if tag == "link" else self.links).append(value)
            elif name in ("src", "poster", "data") and value:
                self.loads.append(value)


def check(folder: Path) -> list[str]:
    """Say which links, anchors, pictures and sounds of a built site lead nowhere.

    What a page loads must be in the folder; links to other hosts are not tried.
    """
    pages = {p: _Page(p.read_text(encoding="utf-8")) for p in folder.rglob("*.html")}
    problems = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        for target in [*page.links, *page.loads]:
            address, anchor = urldefrag(target)
            if urlparse(target).scheme or target.startswith("//"):
                if target in page.loads and not target.startswith("data:"):
                    problems.append(f"{name}: loads {target}, which is not in the site")
                continue
            if path.name == "404.html":
                continue  # its links count from the root of a server
            file = (path.parent / unquote(address)).resolve() if address else path
            if not file.exists():
                problems.append(f"{name}: {target} does not exist")
            elif anchor and file in pages and unquote(anchor) not in pages[file].anchors:
                problems.append(f"{name}: there is no place {target}")
    return problems
