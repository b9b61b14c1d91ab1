"""`GET /public/v1/orders/export` of 1,000,000 order lines from a real server: its speed, its first byte, its memory.

The memory is that of a second export: the first fills the cache of pages that a connection to SQLite has, 16 MB, and
loads what exports need, however few rows there are.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from benchmarks import big_shop
from benchmarks.big_rows import LINES
from benchmarks.report import Row, at_most
from benchmarks.server import new_key, server
from commerce.schema import migrations
from core.database import Database

ORDERS = 200_000
REQUIRED_MB = 30
REQUIRED_MS = 200


@dataclass(slots=True)
class Watched:
    """What was seen of the server while a file was streamed."""

    before_mb: float
    peak_mb: float = 0

    @property
    def growth_mb(self) -> float:
        return self.peak_mb - self.before_mb


@dataclass(frozen=True, slots=True)
class Streamed:
    first_byte_ms: float
    seconds: float
    size: int
    newlines: int


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        asyncio.run(_fill(Path(folder) / "portico.db"))
        key = new_key(folder, "orders:read")
        with server(folder) as (process, address):
            client = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60)
            with client:
                assert client.get("/readyz").status_code == httpx.codes.OK
                table = [line for kind in ("csv", "jsonl") for line in _measured(process, client, kind)]
    return table


def _measured(process: psutil.Process, client: httpx.Client, kind: str) -> list[Row]:
    streamed = _stream(client, kind)
    with watched(process) as memory:
        _stream(client, kind)
    expected = ORDERS * LINES + 1 if kind == "csv" else ORDERS
    assert streamed.newlines == expected, f"{streamed.newlines} lines, not {expected}"
    return [
        Row(f"{kind}, whole file", ORDERS * LINES / streamed.seconds, "order lines/s"),
        Row(f"{kind}, size", streamed.size / 1e6, "MB"),
        at_most(f"{kind}, first byte", streamed.first_byte_ms, "ms", REQUIRED_MS),
        at_most(f"{kind}, growth of the server's memory", memory.growth_mb, "MB", REQUIRED_MB),
    ]


def _stream(client: httpx.Client, kind: str) -> Streamed:
    started = time.perf_counter()
    first_byte = 0.0
    size = newlines = 0
    headers = {"Accept-Encoding": "identity"}
    with client.stream("GET", "/public/v1/orders/export", params={"format": kind}, headers=headers) as response:
        assert response.status_code == httpx.codes.OK
        for chunk in response.iter_raw():
            first_byte = first_byte or time.perf_counter() - started
            size += len(chunk)
            newlines += chunk.count(b"\n")
    return Streamed(first_byte * 1000, time.perf_counter() - started, size, newlines)


@contextmanager
def watched(process: psutil.Process) -> Iterator[Watched]:
    """Its memory, every 20 ms."""
    memory = Watched(process.memory_info().rss / 1e6)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            memory.peak_mb = max(memory.peak_mb, process.memory_info().rss / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


async def _fill(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    await big_shop.fill(database, products=0, orders=ORDERS)
    await database.close()
