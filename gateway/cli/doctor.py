"""`portico doctor`: configuration and every dependency, one line each."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import AnyHttpUrl

from core.errors import AppError, Unavailable
from core.health import Check
from core.settings import CarrierSettings, Settings
from gateway.cli.console import settings_or_refuse

if TYPE_CHECKING:
    from core.database import Database
    from core.replica import Replica

_LONGEST_LINE = 200
_CONNECT_SECONDS = 5.0
_CONNECTIONS = (
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
)
Probe = Callable[[], Awaitable[str]]  # what there is to say; raises AppError or OSError for what is wrong


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
    from core.mail.mailer import mailer_of  # noqa: PLC0415

    checks = [
        *await _of_database(settings),
        await _checked("objects", lambda: _objects(settings)),
        await _checked("mail", mailer_of(settings).check),
    ]
    endpoint = settings.server.otlp_endpoint
    if endpoint is not None:
        checks.append(await _checked("traces", lambda: _traces(endpoint)))
    redis_url = settings.data.redis_url
    if redis_url is not None:
        checks.append(await _checked("redis", lambda: _redis(redis_url)))
    if settings.assistant.llm_base_url is not None:
        checks.append(await _checked("model server", lambda: _model_server(settings)))
    return [*checks, *await asyncio.gather(*(_of_carrier(settings, each) for each in settings.shop.carriers))]


async def _of_carrier(settings: Settings, carrier: CarrierSettings) -> Check:
    """Connects to it, and asks nothing: a question may cost. Whether it is left alone is known to each process of the
    gateway, for itself.
    """
    from core.resources import ways_of  # noqa: PLC0415  slow to load, as this
    from core.upstream.client import reach  # noqa: PLC0415

    async def connected() -> str:
        try:
            where = await reach(str(carrier.url), **ways_of(settings))
        except ConnectionError as error:
            told = f"{error}; quotes go on without it: see its status page, and PORTICO_CARRIERS"
            raise Unavailable(told) from None
        return f"{where} connects; left alone by a process of the gateway while portico_upstream_breaker is 2"

    return await _checked(f"carrier {carrier.name}", connected)


async def _of_database(settings: Settings) -> list[Check]:
    from core.database import Database  # noqa: PLC0415
    from core.jobs.jobs import engine_versions  # noqa: PLC0415
    from core.jobs.slots import live_workers  # noqa: PLC0415
    from gateway.lifespan import schema_probe  # noqa: PLC0415  Alembic is slow to load

    try:
        database = Database(settings.database_url, replica_url=settings.data.database_replica_url)
    except OSError as error:  # the folder of an SQLite file cannot be made
        return [Check(name, False, 0, str(error)) for name in ("database", "schema", "jobs")]

    replica = database.replica

    async def jobs() -> str:
        await schema_probe(database)()
        made, _ = await engine_versions(database)
        workers = await live_workers(database, settings.data.data_dir / "job-slots")
        return f"DBOS {made or 'at the next start'}, {workers} {'worker' if workers == 1 else 'workers'} running"

    try:
        return [
            await _checked("database", lambda: _connections(database, settings)),
            *([] if replica is None else [await _checked("replica", lambda: _replica(replica))]),
            await _checked("schema", _silent(schema_probe(database))),
            await _checked("jobs", jobs),
        ]
    finally:
        await database.close()


async def _connections(database: "Database", settings: Settings) -> str:
    """How many connections a process may take, of those that the server has. PostgreSQL's, for SQLite has no such
    limit.
    """
    from sqlalchemy import text  # noqa: PLC0415  slow to load, as this

    from core.resources import limits_of  # noqa: PLC0415

    await database.ping()
    if database.dialect == "sqlite":
        return ""
    async with database.read() as session:
        everybody, used = (await session.execute(text(_CONNECTIONS))).one()
    each, told = limits_of(settings).total, f"{used} of {everybody} connections in use"
    if each > everybody:
        raise Unavailable(f"{told}; one process alone may take {each} for requests")
    return f"{told}; a process may take {each} for requests: {everybody // each} of them, or a pooler"


async def _replica(replica: "Replica") -> str:
    _, reason = await replica.look()
    if reason:
        raise Unavailable(reason)
    return ""


async def _redis(url: str) -> str:
    from core.hub.redis import check  # noqa: PLC0415

    await check(url)
    return ""


async def _traces(endpoint: AnyHttpUrl) -> str:
    """Connects, and sends nothing."""
    host, port = (endpoint.host or "").strip("[]"), endpoint.port
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, connection = await asyncio.open_connection(host, port)
    except OSError as error:  # TimeoutError is one
        raise Unavailable(f"nobody takes them at {host}:{port}") from error
    connection.close()
    await connection.wait_closed()
    return f"{host}:{port}"


async def _model_server(settings: Settings) -> str:
    """Asks which models it has, and nothing that costs."""
    from core.resources import open_chat  # noqa: PLC0415  slow to load

    async with open_chat(settings) as chat:
        return await chat.check() if chat is not None else ""


async def _objects(settings: Settings) -> str:
    """Writes, reads and deletes a small object."""
    from core.ids import new_id  # noqa: PLC0415
    from core.objects import ObjectNotFound, ObjectsUnavailable  # noqa: PLC0415
    from core.objects.opening import open_objects  # noqa: PLC0415

    key = f"doctor/{new_id('probe')}"
    async with open_objects(settings.objects_url) as objects:
        try:
            await objects.put(key, b"probe")
            await objects.get(key)
        except ObjectNotFound as error:
            raise ObjectsUnavailable("what was written is not there") from error
        finally:
            await objects.delete(key)
    return settings.objects_url


def _silent(probe: Callable[[], Awaitable[None]]) -> Probe:
    async def asked() -> str:
        await probe()
        return ""

    return asked


async def _checked(name: str, probe: Probe) -> Check:
    try:
        return Check(name, True, 0, await probe())
    except AppError as error:
        why = f"{error.detail}: {error.__cause__}" if error.__cause__ else error.detail
    except OSError as error:
        why = str(error)
    return Check(name, False, 0, " ".join(why.split())[:_LONGEST_LINE])
