"""Orders over HTTP, each with its Idempotency-Key, on SQLite and on PostgreSQL: how many a second, and what one costs.

Every answer is checked, and in the end the stock: what was sold and what is left is what there was. On SQLite the
server also does the jobs that orders ask for (two letters each); on PostgreSQL workers would, and none runs.
"""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
import psutil
from sqlalchemy import func, select, update

from benchmarks.harness.catalogue import fill_sqlite, postgres
from benchmarks.harness.contenders import portico
from benchmarks.harness.processes import used
from benchmarks.report import Row
from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.catalog.models import VariantRow
from core.clock import SystemClock
from core.database import Database

AT_ONCE = (1, 8, 32)
SECONDS = 5
_WARM_SECONDS = 1
_STOCK = 1_000_000
_VARIANTS = 500


@dataclass(frozen=True, slots=True)
class Shop:
    """Where orders are placed: `variants` are ids and prices."""

    key: str
    variants: Sequence[tuple[str, int]]


@dataclass(slots=True)
class Placed:
    milliseconds: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    quantity: int = 0


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{fill_sqlite(Path(folder))}"
        rows = _measured("SQLite", Path(folder), url, [])
    with TemporaryDirectory() as folder, postgres("orders") as (process, (url,)):
        rows += _measured("PostgreSQL", Path(folder), url.replace("postgresql://", "postgresql+asyncpg://"), [process])
    return [*rows, Row("a commit of SQLite alone, synchronous=FULL", _commit_ms(), "ms at the median")]


def _measured(name: str, folder: Path, url: str, database: Sequence[psutil.Process]) -> list[Row]:
    shop = asyncio.run(_shop(url))
    rows, all_placed = list[Row](), list[Placed]()
    with portico(folder, cached=True, database=url if database else None) as (process, address):
        all_placed.append(asyncio.run(_orders(address, shop, max(AT_ONCE), _WARM_SECONDS)))
        for at_once in AT_ONCE:
            before, started = used(process, *database), time.perf_counter()
            placed = asyncio.run(_orders(address, shop, at_once, SECONDS))
            seconds, after = time.perf_counter() - started, used(process, *database)
            all_placed.append(placed)
            rows += _rows(f"{name}, {at_once} at once", placed, seconds, after.cpu_seconds - before.cpu_seconds)
    numbers = [number for placed in all_placed for number in placed.numbers]
    assert len(set(numbers)) == len(numbers)
    sold = sum(placed.quantity for placed in all_placed)
    assert asyncio.run(_left(url)) == _STOCK * len(shop.variants) - sold
    return rows


def _rows(what: str, placed: Placed, seconds: float, cpu_seconds: float) -> list[Row]:
    count = len(placed.numbers)
    return [
        Row(what, count / seconds, "orders/s"),
        Row(what, statistics.median(placed.milliseconds), "ms at the median"),
        Row(what, sorted(placed.milliseconds)[int(count * 0.99)], "ms at the 99th percentile"),
        Row(what, cpu_seconds / count * 1000, "CPU ms an order"),
    ]


async def _shop(url: str) -> Shop:
    database = Database(url)
    async with database.write() as session:
        command = CreateKey("bench", ("orders:write", "orders:read"), None)
        made = await ApiKeyService(session, SystemClock(), actor="benchmark").create(command)
        columns = VariantRow.id, VariantRow.price
        rows = (await session.execute(select(*columns).order_by(VariantRow.id).limit(_VARIANTS))).all()
        await session.execute(update(VariantRow).values(stock=None))
        chosen = VariantRow.id.in_([row.id for row in rows])
        await session.execute(update(VariantRow).where(chosen).values(stock=_STOCK))
    await database.close()
    return Shop(made.secret, [(row.id, row.price) for row in rows])


async def _left(url: str) -> int:
    database = Database(url)
    async with database.read() as session:
        left = int(await session.scalar(select(func.sum(VariantRow.stock))))
    await database.close()
    return left


async def _orders(address: str, shop: Shop, at_once: int, seconds: float) -> Placed:
    placed, until = Placed(), time.perf_counter() + seconds
    headers = {"Authorization": f"Bearer {shop.key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client, asyncio.TaskGroup() as group:
        for number in range(at_once):
            group.create_task(_customer(client, shop, placed, until, number))
    return placed


async def _customer(client: httpx.AsyncClient, shop: Shop, placed: Placed, until: float, number: int) -> None:
    """One order after another, of two variants each."""
    at = number * 7
    while time.perf_counter() < until:
        at += 1
        lines = [(*shop.variants[(at + step) % len(shop.variants)], step + 1) for step in range(2)]
        wanted = [{"variant_id": variant_id, "quantity": quantity} for variant_id, _, quantity in lines]
        started = time.perf_counter()
        answer = await client.post(
            "/public/v1/orders",
            json={"lines": wanted, "email": "ada@example.com"},
            headers={"Idempotency-Key": uuid4().hex},
        )
        placed.milliseconds.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        order = answer.json()
        found = [{name: line[name] for name in ("variant_id", "quantity")} for line in order["lines"]]
        assert (found, order["state"]) == (wanted, "placed"), order
        assert order["total"]["amount"] == sum(price * quantity for _, price, quantity in lines), order
        placed.numbers.append(order["number"])
        placed.quantity += sum(quantity for *_, quantity in lines)


def _commit_ms() -> float:
    """Of a transaction of four pages: the least that a write takes here, and the most that grouping could save."""
    with TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "commits.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (data BLOB)")
        taken = []
        for _ in range(300):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows VALUES (zeroblob(16384))")
            started = time.perf_counter()
            connection.execute("COMMIT")
            taken.append((time.perf_counter() - started) * 1000)
        connection.close()
    return statistics.median(taken)
