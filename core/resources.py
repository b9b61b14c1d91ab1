"""What the process owns: opened once, in order, timed, and closed in reverse, also when a later one fails to open."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, TypeVar

from sqlalchemy import make_url

from core import failpoints
from core.background import Background
from core.budget import Budget
from core.cache.objects import ObjectCache
from core.cache.store import Store
from core.clock import Clock, SystemClock
from core.database import Database
from core.eventlog import newest_position
from core.hub import Hub
from core.hub.memory import MemoryHub
from core.idempotency import Idempotency
from core.inference.chat import ChatModel
from core.inference.serving import Models
from core.jobs.jobs import Jobs
from core.mail.mailer import Mailer, mailer_of
from core.objects import Objects
from core.objects.opening import open_objects
from core.pools import watch
from core.postgresql import LONG_SECONDS, Limits
from core.ratelimit import Limiter
from core.ratelimit.memory import MemoryLimiter
from core.sealing import Keyring
from core.settings import CarrierSettings, Settings, with_embedded_secrets
from core.single_flight import SingleFlight
from core.tracing import open_tracing
from core.upstream.calls import Upstream
from core.upstream.upstreams import Upstreams, nobody
from core.workers.pool import Workers

if TYPE_CHECKING:
    from core.inference.openai import OpenAIChat


@dataclass(frozen=True, slots=True)
class Resources:
    """Per process. Shared by every audience; reached as `connection.state.resources`."""

    settings: Settings
    clock: Clock
    database: Database
    keyring: Keyring
    limiter: Limiter
    budget: Budget
    idempotency: Idempotency
    hub: Hub
    jobs: Jobs
    mailer: Mailer
    background: Background
    objects: Objects
    flights: SingleFlight
    workers: Workers
    upstreams: Upstreams
    chat: ChatModel | None  # None: no server is set, and the built-in answerer is all there is
    cache: ObjectCache
    models: Models
    # Seconds that each took to open, in the order of opening.
    timings: dict[str, float]


T = TypeVar("T")
OpenResources = Callable[[Settings], AbstractAsyncContextManager[Resources]]


@asynccontextmanager
async def open_resources(settings: Settings, *, jobs: bool = False) -> AsyncIterator[Resources]:
    """Raises what the resource that cannot be opened raises, after closing those before it. `jobs`: for a process that
    serves nobody, whose statements may take long.
    """
    async with AsyncExitStack() as stack:
        opener = Opener(stack)
        settings = with_embedded_secrets(settings)
        await stack.enter_async_context(open_tracing(settings))
        database = await opener.open("database", open_database(settings, limits_of(settings, jobs=jobs)))
        watching = asyncio.create_task(watch(database.pools), name="portico-pools")
        stack.callback(watching.cancel)
        objects = await opener.open("objects", open_objects(settings.objects_url))
        hub = await opener.open("hub", open_hub(settings))
        limiter = await opener.open("limiter", open_limiter(settings))
        upstreams = await opener.open("upstreams", open_upstreams(settings))
        chat = await opener.open("chat", open_chat(settings))
        store = await stack.enter_async_context(Store(settings.data.redis_url))
        resources = assemble(
            settings,
            SystemClock(),
            database,
            objects,
            opener.timings,
            hub=hub,
            limiter=limiter,
            upstreams=upstreams,
            chat=chat,
            store=store,
        )
        stack.push_async_callback(resources.jobs.close)
        stack.push_async_callback(resources.workers.close)
        stack.push_async_callback(resources.flights.settle)
        stack.push_async_callback(resources.background.settle)
        yield resources


def assemble(
    settings: Settings,
    clock: Clock,
    database: Database,
    objects: Objects,
    timings: dict[str, float],
    *,
    hub: Hub | None = None,
    limiter: Limiter | None = None,
    upstreams: Upstreams | None = None,
    chat: ChatModel | None = None,
    store: Store | None = None,
) -> Resources:
    """What needs no opening, around what is open."""
    hub = hub or MemoryHub()
    database.on_announced = hub.publish
    keyring = Keyring(settings.secret_key)
    idempotency = Idempotency(database, clock, keyring)
    limiter = limiter or MemoryLimiter()
    flights = SingleFlight()
    return Resources(
        settings=settings,
        clock=clock,
        database=database,
        keyring=keyring,
        limiter=limiter,
        budget=Budget(limiter, settings.server.points_per_minute, lambda: clock.now().timestamp()),
        idempotency=idempotency,
        hub=hub,
        jobs=Jobs(database, clock),
        mailer=mailer_of(settings),
        background=Background(),
        objects=objects,
        flights=flights,
        workers=Workers(),
        upstreams=upstreams or Upstreams((), nobody),
        chat=chat,
        cache=ObjectCache(store or Store(None), shop_of(settings, keyring), lambda: newest_position(database), flights),
        models=Models(database, objects, hub, clock),
        timings=timings,
    )


def shop_of(settings: Settings, keyring: Keyring) -> Callable[[bytes], bytes]:
    """Fingerprints that no other database and no other secret makes."""
    url = make_url(settings.database_url).set(username=None, password=None)
    address = url.render_as_string().encode()
    return lambda data: keyring.fingerprint(address + b" " + data)


def limits_of(settings: Settings, *, jobs: bool = False) -> Limits:
    """Of a process that serves, or that runs jobs."""
    data = settings.data
    return Limits(
        write=data.database_write_connections,
        read=data.database_read_connections,
        direct=data.database_direct_connections,
        reports=data.database_report_connections,
        wait_seconds=data.database_wait_seconds,
        statement_seconds=LONG_SECONDS if jobs else data.database_statement_seconds,
        pooler=data.database_pooler,
        application="portico-worker" if jobs else "portico",
    )


def background_database(settings: Settings, *, jobs: bool = False) -> Database:
    """For what a process looks after by itself: it does not wait for requests, nor they for it."""
    return Database(settings.database_url, limits_of(settings, jobs=jobs))


@asynccontextmanager
async def open_database(settings: Settings, limits: Limits | None = None) -> AsyncIterator[Database]:
    """Without `limits` a statement may take as long as it does."""
    limits = limits or Limits(pooler=settings.data.database_pooler)
    database = Database(settings.database_url, limits, replica_url=settings.data.database_replica_url)
    if settings.test.failpoint is not None:
        failpoints.arm(database, settings.test.failpoint)
    try:
        await database.ping()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_hub(settings: Settings) -> AsyncIterator[Hub]:
    if settings.data.redis_url is None:
        yield MemoryHub()
        return
    from core.hub.redis import RedisHub  # noqa: PLC0415  loaded where there is Redis

    async with RedisHub(settings.data.redis_url) as hub:
        yield hub


@asynccontextmanager
async def open_limiter(settings: Settings) -> AsyncIterator[Limiter]:
    if settings.data.redis_url is None:
        yield MemoryLimiter()
        return
    from core.ratelimit.redis import RedisLimiter  # noqa: PLC0415  loaded where there is Redis
    from core.ratelimit.shared import SharedLimiter  # noqa: PLC0415

    async with RedisLimiter(settings.data.redis_url) as shared, SharedLimiter(shared, MemoryLimiter()) as limiter:
        yield limiter


@asynccontextmanager
async def open_upstreams(settings: Settings) -> AsyncIterator[Upstreams]:
    carriers = settings.shop.carriers
    if not carriers:
        yield Upstreams((), nobody)
        return
    from core.upstream.client import open_client  # noqa: PLC0415  loaded where there is somebody to call

    async with open_client(**ways_of(settings)) as send:
        yield Upstreams(map(_upstream, carriers), send)


@asynccontextmanager
async def open_chat(settings: Settings) -> AsyncIterator["OpenAIChat | None"]:
    """Connects to nobody yet: whether the server is there, a question finds out."""
    assistant = settings.assistant
    if assistant.llm_base_url is None:
        yield None
        return
    from core.inference.openai import OpenAIChat, Server  # noqa: PLC0415  loaded where there is somebody to ask
    from core.upstream.client import open_http  # noqa: PLC0415

    url, key = str(assistant.llm_base_url), assistant.llm_api_key
    ways = ways_of(settings)
    ways["private_hosts"] = {(assistant.llm_base_url.host or "").strip("[]")}  # it is our own, wherever it is
    async with open_http(**ways) as http:
        yield OpenAIChat(Server(url, key.get_secret_value() if key else None, assistant.llm_model), http)


class Ways(TypedDict):
    """How upstreams may be connected to."""

    allow_private: bool
    private_hosts: Collection[str]
    proxy: str | None


def ways_of(settings: Settings) -> Ways:
    proxy = settings.shop.upstream_proxy
    own = {(carrier.url.host or "").strip("[]") for carrier in settings.shop.carriers if carrier.own_network}
    return Ways(allow_private=not settings.is_production, private_hosts=own, proxy=str(proxy) if proxy else None)


def _upstream(carrier: CarrierSettings) -> Upstream:
    headers = {name: value.get_secret_value() for name, value in carrier.headers.items()}
    return Upstream(carrier.name, carrier.timeout_seconds, str(carrier.url), headers)


class Opener:
    """Enters contexts on a stack and times each."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.timings: dict[str, float] = {}

    async def open(self, name: str, context: AbstractAsyncContextManager[T]) -> T:
        started = time.perf_counter()
        opened = await self._stack.enter_async_context(context)
        self.timings[name] = time.perf_counter() - started
        return opened
