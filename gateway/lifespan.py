"""The only lifespan there is: opens the resources, and yields what every mount sees as `connection.state`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any, TypedDict

from fastapi import FastAPI

from commerce.accounts.watch import CredentialWatch
from commerce.assistant.model import model_of
from commerce.assistant.runs import Assistant
from commerce.catalog.reading import CatalogReader
from commerce.events.filter import topics_of
from commerce.flags.board import FlagBoard
from commerce.limits.registry import LimitRegistry
from commerce.operations.registry import OperationRegistry
from commerce.receipts.recorder import ReceiptRecorder
from commerce.schema import migrations
from commerce.semantics.index import SemanticIndex
from commerce.semantics.search import SemanticSearch
from commerce.support.presence import Presence
from commerce.usage.entities import Deprecation
from commerce.usage.recorder import UseRecorder
from core.bulkheads import Bulkheads
from core.database import Database
from core.errors import Unavailable
from core.health import Health
from core.jobs.jobs import engine_versions, is_behind
from core.loop_lag import LoopLag
from core.process import watching
from core.resources import OpenResources, Resources, background_database
from core.server_lock import server_lock
from core.settings import Settings
from core.streams.broadcast import Broadcast
from core.tailer import Tailer
from core.web.response_cache.store import ResponseCache
from core.web.sockets.sockets import Sockets
from gateway.modelling import modelling
from gateway.sharing import sharing
from gateway.warming import warming
from gateway.working import working
from graphql_api.executing import Executing
from graphql_api.schema import build_schema
from internal_api.dashboard.snapshots import Snapshots
from internal_api.dashboard.watching import Watching


class SchemaBehind(Unavailable):
    """The database's schema is older than this program. An operator must run `portico db upgrade`."""

    code = "schema_behind"
    title = "Database schema is behind"


class GatewayState(TypedDict):
    """Per process; a request sees a shallow copy."""

    resources: Resources
    serving: asyncio.Event  # set by the server when it listens: what must not slow the start begins then
    draining: asyncio.Event  # set by the server before it waits for connections: every stream watches it
    health: Health
    lag: LoopLag
    bulkheads: Bulkheads
    executing: Executing
    tailer: Tailer
    broadcast: Broadcast
    sockets: Sockets
    watch: CredentialWatch
    presence: Presence
    assistant: Assistant
    uses: UseRecorder
    operations: OperationRegistry
    limits: LimitRegistry
    responses: ResponseCache | None
    flags: FlagBoard
    receipts: ReceiptRecorder
    semantics: SemanticIndex
    dashboard: Watching
    topology: Callable[[], dict[str, Any]]
    switchable: Callable[[], Collection[str]]  # by the names of `commerce.flags`
    deprecations: Callable[[], list[Deprecation]]
    asset: Callable[[str], str]  # the immutable address of a static file, below /static


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[GatewayState]]


def root_lifespan(
    settings: Settings,
    open_resources: OpenResources,
    *,
    topology: Callable[[], dict[str, Any]],
    switchable: Callable[[], Collection[str]],
    deprecations: Callable[[], list[Deprecation]],
    bulkheads: Callable[[], Bulkheads],
    asset: Callable[[str], str],
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[GatewayState]:
        with server_lock(settings.data.data_dir) if settings.embedded else nullcontext():
            async with open_resources(settings) as resources:
                if settings.embedded:
                    await migrations().upgrade(resources.database)
                    await resources.jobs.prepare()
                probes = {"database": resources.database.ping, "schema": schema_probe(resources.database)}
                if settings.data.redis_url is not None:
                    probes["redis"] = resources.hub.ping
                serving, draining, health = asyncio.Event(), asyncio.Event(), Health(probes)
                looking = background_database(resources.settings)  # the tailer closes it
                tailer = Tailer(looking, resources.hub)
                broadcast = Broadcast(tailer, topics_of, draining)
                watch = CredentialWatch(resources.database, resources.clock, resources.hub)
                presence = Presence(resources.database, resources.clock, resources.hub)
                uses = UseRecorder(resources.database, resources.clock)
                operations = OperationRegistry(looking, resources.hub)
                walls = bulkheads()
                lag = LoopLag(walls.publish)
                flags = FlagBoard(looking, resources.hub, resources.clock)
                receipts = ReceiptRecorder(
                    resources.database, resources.clock, resources.settings.server.receipts_per_second
                )
                limits = LimitRegistry(resources.budget, looking, resources.clock, resources.hub)
                semantics = SemanticIndex(looking, resources.hub, settings.data.data_dir / "semantics", serving=serving)
                search = SemanticSearch(CatalogReader(resources.database, resources.cache), semantics)
                assistant = Assistant(resources, looking, model_of(resources), draining, watch, search.nearest)
                async with AsyncExitStack() as running:
                    responses = await running.enter_async_context(sharing(resources, tailer, operations, semantics))
                    dashboard = Watching(Snapshots(resources, health, tailer, draining, flags))
                    parts: tuple[AbstractAsyncContextManager[object], ...] = (
                        uses,
                        tailer,
                        operations,
                        flags,
                        receipts,
                        semantics,
                        limits,
                        broadcast,
                        watch,
                        presence,
                        assistant,
                        dashboard,
                        warming(operations, build_schema(production=settings.is_production), serving),
                        modelling(resources, looking, serving),
                        working(resources, tailer, serving, draining),
                        lag.measured(serving),
                        watching(broadcast.tell_queues),
                        walls.until(draining),
                    )
                    for part in parts:
                        await running.enter_async_context(part)
                    yield {
                        "resources": resources,
                        "serving": serving,
                        "draining": draining,
                        "lag": lag,
                        "bulkheads": walls,
                        "executing": Executing(lag, settings.capacity.queue_seconds, walls.way),
                        "health": health,
                        "tailer": tailer,
                        "broadcast": broadcast,
                        "sockets": Sockets(broadcast),
                        "watch": watch,
                        "presence": presence,
                        "assistant": assistant,
                        "uses": uses,
                        "operations": operations,
                        "limits": limits,
                        "responses": responses,
                        "flags": flags,
                        "receipts": receipts,
                        "semantics": semantics,
                        "dashboard": dashboard,
                        "topology": topology,
                        "switchable": switchable,
                        "deprecations": deprecations,
                        "asset": asset,
                    }

    return lifespan


def schema_probe(database: Database) -> Callable[[], Any]:
    known = migrations()

    async def probe() -> None:
        current = await known.current(database)
        if known.is_behind(current):
            raise SchemaBehind(
                f"the schema is at {current or 'nothing'}, this program needs {known.head()}: run `portico db upgrade`"
            )
        if database.dialect != "sqlite":  # where the server makes them itself when it starts
            present, needed = await engine_versions(database)
            if is_behind(present, needed):
                raise SchemaBehind(
                    f"the tables of jobs are of DBOS {present or 'nothing'}, this program needs {needed}: "
                    "run `portico db upgrade`"
                )

    return probe
