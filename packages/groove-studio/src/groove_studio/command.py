"""``groove studio``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def studio(
    workspace: Annotated[
        Path, typer.Option("--workspace", metavar="FOLDER", help="Folder that keeps your work")
    ] = Path("groove-studio"),
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port (0: any that is free)")
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on; others than this machine's own "
            "let others in who know the token",
        ),
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Name that browsers may call it by, "
            "such as studio.example.org (default: the address)",
        ),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            "--users",
            metavar="FILE",
            help="File of users: each has a workspace of their own below the folder, and a token",
        ),
    ] = None,
    add_user: Annotated[
        str | None,
        typer.Option(
            "--add-user",
            metavar="NAME",
            help="Add a user to the file, or change their token; print the token, and end",
        ),
    ] = None,
    trainers: Annotated[
        bool | None,
        typer.Option(
            "--trainers/--no-trainers",
            help="Offer actions that train (default: yes, and no with --users)",
        ),
    ] = None,
    max_gb: Annotated[
        float, typer.Option("--max-gb", min=0.01, help="Size that a workspace may have  [GB]")
    ] = 20.0,
    max_upload_mb: Annotated[
        float, typer.Option("--max-upload-mb", min=0.01, help="Size of a file you bring  [MB]")
    ] = 500.0,
    limit_s: Annotated[
        float | None,
        typer.Option(
            "--limit-s", min=0.1, help="Time that a job may take  [seconds] (default: none)"
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser")
    ] = True,
) -> None:
    """Open everything that is installed in the browser.

    Every action of every package is a form there. What comes out is heard, seen, changed, kept and
    sent on to the next action. Nothing is fetched from a network, and only this machine can open
    the page unless you say otherwise with --host. Ctrl-C ends it; your work stays in the folder.
    """
    import webbrowser

    from groove_core.console import note
    from groove_core.errors import GrooveError, UsageError

    if add_user is not None:
        from groove_studio.users import add_user as added

        if users is None:
            raise UsageError("--add-user needs a file.", hint="Add --users FILE.")
        typer.echo(added(users, add_user))
        note(f"{add_user} opens the address of the studio with ?token= and this token behind it.")
        return

    from groove_studio.server import Limits, serve

    def ready(address: str) -> None:
        typer.echo(address)
        sys.stdout.flush()
        if users is not None:
            note("Each user opens it with ?token= and their token behind it.")
        note("Ctrl-C ends it.")
        if browser and users is None:
            webbrowser.open(address)

    try:
        serve(
            workspace,
            host=host,
            port=port,
            names=allow_host or [],
            limits=Limits(
                workspace_bytes=int(max_gb * 1e9),
                upload_bytes=int(max_upload_mb * 1e6),
                job_s=limit_s,
                trainers=trainers if trainers is not None else users is None,
            ),
            ready=ready,
            users=users,
        )
    except GrooveError as error:
        error.hint = error.hint.replace("--out FOLDER", "--workspace FOLDER")
        raise
