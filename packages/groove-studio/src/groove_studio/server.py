"""The server: who comes in, and the studio of each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from groove_core.errors import UsageError
from groove_core.storage.locks import locked
from groove_studio.catalogue import Catalogue
from groove_studio.guard import Guard
from groove_studio.jobs import Jobs
from groove_studio.pool import Event, Pool
from groove_studio.studio import Studio
from groove_studio.users import Keys, Users, hash_of, new_token
from groove_studio.workspace import Workspace

__all__ = ["House", "Limits", "serve"]

ALONE = ""
"""Name of the user of a studio without users, whose workspace is the folder itself."""


@dataclass(frozen=True)
class Limits:
    """What a workspace may take, and whether it may train."""

    workspace_bytes: int = 20_000_000_000
    upload_bytes: int = 500_000_000
    job_s: float | None = None
    trainers: bool = True


class House:
    """The studios of all users: one alone, or each in a folder of their own.

    Parameters
    ----------
    folder : Path
    limits : Limits
        Of each user.
    keys : Keys
    """

    def __init__(self, folder: Path, limits: Limits, keys: Keys) -> None:
        self.folder, self.limits, self.keys = folder.resolve(), limits, keys
        self.is_shared = isinstance(keys, Users)
        self.pool = Pool(keeps_core=not self.is_shared)
        self.catalogue = Catalogue(trainers=limits.trainers)
        self.studios: dict[str, Studio] = {}
        if not self.is_shared:
            self.studio_of(ALONE)  # what is wrong with the folder is said now

    def studio_of(self, user: str) -> Studio:
        """Return the studio of a user, which is made when they first come."""
        if user not in self.studios:
            workspace = Workspace(self.folder / user, self.limits.workspace_bytes)
            own = asyncio.Semaphore(1) if self.is_shared else None
            jobs = Jobs(workspace, self.pool, self.limits.job_s, own)
            key = partial(self._key_of, user)
            self.studios[user] = Studio(workspace, self.catalogue, jobs, key)
        return self.studios[user]

    def _key_of(self, user: str) -> str | None:
        return self.keys.hashes().get(user)

    def tell(self, event: Event) -> None:
        """Tell the pages of all users."""
        for studio in self.studios.values():
            studio.jobs.tell(event)

    def hang_up(self) -> None:
        """End the streams of events of all users."""
        for studio in self.studios.values():
            studio.jobs.hang_up()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the studio of who asks."""
        await self.studio_of(scope["studio.user"]).app(scope, receive, send)

    def app(self, hosts: Iterable[str]) -> Guard:
        """Return the application, guarded."""

        @contextlib.asynccontextmanager
        async def living(_: Starlette) -> AsyncIterator[None]:
            listing = asyncio.create_task(self.catalogue.read(self.pool, self.folder, self.tell))
            yield
            listing.cancel()
            for studio in self.studios.values():
                await studio.jobs.close()
            await self.pool.close()

        inner = Starlette(routes=[Mount("/", self)], lifespan=living)
        return Guard(inner, hosts, self.keys, self.limits.upload_bytes)


def hosts_of(host: str, port: int, names: Sequence[str]) -> set[str]:
    """Return what ``Host`` may be; browsers leave the port 80 out, and a proxy has its own.

    >>> sorted(hosts_of("127.0.0.1", 8000, ["studio.example.org"]))
    ['127.0.0.1:8000', 'localhost:8000', 'studio.example.org', 'studio.example.org:8000']
    >>> sorted(hosts_of("0.0.0.0", 80, []))
    ['0.0.0.0', '0.0.0.0:80', '127.0.0.1', '127.0.0.1:80', 'localhost', 'localhost:80']
    """
    # No site of others can have the name of this machine itself.
    own = {host, "127.0.0.1", "localhost", *names}
    return {f"{name}:{port}" for name in own} | {*(own if port == 80 else names)}


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    limits: Limits,
    ready: Callable[[str], None],
    users: Path | None = None,
) -> None:
    """Serve a workspace until Ctrl-C; `ready` is told the address that opens it.

    With a file of users, each has a workspace below the folder, and a token of their own that
    the address does not tell.

    Raises
    ------
    UsageError
        If the folder is in use or cannot be written, or the port is taken.
    InputError
        If the file of users cannot be read.
    """
    import uvicorn

    token = new_token()
    keys = Keys({ALONE: hash_of(token)}) if users is None else Users(users)
    with locked(folder, folder / ".studio.lock"):
        house = House(folder, limits, keys)
        try:
            listener = socket.create_server((host, port))
        except OSError as error:
            raise UsageError(
                f"Cannot listen on {host}:{port}: {error.strerror}.",
                hint="--port 0 takes a free one.",
            ) from error
        port = listener.getsockname()[1]

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                house.hang_up()
                super().handle_exit(sig, frame)

        app = house.app(hosts_of(host, port, names))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, ws="none",
            timeout_graceful_shutdown=1, server_header=False, proxy_headers=False,
        )  # fmt: skip
        ready(f"http://{host}:{port}/" + (f"?token={token}" if users is None else ""))
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listener])
