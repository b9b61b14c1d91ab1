"""`portico db`: the database's schema."""

import asyncio
import json
from typing import Annotated

import typer

from gateway.cli.console import refusals, refuse, settings_or_refuse

app = typer.Typer(no_args_is_help=True, help="The database's schema.")
Json = Annotated[bool, typer.Option("--json", help="As a JSON object.")]


async def _revisions() -> tuple[str | None, str]:
    from commerce.schema import migrations  # noqa: PLC0415  Alembic is slow to load
    from core.resources import open_database  # noqa: PLC0415

    async with open_database(settings_or_refuse()) as database:
        return await migrations().current(database), migrations().head()


@app.command()
def upgrade() -> None:
    """Bring the schema to the newest revision. Safe to run twice, and beside a server."""

    async def run() -> bool:
        from commerce.schema import migrations  # noqa: PLC0415
        from core.clock import SystemClock  # noqa: PLC0415
        from core.jobs.jobs import Jobs  # noqa: PLC0415
        from core.resources import open_database  # noqa: PLC0415

        async with open_database(settings_or_refuse()) as database:
            done = await migrations().upgrade(database)
            jobs = Jobs(database, SystemClock())
            await jobs.prepare()
            await jobs.close()
            return done

    with refusals():
        done = asyncio.run(run())
    typer.echo("upgraded" if done else "already current")


@app.command()
def current(as_json: Json = False) -> None:
    """Print the revision that the database is at."""
    with refusals():
        present, newest = asyncio.run(_revisions())
    typer.echo(json.dumps({"current": present, "head": newest}) if as_json else present or "empty")


@app.command()
def check() -> None:
    """Exit 1 when the schema is behind this program."""
    with refusals():
        present, newest = asyncio.run(_revisions())
    if present != newest:
        refuse(f"the schema is at {present or 'nothing'}, this program needs {newest}: run `portico db upgrade`")
    typer.echo(f"current: {newest}")
