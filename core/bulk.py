"""Many rows in one statement, at the driver's speed.

SQLAlchemy binds an executemany value by value, which takes a third of an import's time. Here a statement is compiled
once, and its values are converted column by column.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import CursorResult, Dialect, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from core.database import WriteSession

Row = dict[str, Any]
_Convert = Callable[[Any], Any] | None
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
    sql, names, converts = _compiled(table, connection.dialect, tuple(rows[0]), key)
    given: Iterable[Sequence[Any]] = zip(*map(itemgetter(*names), rows), strict=True)
    columns = (map(convert, column) if convert else column for convert, column in zip(converts, given, strict=True))
    values = list(zip(*columns, strict=True))
    if key is None and connection.dialect.name == "sqlite":
        for start in range(0, len(values), _ROWS_AT_ONCE):
            chunk = values[start : start + _ROWS_AT_ONCE]
            await connection.exec_driver_sql(_of_many(sql, len(chunk)), tuple(chain.from_iterable(chunk)))
    else:
        await connection.exec_driver_sql(sql, values)


@lru_cache(maxsize=64)
def _of_many(sql: str, rows: int) -> str:
    """`INSERT ... VALUES (?, ?)` for many rows: SQLite runs them without Python's lock, while a file is read on."""
    head, values, row = sql.partition(" VALUES ")
    return f"{head}{values}{', '.join([row] * rows)}"


@lru_cache(maxsize=64)
def _compiled(
    table: Table, dialect: Dialect, names: tuple[str, ...], key: str | None
) -> tuple[str, list[str], list[_Convert]]:
    """The statement, and in the order of its parameters the columns that they are of and what the driver needs done."""
    if key is None:
        compiled = insert(table).inline().compile(dialect=dialect, column_keys=names)
    else:
        statement = update(table).where(table.c[key] == bindparam(_KEY))
        compiled = statement.compile(dialect=dialect, column_keys=[name for name in names if name != key])
    bound = [key if name == _KEY and key else name for name in compiled.positiontup or ()]
    return compiled.string, bound, [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in bound]
