"""Who may ask the studio for what: checked before any route sees a request.

A page in your browser may send requests to addresses of your own machine. What keeps others out:
the name in ``Host`` must be one of ours (against DNS rebinding), ``Origin`` must be ours, too,
requests carry a cookie that only a token buys, and the page may fetch nothing from elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groove_core.errors import UsageError
from groove_studio.users import Keys

__all__ = ["BODY_BYTES", "SANDBOX", "Guard", "TooLargeError"]

BODY_BYTES = 32 * 2**20
"""Of a request in JSON, such as an edited score."""
# SpessaSynth decodes in WebAssembly; that is no way to run a text as a script.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SANDBOX = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of pages and viewers that packages bring: of no origin, and with no way out."""


class TooLargeError(UsageError):
    """A body that is longer than it may be."""

    def __init__(self, limit: int, what: str = "bytes") -> None:
        super().__init__("This is too large.", hint=f"At most {limit:,} {what}.")


def refused(status: int, message: str, hint: str) -> Response:
    """Return an error as all answers have it."""
    return JSONResponse({"message": message, "hint": hint}, status)


class Guard:
    """Middleware that refuses what no page of ours would send.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Values of ``Host`` that are ours.
    keys : Keys
        Whom a token lets in; the app finds the name in ``scope["studio.user"]``.
    upload_bytes : int
        Limit of the body of a PUT.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], keys: Keys, upload_bytes: int) -> None:
        self.app, self.keys, self.upload_bytes = app, keys, upload_bytes
        self.hosts = {host.lower() for host in hosts}
        self._sessions: dict[str, str] = {}
        """What the cookie of each hash is: a token that is changed ends its session, too."""
        # One for each port: browsers send cookies of all ports of a host.
        self.cookie = f"groove_studio_{secrets.token_hex(4)}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with limits and headers."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSockets here
            return
        answer = self._refuse(scope)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        limit = self.upload_bytes if scope["method"] == "PUT" else BODY_BYTES
        await self.app(scope, _limited(receive, limit), _with_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self.hosts:
            return refused(421, "This studio has another name.",
                           "Open the address that groove studio printed.")  # fmt: skip
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return refused(403, "Another site asked for this.", "Use the page of the studio.")
        site = headers.get("sec-fetch-site", "none")
        is_link = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not is_link:
            return refused(403, "Another site asked for this.", "Use the page of the studio.")
        if scope["path"] == "/health":
            return Response("It is running.", media_type="text/plain")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and given:
            return self._enter(given, headers)
        user = self._user_of(self._cookie_of(headers))
        if user is None:
            return refused(401, "This needs the token.",
                           "Open the address that groove studio printed.")  # fmt: skip
        scope["studio.user"] = user
        if scope["method"] not in ("GET", "HEAD"):
            kind = headers.get("content-type", "").partition(";")[0].strip()
            wanted = "application/octet-stream" if scope["method"] == "PUT" else "application/json"
            if origin is None or kind != wanted:
                return refused(415, f"This must be {wanted}, from the page.", "Use the page.")
            length = headers.get("content-length", "0")
            limit = self.upload_bytes if scope["method"] == "PUT" else BODY_BYTES
            if not length.isdecimal() or int(length) > limit:
                error = TooLargeError(limit)
                return refused(413, error.message, error.hint)
        return None

    def _enter(self, given: str, headers: Headers) -> Response:
        user = self.keys.user_of(given)
        if user is None:
            return refused(401, "The token is wrong.",
                           "Open the address that groove studio printed.")  # fmt: skip
        answer = RedirectResponse("/", 303)
        kept = self.keys.hashes().get(user, "")
        session = self._sessions.setdefault(kept, secrets.token_urlsafe(32))
        answer.set_cookie(
            self.cookie, session, httponly=True, samesite="strict", path="/",
            secure=headers.get("x-forwarded-proto") == "https",  # a proxy with TLS says so
        )  # fmt: skip
        return answer

    def _user_of(self, cookie: str) -> str | None:
        found = None
        for user, kept in self.keys.hashes().items():
            session = self._sessions.get(kept)
            if session and hmac.compare_digest(cookie.encode(), session.encode()):
                found = user
        return found

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what comes: a body need not be as long as its header says."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError(limit)
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def headed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", POLICY)
            headers.setdefault("cache-control", "no-store")
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "no-referrer"
            headers["cross-origin-opener-policy"] = "same-origin"
            headers["cross-origin-resource-policy"] = "same-origin"
        await send(message)

    return headed
