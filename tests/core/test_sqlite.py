from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from core.sqlite import Driver


@pytest.fixture
async def connection(tmp_path: Path) -> Any:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", module=Driver())
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"))
        await connection.execute(text("INSERT INTO t (name) VALUES ('a'), ('b'), ('c')"))
        yield connection
    await engine.dispose()


class Visits:
    """Counts what is handed to a connection's thread, in place of the queue to it."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.number = 0

    def put_nowait(self, item: Any) -> None:
        self.number += 1
        self._queue.put_nowait(item)


async def visits_of(connection: AsyncConnection) -> Visits:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    driver._tx = visits = Visits(driver._tx)
    return visits


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id, name FROM t ORDER BY id",
        "INSERT INTO t (name) VALUES ('d')",
        "UPDATE t SET name = 'x' RETURNING id",
        "SELECT id FROM t WHERE id > 100",
    ],
)
async def test_a_statement_is_one_visit_to_the_thread(connection: AsyncConnection, statement: str) -> None:
    visits = await visits_of(connection)

    await connection.execute(text(statement))

    assert visits.number == 1


async def test_many_rows_are_one_visit(connection: AsyncConnection) -> None:
    visits = await visits_of(connection)

    await connection.exec_driver_sql("INSERT INTO t (name) VALUES (?)", [("d",), ("e",)])

    assert visits.number == 1
    assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 5


async def test_rows_names_and_counts_are_the_statements(connection: AsyncConnection) -> None:
    read = await connection.execute(text("SELECT id, name AS called FROM t ORDER BY id"))
    changed = await connection.execute(text("UPDATE t SET name = 'x' WHERE id > 1"))
    returned = await connection.execute(text("DELETE FROM t WHERE id > 1 RETURNING id"))
    added: Any = await connection.execute(text("INSERT INTO t (name) VALUES ('d')"))

    assert list(read.keys()) == ["id", "called"]
    assert [tuple(row) for row in read] == [(1, "a"), (2, "b"), (3, "c")]
    assert changed.rowcount == 2
    assert returned.scalars().all() == [2, 3]
    assert (added.rowcount, added.lastrowid) == (1, 2)


async def test_a_streamed_result_gives_its_rows_one_by_one(connection: AsyncConnection) -> None:
    async with connection.stream(text("SELECT id FROM t ORDER BY id")) as rows:
        found = [row.id async for row in rows]

    assert found == [1, 2, 3]
