"""Statements of a session, compiled once in a process: for where SQLAlchemy's work would cost more than the database's.

A statement is written with SQLAlchemy, its values as `bindparam`s. SQLAlchemy finds the compiled form of a statement by
building it anew and comparing it; here nothing is built when it runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql import ClauseElement

from core.database import ReadSession
from core.direct import Sql, compiled, dialect_named

_Convert = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: Sql
    readers: tuple[_Convert, ...]  # of the columns that come back; empty where they are good as they are

    def rows(self, found: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        if not self.readers:
            return [tuple(row) for row in found]
        return [
            tuple(reader(value) if reader else value for value, reader in zip(row, self.readers, strict=True))
            for row in found
        ]


class Prepared:
    """`columns` are those that an INSERT or an UPDATE is given values for, by their names."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}  # by the dialect's name

    async def run(self, session: ReadSession, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that it returns, in the order of its columns. What the session holds unsaved is not flushed.

        Raises KeyError for a value that is missing.
        """
        return await session.run_sync(self._run, values)

    def _run(self, session: Session, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection = session.connection()
        found = self._on(connection.dialect.name)
        result = connection.exec_driver_sql(found.sql.text, tuple(found.sql.arguments(values)))
        return found.rows(result.all()) if result.returns_rows else []

    def _on(self, dialect: str) -> _Compiled:
        if dialect not in self._compiled:
            sql = compiled(self._statement, dialect, self._columns)
            types = [column.type for column in getattr(self._statement, "exported_columns", ())]
            on = dialect_named(dialect)
            readers = tuple(type_.dialect_impl(on).result_processor(on, None) for type_ in types)
            self._compiled[dialect] = _Compiled(sql, readers if any(readers) else ())
        return self._compiled[dialect]


def listed(column: InstrumentedAttribute[Any], name: str, count: int) -> list[BindParameter[Any]]:
    """`name_0` and so on, of the column's type: for a list that a statement holds."""
    return [bindparam(f"{name}_{number}", type_=column.type) for number in range(count)]


def numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """The values of `listed`: the last is repeated until they are a power of two, so that there are few statements. Of
    none it makes one, NULL.
    """
    count = 1 << max(len(values) - 1, 0).bit_length()
    given = [*values] or [None]
    return {f"{name}_{number}": given[min(number, len(given) - 1)] for number in range(count)}
