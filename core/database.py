"""The SQL database: SQLite or PostgreSQL by URL, a writer and a reader engine, sessions, and our errors for theirs.

SQLite loses concurrent updates under the driver's own transaction handling, so every transaction here opens with an
explicit BEGIN IMMEDIATE (writer) or BEGIN (reader), and writers of one process queue for one connection.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Result,
    ScalarResult,
    String,
    Table,
    TypeDecorator,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import Executable

from core import tracing
from core.direct import AWAY, JSON_OPTIONS, Direct, Row, Sql
from core.errors import Conflict, Unavailable
from core.sqlite import Driver

T = TypeVar("T")


_ENGINE: dict[str, Any] = {
    **JSON_OPTIONS,
    # An error's text goes to the log and to operators; the values that it is about may be hashes of passwords.
    "hide_parameters": True,
}


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or is too busy. Nothing was changed."""

    code = "database_unavailable"
    title = "Database unavailable"


class DuplicateValue(Conflict):
    """A value that must be unique is taken."""

    code = "duplicate_value"
    title = "Already exists"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which has no time zones, stores the plain UTC text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_TOPICS = "portico_topics"  # in a session's `info`
_CHANGES = "portico_changes"
Change = tuple[str, str]  # the type of an event, and its subject


# Compared by code point on both databases, so that a keyset page means the same on each.
PlainOrder = String().with_variant(String(collation="C"), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as an instance attribute of the class
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        dict[str, str]: JSON(),  # JSON and not JSONB on PostgreSQL: the order of keys is kept
        list[str]: JSON(),
    }


def table_of(row: type[Base]) -> Table:
    table = row.__table__
    assert isinstance(table, Table)  # noqa: S101  every model is mapped to a table
    return table


class ReadSession(Protocol):
    """A session that only reads: `AsyncSession` without `add`, `flush` or `commit`, on a read-only transaction."""

    async def execute(self, statement: Executable, params: Any = None) -> Result[*tuple[Any, ...]]: ...
    async def scalar(self, statement: Executable, params: Any = None) -> Any: ...
    async def scalars(self, statement: Executable, params: Any = None) -> ScalarResult[Any]: ...
    async def stream(self, statement: Executable, params: Any = None) -> Any: ...
    async def run_sync(self, fn: Callable[..., T], *arg: Any) -> T: ...
    def get_bind(self) -> Engine | Connection: ...


WriteSession = AsyncSession


class Database:
    """Per process. `write()` and `read()` give one transaction each; leaving `write()` without an error commits it."""

    def __init__(self, url: str) -> None:
        # Told what a transaction changed, once it is committed and before `write()` is left: whoever waits for the
        # write finds that known.
        self.on_changed: Callable[[Collection[Change]], None] = lambda _changes: None
        # Told each topic that a transaction announced, once it is committed.
        self.on_announced: Callable[[str], None] = lambda _topic: None
        self.dialect = make_url(url).get_backend_name()
        if self.dialect == "sqlite":
            Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {"module": Driver(), **_ENGINE}
            # One connection: a process's writers wait in line instead of polling SQLite's lock.
            self.writer = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=30, **options)
            self.reader = create_async_engine(url, pool_size=8, max_overflow=0, pool_timeout=10, **options)
            _prepare_sqlite(self.writer, begin="BEGIN IMMEDIATE", query_only=False)
            _prepare_sqlite(self.reader, begin="BEGIN", query_only=True)
        else:
            options = {"pool_pre_ping": True, "pool_timeout": 10, **_ENGINE}
            self.writer = create_async_engine(url, pool_size=5, max_overflow=5, **options)
            self.reader = create_async_engine(
                url, pool_size=5, max_overflow=5, execution_options={"postgresql_readonly": True}, **options
            )
        for engine in (self.writer, self.reader):
            tracing.follow(engine.sync_engine)
        pragmas = _pragmas(query_only=True) if self.dialect == "sqlite" else ()
        self._direct = Direct(make_url(url), self.reader.sync_engine, size=4, pragmas=pragmas)
        self._write_sessions = async_sessionmaker(self.writer, expire_on_commit=False)
        self._read_sessions = async_sessionmaker(self.reader, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One write transaction. Raises DatabaseUnavailable, or DuplicateValue where a unique constraint is broken."""
        with translated_errors():
            async with self._write_sessions.begin() as session:
                yield session
        changes = session.info.get(_CHANGES)
        if changes:
            self.on_changed(changes)
        for topic in session.info.get(_TOPICS, ()):
            self.on_announced(topic)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """One read transaction on one snapshot. Raises DatabaseUnavailable."""
        with translated_errors():
            async with self._read_sessions() as session:
                yield session

    async def fetch(self, sql: Sql, values: Mapping[str, Any]) -> list[Row]:
        """The rows of one statement, on a snapshot of its own and past SQLAlchemy. Raises DatabaseUnavailable."""
        with translated_errors():
            return await self._direct.fetch(sql, values)

    async def expect_bulk(self) -> None:
        """For a process that does nothing but write a great deal. SQLite's log is copied into its file when it has
        32 MB and not at each 4 MB: a page that many transactions change is copied once. Each commit is as durable.
        """
        if self.dialect == "sqlite":
            with translated_errors():
                async with self.writer.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA wal_autocheckpoint=8000")

    async def ping(self) -> None:
        """Raises DatabaseUnavailable when the database does not answer."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._direct.close()
        await self.reader.dispose()
        await self.writer.dispose()


def announce(session: WriteSession, topic: str) -> None:
    """Wakes whoever waits for the topic, once the session's transaction is committed."""
    session.info.setdefault(_TOPICS, set()).add(topic)


def note_changes(session: WriteSession, changes: Iterable[Change]) -> None:
    """Tells `Database.on_changed`, once the session's transaction is committed."""
    session.info.setdefault(_CHANGES, set()).update(changes)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns the driver's errors into ours. A programming error stays what it is."""
    try:
        yield
    except (PoolTimeout, OSError) as error:
        raise DatabaseUnavailable(retry_after_seconds=2) from error
    except StatementError as error:
        if _breaks_uniqueness(error):
            raise DuplicateValue("a value that must be unique is taken already") from error
        if _is_away(error):
            raise DatabaseUnavailable(retry_after_seconds=2) from error
        raise


def _breaks_uniqueness(error: StatementError) -> bool:
    return _sqlstate(error) == "23505" or _sqlite_code(error) in (
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    )


def _is_away(error: StatementError) -> bool:
    if isinstance(error.orig, OSError):  # a pooled connection that broke between two statements
        return True
    if _sqlite_code(error) == sqlite3.SQLITE_ERROR:  # SQLite calls a mistake in the SQL operational too
        return False
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and (error.connection_invalidated or _sqlstate(error).startswith(AWAY))
    )


def _sqlstate(error: StatementError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _sqlite_code(error: StatementError) -> int | None:
    return getattr(error.orig, "sqlite_errorcode", None)


def _prepare_sqlite(engine: AsyncEngine, *, begin: str, query_only: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and reads first
        cursor = connection.cursor()
        for pragma in _pragmas(query_only=query_only):
            cursor.execute(f"PRAGMA {pragma}")
        _use_wal(connection, cursor)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def open_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _pragmas(*, query_only: bool) -> tuple[str, ...]:
    return (
        "busy_timeout=10000",
        "synchronous=FULL",  # a commit that was acknowledged survives a power cut, not only a kill -9
        "foreign_keys=ON",
        "recursive_triggers=ON",  # or REPLACE deletes a row behind the back of the triggers that forbid it
        "cache_size=-16000",
        f"query_only={'ON' if query_only else 'OFF'}",
    )


def _use_wal(connection: Any, cursor: Any) -> None:
    """Waits while another process switches a new file: SQLite says "locked" at once here, whatever busy_timeout."""
    for attempts_left in reversed(range(100)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            connection.run_async(lambda _: asyncio.sleep(0.02))
        else:
            return
