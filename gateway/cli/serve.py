"""`portico serve`: the gateway in one process."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Annotated

import typer

from core.server_lock import hold_server_lock
from core.settings import Settings
from gateway import heap
from gateway.cli.console import refusals, refuse, settings_or_refuse, upgrade


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    demo: Annotated[bool, typer.Option(help="Fill an empty catalogue, and make a first admin and API key.")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when the code changes (development).")] = False,
) -> None:
    """Migrate, then serve all doors in one process. SIGTERM and Ctrl-C drain: requests finish, streams are told."""
    if not reload:  # the process that watches the code serves nothing
        heap.hold()
    settings = settings_or_refuse()
    with refusals():
        listener = _listen(host, port)
        if settings.embedded and not reload:
            hold_server_lock(settings.data.data_dir, on_wait=lambda holder: _say_waiting(settings, holder))
        made = asyncio.run(_prepare(settings, demo=demo))
    address = _address(listener)
    if reload:
        listener.close()
        _serve_reloading(host, port)
        return
    _serve(listener, lambda: _greet(settings, address, made))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        refuse(f"cannot listen on {host}:{port}: {error.strerror}; --port (make run PORT=...) picks another")
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _prepare(settings: Settings, *, demo: bool) -> list[str]:
    """Brings the schema up to date and seeds the demo; returns what the first start makes, which is shown once."""
    from commerce.accounts.api_keys import first_key  # noqa: PLC0415  slow to load
    from commerce.accounts.registration import FIRST_ADMIN, first_admin  # noqa: PLC0415
    from commerce.catalog.seed import seed_demo  # noqa: PLC0415
    from commerce.schema import migrations  # noqa: PLC0415
    from core.clock import SystemClock  # noqa: PLC0415
    from core.resources import open_database  # noqa: PLC0415

    async with open_database(settings) as database:
        if settings.embedded:  # the tables of jobs are made when the server starts
            await migrations().upgrade(database)
        else:
            await upgrade(database)
        if not demo:
            return []
        await seed_demo(database, SystemClock(), settings.shop.currency)
        password = await first_admin(database, SystemClock())
        key = await first_key(database, SystemClock())
    made = [f"admin login {FIRST_ADMIN} with the password {password}"] if password is not None else []
    return [*made, f"API key {key}"] if key is not None else made


def _serve(listener: socket.socket, on_ready: Callable[[], None]) -> None:
    import uvicorn  # noqa: PLC0415  slow to load

    from gateway.main import app  # noqa: PLC0415
    from gateway.server import KEEP_ALIVE_SECONDS, OPTIONS, DrainingServer  # noqa: PLC0415

    config = uvicorn.Config(app, log_config=None, timeout_keep_alive=KEEP_ALIVE_SECONDS, **OPTIONS)
    server = DrainingServer(config, on_ready)
    # uvicorn raises the signal again when it has drained; what it asked for is done by then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn's way to say that the lifespan failed
        refuse("the gateway did not start; the log above says why")


def _serve_reloading(host: str, port: int) -> None:
    import uvicorn  # noqa: PLC0415
    from uvicorn.supervisors import ChangeReload  # noqa: PLC0415

    from gateway.server import OPTIONS, DrainingServer  # noqa: PLC0415

    config = uvicorn.Config("gateway.main:app", host=host, port=port, reload=True, log_config=None, **OPTIONS)
    ChangeReload(config, target=DrainingServer(config).run, sockets=[config.bind_socket()]).run()


def _say_waiting(settings: Settings, holder: str) -> None:
    typer.echo(f"portico: waiting for the server that works on {settings.data.data_dir} (process {holder})", err=True)


def _greet(settings: Settings, address: str, made: list[str]) -> None:
    token = settings.data.data_dir / "metrics_token"
    lines = [
        f"Portico is ready: {address}",
        f"  REST      {address}/public/docs",
        f"  GraphQL   {address}/graphql",
        f"  internal  {address}/internal/health  (staff sign in at POST /internal/auth/token)",
        f"  metrics   {address}/internal/metrics  (Authorization: Bearer, from {token})",
        *(f"First start, shown once: {each}" for each in made),
    ]
    typer.echo("\n".join(lines))
