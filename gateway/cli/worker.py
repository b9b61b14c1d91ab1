"""`portico worker`: durable jobs and nothing else."""

import asyncio
import signal

import typer

from core.settings import Settings
from gateway.cli.console import current_database, refusals, settings_or_refuse


def worker() -> None:
    """Run durable jobs until SIGTERM or Ctrl-C; then fetch no more, finish what runs, or leave it to others."""
    settings = settings_or_refuse()
    with refusals():
        asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from core.database import Database  # noqa: PLC0415
    from core.logging import configure_logging  # noqa: PLC0415  slow to load, as these
    from core.resources import open_resources  # noqa: PLC0415
    from core.tailer import Tailer  # noqa: PLC0415
    from gateway.working import job_worker  # noqa: PLC0415

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    configure_logging()
    async with current_database(settings):  # refuses a schema that is behind
        pass
    async with (
        open_resources(settings) as resources,
        Tailer(Database(resources.settings.database_url), resources.hub) as tailer,
        job_worker(resources, tailer),
    ):
        typer.echo("Portico works on jobs; SIGTERM drains")
        await stopped.wait()
