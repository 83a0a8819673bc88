"""The studio of one user: the routes of a page, and what it may ask for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, Router

from groove_core.errors import FULL, GrooveError, InputError, UsageError
from groove_core.storage.files import dump_json
from groove_studio.answers import Answer, Events, archived, document_of
from groove_studio.catalogue import Catalogue
from groove_studio.chains import Chains
from groove_studio.guard import SANDBOX, TooLargeError
from groove_studio.jobs import BusyError, Jobs, described
from groove_studio.lines import command_line, python_lines
from groove_studio.options import Inputs, checked
from groove_studio.workspace import BRINGS, MissingError, Record, Workspace, safe_name

__all__ = ["Studio"]

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
STATUS = {MissingError: 404, TooLargeError: 413, BusyError: 429}
PAGE = resources.files("groove_studio") / "page"
LOOK = resources.files("groove_core") / "values"
TYPES = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8", "svg": "image/svg+xml", "json": "application/json",
    "wav": "audio/wav", "mid": "audio/midi", "png": "image/png", "txt": "text/plain; charset=utf-8",
}  # fmt: skip
PING_S = 15.0
LOOK_BYTES = 2**24
"""How much of a file comes before the room for it is looked at again."""
VIEWER = """<!doctype html><meta charset="utf-8"><title>viewer</title>
<style>:root{{color-scheme:light dark;font:14px system-ui,sans-serif}}body{{margin:8px}}</style>
<body><div id="here"></div><script type="module">
{module}
addEventListener("message", (event) => {{
  if (event.source !== parent) return;
  show(document.getElementById("here"), event.data);
  parent.postMessage({{height: document.documentElement.scrollHeight}}, "*");
}});
parent.postMessage({{ready: true}}, "*");
</script>"""


class Studio:
    """What the page of one user asks for.

    Parameters
    ----------
    workspace : Workspace
    catalogue : Catalogue
    jobs : Jobs
    key : callable
        Returns what the user's token hashes to now; where that changes, pages hear no more.
    """

    def __init__(
        self, workspace: Workspace, catalogue: Catalogue, jobs: Jobs, key: Callable[[], str | None]
    ) -> None:
        self.workspace, self.catalogue, self.jobs, self.key = workspace, catalogue, jobs, key
        self.chains = Chains(workspace)
        self.app = Router(self.routes())
        self._before: dict[str, str] = {}
        """Which run each is to replace, while someone adjusts a form."""

    # what is there ----------------------------------------------------------------

    async def state(self, request: Request) -> Response:
        """Return everything that a page which opens must know."""
        return Answer(self._everything())

    def _everything(self) -> dict[str, Any]:
        return {
            "packages": [*self.catalogue.packages.values()],
            "listed": self.catalogue.is_whole,
            "runs": [described(record) for record in self.workspace.runs.values()],
            "progress": self.jobs.progress,
            "tray": self.workspace.tray,
            "chains": self.chains.described(),
            "facts": self.catalogue.facts,
        }

    async def events(self, request: Request) -> Response:
        """Send everything, and from then on what happens, as it happens."""
        heard, key = self.jobs.listen(), self.key()

        async def lines() -> AsyncIterator[str]:
            # In one step: nothing happens between what is sent here and what is heard.
            yield f"event: hello\ndata: {dump_json(self._everything(), indent=None)}\n"
            while self.jobs.hears(heard) and self.key() == key:
                try:
                    event = await asyncio.wait_for(heard.get(), PING_S)
                except TimeoutError:
                    yield ": still here\n\n"
                else:
                    if self.jobs.hears(heard) and self.key() == key:
                        yield f"data: {dump_json(event, indent=None)}\n"

        return Events(lines(), partial(self.jobs.leave, heard))

    async def choices(self, request: Request) -> Response:
        """Return what can be named in the actions of a package."""
        package = self.catalogue.package(request.path_params["package"])
        found, *_ = await self.jobs.ask("choices", {"package": package["name"]})
        return Answer(found["choices"])

    # what is made -----------------------------------------------------------------

    async def run(self, request: Request) -> Response:
        """Run an action, maybe in place of an earlier run of it."""
        asked = await document_of(request)
        package, action, replaces = (asked.get(name) for name in ("package", "action", "replaces"))
        record = self.start(package, action, asked.get("options") or {})
        if isinstance(replaces, str):
            self._before[record.id] = replaces
            former = self.workspace.runs.get(replaces)
            if former is not None and former.status == "waiting" and _is_same(former, record):
                await self.jobs.cancel(replaces)  # nobody waits for it any more
        return Answer(described(record))

    def start(self, package: Any, action: Any, options: dict[str, Any]) -> Record:
        """Check the options of a run, and begin it.

        Raises
        ------
        GrooveError
            If something is wrong with them.
        """
        form = self.catalogue.action(package, action)
        inputs = Inputs(self.workspace)
        ready = checked(form["schema"], options, inputs)
        record = self.workspace.begin(package, action, inputs.kept)
        about = {
            "package": package, "action": action, "options": ready, "texts": inputs.texts,
            "folder": str(self.workspace.place(record, "out")),
            "view": str(self.workspace.place(record, "view")),
        }  # fmt: skip
        self.jobs.submit(record, "run", about, package, partial(self.replace, record))
        return record

    def replace(self, record: Record) -> None:
        """Forget the run that one has replaced, unless it is a favourite or something needs it."""
        name = self._before.pop(record.id, "")
        while name in self._before:  # it failed, or nobody waited for it
            name = self._before.pop(name)
        former = self.workspace.runs.get(name)
        if former is None or name in self.jobs.tasks or not _is_same(former, record):
            return
        is_kept = {item.id for item in former.items} & {*self.workspace.tray}
        if not is_kept and not self.workspace.users(former):
            with contextlib.suppress(OSError):  # it stays
                self._forget(former)

    async def again(self, request: Request) -> Response:
        """Run a chain again, with another beginning or other seeds."""
        asked = await document_of(request)
        chain = self.chains.find(asked.get("item"))
        inputs = [one["item"] for one in chain.inputs]
        given = asked.get("inputs")
        for index, item in enumerate(given[: len(inputs)] if isinstance(given, list) else []):
            inputs[index] = self.workspace.item(item).id
        made: list[list[str]] = []
        for step in chain.steps:
            options = chain.options(step, inputs, made, new_seed=bool(asked.get("new_seed")))
            record = self.start(step["package"], step["action"], options)
            await self.jobs.finished(record)
            if record.status != "done":
                break
            made.append([item.id for item in record.items])
        return Answer(described(record))

    async def keep_chain(self, request: Request) -> Response:
        """Keep the chain that led to an item."""
        asked = await document_of(request)
        chain = self.chains.keep(asked.get("item"), asked.get("name"))
        self.jobs.tell({"event": "chains", "chains": self.chains.described()})
        return Answer({"id": chain.id})

    async def forget_chain(self, request: Request) -> Response:
        """Remove a chain."""
        self.chains.forget((await document_of(request)).get("chain"))
        self.jobs.tell({"event": "chains", "chains": self.chains.described()})
        return Answer({})

    async def chain(self, request: Request) -> Response:
        """Return a chain, with its command lines and its Python."""
        chain = self.chains.find(request.path_params["name"])
        schemas = [self.catalogue.action(s["package"], s["action"])["schema"] for s in chain.steps]
        return Answer({**asdict(chain), **chain.lines(schemas, self.workspace)})

    async def change(self, request: Request) -> Response:
        """Keep a value as the page has changed it."""
        asked = await document_of(request)
        parent = self.workspace.item(asked.get("item"))
        record = self.workspace.begin(BRINGS, "edit", {"of": {"items": [parent.id]}})
        about = {"document": asked.get("document"), "name": safe_name(parent.name),
                 "view": str(self.workspace.place(record, "view"))}  # fmt: skip
        self.jobs.submit(record, "change", about)
        await self.jobs.finished(record)
        return Answer(described(record))

    async def hear(self, request: Request) -> Response:
        """Return the sound of a value as the page has changed it; nothing is kept of it."""
        document = (await document_of(request)).get("document")
        if not isinstance(document, dict):
            raise InputError("This is no value.", hint="Use the page of the studio.")
        path = self.workspace.folder / f".heard-{secrets.token_hex(4)}.wav"
        try:
            await self.jobs.ask("hear", {"document": document, "path": str(path)})
            return Response(path.read_bytes(), media_type=TYPES["wav"])
        finally:
            path.unlink(missing_ok=True)

    async def bring(self, request: Request) -> Response:
        """Take a file that someone brings."""
        name = safe_name(unquote(request.headers.get("x-name", "")))
        self.workspace.check_room(int(request.headers.get("content-length") or 0))
        record = self.workspace.begin(BRINGS, "upload", {})
        path = self.workspace.place(record, "out") / name
        try:
            path.parent.mkdir()
            with path.open("wb") as file:
                looked = 0
                async for chunk in request.stream():
                    file.write(chunk)
                    if file.tell() > looked + LOOK_BYTES:  # others may be bringing files, too
                        file.flush()
                        looked = file.tell()
                        self.workspace.check_room()
            self.workspace.check_room()
        except BaseException:
            self.workspace.remove(record)
            raise
        about = {"path": str(path), "name": path.stem,
                 "view": str(self.workspace.place(record, "view"))}  # fmt: skip
        self.jobs.submit(record, "bring", about)
        await self.jobs.finished(record)
        return Answer(described(record))

    async def cancel(self, request: Request) -> Response:
        """End a job."""
        record = self.workspace.run((await document_of(request)).get("run"))
        await self.jobs.cancel(record.id)
        return Answer({})

    async def forget(self, request: Request) -> Response:
        """Remove a run from the history, with its files."""
        record = self.workspace.run((await document_of(request)).get("run"))
        busy = [record, *self.workspace.users(record)]
        if any(one.id in self.jobs.tasks for one in busy):
            raise UsageError("A job needs this run.", hint="Wait until it has ended, or cancel it.")
        self._forget(record)
        return Answer({})

    def _forget(self, record: Record) -> None:
        self.workspace.remove(record)
        self.jobs.tell({"event": "forgotten", "run": record.id})

    async def favour(self, request: Request) -> Response:
        """Keep favourites."""
        wanted = (await document_of(request)).get("items")
        items = [self.workspace.item(one).id for one in wanted] if isinstance(wanted, list) else []
        self.workspace.favour(items)
        self.jobs.tell({"event": "tray", "tray": self.workspace.tray})
        return Answer({})

    # what is taken away -----------------------------------------------------------

    async def write(self, request: Request) -> Response:
        """Write an item in a format, and say under which endings its files are."""
        asked = await document_of(request)
        item, ending = self.workspace.item(asked.get("item")), str(asked.get("ending"))
        if ending not in item.formats and (ending != "stems" or "mid" not in item.formats):
            raise UsageError(
                f"A {item.kind} cannot be written as .{ending}.",
                hint=f"Choose one of {', '.join(item.formats) or 'its own'}.",
            )
        if ending not in item.files or ending == "stems":
            record = self.workspace.runs[item.run]
            folder = self.workspace.place(record, "view")
            about = {"source": str(self.workspace.folder / item.source), "kind": item.kind,
                     "name": safe_name(item.name), "ending": ending,
                     "folder": str(folder)}  # fmt: skip
            try:
                events = await self.jobs.ask("write", about)
            finally:
                if record.id not in self.workspace.runs:  # it was forgotten meanwhile
                    self.workspace.remove(record)
                self.workspace.run(record.id)
            for number, event in enumerate(e for e in events if e["event"] == "file"):
                key = f"stem-{number + 1}.wav" if ending == "stems" else ending
                path = Path(event["path"]).relative_to(self.workspace.folder)
                item.files[key] = path.as_posix()
            self.workspace.keep(record)
        stems = sorted(key for key in item.files if key.startswith("stem-"))
        return Answer({"endings": stems if ending == "stems" else [ending]})

    async def file(self, request: Request) -> Response:
        """Return a file of an item, to look at or to keep."""
        item = self.workspace.item(request.path_params["item"])
        path = self.workspace.path(item, request.path_params["ending"])
        ending = path.suffix[1:].lower()
        kind = TYPES.get(ending, "application/octet-stream")
        if "save" in request.query_params:
            return FileResponse(path, media_type=kind, filename=path.name)
        if ending in ("html", "svg"):  # made by a package, maybe from a stranger's file
            return FileResponse(path, media_type=kind,
                                headers={"content-security-policy": SANDBOX})  # fmt: skip
        return FileResponse(path, media_type=kind)

    async def lines(self, request: Request) -> Response:
        """Return a run as a command line and as Python."""
        record = self.workspace.run(request.path_params["run"])
        schema = self.catalogue.action(record.package, record.action)["schema"]
        return Answer({"command": command_line(record, schema, self.workspace),
                       "python": python_lines(record, schema, self.workspace)})  # fmt: skip

    async def session(self, request: Request) -> Response:
        """Return everything of the session in an archive, which is written as it is sent."""
        return StreamingResponse(
            archived(self.workspace.session()), media_type="application/zip",
            headers={"content-disposition": 'attachment; filename="groove-studio.zip"'},
        )  # fmt: skip

    # the page ---------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """Return a file of the page."""
        name = request.path_params.get("name", "index.html")
        folder = LOOK if name == "look.css" else PAGE
        if request.url.path.startswith("/page/vendor/"):
            folder = PAGE / "vendor"
        found = folder / name
        if not re.fullmatch(r"[\w-]+\.(html|js|css|svg)", name) or not found.is_file():
            return Response("Not here.", 404, media_type="text/plain")
        return Response(found.read_bytes(), media_type=TYPES[name.rpartition(".")[2]])

    async def sounds(self, request: Request) -> Response:
        """Return the soundfont that scores are played with."""
        if (path := self.catalogue.soundfont) is None:
            raise MissingError("There is no soundfont.", hint="pip install pretty_midi")
        return FileResponse(path, media_type="application/octet-stream",
                            headers={"cache-control": "private, max-age=86400"})  # fmt: skip

    async def viewer(self, request: Request) -> Response:
        """Return a package's own viewer, in a page that can reach nothing."""
        text = self.catalogue.viewer(request.path_params["package"], request.path_params["kind"])
        text = text.replace("export function show", "function show")
        text = text.replace("</script", "<\\/script")
        return HTMLResponse(VIEWER.format(module=text),
                            headers={"content-security-policy": SANDBOX})  # fmt: skip

    def routes(self) -> list[Route]:
        """Return all routes."""
        gets: dict[str, Handler] = {
            "/": self.page, "/page/{name}": self.page, "/page/vendor/{name}": self.page,
            "/soundfont": self.sounds, "/api/state": self.state,
            "/api/events": self.events, "/api/choices/{package}": self.choices,
            "/api/lines/{run}": self.lines, "/api/chain/{name}": self.chain,
            "/api/session.zip": self.session,
            "/file/{item}/{ending}": self.file, "/viewer/{package}/{kind}": self.viewer,
        }  # fmt: skip
        posts: dict[str, Handler] = {
            "/api/run": self.run, "/api/again": self.again, "/api/change": self.change,
            "/api/cancel": self.cancel, "/api/forget": self.forget, "/api/tray": self.favour,
            "/api/write": self.write, "/api/hear": self.hear,
            "/api/keep-chain": self.keep_chain, "/api/forget-chain": self.forget_chain,
        }  # fmt: skip
        return [
            *(Route(path, self._answered(run), methods=["GET"]) for path, run in gets.items()),
            *(Route(path, self._answered(run), methods=["POST"]) for path, run in posts.items()),
            Route("/api/upload", self._answered(self.bring), methods=["PUT"]),
        ]

    def _answered(self, run: Handler) -> Handler:
        """Answer mistakes with what happened and what to do."""

        async def answer(request: Request) -> Response:
            try:
                return await run(request)
            except GrooveError as error:
                status = next((s for kind, s in STATUS.items() if isinstance(error, kind)), 400)
                told = {"message": error.message, "hint": error.hint}
            except ClientDisconnect:  # nobody reads this
                return Response(None, 400)
            except OSError as error:
                is_full = error.errno in FULL
                told = {
                    "message": f"The workspace cannot be used: {error.strerror or error}.",
                    "hint": "Make room." if is_full else "Is its folder there, and yours?",
                }
                status = 507
            return Answer({key: self.workspace.hidden(text) for key, text in told.items()}, status)

        return answer


def _is_same(one: Record, other: Record) -> bool:
    return (one.package, one.action) == (other.package, other.action)
