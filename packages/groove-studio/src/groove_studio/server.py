"""The studio's server: routes of one page, and what it may ask for."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import re
import secrets
import socket
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage.files import dump_json
from groove_core.storage.locks import locked
from groove_studio.chains import Chains
from groove_studio.guard import SANDBOX, Guard, TooLargeError
from groove_studio.jobs import BusyError, Jobs, described
from groove_studio.lines import command_line, python_lines
from groove_studio.options import Inputs, checked
from groove_studio.workspace import BRINGS, Record, Workspace, safe_name

__all__ = ["Limits", "Studio", "serve"]

PAGE = resources.files("groove_studio") / "page"
LOOK = resources.files("groove_core") / "values"
TYPES = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8", "svg": "image/svg+xml", "json": "application/json",
    "wav": "audio/wav", "mid": "audio/midi", "png": "image/png", "txt": "text/plain; charset=utf-8",
}  # fmt: skip
PING_S = 15.0
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


@dataclass(frozen=True)
class Limits:
    """What a workspace may take, and whether it may train."""

    workspace_bytes: int = 20_000_000_000
    upload_bytes: int = 500_000_000
    job_s: float | None = None
    trainers: bool = True


class Studio:
    """What the page asks for.

    Parameters
    ----------
    workspace : Workspace
    limits : Limits
    """

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self.workspace, self.limits = workspace, limits
        self.jobs = Jobs(workspace, limits.job_s)
        self.chains = Chains(workspace)
        self.packages: dict[str, dict[str, Any]] = {}
        self.facts: dict[str, Any] = {"drums": [], "palette": []}
        self.soundfont: str | None = None
        self.listed = asyncio.Event()
        self._listing: asyncio.Task[None] | None = None

    async def list_packages(self) -> None:
        """Ask a worker what is installed; the page is there meanwhile."""

        def take(event: dict[str, Any]) -> None:
            if event["event"] == "facts":
                self.soundfont = event.pop("soundfont")
                self.facts = {k: v for k, v in event.items() if k != "event"}
                self.facts["soundfont"] = self.soundfont is not None
                self.jobs.tell({"event": "facts", "facts": self.facts})
            elif event["event"] == "package":
                event = {key: value for key, value in event.items() if key != "event"}
                if not self.limits.trainers:
                    event["actions"] = [a for a in event["actions"] if a["role"] != "trainer"]
                self.packages[event["name"]] = event
                self.jobs.tell({"event": "package", "package": event})

        await self.jobs.ask("forms", {}, heard=take)
        self.listed.set()
        self.jobs.tell({"event": "listed"})

    # what is there ----------------------------------------------------------------

    async def state(self, request: Request) -> Response:
        """Return everything that a page which opens must know."""
        return JSONResponse({
            "packages": [*self.packages.values()],
            "listed": self.listed.is_set(),
            "runs": [described(record) for record in self.workspace.runs.values()],
            "progress": self.jobs.progress,
            "tray": self.workspace.tray,
            "chains": self.chains.described(),
            "facts": self.facts,
        })  # fmt: skip

    async def events(self, request: Request) -> Response:
        """Send what happens, as it happens."""

        async def lines() -> AsyncIterator[str]:
            with self.jobs.listening() as heard:
                yield "event: hello\ndata: {}\n\n"
                while not self.jobs.is_ending:
                    try:
                        event = await asyncio.wait_for(heard.get(), PING_S)
                    except TimeoutError:
                        yield ": still here\n\n"
                    else:
                        yield f"data: {dump_json(event, indent=None)}\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def choices(self, request: Request) -> Response:
        """Return what can be named in the actions of a package."""
        package = self._package(request.path_params["package"])
        found, *_ = await self.jobs.ask("choices", {"package": package["name"]})
        return JSONResponse(found["choices"])

    # what is made -----------------------------------------------------------------

    async def run(self, request: Request) -> Response:
        """Run an action."""
        asked = await _document(request)
        record = self.start(asked.get("package"), asked.get("action"), asked.get("options") or {})
        return JSONResponse(described(record))

    def start(self, package: Any, action: Any, options: dict[str, Any]) -> Record:
        """Check the options of a run, and begin it.

        Raises
        ------
        GrooveError
            If something is wrong with them.
        """
        form = self._action(package, action)
        inputs = Inputs(self.workspace)
        ready = checked(form["schema"], options, inputs)
        record = self.workspace.begin(package, action, options)
        about = {
            "package": package, "action": action, "options": ready, "texts": inputs.texts,
            "folder": str(self.workspace.place(record, "out")),
            "view": str(self.workspace.place(record, "view")),
        }  # fmt: skip
        self.jobs.submit(record, "run", about, package)
        return record

    async def again(self, request: Request) -> Response:
        """Run a chain again, with another beginning or other seeds."""
        asked = await _document(request)
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
        return JSONResponse(described(record))

    async def keep_chain(self, request: Request) -> Response:
        """Keep the chain that led to an item."""
        asked = await _document(request)
        chain = self.chains.keep(asked.get("item"), asked.get("name"))
        self.jobs.tell({"event": "chains", "chains": self.chains.described()})
        return JSONResponse({"id": chain.id})

    async def forget_chain(self, request: Request) -> Response:
        """Remove a chain."""
        self.chains.forget((await _document(request)).get("chain"))
        self.jobs.tell({"event": "chains", "chains": self.chains.described()})
        return JSONResponse({})

    async def chain(self, request: Request) -> Response:
        """Return a chain, with its command lines and its Python."""
        chain = self.chains.find(request.path_params["name"])
        schemas = [self._action(s["package"], s["action"])["schema"] for s in chain.steps]
        return JSONResponse({**asdict(chain), **chain.lines(schemas, self.workspace)})

    async def change(self, request: Request) -> Response:
        """Keep a value as the page has changed it."""
        asked = await _document(request)
        parent = self.workspace.item(asked.get("item"))
        record = self.workspace.begin(BRINGS, "edit", {"of": {"items": [parent.id]}})
        about = {"document": asked.get("document"), "name": safe_name(parent.name),
                 "view": str(self.workspace.place(record, "view"))}  # fmt: skip
        self.jobs.submit(record, "change", about)
        await self.jobs.finished(record)
        return JSONResponse(described(record))

    async def hear(self, request: Request) -> Response:
        """Return the sound of a value as the page has changed it; nothing is kept of it."""
        document = (await _document(request)).get("document")
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
        expected = int(request.headers.get("content-length") or 0)
        self.workspace.check_room(expected)
        record = self.workspace.begin(BRINGS, "upload", {})
        path = self.workspace.place(record, "out") / name
        path.parent.mkdir()
        try:
            with path.open("wb") as file:
                async for chunk in request.stream():
                    file.write(chunk)
        except BaseException:
            self.workspace.remove(record)
            raise
        about = {"path": str(path), "name": path.stem,
                 "view": str(self.workspace.place(record, "view"))}  # fmt: skip
        self.jobs.submit(record, "bring", about)
        await self.jobs.finished(record)
        return JSONResponse(described(record))

    async def cancel(self, request: Request) -> Response:
        """End a job."""
        await self.jobs.cancel(str((await _document(request)).get("run")))
        return JSONResponse({})

    async def forget(self, request: Request) -> Response:
        """Remove a run from the history, with its files."""
        record = self.workspace.runs.get(str((await _document(request)).get("run")))
        if record is not None and record.id not in self.jobs.tasks:
            self.workspace.remove(record)
            self.jobs.tell({"event": "forgotten", "run": record.id})
        return JSONResponse({})

    async def favour(self, request: Request) -> Response:
        """Keep favourites."""
        wanted = (await _document(request)).get("items")
        items = [self.workspace.item(one).id for one in wanted] if isinstance(wanted, list) else []
        self.workspace.favour(items)
        self.jobs.tell({"event": "tray", "tray": self.workspace.tray})
        return JSONResponse({})

    # what is taken away -----------------------------------------------------------

    async def write(self, request: Request) -> Response:
        """Write an item in a format, and say under which endings its files are."""
        asked = await _document(request)
        item, ending = self.workspace.item(asked.get("item")), str(asked.get("ending"))
        if ending not in (*item.formats, "stems"):
            raise UsageError(f"A {item.kind} cannot be written as .{ending}.",
                             hint=f"Choose one of {', '.join(item.formats)}.")  # fmt: skip
        if ending not in item.files or ending == "stems":
            record = self.workspace.runs[item.run]
            folder = self.workspace.place(record, "view")
            about = {"source": str(self.workspace.folder / item.source), "kind": item.kind,
                     "name": safe_name(item.name), "ending": ending,
                     "folder": str(folder)}  # fmt: skip
            events = await self.jobs.ask("write", about)
            for number, event in enumerate(e for e in events if e["event"] == "file"):
                key = f"stem-{number + 1}.wav" if ending == "stems" else ending
                path = Path(event["path"]).relative_to(self.workspace.folder)
                item.files[key] = path.as_posix()
            self.workspace.keep(record)
        stems = sorted(key for key in item.files if key.startswith("stem-"))
        return JSONResponse({"endings": stems if ending == "stems" else [ending]})

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
        record = self.workspace.runs.get(request.path_params["run"])
        if record is None:
            raise InputError("This run is not there any more.", hint="Reload the page.")
        schema = self._action(record.package, record.action)["schema"]
        return JSONResponse({"command": command_line(record, schema, self.workspace),
                             "python": python_lines(record, schema, self.workspace)})  # fmt: skip

    async def session(self, request: Request) -> Response:
        """Return everything of the session in an archive."""
        path = self.workspace.folder / f".session-{secrets.token_hex(4)}.zip"

        def pack() -> None:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, file in self.workspace.session():
                    archive.write(file, name)

        def parts() -> Iterator[bytes]:
            try:
                with path.open("rb") as file:
                    while chunk := file.read(2**20):
                        yield chunk
            finally:
                path.unlink(missing_ok=True)

        self.workspace.check_room(self.workspace.size_bytes())
        await asyncio.to_thread(pack)
        return StreamingResponse(
            parts(), media_type="application/zip",
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
        if self.soundfont is None:
            raise InputError("There is no soundfont.", hint="pip install pretty_midi")
        return FileResponse(self.soundfont, media_type="application/octet-stream",
                            headers={"cache-control": "private, max-age=86400"})  # fmt: skip

    async def viewer(self, request: Request) -> Response:
        """Return a package's own viewer, in a page that can reach nothing."""
        package = self._package(request.path_params["package"])
        address = package.get("viewers", {}).get(request.path_params["kind"], "")
        module, _, name = address.partition(":")
        found = importlib.util.find_spec(module) if module else None
        if found is None or found.origin is None or not re.fullmatch(r"[\w-]+\.js", name):
            raise InputError(f"{package['name']} brings no viewer of this kind.", hint="Update it.")
        path = Path(found.origin).with_name(name)
        text = path.read_text(encoding="utf-8").replace("export function show", "function show")
        text = text.replace("</script", "<\\/script")
        return HTMLResponse(VIEWER.format(module=text),
                            headers={"content-security-policy": SANDBOX})  # fmt: skip

    def _package(self, name: Any) -> dict[str, Any]:
        if not isinstance(name, str) or name not in self.packages:
            raise InputError("No package of this name is installed.", hint="Reload the page.")
        return self.packages[name]

    def _action(self, package: Any, name: Any) -> dict[str, Any]:
        actions = self._package(package)["actions"]
        found = next((one for one in actions if one["name"] == name), None)
        if found is None or "schema" not in found:
            raise InputError(f"{package} has no such action.", hint="Reload the page.")
        form: dict[str, Any] = found
        return form

    def routes(self) -> list[Route]:
        """Return all routes."""
        gets: dict[str, Callable[[Request], Coroutine[Any, Any, Response]]] = {
            "/": self.page, "/page/{name}": self.page, "/page/vendor/{name}": self.page,
            "/soundfont": self.sounds, "/api/state": self.state,
            "/api/events": self.events, "/api/choices/{package}": self.choices,
            "/api/lines/{run}": self.lines, "/api/chain/{name}": self.chain,
            "/api/session.zip": self.session,
            "/file/{item}/{ending}": self.file, "/viewer/{package}/{kind}": self.viewer,
        }  # fmt: skip
        posts = {"run": self.run, "again": self.again, "change": self.change, "hear": self.hear,
                 "cancel": self.cancel, "forget": self.forget, "tray": self.favour,
                 "write": self.write, "keep-chain": self.keep_chain,
                 "forget-chain": self.forget_chain}  # fmt: skip
        return [
            *(Route(path, answered(run), methods=["GET"]) for path, run in gets.items()),
            *(Route(f"/api/{p}", answered(run), methods=["POST"]) for p, run in posts.items()),
            Route("/api/upload", answered(self.bring), methods=["PUT"]),
        ]

    def app(self, hosts: Sequence[str], token: str) -> Guard:
        """Return the application, guarded."""

        @contextlib.asynccontextmanager
        async def living(_: Starlette) -> AsyncIterator[None]:
            self._listing = asyncio.create_task(self.list_packages())
            yield
            self._listing.cancel()
            await self.jobs.close()

        inner = Starlette(routes=self.routes(), lifespan=living)
        return Guard(inner, hosts, token, self.limits.upload_bytes)


def answered(
    run: Callable[[Request], Coroutine[Any, Any, Response]],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Answer mistakes with what happened and what to do."""

    async def answer(request: Request) -> Response:
        try:
            return await run(request)
        except GrooveError as error:
            status = (
                413
                if isinstance(error, TooLargeError)
                else 429
                if isinstance(error, BusyError)
                else 400
            )
            return JSONResponse({"message": error.message, "hint": error.hint}, status)
        except OSError as error:
            message = f"The disk refused: {error.strerror or error}."
            return JSONResponse({"message": message, "hint": "Make room, or try again."}, 507)

    return answer


async def _document(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError) as error:
        raise InputError("This is not JSON.", hint="Use the page of the studio.") from error
    if not isinstance(found, dict):
        raise InputError("This is not an object.", hint="Use the page of the studio.")
    return found


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    limits: Limits,
    ready: Callable[[str], None],
) -> None:
    """Serve a workspace until Ctrl-C; `ready` is told the address that opens it.

    Raises
    ------
    UsageError
        If the folder is in use or cannot be written, or the port is taken.
    """
    import uvicorn

    with locked(folder, folder / ".studio.lock"):
        workspace = Workspace(folder, limits.workspace_bytes)
        try:
            listener = socket.create_server((host, port))
        except OSError as error:
            raise UsageError(
                f"Cannot listen on {host}:{port}: {error.strerror}.",
                hint="--port 0 takes a free one.",
            ) from error
        port = listener.getsockname()[1]
        own = [host, *(["127.0.0.1", "localhost"] if host in ("127.0.0.1", "localhost") else [])]
        hosts = [f"{name}:{port}" for name in {*own, *names}] + [*names]
        token = secrets.token_urlsafe(16)
        studio = Studio(workspace, limits)

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                studio.jobs.hang_up()
                super().handle_exit(sig, frame)

        config = uvicorn.Config(
            studio.app(hosts, token), log_level="warning", access_log=False, ws="none",
            timeout_graceful_shutdown=1, server_header=False, proxy_headers=False,
        )  # fmt: skip
        ready(f"http://{host}:{port}/?token={token}")
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listener])
