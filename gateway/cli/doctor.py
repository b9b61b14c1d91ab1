"""`portico doctor`: configuration and every dependency, one line each."""

import asyncio
import json
import os
from typing import Annotated

import typer

from core.health import Check, Health
from core.settings import Settings
from gateway.cli.console import settings_or_refuse


def doctor(as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False) -> None:
    """Check the configuration and every dependency. Exit 1 when one is not as it should be."""
    settings = settings_or_refuse()
    checks = [
        Check("configuration", True, 0, _mode(settings)),
        _data_dir(settings),
        *asyncio.run(_dependencies(settings)),
    ]
    if as_json:
        typer.echo(json.dumps([{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]))
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<14} {check.detail}".rstrip())
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _mode(settings: Settings) -> str:
    return f"{'embedded' if settings.embedded else 'scale-out'}, {settings.server.environment}"


def _data_dir(settings: Settings) -> Check:
    folder = settings.data.data_dir
    nearest = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Check("data dir", writable, 0, str(folder) if writable else f"{folder} cannot be written")


async def _dependencies(settings: Settings) -> list[Check]:
    from core.database import Database  # noqa: PLC0415
    from gateway.lifespan import schema_probe  # noqa: PLC0415  Alembic is slow to load

    try:
        database = Database(settings.database_url)
    except OSError as error:  # the folder of an SQLite file cannot be made
        return [Check(name, False, 0, str(error)) for name in ("database", "schema")]
    try:
        return await Health({"database": database.ping, "schema": schema_probe(database)}).check()
    finally:
        await database.close()
