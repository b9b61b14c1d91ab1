"""The SQL database: SQLite or PostgreSQL by URL, a writer and a reader engine, sessions, and our errors for theirs.

SQLite loses concurrent updates under the driver's own transaction handling, so every transaction here opens with an
explicit BEGIN IMMEDIATE (writer) or BEGIN (reader), and writers of one process queue for one connection.
"""

import asyncio
import sqlite3
import time
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

from core.direct import AWAY, JSON_OPTIONS, Direct, Row, Sql
from core.errors import Conflict, Unavailable
from core.pools import SharedPool, Turns
from core.postgresql import LONG_SECONDS, PATIENT, Limits, connect_options, is_outdated_plan
from core.receipts import note, note_statements
from core.replica import Replica
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
    """Per process. `write()` and `read()` give one transaction each; leaving `write()` without an error commits it.

    `limits` are PostgreSQL's. `replica_url`: where reports are read as long as it keeps up.
    """

    def __init__(self, url: str, limits: Limits = PATIENT, *, replica_url: str | None = None) -> None:
        # Told what a transaction changed, once it is committed and before `write()` is left: whoever waits for the
        # write finds that known.
        self.on_changed: Callable[[Collection[Change]], None] = lambda _changes: None
        # Told each topic that a transaction announced, once it is committed.
        self.on_announced: Callable[[str], None] = lambda _topic: None
        self.dialect = make_url(url).get_backend_name()
        self.pools: list[Turns] = []
        self.replica: Replica | None = None
        if self.dialect == "sqlite":
            Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
            # One connection: a process's writers wait in line instead of polling SQLite's lock.
            self.writer = self._engine("write", url, 1, 30, module=Driver())
            self.reader = self.reports = self._engine("read", url, 8, 10, module=Driver())
            _prepare_sqlite(self.writer, begin="BEGIN IMMEDIATE", query_only=False)
            _prepare_sqlite(self.reader, begin="BEGIN", query_only=True)
            direct = Turns("direct", 4, 10)
        else:
            self.writer = self._postgresql("write", url, limits, limits.write)
            self.reader = self._postgresql("read", url, limits, limits.read)
            self.reports = self._postgresql("reports", url, limits, limits.reports)
            if replica_url is not None:
                self.replica = Replica(self._postgresql("replica", replica_url, limits, limits.reports))
            direct = Turns("direct", limits.direct, limits.wait_seconds)
        self.pools.append(direct)
        pragmas = _pragmas(query_only=True) if self.dialect == "sqlite" else ()
        self._direct = Direct(make_url(url), self.reader.sync_engine, direct, limits, pragmas=pragmas)
        self._write_sessions = async_sessionmaker(self.writer, expire_on_commit=False)
        self._read_sessions = async_sessionmaker(expire_on_commit=False, autoflush=False)

    def _engine(self, name: str, url: str, size: int, wait_seconds: float, **options: Any) -> AsyncEngine:
        kept = (size + 1) // 2
        engine = create_async_engine(
            url, poolclass=SharedPool, pool_size=kept, max_overflow=size - kept, **_ENGINE, **options
        )
        pool = engine.sync_engine.pool
        assert isinstance(pool, SharedPool)  # noqa: S101  as asked for
        pool.turns = Turns(name, size, wait_seconds)
        self.pools.append(pool.turns)
        note_statements(engine.sync_engine)
        return engine

    def _postgresql(self, name: str, url: str, limits: Limits, size: int) -> AsyncEngine:
        seconds = limits.statement_seconds
        if seconds and name in ("reports", "replica"):
            seconds = max(seconds, LONG_SECONDS)
        arguments = connect_options(limits, seconds)
        if limits.pooler:
            arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}
        options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": arguments}
        if name != "write":
            options["execution_options"] = {"postgresql_readonly": True}
        return self._engine(name, url, size, limits.wait_seconds, **options)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One write transaction. Raises DatabaseUnavailable, or DuplicateValue where a unique constraint is broken."""
        with translated_errors():
            async with self._write_sessions.begin() as session, _given_up(session):
                yield session
                leaving = time.perf_counter()
            note("commit", seconds=time.perf_counter() - leaving)
        changes = session.info.get(_CHANGES)
        if changes:
            self.on_changed(changes)
        for topic in session.info.get(_TOPICS, ()):
            self.on_announced(topic)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """One read transaction on one snapshot. Raises DatabaseUnavailable."""
        async with self._reading(self.reader) as session:
            yield session

    @asynccontextmanager
    async def read_report(self) -> AsyncIterator[ReadSession]:
        """As `read`, for what reads much: on connections of its own, and on the replica where there is one that is not
        far behind. What was written last may not be there yet.
        """
        replica = self.replica
        if replica is not None and await replica.keeps_up():
            async with self._reading(replica.engine) as session:
                yield session
            return
        async with self._reading(self.reports) as session:
            yield session

    @asynccontextmanager
    async def _reading(self, engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
        with translated_errors():
            async with self._read_sessions(bind=engine) as session, _given_up(session):
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
        replicas = [self.replica.engine] if self.replica is not None else []
        for engine in (*replicas, self.reports, self.reader, self.writer):
            await engine.dispose()


def announce(session: WriteSession, topic: str) -> None:
    """Wakes whoever waits for the topic, once the session's transaction is committed."""
    session.info.setdefault(_TOPICS, set()).add(topic)


def note_changes(session: WriteSession, changes: Iterable[Change]) -> None:
    """Tells `Database.on_changed`, once the session's transaction is committed."""
    session.info.setdefault(_CHANGES, set()).update(changes)


@asynccontextmanager
async def _given_up(session: AsyncSession) -> AsyncIterator[None]:
    """Where the server said nothing in time its connection is closed, and not asked to roll back."""
    try:
        yield
    except TimeoutError:
        await session.invalidate()
        raise


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
    if isinstance(error, DBAPIError) and is_outdated_plan(error.orig):
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
