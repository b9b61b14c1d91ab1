"""A served shop, and what tests ask of its cache."""

import asyncio
import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import httpx2
import zstandard
from starlette.types import Message

from commerce.catalog.entities import Product
from core.eventlog import Event, EventLog
from core.resources import Resources
from core.tailer import Tailer
from core.web.response_cache.store import ResponseCache
from tests.factories.catalogue import Catalogue
from tests.factories.statements import recorded
from tests.fixtures.asgi import LOCAL, Served, http_scope
from tests.fixtures.listening import Listening

PRODUCTS = "/public/v1/products"
LIST = "/public/v2/products"
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
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


@dataclass(frozen=True, slots=True)
class Got:
    """An answer, with the headers that are no request's own."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    told: str


def told(response: httpx2.Response) -> str:
    return str(response.headers.get("cache-status", "")).removeprefix("portico; ")


def was_made(response: httpx2.Response | Got) -> bool:
    """For this request. Whether it was kept as well depends on when the tailer, which tells the cache of this process's
    own writes once more, comes to them.
    """
    said = response.told if isinstance(response, Got) else told(response)
    return said.partition(";")[0] == "fwd=uri-miss"


def kept_of(response: httpx2.Response) -> dict[str, str]:
    """The headers that are no request's own."""
    return {name: value for name, value in response.headers.items() if name not in _OF_EACH}


async def heard(served: Served | Listening) -> None:
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


async def get(
    served: Served,
    path: str,
    *,
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = ((b"host", b"portico.test"),),
    body: bytes = b"",
    address: str = LOCAL[0],
) -> Got:
    """One request without a client library, which would do things of its own."""
    sent: list[Message] = []
    bodies: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if bodies:
            return bodies.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = http_scope(method, path, list(headers), query_string=query.encode(), client=(address, 50_000))
    await served(scope, receive, send)
    start, *rest = sent
    told = next((value.decode() for name, value in start["headers"] if name == b"cache-status"), "")
    kept = sorted(header for header in start["headers"] if header[0].decode() not in _OF_EACH)
    return Got(start["status"], kept, b"".join(part.get("body", b"") for part in rest), told.removeprefix("portico; "))
