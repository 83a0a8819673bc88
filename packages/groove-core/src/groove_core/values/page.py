"""HTML in one file: everything is inside and escaped, and nothing is asked of a network."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from groove_core.storage.files import in_script

__all__ = ["assemble_page", "build_page", "data_url", "escaped"]

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:">
<meta name="color-scheme" content="light dark">
"""
TITLE = "<!--TITLE-->"


def build_page(
    parts: Traversable,
    *,
    title: str,
    scripts: Sequence[str],
    documents: Mapping[str, Any],
    blobs: Mapping[str, bytes] | None = None,
) -> str:
    """Put a page together of its parts, with the look that all pages share.

    Parameters
    ----------
    parts : folder of a package, as `importlib.resources.files` finds it
        With ``page.html``, the content of the body, where ``<!--TITLE-->`` stands for the
        title; ``page.css``, what this page needs beyond the look; and the scripts.
    title : str
    scripts : sequence of str
        File names, in the order in which the page reads them: each may use what those before
        it define.
    documents : mapping of str to JSON documents
        By the id of the element that holds them:
        ``JSON.parse(document.getElementById("facts").textContent)``.
    blobs : mapping of str to bytes, optional
        By the id of the element that holds them, in Base64. They are the last thing in the
        page: where a copy was cut short, the scripts are still there to say so.

    Returns
    -------
    str
        The same input gives the same bytes.
    """

    def read(name: str) -> str:
        return (parts / name).read_text(encoding="utf-8")

    return assemble_page(
        title=title,
        style=read("page.css"),
        body=read("page.html"),
        scripts=[read(one) for one in scripts],
        documents=documents,
        blobs=blobs,
    )


def assemble_page(
    *,
    title: str,
    style: str,
    body: str,
    scripts: Sequence[str],
    documents: Mapping[str, Any],
    blobs: Mapping[str, bytes] | None = None,
) -> str:
    """Put a page together of texts, as `build_page` does of files."""

    def element(kind: str, name: str, content: str) -> str:
        return f'<script type="{kind}" id="{name}">{content}</script>\n'

    look = (resources.files("groove_core.values") / "look.css").read_text(encoding="utf-8")
    name = html.escape(title)
    return "".join(
        [
            f'{HEAD}<title>{name}</title>\n<link rel="icon" href="data:,">\n',
            f"<style>\n{look}{style}</style>\n</head>\n<body>\n",
            body.replace(TITLE, name),
            *(element("application/json", id_, in_script(one)) for id_, one in documents.items()),
            *(f"<script>\n{one}</script>\n" for one in scripts),
            *(element("text/plain", id_, _base64(one)) for id_, one in (blobs or {}).items()),
            "</body>\n</html>\n",
        ]
    )


def escaped(text: str) -> str:
    """Return a text as HTML that keeps its lines and columns, for notebooks."""
    return f"<pre>{html.escape(text)}</pre>"


def data_url(kind: str, content: bytes) -> str:
    """Return an address that holds its content.

    >>> data_url("text/plain", b"beat")
    'data:text/plain;base64,YmVhdA=='
    """
    return f"data:{kind};base64,{_base64(content)}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
