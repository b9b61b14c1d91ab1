"""Many rows in one statement, at the driver's speed.

SQLAlchemy binds an executemany value by value, which takes a third of an import's time. Here a statement is compiled
once, and its values are converted column by column.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import is_, itemgetter
from typing import Any

from sqlalchemy import CursorResult, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from core.database import WriteSession
from core.direct import Sql, compiled

Row = dict[str, Any]
_ROWS_AT_ONCE = 1_000  # SQLite binds 32,766 values: room for 32 columns
_KEY = "_key"  # a bound name that no column has


async def insert_rows(session: WriteSession, table: Table, rows: Sequence[Row]) -> None:
    """All rows name the same columns, two or more."""
    await insert_tables(session, [(table, rows)])


async def insert_tables(session: WriteSession, tables: Iterable[tuple[Table, Sequence[Row]]]) -> None:
    """Into one table after the other. What an iterator makes of the next is made while the database writes this one."""
    connection = await session.connection()
    running: asyncio.Task[Any] | None = None
    try:
        for table, rows in tables:
            for text, values in _inserts(connection.dialect.name, table, rows):
                if running is not None:
                    await running
                running = asyncio.create_task(connection.exec_driver_sql(text, values))
                await asyncio.sleep(0)  # so that it begins
    finally:
        if running is not None:
            await running


def _inserts(dialect: str, table: Table, rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
    """Statements with their values, of which SQLite takes so many at once."""
    if not rows:
        return
    if dialect != "sqlite":
        yield _statement(dialect, table, rows, None)
        return
    sql = _compiled(table, dialect, tuple(rows[0]), None)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        yield _of_many(sql.text, len(some)), tuple(_values(sql, sql.names, some))


async def insert_missing(
    session: WriteSession, table: Table, rows: Sequence[Row], *, unique: Sequence[str] | None = None
) -> int:
    """Those whose primary key, or `unique` columns, are not there yet; returns how many that were."""
    keys = unique or [column.name for column in table.primary_key]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    missing = 0
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = dialect.insert(table).values(rows[start : start + _ROWS_AT_ONCE])
        statement = some.on_conflict_do_nothing(index_elements=keys)
        inserted: CursorResult[Any] = await session.execute(statement)  # type: ignore[assignment]
        missing += inserted.rowcount
    return missing


async def update_rows(session: WriteSession, table: Table, rows: Sequence[Row], *, key: str) -> None:
    """Each row by its value of the column `key`; the others that it names are set."""
    if rows:
        connection = await session.connection()
        await connection.exec_driver_sql(*_statement(connection.dialect.name, table, rows, key))


def _statement(dialect: str, table: Table, rows: Sequence[Row], key: str | None) -> tuple[str, list[tuple[Any, ...]]]:
    """For the driver, with the values of each row."""
    sql = _compiled(table, dialect, tuple(rows[0]), key)
    names = [key if name == _KEY and key else name for name in sql.names]
    values = iter(_values(sql, names, rows))
    return sql.text, list(zip(*[values] * len(names), strict=True))


def _values(sql: Sql, names: Sequence[str], rows: Sequence[Row]) -> list[Any]:
    """Those of all rows, one row after the other."""
    values = [*chain.from_iterable(map(itemgetter(*names), rows))]
    for place, name in enumerate(sql.names):
        if name in sql.writers:
            column = slice(place, None, len(names))
            values[column] = _written(sql.writers[name], values[column])
    return values


def _written(writer: Callable[[Any], Any], column: Sequence[Any]) -> Iterable[Any]:
    """As the driver takes them. A moment is often the same for all rows."""
    if all(map(is_, column, repeat(column[0]))):
        return repeat(writer(column[0]), len(column))
    return map(writer, column)


@lru_cache(maxsize=64)
def _of_many(sql: str, rows: int) -> str:
    """`INSERT ... VALUES (?, ?)` for many rows: SQLite runs them without Python's lock, while a file is read on."""
    head, values, row = sql.partition(" VALUES ")
    return f"{head}{values}{', '.join([row] * rows)}"


@lru_cache(maxsize=64)
def _compiled(table: Table, dialect: str, names: tuple[str, ...], key: str | None) -> Sql:
    if key is None:
        return compiled(insert(table).inline(), dialect, names)
    statement = update(table).where(table.c[key] == bindparam(_KEY))
    return compiled(statement, dialect, [name for name in names if name != key])
