"""SQLite's driver for SQLAlchemy, with one visit to the connection's thread for each statement.

SQLAlchemy's own adapter of aiosqlite goes there to make a cursor, to execute, to fetch and to close it. Each way costs
two switches of threads, which is more than most statements take. A streamed result is still read as it is there.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Holds all that its statement gave; SQLite's own cursor is closed before anybody sees a row."""

    __slots__ = ("_description", "_lastrowid", "_rowcount")

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection) -> None:
        # Not the adapter's, which goes to the thread for a cursor.
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection.driver_connection
        self._rows = deque()
        self._description: Any = None
        self._rowcount = -1
        self._lastrowid: Any = None

    @property
    def description(self) -> Any:
        return self._description

    @property
    def rowcount(self) -> int:
        return self._rowcount

    @property
    def lastrowid(self) -> Any:
        return self._lastrowid

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """It is closed."""

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._there("execute", operation, parameters or ())

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._there("executemany", operation, seq_of_parameters)

    async def _there(self, how: str, operation: str, values: Sequence[Any]) -> None:
        # aiosqlite has no public way to run a function of ours in its thread.
        await self._connection._execute(self._run, self._connection._conn, how, operation, values)  # noqa: SLF001

    def _run(self, connection: sqlite3.Connection, how: str, operation: str, values: Sequence[Any]) -> None:
        cursor: sqlite3.Cursor = getattr(connection, how)(operation, values)
        self._description, self._lastrowid = cursor.description, cursor.lastrowid
        if cursor.description:
            self._rows.extend(cursor.fetchall())
        self._rowcount = cursor.rowcount  # of RETURNING it is known at the end
        cursor.close()


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls = _Cursor


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """For `create_async_engine(..., module=Driver())`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        return _Connection(self, super().connect(*arguments, **options).driver_connection)
