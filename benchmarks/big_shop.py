"""Fills a database with a shop of a given size."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

from benchmarks import big_rows
from core.bulk import insert_rows
from core.database import Base, Database

_AT_ONCE = 5_000
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
