"""Many rows in one statement, at the driver's speed.

SQLAlchemy binds an executemany value by value, which takes a third of an import's time. Here a statement is compiled
once, and its values are converted column by column.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import is_, itemgetter
from typing import Any

from sqlalchemy import CursorResult, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from core.database import WriteSession
from core.direct import Sql, compiled

Row = dict[str, Any]
_ROWS_AT_ONCE = 500  # SQLite binds 32,766 values: room for 65 columns
_KEY = "_key"  # a bound name that no column has


async def insert_rows(session: WriteSession, table: Table, rows: Sequence[Row]) -> None:
    """All rows name the same columns, two or more."""
    await _execute(session, table, rows, None)


async def insert_missing(session: WriteSession, table: Table, rows: Sequence[Row]) -> int:
    """Those whose primary key is not there yet; returns how many that were."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    missing = 0
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = dialect.insert(table).values(rows[start : start + _ROWS_AT_ONCE])
        statement = some.on_conflict_do_nothing(index_elements=list(table.primary_key))
        inserted: CursorResult[Any] = await session.execute(statement)  # type: ignore[assignment]
        missing += inserted.rowcount
    return missing


async def update_rows(session: WriteSession, table: Table, rows: Sequence[Row], *, key: str) -> None:
    """Each row by its value of the column `key`; the others that it names are set."""
    await _execute(session, table, rows, key)


async def _execute(session: WriteSession, table: Table, rows: Sequence[Row], key: str | None) -> None:
    if not rows:
        return
    connection = await session.connection()
    sql = _compiled(table, connection.dialect.name, tuple(rows[0]), key)
    names = [key if name == _KEY and key else name for name in sql.names]
    columns = zip(*map(itemgetter(*names), rows), strict=True)
    written = (
        _written(sql.writers[name], column) if name in sql.writers else column
        for name, column in zip(sql.names, columns, strict=True)
    )
    values = list(zip(*written, strict=True))
    if key is None and connection.dialect.name == "sqlite":
        for start in range(0, len(values), _ROWS_AT_ONCE):
            chunk = values[start : start + _ROWS_AT_ONCE]
            await connection.exec_driver_sql(_of_many(sql.text, len(chunk)), tuple(chain.from_iterable(chunk)))
    else:
        await connection.exec_driver_sql(sql.text, values)


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
