"""`portico db`: the database's schema."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import console
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
        from core.resources import open_database  # noqa: PLC0415

        async with open_database(settings_or_refuse()) as database:
            return await console.upgrade(database)

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
    """Exit 1 when the schema is behind this program, or the tables of jobs are of another version."""

    async def run() -> str:
        from commerce.schema import migrations  # noqa: PLC0415
        from core.resources import open_database  # noqa: PLC0415
        from gateway.lifespan import schema_probe  # noqa: PLC0415

        async with open_database(settings_or_refuse()) as database:
            await schema_probe(database)()
        return migrations().head()

    with refusals():
        typer.echo(f"current: {asyncio.run(run())}")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; it must not be there yet.")],
) -> None:
    """Copy an SQLite database to FILE, also while a server works on it. Files and secrets lie beside it in DATA_DIR."""
    from sqlalchemy import make_url  # noqa: PLC0415  slow to load

    from core.backup import back_up  # noqa: PLC0415

    settings = settings_or_refuse()
    if not settings.embedded:
        refuse("this database is PostgreSQL's: back it up with pg_dump, or by archiving its log (docs/operations.md)")
    with refusals():
        size = back_up(Path(make_url(settings.database_url).database or ""), file)
    typer.echo(f"{file}: {size:,} bytes")
