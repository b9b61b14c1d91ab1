"""What each layer around a request costs: CPU microseconds of this process, its log thread included, in its own loop.

The request is answered at ever deeper places; what a layer costs is what is added by letting the request through it.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.report import Row, at_most
from commerce.catalog.commands import ProductData, VariantData
from commerce.catalog.service import CatalogService
from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database
from core.logging import configure_logging, flush_logs
from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from core.web.finished import EXTENSION
from core.web.middleware.compression import CompressMiddleware
from gateway.app import create_app
from gateway.mounts import MountDispatcher

ROUNDS, REQUESTS = 30, 100
OK = 200
HIT_US = 30  # so that a hit is 0.6 of the raw application on the same server
INNERMOST = "/public/v1: route, dependencies, endpoint, statements"
BODY = b'{"id":"prod_01","handle":"rain-jacket","title":"Rain jacket"}' * 20
HEADERS = [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"bench/1"), (b"accept", b"*/*")]


Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a request can be answered early. `within` is the layer that it has passed by then."""

    within: str
    owner: Any
    attribute: str

    @contextmanager
    def made(self) -> Iterator[None]:
        kept = getattr(self.owner, self.attribute)
        setattr(self.owner, self.attribute, _answer)
        yield
        setattr(self.owner, self.attribute, kept)


def run() -> list[Row]:
    return in_this_process(_measured)


def in_this_process(measured: Callable[[Path], Coroutine[Any, Any, list[Row]]]) -> list[Row]:
    """In a folder of its own; its log is written as ever, and to nowhere."""
    logging.disable()
    with TemporaryDirectory() as folder, open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        configure_logging(stream=nowhere)
        return asyncio.run(measured(Path(folder)))


async def _measured(folder: Path) -> list[Row]:
    path = f"/public/v1/products/{await filled(folder / 'portico.db')}"
    return [*await _of_a_hit(folder, path), *await _of_layers(folder, path)]


async def _of_a_hit(folder: Path, path: str) -> list[Row]:
    async with serving(folder, cache_mb=64) as (root, state):
        call = caller(root, path, state)
        await call()
        raw, whole = await _least(call, [caller(_answer, path, state), call])
    return [
        Row("raw application", raw, "us"),
        at_most("what a hit of the response cache costs more", whole - raw, "us", HIT_US),
    ]


async def _of_layers(folder: Path, path: str) -> list[Row]:
    async with serving(folder, cache_mb=0) as (root, state):
        call = caller(root, path, state)
        await call()
        cuts = list(_cuts(root))
        raw, *costs, whole = await _least(call, [caller(_answer, path, state), *cuts, call])
    rows = [Row(cut.within, cost - outer, "us") for cut, outer, cost in zip(cuts, [raw, *costs], costs, strict=False)]
    rows.append(Row(INNERMOST, whole - costs[-1], "us"))
    rows.append(Row("GET /public/v1/products/{id}, all of it", whole, "us"))
    return rows


def _cuts(root: FastAPI) -> Iterator[Cut]:
    """The root's layers, and those of the mounts on the way to the first version of the public API."""
    public = _mounted(root, "public")
    yield from _layers(root, "root", public)
    version = _mounted(public.app, "v1")
    yield from _layers(public.app, "/public", version)
    yield from _layers(version.app, "/public/v1", None)


def _layers(app: Any, name: str, inner: Mount | None) -> Iterator[Cut]:
    layer = app.middleware_stack
    yield Cut(f"{name}: FastAPI", app, "middleware_stack")
    while not isinstance(layer, MountDispatcher) and hasattr(layer, "app") and not hasattr(layer, "routes"):
        # Which holds the application once for each coding; this request takes none.
        owner = layer._identity if isinstance(layer, CompressMiddleware) else layer  # noqa: SLF001
        yield Cut(f"{name}: {type(layer).__name__}", owner, "app")
        layer = layer.app
    if inner is not None:
        yield Cut(f"{name}: {type(layer).__name__}", inner, "app")


def _mounted(app: Any, name: str) -> Mount:
    return next(route for route in app.router.routes if isinstance(route, Mount) and route.name == name)


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def caller(app: ASGIApp, path: str, state: dict[str, Any]) -> Call:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", OK) == OK

    async def call() -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": HEADERS,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "state": state.copy(),
            "extensions": {EXTENSION: {"write": lambda *_: True}},  # as our server does
        }
        await app(scope, receive, send)

    return call


async def _least(call: Call, ways: Sequence[Call | Cut]) -> list[float]:
    """CPU microseconds of each way to ask, the least of many short rounds, in turns: what others do only adds."""
    least = [inf] * len(ways)
    for _ in range(ROUNDS):
        for place, way in enumerate(ways):
            with way.made() if isinstance(way, Cut) else nullcontext():
                least[place] = min(least[place], await cpu_us(call if isinstance(way, Cut) else way))
    return least


async def cpu_us(call: Call) -> float:
    started = time.process_time()
    for _ in range(REQUESTS):
        await call()
    flush_logs()
    return (time.process_time() - started) / REQUESTS * 1_000_000


@asynccontextmanager
async def serving(folder: Path, *, cache_mb: int) -> AsyncIterator[tuple[FastAPI, dict[str, Any]]]:
    server = ServerSettings(points_per_minute=10**9, response_cache_mb=cache_mb)
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=folder), server=server))
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        yield app, dict(state or {})


async def filled(path: Path) -> str:
    """The id of a product."""
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    variants = tuple(
        VariantData(price=4900 + number, options={"Size": size}, sku=f"J-{size}", stock=number)
        for number, size in enumerate(("Small", "Large"))
    )
    jacket = ProductData(
        handle="rain-jacket",
        title="Rain jacket",
        description="<p>" + "Warm, dry and light. " * 20 + "</p>",
        currency="USD",
        category="Jackets",
        options=("Size",),
        tags=("new", "rain"),
        variants=variants,
    )
    async with database.write() as session:
        product = await CatalogService(session, SystemClock()).create(jacket)
    await database.close()
    return product.head.id
