"""Questions of a page read, and answers written: documents, events, archives."""

from __future__ import annotations

import contextlib
import io
import json
import math
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from groove_core.errors import InputError
from groove_core.storage.files import MAX_JSON_VALUES, dump_json
from groove_studio.guard import TooLargeError

__all__ = ["Answer", "Events", "archived", "document_of"]


class Answer(JSONResponse):
    """A document as Groove writes it: names of files may hold what UTF-8 cannot."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return dump_json(content, indent=None).encode()


class Events(StreamingResponse):
    """A stream of events; `ended` is called when it ends, even if it has never begun."""

    def __init__(self, lines: AsyncIterator[str], ended: Callable[[], None]) -> None:
        # What lies between must pass each event on at once.
        headers = {"x-accel-buffering": "no"}
        super().__init__(lines, media_type="text/event-stream", headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


async def document_of(request: Request) -> dict[str, Any]:
    """Return an object in JSON, of finite numbers and no more values than Groove's own files."""
    content = await request.body()
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise TooLargeError(MAX_JSON_VALUES, "values")
    try:
        found = json.loads(
            content.decode(), parse_constant=_number, parse_float=_number, parse_int=_whole
        )
    except (ValueError, RecursionError) as error:
        raise InputError("This is not JSON.", hint="Use the page of the studio.") from error
    if not isinstance(found, dict):
        raise InputError("This is not an object.", hint="Use the page of the studio.")
    return found


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _whole(text: str) -> int:
    if len(text) > 20:  # no option, tick or sample needs more than 64 bits
        raise ValueError(text)
    return int(text)


def archived(files: Iterator[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield an archive in parts; a file that has just been removed is left out."""
    made = _Made()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as source:
                about = zipfile.ZipInfo.from_file(path, name)
                about.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(about, "w", force_zip64=True) as target:
                    while chunk := source.read(2**20):
                        target.write(chunk)
                        yield made.taken()
    yield made.taken()


class _Made(io.RawIOBase):
    """What has been written and not yet been taken; it cannot go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
