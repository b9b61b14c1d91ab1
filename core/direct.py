"""Reading on the driver itself: statements compiled once, on connections of their own, rows as the driver has them.

For the hot reads, whose answers are made in the database: SQLAlchemy writes their SQL, once, and does nothing at each
request. One statement, and so one snapshot; nothing can be written.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

import aiosqlite
from pydantic_core import from_json, to_json
from sqlalchemy import URL, BigInteger, BindParameter, ColumnElement, Dialect, Engine, String, bindparam, literal_column
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeEngine

from core.pools import Turns
from core.postgresql import Limits, connect_options
from core.receipts import note

# PostgreSQL's SQLSTATE classes for: connection lost, login refused, serialization or deadlock (the loser was rolled
# back), out of resources, shutting down or starting up; and the codes for: idle too long in a transaction, a lock that
# did not come in time, a statement that took too long.
AWAY = ("08", "28", "40", "53", "57P", "25P03", "55P03", "57014")
# How a dialect reads and writes JSON: several times as fast as the standard library, and as compact.
JSON_OPTIONS: dict[str, Any] = {
    "json_serializer": lambda value: to_json(value).decode(),
    "json_deserializer": from_json,
}
Row = tuple[Any, ...]
# How a condition gets at a value: by its name, and the type that it is compared with.
Bind = Callable[[str, TypeEngine[Any]], BindParameter[Any]]


def named(prefix: str = "") -> Bind:
    """Values come when the statement runs, by prefix and name: it is compiled once for all of them."""
    return lambda name, type_: bindparam(prefix + name, type_=type_)


def filled(values: Mapping[str, Any]) -> Bind:
    """Values that are known already."""
    return lambda name, type_: bindparam(None, values[name], type_=type_, unique=True)


class Telling:
    """A type of values that tell which plan is good. For a statement with one PostgreSQL makes a plan at each call; of
    others it keeps one for all values, where that seems as good after five calls.
    """


class TellingText(Telling, String): ...


class TellingNumber(Telling, BigInteger): ...


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement as its driver takes it."""

    text: str
    names: tuple[str, ...]  # of its values, in their order; a name may come again
    writers: Mapping[str, Callable[[Any], Any]]  # for values that are not sent as they are
    _constants: Mapping[str, Any]  # that SQLAlchemy's compiler adds
    told: bool = False  # by values of a `Telling` type

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Raises KeyError for a value that is missing."""
        found = [values[name] if name in values else self._constants[name] for name in self.names]
        for place, name in enumerate(self.names) if self.writers else ():
            if name in self.writers:
                found[place] = self.writers[name](found[place])
        return found


def compiled(statement: ClauseElement, dialect: str, columns: Sequence[str] | None = None) -> Sql:
    """For `sqlite` or `postgresql`. Slow: keep what it returns.

    What has its value already is written into the text, where SQLAlchemy can: for a limit that it does not know
    PostgreSQL makes a plan at each call. `columns` are those that an INSERT or an UPDATE is given values for.
    """
    on = dialect_named(dialect)
    written: Any = replacement_traverse(statement, {}, partial(_written_in, on))
    made = written.compile(dialect=on, column_keys=columns)
    names: tuple[str, ...] = tuple(made.positiontup or ())
    writers = {name: _writer(made.binds[name].type, dialect) for name in names}
    constants = {name: value for name, value in made.params.items() if not made.binds[name].required}
    told = any(isinstance(made.binds[name].type, Telling) for name in names)
    return Sql(str(made), names, {name: writer for name, writer in writers.items() if writer}, constants, told)


def _written_in(dialect: Dialect, element: Any, **_: Any) -> ColumnElement[Any] | None:
    if not isinstance(element, BindParameter) or element.required:
        return None
    write = element.type.dialect_impl(dialect).literal_processor(dialect)
    return literal_column(write(element.value), element.type) if write and element.value is not None else None


@cache
def dialect_named(name: str) -> Dialect:
    driver = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}[name]
    return URL.create(f"{name}+{driver}").get_dialect()(**JSON_OPTIONS)


def _writer(type_: TypeEngine[Any], dialect: str) -> Callable[[Any], Any] | None:
    return type_.dialect_impl(dialect_named(dialect)).bind_processor(dialect_named(dialect))


class Driver(Protocol):
    """One connection."""

    @classmethod
    async def open(cls, url: URL, limits: Limits, pragmas: Sequence[str]) -> "Driver": ...
    @staticmethod
    def is_lost(error: Exception) -> bool:
        """Whether the error says that the database is away or too busy, and not that the statement is wrong."""
        ...

    def is_usable(self) -> bool: ...
    def ended_with(self, error: Exception) -> bool:
        """Whether the error is the end of this connection, and says nothing of another."""
        ...

    async def fetch(self, text: str, arguments: Sequence[Any], *, told: bool) -> Sequence[Any]: ...
    async def close(self) -> None: ...
    def drop(self) -> None:
        """Closes it without waiting for what it may be doing, which is given up."""
        ...


class Direct:
    """Per database. A few connections, each opened when all others are busy and kept."""

    def __init__(self, url: URL, engine: Engine, turns: Turns, limits: Limits, *, pragmas: Sequence[str] = ()) -> None:
        self._url = url
        self._driver: type[Driver] = _Sqlite if url.get_backend_name() == "sqlite" else _Postgresql
        self._engine = engine  # its listeners are told of each statement, as of SQLAlchemy's own
        self._pragmas = pragmas
        self._turns = turns
        self._limits = limits
        self._idle: list[Driver] = []
        self._closed = False

    async def fetch(self, sql: Sql, values: Mapping[str, Any]) -> list[Row]:
        """Raises ConnectionError or TimeoutError where the database is away or too busy."""
        arguments = sql.arguments(values)
        for listener in self._engine.dispatch.before_cursor_execute:
            listener(None, None, sql.text, arguments, None, False)
        sharer = await self._turns.enter()
        started = time.perf_counter()
        try:
            return await self._fetch(sql, arguments)
        except Exception as error:
            if self._driver.is_lost(error):
                raise ConnectionError(str(error)) from error
            raise
        finally:
            self._turns.leave(sharer)
            note("sql", seconds=time.perf_counter() - started)

    async def _fetch(self, sql: Sql, arguments: list[Any]) -> list[Row]:
        kept = self._kept()
        driver = kept or await self._open()
        try:
            rows = await driver.fetch(sql.text, arguments, told=sql.told)
        except BaseException as error:  # also a reader that left: the connection may be in the middle of its answer
            again = kept is not None and isinstance(error, Exception) and driver.ended_with(error)
            driver.drop()
            if not again:
                raise
        else:
            self._keep(driver)
            return rows  # type: ignore[return-value]  # asyncpg's rows are no tuples, and are as good
        # The server was restarted since; what only reads may be asked again.
        while self._idle:
            self._idle.pop().drop()
        return await self._fetch(sql, arguments)

    def _kept(self) -> Driver | None:
        while self._idle:
            driver = self._idle.pop()
            if driver.is_usable():
                return driver
            driver.drop()
        return None

    async def _open(self) -> Driver:
        return await self._driver.open(self._url, self._limits, self._pragmas)

    def _keep(self, driver: Driver) -> None:
        if self._closed:
            driver.drop()
        else:
            self._idle.append(driver)

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


class _Sqlite:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: URL, limits: Limits, pragmas: Sequence[str]) -> "_Sqlite":  # noqa: ARG003  PostgreSQL's
        arguments, options = dialect_named("sqlite").create_connect_args(url)
        driver = cls(await aiosqlite.connect(*arguments, **options, isolation_level=None))
        try:
            for pragma in pragmas:
                await driver.fetch(f"PRAGMA {pragma}", (), told=False)
        except BaseException:
            driver.drop()
            raise
        return driver

    @staticmethod
    def is_lost(error: Exception) -> bool:
        # SQLite calls a mistake in the SQL operational too.
        return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR

    def is_usable(self) -> bool:
        return True

    def ended_with(self, error: Exception) -> bool:  # noqa: ARG002  it is a file
        return False

    async def fetch(self, text: str, arguments: Sequence[Any], *, told: bool) -> Sequence[Any]:  # noqa: ARG002
        return await self._connection.execute_fetchall(text, arguments)  # type: ignore[return-value]

    async def close(self) -> None:
        await self._connection.close()

    def drop(self) -> None:
        self._connection._conn.interrupt()  # noqa: SLF001  aiosqlite's own way to it is a coroutine
        self._connection.stop()


class _Postgresql:
    """`in_transactions`: each statement in one of its own, which a pooler gives one server."""

    def __init__(self, connection: Any, *, in_transactions: bool) -> None:
        self._connection = connection
        self._in_transactions = in_transactions
        self._told = False  # whether it plans at each call now

    @classmethod
    async def open(cls, url: URL, limits: Limits, pragmas: Sequence[str]) -> "_Postgresql":  # noqa: ARG003  SQLite's
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  loaded where there is PostgreSQL

        _, options = dialect_named("postgresql").create_connect_args(url)
        for own in ("prepared_statement_cache_size", "prepared_statement_name_func"):  # SQLAlchemy's
            options.pop(own, None)
        settings = {"default_transaction_read_only": "on", "jit": "off"}  # compiling takes longer than a page does
        ours = connect_options(limits, limits.statement_seconds, settings)
        return cls(await asyncpg.connect(**options, **ours), in_transactions=limits.pooler)

    @staticmethod
    def is_lost(error: Exception) -> bool:
        import asyncpg  # noqa: PLC0415

        sqlstate = getattr(error, "sqlstate", None) or ""
        return isinstance(error, asyncpg.InterfaceError) or sqlstate.startswith(AWAY)

    def is_usable(self) -> bool:
        return not self._connection.is_closed()

    def ended_with(self, error: Exception) -> bool:
        if isinstance(error, TimeoutError):  # another would take as long
            return False
        return self._connection.is_closed() or (getattr(error, "sqlstate", None) or "").startswith("57P")

    async def fetch(self, text: str, arguments: Sequence[Any], *, told: bool) -> Sequence[Any]:
        rows: Sequence[Any]
        if self._in_transactions:  # without prepared statements, which are planned at each call
            async with self._connection.transaction(readonly=True):
                rows = await self._connection.fetch(text, *arguments)
            return rows
        if told is not self._told:
            await self._connection.execute(f"SET plan_cache_mode = {'force_custom_plan' if told else 'auto'}")
            self._told = told
        rows = await self._connection.fetch(text, *arguments)
        return rows

    async def close(self) -> None:
        await self._connection.close()

    def drop(self) -> None:
        self._connection.terminate()
