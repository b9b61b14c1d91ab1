"""`GET /public/v1/orders/export` of 1,000,000 order lines from a real server: its speed, its first byte, its memory."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from benchmarks.report import Row, at_most
from benchmarks.server import new_key, server
from commerce.schema import migrations
from core.bulk import insert_rows
from core.database import Base, Database

ORDERS = 200_000
LINES = 5
REQUIRED_MB = 30
REQUIRED_MS = 200
_ORDERS_AT_ONCE = 5_000
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


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
    with _watched(process) as watched:
        streamed = _stream(client, kind)
    expected = ORDERS * LINES + 1 if kind == "csv" else ORDERS
    assert streamed.newlines == expected, f"{streamed.newlines} lines, not {expected}"
    return [
        Row(f"{kind}, whole file", ORDERS * LINES / streamed.seconds, "order lines/s"),
        Row(f"{kind}, size", streamed.size / 1e6, "MB"),
        at_most(f"{kind}, first byte", streamed.first_byte_ms, "ms", REQUIRED_MS),
        at_most(f"{kind}, growth of the server's memory", watched.growth_mb, "MB", REQUIRED_MB),
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
def _watched(process: psutil.Process) -> Iterator[Watched]:
    """Its memory, every 20 ms."""
    watched = Watched(process.memory_info().rss / 2**20)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            watched.peak_mb = max(watched.peak_mb, process.memory_info().rss / 2**20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        done.set()
        thread.join()


async def _fill(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    for start in range(0, ORDERS, _ORDERS_AT_ONCE):
        numbers = range(start, start + _ORDERS_AT_ONCE)
        async with database.write() as session:
            await insert_rows(session, Base.metadata.tables["orders"], [_order(number) for number in numbers])
            await insert_rows(
                session, Base.metadata.tables["order_lines"], [line for number in numbers for line in _lines(number)]
            )
    await database.close()


def _order(number: int) -> dict[str, Any]:
    placed_at = _FIRST_DAY + timedelta(minutes=number)
    reduced = number % 4 == 0
    return {
        "id": _order_id(number),
        "email": f"customer-{number % 5_000}@example.com",
        "state": ("placed", "paid", "shipped")[number % 3],
        "currency": "USD",
        "promotion_id": "promo_01jd0a3v5te8zr9k1m2n3p4q5r" if reduced else None,
        "promotion_code": "SPRING10" if reduced else None,
        "promotion_title": "Ten off in spring" if reduced else None,
        "discount": 1_000 if reduced else 0,
        "shipping": 799,
        "version": 1,
        "placed_at": placed_at,
        "updated_at": placed_at,
    }


def _order_id(number: int) -> str:
    return f"ord_01jd0a3v5te8zr9k1m{number:08d}"


def _lines(number: int) -> Iterator[dict[str, Any]]:
    for position in range(LINES):
        variant = number * LINES + position
        yield {
            "order_id": _order_id(number),
            "position": position,
            "variant_id": f"var_01jd0a3v5te8zr9k1m{variant % 100_000:08d}",
            "product_id": f"prod_01jd0a3v5te8zr9k1m{variant % 20_000:08d}",
            "sku": f"BP-{variant % 20_000}-M",
            "title": f"Bench Product {variant % 20_000} / Medium",
            "quantity": 1 + variant % 3,
            "unit_price": 999 + variant % 9_000,
            "stock_taken": True,
        }
