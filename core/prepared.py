"""Statements that are compiled once in a process, for roads on which SQLAlchemy's work would cost more than SQLite's.

A statement is written with SQLAlchemy, its values as `bindparam`s; SQLAlchemy finds a compiled statement again by
building it and comparing it, which here is not done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Dialect, bindparam
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from core.database import ReadSession

Convert = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Compiled:
    """`names` are those of the values in the order of the text, each with what makes of it what the driver takes;
    `results` make of the driver's columns what the program takes.
    """

    text: str
    names: tuple[str, ...]
    fixed: dict[str, Any]  # values that stand in the statement itself
    binds: tuple[Convert, ...]
    results: tuple[Convert, ...]

    def driver_values(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Raises KeyError for a value that is not given."""
        given = {**self.fixed, **values}
        return tuple(
            convert(given[name]) if convert is not None else given[name]
            for name, convert in zip(self.names, self.binds, strict=True)
        )

    def program_values(self, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        if not any(self.results):
            return [tuple(row) for row in rows]
        return [
            tuple(
                convert(value) if convert is not None else value
                for value, convert in zip(row, self.results, strict=True)
            )
            for row in rows
        ]


class Prepared:
    """`columns` are those that an INSERT or an UPDATE is given values for, by their names."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, Compiled] = {}  # by the dialect's name: a process configures each in one way

    def on(self, dialect: Dialect) -> Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect, self._columns)
        return found

    async def run(self, session: ReadSession, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that it returns, in the order of its columns. What the session holds unsaved is not flushed."""
        return await session.run_sync(self._run, values)

    def _run(self, session: Session, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection = session.connection()
        compiled = self.on(connection.dialect)
        result = connection.exec_driver_sql(compiled.text, compiled.driver_values(values))
        return compiled.program_values(result.all()) if result.returns_rows else []


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


def _compile(statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None) -> Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  no DDL
    names = tuple(compiled.positiontup or ())
    binds = tuple(_bind(compiled, name, dialect) for name in names)
    returned = getattr(statement, "exported_columns", ())
    results = tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in returned)
    fixed = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
    return Compiled(compiled.string, names, fixed, binds, results)


def _bind(compiled: SQLCompiler, name: str, dialect: Dialect) -> Convert:
    return compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
