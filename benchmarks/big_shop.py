"""Fills a database with a shop of a given size."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Table

from benchmarks import big_rows
from benchmarks.harness.catalogue import postgres_server
from commerce.schema import migrations
from core.bulk import insert_rows
from core.database import Base, Database

_AT_ONCE = 5_000
_KEPT = Path(__file__).parent / "installed" / "shops"
_WHOLE = "whole"
_PRODUCT_TABLES: dict[str, Callable[[int], Iterable[dict[str, Any]]]] = {
    "products": lambda number: [big_rows.product(number)],
    "variants": big_rows.variants,
    "product_images": lambda number: [big_rows.image(number)],
    "product_tags": big_rows.tags,
    "retired_handles": big_rows.retired_handles,
    "product_documents": lambda number: [big_rows.document(number)],
}
_ORDER_TABLES: dict[str, Callable[[int], Iterable[dict[str, Any]]]] = {
    "orders": lambda number: [big_rows.order(number)],
    "order_lines": big_rows.order_lines,
    "payments": lambda number: [big_rows.payment(number)],
    "shipments": lambda number: [big_rows.shipment(number)],
}


def kept(products: int, orders: int) -> Path:
    """A data dir with a shop of this size, made where it is not there yet: the largest takes minutes."""
    folder = _folder("sqlite", products, orders)
    if not (folder / _WHOLE).exists():
        _made_anew(folder, products)
        asyncio.run(_make(folder / "data" / "portico.db", products, orders))
        (folder / _WHOLE).touch()
    return folder / "data"


@contextmanager
def kept_on_postgres(products: int, orders: int) -> Iterator[str]:
    """The same on a server that runs meanwhile: the address of its database."""
    folder = _folder("postgresql", products, orders)
    whole = (folder / _WHOLE).exists()
    if not whole:
        _made_anew(folder, products)
    with postgres_server(folder / "data", "stop") as (_, address_of):
        url = address_of("postgres")
        if not whole:
            asyncio.run(_copy(url, products, orders))
            (folder / _WHOLE).touch()
        yield url


def _folder(database: str, products: int, orders: int) -> Path:
    return _KEPT / f"{database}-{products}-{orders}-{migrations().head()}"


def _made_anew(folder: Path, products: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    print(f"  making a shop of {products:,} products", file=sys.stderr)


async def _make(path: Path, products: int, orders: int) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    async with indexed_afterwards(database):
        await fill(database, products=products, orders=orders)
    await database.close()


async def _copy(url: str, products: int, orders: int) -> None:
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await migrations().upgrade(database)
    async with indexed_afterwards(database):
        with psycopg.connect(url) as connection:
            _copy_table(connection, "categories", big_rows.categories())
            for tables, count in ((_PRODUCT_TABLES, products), (_ORDER_TABLES, orders)):
                for name, rows in tables.items():
                    _copy_table(connection, name, chain.from_iterable(map(rows, range(count))))
    async with database.writer.begin() as analysing:
        await analysing.exec_driver_sql("ANALYZE")
    await database.close()


def _copy_table(connection: psycopg.Connection, name: str, rows: Iterable[dict[str, Any]]) -> None:
    """JSON as text; what a row does not name has the column's default."""
    following = iter(rows)
    first = next(following, None)
    if first is None:
        return
    with connection.cursor().copy(f"COPY {name} ({', '.join(first)}) FROM STDIN".encode()) as copy:
        for row in chain([first], following):
            copy.write_row([json.dumps(value) if isinstance(value, dict | list) else value for value in row.values()])


async def fill(database: Database, *, products: int, orders: int) -> None:
    """A migrated database that has none of these rows. PostgreSQL gathers its statistics, as it does by itself in time;
    SQLite has none, as in a shop: its plans follow from the statements alone.
    """
    async with database.write() as session:
        await insert_rows(session, Base.metadata.tables["categories"], list(big_rows.categories()))
    await _insert(database, _PRODUCT_TABLES, products)
    await _insert(database, _ORDER_TABLES, orders)
    if database.dialect == "postgresql":
        async with database.writer.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")


@asynccontextmanager
async def indexed_afterwards(database: Database) -> AsyncIterator[None]:
    """For very many rows: one index made whole takes a tenth of what it takes row by row."""
    tables = [Base.metadata.tables[name] for name in (*_PRODUCT_TABLES, *_ORDER_TABLES)]
    async with database.writer.begin() as connection:
        await connection.run_sync(_drop_indexes, tables)
    yield
    async with database.writer.begin() as connection:
        await connection.run_sync(_create_indexes, tables)


async def _insert(database: Database, tables: dict[str, Callable[[int], Iterable[dict[str, Any]]]], count: int) -> None:
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        async with database.write() as session:
            for name, rows in tables.items():
                await insert_rows(session, Base.metadata.tables[name], list(chain.from_iterable(map(rows, numbers))))


def _drop_indexes(connection: Connection, tables: list[Table]) -> None:
    for index in chain.from_iterable(table.indexes for table in tables):
        index.drop(connection)


def _create_indexes(connection: Connection, tables: list[Table]) -> None:
    for index in chain.from_iterable(table.indexes for table in tables):
        index.create(connection)
