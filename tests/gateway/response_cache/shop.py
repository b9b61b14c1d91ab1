"""A served shop, and what tests ask of its cache."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from commerce.catalog.entities import Product
from core.eventlog import Event, EventLog
from core.resources import Resources
from core.tailer import Tailer
from core.web.response_cache.store import ResponseCache
from tests.factories.catalogue import Catalogue
from tests.factories.statements import recorded
from tests.fixtures.asgi import Served

PRODUCTS = "/public/v1/products"
LIST = "/public/v2/products"
_OF_EACH = {"x-request-id", "server-timing", "x-process-time-ms", "traceparent", "ratelimit", "age", "cache-status"}


@dataclass
class Shop:
    served: Served
    client: httpx2.AsyncClient
    catalogue: Catalogue
    products: dict[str, Product]

    @property
    def cache(self) -> ResponseCache:
        found: ResponseCache = self.served.state["responses"]
        return found

    @property
    def resources(self) -> Resources:
        found: Resources = self.served.state["resources"]
        return found

    def empty(self) -> None:
        self.cache.purge(("products", *(product.head.id for product in self.products.values())))

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        with recorded(self.resources.database.reader) as sent:
            yield sent


def told(response: httpx2.Response) -> str:
    return str(response.headers.get("cache-status", "")).removeprefix("portico; ")


def kept_of(response: httpx2.Response) -> dict[str, str]:
    """The headers that are no request's own."""
    return {name: value for name, value in response.headers.items() if name not in _OF_EACH}


async def heard(served: Served) -> None:
    """Until the tailer has handed on all that is in the log."""
    tailer: Tailer = served.state["tailer"]
    resources: Resources = served.state["resources"]
    async with resources.database.read() as session:
        newest = await EventLog(session).newest()
    reached = asyncio.Event()

    def look(events: Sequence[Event]) -> None:
        if events[-1].position >= newest:
            reached.set()

    leave = tailer.follow(look)
    if tailer.position is None or tailer.position < newest:
        await reached.wait()
    leave()


def query(text: str, **variables: Any) -> dict[str, Any]:
    return {"query": text, "variables": variables}
