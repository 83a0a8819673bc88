"""Markdown as the site needs it: parts of other files, links that work, players for sounds."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

__all__ = ["Site", "headings", "outside_code", "section", "slug"]

ROOT = Path(__file__).resolve().parents[1]
SOUNDS = (".mp3", ".ogg", ".wav", ".flac")
_FENCE = re.compile(r"^(?P<fence>```+|~~~+)[^\n]*\n.*?^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_ATTRIBUTE = re.compile(r"(?P<name>src|href)=\"(?P<target>[^\"]+)\"")
_HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^<!-- (include|generated): (.*?) -->\n?", re.MULTILINE)
_COMMENT = re.compile(r"^<!-- (not run|with|make|output)\b.*? -->\n+", re.MULTILINE)
_STORED = re.compile(r"<!-- generated: [^>]*? -->\n(.*?)<!-- end -->\n?", re.DOTALL)


def slug(heading: str) -> str:
    """Give the anchor of a heading as Python-Markdown makes it."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text everywhere but in its blocks and spans of code."""
    parts: list[str] = []

    def keep(found: re.Match[str]) -> str:
        parts.append(found[0])
        return f"\0{len(parts) - 1}\0"

    hidden = _INLINE.sub(keep, _FENCE.sub(keep, text))
    hidden = change(hidden)
    while "\0" in hidden:  # a span of code may stand in what was hidden later
        hidden = re.sub("\0(\\d+)\0", lambda found: parts[int(found[1])], hidden)
    return hidden


def headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    """Give level, anchor, start and end of the sections of a text."""
    blank = _FENCE.sub(lambda found: " " * len(found[0]), text)
    found = [(len(h[1]), slug(h[2]), h.start()) for h in _HEADING.finditer(blank)]
    for index, (level, anchor, start) in enumerate(found):
        later = (s for deeper, _, s in found[index + 1 :] if deeper <= level)
        yield level, anchor, start, next(later, len(text))


def section(text: str, anchor: str) -> str:
    """Give one section of a text, with its heading.

    Raises
    ------
    KeyError
        If there is no such section.
    """
    for _, name, start, end in headings(text):
        if name == anchor:
            return text[start:end].rstrip() + "\n"
    raise KeyError(anchor)


def _without(text: str, anchors: list[str]) -> str:
    for anchor in anchors:
        text = text.replace(section(text, anchor), "")
    return text


def _without_title(text: str) -> str:
    return re.sub(r"\A# [^\n]*\n+", "", text)


@dataclass
class Site:
    """The pages, what each takes from other files, and the files they show.

    Parameters
    ----------
    pages : dict of str to str
        Path of a page in the site, and its text with directives.
    parts : dict of str to function
        What makes the text of ``<!-- generated: NAME ARGUMENTS -->``.
    """

    pages: dict[str, str]
    parts: dict[str, Callable[..., str]]
    assets: dict[str, Path] = field(default_factory=dict)
    """Path in the site, and the file that is copied there."""
    problems: list[str] = field(default_factory=list)
    _homes: dict[tuple[str, str], str] = field(default_factory=dict)
    """File and anchor (or nothing) of what is included, and the page where it is."""

    def __post_init__(self) -> None:
        for page, text in self.pages.items():
            for kind, words in _DIRECTIVE.findall(text):
                if kind == "include":
                    file, included = self._included(words)
                    self._homes.setdefault((file, ""), page)
                    for _, anchor, _, _ in headings(included):
                        self._homes.setdefault((file, anchor), page)

    def _included(self, words: str) -> tuple[str, str]:
        """Give the file and the text of ``FILE[#SECTION] [without SECTION ...]``."""
        first, *rest = words.split()
        file, _, anchor = first.partition("#")
        text = (ROOT / file).read_text(encoding="utf-8")
        text = _STORED.sub(r"\1", text)
        text = section(text, anchor) if anchor else _without_title(text)
        return file, _without(text, rest[1:]) if rest else text

    def rendered(self, page: str) -> str:
        """Give the Markdown of a page, whole."""

        def fill(found: re.Match[str]) -> str:
            kind, words = found[1], found[2]
            if kind == "include":
                file, text = self._included(words)
                return outside_code(text, lambda t: self._links(t, file, page)).strip() + "\n"
            name, *arguments = words.split()
            made = self.parts[name](*arguments)
            return outside_code(made, lambda t: self._links(t, f"docs/pages/{page}", page)) + "\n"

        pieces = []
        last = 0
        text = self.pages[page]
        own = f"docs/pages/{page}"
        for found in _DIRECTIVE.finditer(text):
            before = text[last : found.start()]
            pieces += [outside_code(before, lambda t: self._links(t, own, page)), fill(found)]
            last = found.end()
        pieces.append(outside_code(text[last:], lambda t: self._links(t, own, page)))
        return _COMMENT.sub("", outside_code("".join(pieces), _players))

    def _links(self, text: str, file: str, page: str) -> str:
        """Make the links of what stands in a file work from a page."""

        def link(found: re.Match[str]) -> str:
            target = self._target(found["target"], file, page)
            if target is None:
                return found["text"]
            return f"{found['picture']}[{found['text']}]({target})"

        def attribute(found: re.Match[str]) -> str:
            return f'{found["name"]}="{self._target(found["target"], file, page)}"'

        return _ATTRIBUTE.sub(attribute, _LINK.sub(link, text))

    def _target(self, target: str, file: str, page: str) -> str | None:
        if re.match(r"[a-z]+:", target):
            return target
        path, _, anchor = target.partition("#")
        anchor = f"#{anchor}" if anchor else ""
        whole = os.path.normpath(PurePosixPath(file).parent / path) if path else file
        if whole.startswith("docs/pages/"):
            inside = whole.removeprefix("docs/pages/")
            if inside in self.pages:
                return path + anchor
        if (ROOT / whole / "README.md").is_file():
            whole = f"{whole}/README.md"
        home = self._homes.get((whole, anchor[1:])) or self._homes.get((whole, ""))
        if home is not None:
            if anchor and (whole, anchor[1:]) not in self._homes:
                self.problems.append(f"{file}: there is no section {target}")
            here = PurePosixPath(page).parent
            return (os.path.relpath(home, here) if home != page else "") + anchor or (
                PurePosixPath(page).name
            )
        if (ROOT / whole).is_file():
            place = f"files/{whole}"
            self.assets[place] = ROOT / whole
            return os.path.relpath(place, PurePosixPath(page).parent)
        self.problems.append(f"{file}: {target} does not exist")
        return None


def _players(text: str) -> str:
    """Put players below a paragraph that links to sounds, and one in place of a picture of one."""

    def paragraph(found: re.Match[str]) -> str:
        text = found[0]
        sounds = [f for f in _LINK.finditer(text) if f["target"].endswith(SOUNDS)]
        if not sounds:
            return text
        alone = all(f["picture"] for f in sounds)
        text = _LINK.sub(
            lambda f: "" if f["picture"] and f["target"].endswith(SOUNDS) else f[0], text
        )
        players = "".join(
            f"<figure><figcaption>{_plain(f['text'])}</figcaption>"
            f'<audio controls preload="metadata" src="{f["target"]}"></audio></figure>'
            for f in sounds
        )
        players = f'<div class="sounds">{players}</div>'
        return f"{players}" if alone and not text.strip() else f"{text}\n\n{players}"

    return re.sub(r"(?:^(?!<|\s*$).+\n?)+", paragraph, text, flags=re.MULTILINE)


def _plain(text: str) -> str:
    """Give the text of a caption: no links in it, first letter large."""
    text = re.sub(r"\s*\(.*\)", "", text)
    return text[:1].upper() + text[1:]
