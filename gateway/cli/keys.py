"""`portico keys`: API keys for the public door."""

import asyncio
import json
from typing import Annotated

import typer

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.commands import CreateKey
from commerce.accounts.principal import SCOPES
from core.clock import SystemClock
from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

app = typer.Typer(no_args_is_help=True, help="API keys for the public door.")


@app.callback()
def keys() -> None:
    """API keys for the public door."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    scopes: Annotated[str, typer.Option(help="What it may, comma separated: catalog:write,orders:read")],
    expires_days: Annotated[int | None, typer.Option(min=1, max=3650, help="Never expires without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object with the key's id.")] = False,
) -> None:
    """Make a key and print its secret: once, alone on stdout. Only its hash is kept."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    if not wanted:
        refuse(f"--scopes names no scope; there are {', '.join(SCOPES)}")

    async def run() -> NewKey:
        async with current_database(settings_or_refuse()) as database, database.write() as session:
            command = CreateKey(name, tuple(wanted), expires_days)
            return await ApiKeyService(session, SystemClock(), actor="cli").create(command)

    with refusals():
        made = asyncio.run(run())
    typer.echo(json.dumps({"id": made.key.id, "secret": made.secret}) if as_json else made.secret)
