"""Build the documentation site into the folder site: python docs/build_site.py [--serve].

Pages are written in docs/pages. Parts of them are taken from READMEs and model cards
(``<!-- include: FILE[#SECTION] [without SECTION ...] -->``) or read from the code
(``<!-- generated: NAME ARGUMENTS -->``), so that nothing is said twice. The whole pages are
put into docs/build and made into HTML by Zensical, strictly; then every link, anchor,
picture and sound of the result is looked up, and nothing may come from another host.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import composing
import offline
import reference

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
BUILD = DOCS / "build"
OUT = ROOT / "site"


def write_pages(folder: Path) -> list[str]:
    """Write the Markdown of the site, and what it shows; gives what is wrong with it."""
    sources = {
        path.relative_to(DOCS / "pages").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((DOCS / "pages").rglob("*.md"))
    }
    site = composing.Site(sources, reference.PARTS)
    shutil.rmtree(folder, ignore_errors=True)
    for page in sources:
        path = folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(site.rendered(page), encoding="utf-8")
    for place, file in site.assets.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / place)
    shutil.copytree(DOCS / "theme", folder / "theme")
    (folder / "theme/iframe-worker.js").write_text(offline.worker_script(), encoding="utf-8")
    return site.problems


def build(out: Path, work: Path) -> list[str]:
    """Build the site into a folder, by way of another; gives what is wrong with it."""
    problems = write_pages(work / "pages")
    shutil.copyfile(DOCS / "zensical.toml", work / "zensical.toml")
    zensical = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(zensical, cwd=work, capture_output=True, text=True)
    if done.returncode:
        problems.append(re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr))
    if (work / "site").is_dir():
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(work / "site", out)
        (out / ".gitignore").write_text("*\n", encoding="utf-8")
        problems += offline.check(out)
    return list(dict.fromkeys(problems))


def main() -> int:
    """Build, and give 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="serve it on this machine")
    serve = parser.parse_args().serve
    problems = build(OUT, BUILD)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        pages = len(list(OUT.rglob("*.html")))
        print(f"{pages} pages; open {OUT.relative_to(ROOT)}/index.html")
    if serve:
        print("http://localhost:8000")
        server = [sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1"]
        return subprocess.run(server, cwd=OUT).returncode
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
