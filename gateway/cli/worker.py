"""`portico worker`: durable jobs and nothing else."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated

import typer

from core.settings import Settings
from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Listen:
    """Where metrics are served."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: str) -> "Listen":
        """`PORT`, `HOST:PORT` or `[IPv6]:PORT`."""
        host, colon, port = value.rpartition(":")
        plain = host.removeprefix("[").removesuffix("]")
        whole = not colon or (plain and (":" in plain) == (host == f"[{plain}]"))
        if not (whole and port.isascii() and port.isdigit() and int(port[:6]) <= _HIGHEST_PORT):
            raise typer.BadParameter(f"{value!r} is not PORT, HOST:PORT or [IPv6]:PORT")
        return cls(plain or "127.0.0.1", int(port))

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def worker(
    metrics: Annotated[
        Listen | None,
        typer.Option(
            parser=Listen.parse,
            metavar="[HOST:]PORT",
            help="Serve this process's Prometheus metrics there, to whoever can connect; on 127.0.0.1 where there is "
            "only a port. 0 picks a free one. Off by default.",
        ),
    ] = None,
) -> None:
    """Run durable jobs until SIGTERM or Ctrl-C; then fetch no more, finish what runs, or leave it to others."""
    settings = settings_or_refuse()
    with refusals(), _serving(metrics) if metrics is not None else nullcontext():
        asyncio.run(_work(settings))


@contextmanager
def _serving(listen: Listen) -> Iterator[None]:
    from prometheus_client import start_http_server  # noqa: PLC0415

    try:
        server, thread = start_http_server(listen.port, listen.host)
    except OSError as error:
        refuse(f"cannot serve metrics on {listen}: {error.strerror}")
    typer.echo(f"Metrics on http://{Listen(listen.host, server.server_port)}/metrics")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _work(settings: Settings) -> None:
    from core.logging import configure_logging  # noqa: PLC0415  slow to load, as these
    from core.resources import background_database, open_resources  # noqa: PLC0415
    from core.tailer import Tailer  # noqa: PLC0415
    from gateway.working import job_worker  # noqa: PLC0415

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    configure_logging()
    async with current_database(settings):  # refuses a schema that is behind
        pass
    async with (
        open_resources(settings, jobs=True) as resources,
        Tailer(background_database(resources.settings, jobs=True), resources.hub) as tailer,
        job_worker(resources, tailer),
    ):
        typer.echo("Portico works on jobs; SIGTERM drains")
        await stopped.wait()
