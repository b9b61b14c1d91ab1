"""`portico operations`: which GraphQL operations clients have registered, and what each client may send."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from commerce.operations.entities import Mode, RegisteredOperation
from commerce.operations.errors import InvalidManifest
from core.clock import SystemClock
from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

if TYPE_CHECKING:
    from commerce.operations.service import OperationService

T = TypeVar("T")
app = typer.Typer(
    no_args_is_help=True,
    help="Persisted GraphQL operations: register those that a client was built with, and say whether it may send "
    "others. A client is what its X-Client-Name header says; `*` is everybody who names none, or one that is not "
    "known, and no client is held to less than `*` is.",
)
ClientName = Annotated[str, typer.Argument(metavar="CLIENT", help="Its X-Client-Name, or * for everybody.")]
Version = Annotated[str, typer.Option("--version", metavar="V", help="Of the client, such as 1.4.0.")]
_SIZE = 500


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


@app.callback()
def operations() -> None:
    """Persisted GraphQL operations."""


@app.command()
def register(
    file: Annotated[Path, typer.Argument(metavar="MANIFEST.json", help="Apollo's or Relay's, with SHA-256 hashes.")],
    client: Annotated[str, typer.Option("--client", metavar="NAME", help="Its X-Client-Name, or * for everybody.")],
    version: Version,
) -> None:
    """Register all operations of a manifest, or none: each must fit its hash and the schema. Again changes nothing.

    Apollo: `npx generate-persisted-query-manifest`. Relay: `"persistConfig": {"file": "persisted.json", "algorithm":
    "SHA256"}`.
    """
    from commerce.operations.manifest import read_manifest  # noqa: PLC0415
    from graphql_api.registering import describe  # noqa: PLC0415  loads the whole web stack
    from graphql_api.schema import build_schema  # noqa: PLC0415

    with refusals():
        content = file.read_bytes()
    schema = build_schema(production=settings_or_refuse().is_production)
    try:
        found = read_manifest(content, lambda text: describe(schema, text))
    except InvalidManifest as error:
        for fault in error.errors:
            typer.echo(f"{file}: {fault.pointer} {fault.message}".replace("  ", " "), err=True)
        refuse(f"{file}: nothing was registered; {error.detail}")
    new = _change(lambda service: service.register(client, version, found))
    typer.echo(f"registered {new} new, {len(found) - new} known")


@app.command("list")
def list_operations(
    client: Annotated[str | None, typer.Option(metavar="NAME", help="Of this client alone.")] = None,
    unused_days: Annotated[
        int | None, typer.Option(min=0, max=3650, metavar="N", help="Not used for so many days, or never.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False,
) -> None:
    """List what is registered, with its uses: what was never used first, then by the last use."""
    with refusals():
        since = SystemClock().now() - timedelta(days=unused_days) if unused_days is not None else None
        found = asyncio.run(_listed(client, since))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=lambda moment: moment.isoformat()))
        return
    for each in found:
        owners = ", ".join(f"{owner.client} {owner.version}" for owner in each.registrations)
        used = f"{each.uses} uses, last {each.last_used_at:%Y-%m-%d}" if each.last_used_at else "never used"
        typer.echo(f"{each.sha256[:12]}  {each.kind:12}  {each.name or '(no name)'}  [{owners}]  {used}")


@app.command("mode")
def set_mode(
    client: ClientName, mode: Annotated[Mode, typer.Argument(help="What becomes of operations not registered.")]
) -> None:
    """Say what a client may send: `off` anything, `log` anything, but what is not registered is logged, `enforce` what
    is registered. Servers obey within seconds.
    """
    policy = _change(lambda service: service.change(client, mode=mode))
    typer.echo(f"{policy.client}: mode {policy.mode}")


@app.command()
def automatic(client: ClientName, switch: Annotated[Switch, typer.Argument(help="Whether it may.")]) -> None:
    """Let a client's operations be known by their hash once they were sent with it (automatic persisted queries).

    It saves bytes, and registers nothing: each process remembers some, for a while.
    """
    policy = _change(lambda service: service.change(client, automatic=switch is Switch.ON))
    typer.echo(f"{policy.client}: automatic {'on' if policy.automatic else 'off'}")


@app.command()
def forget(client: ClientName, version: Version) -> None:
    """Take out what a version registered. What another version or client has registered too stays theirs."""
    count = _change(lambda service: service.forget(client, version))
    typer.echo(f"forgot {count} operations of {client} {version}")


def _change(do: Callable[["OperationService"], Awaitable[T]]) -> T:
    """In one transaction, or refused."""
    from commerce.operations.service import OperationService  # noqa: PLC0415  slow to load

    async def run() -> T:
        async with current_database(settings_or_refuse()) as database, database.write() as session:
            return await do(OperationService(session, SystemClock(), actor="cli"))

    with refusals():
        return asyncio.run(run())


async def _listed(client: str | None, unused_since: datetime | None) -> list[RegisteredOperation]:
    from commerce.operations.repository import OperationRepository  # noqa: PLC0415  slow to load

    found: list[RegisteredOperation] = []
    async with current_database(settings_or_refuse()) as database, database.read() as session:
        of: dict[str, Any] = {"client": client, "unused_since": unused_since}
        total = 1
        while len(found) < total:
            page = await OperationRepository(session).listed(page=len(found) // _SIZE + 1, size=_SIZE, **of)
            found, total = [*found, *page.items], page.total
    return found
