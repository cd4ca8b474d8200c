"""`exhibit serve` and `exhibit migrate`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from config import logs
from config.settings import load


def serve(
    data: Annotated[Path | None, typer.Option(help="The data folder.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to. Beyond localhost only with TLS or a proxy.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.", min=0, max=65535)] = None,
) -> None:
    """Run the web server.

    Starts the embedded database and bell where none is configured. Refuses to start on a database that isn't at this
    program's version.

    Example: exhibit serve --port 8642

    Exit code: 0 stopped; 2 wrong setting; 3 the port is taken; 4 a part is down or at another version.
    """
    settings = load({"data_dir": data, "host": host, "port": port})
    logs.set_up(settings.log_level)
    from storage import embedded
    from web.app import run_server

    # Once uvicorn has ended it sends itself the signal that ended it: with this, that is an ordinary end.
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with embedded.running(settings) as ready:
            run_server(ready)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
    sys.exit(0)


def migrate(
    data: Annotated[Path | None, typer.Option(help="The data folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Bring the database and the store to this program's version.

    Makes tables, the application's role and the buckets; safe to run again. The first time it makes an administrator
    and shows the random password once.

    Example: exhibit migrate

    Exit code: 0 done; 2 wrong setting; 4 database or store can't be reached.
    """
    from cli.install import bring_up_to_date
    from storage import embedded

    with embedded.running(load({"data_dir": data})) as settings:
        installed = bring_up_to_date(settings)
    if as_json:
        admin = {"name": installed.admin, "password": installed.password} if installed.admin else None
        typer.echo(json.dumps({"schema": installed.schema, "store": installed.store, "first_admin": admin}))
        return
    typer.echo(f"database: version {installed.schema}")
    typer.echo(f"store:    {installed.store}")
    if installed.admin:
        typer.echo(
            f"first administrator: {installed.admin}, password {installed.password} (shown only now; changed at first"
        )
        typer.echo("sign-in)")
