import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from commerce.catalog.models import CategoryRow
from core.database import Database, DatabaseUnavailable, DuplicateValue, UtcDateTime

TABLES = MetaData()
counters = Table("counters", TABLES, Column("id", Integer, primary_key=True), Column("value", Integer, nullable=False))
moments = Table("moments", TABLES, Column("id", Integer, primary_key=True), Column("at", UtcDateTime()))
ADD_CATEGORY = text("INSERT INTO categories (id, name, slug) VALUES ('cat_1', 'Jackets', 'jackets')")


@pytest.fixture
async def scratch(database: Database) -> Database:
    """The database with two tables of this file's own."""
    async with database.writer.begin() as connection:
        await connection.run_sync(TABLES.create_all)
    async with database.write() as session:
        await session.execute(insert(counters).values(id=1, value=0))
    return database


async def category_names(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(CategoryRow.name)))


async def test_200_concurrent_read_modify_writes_lose_none(scratch: Database) -> None:
    async def increment() -> None:
        async with scratch.write() as session:
            value = await session.scalar(select(counters.c.value).where(counters.c.id == 1).with_for_update())
            assert value is not None
            await asyncio.sleep(0)
            await session.execute(update(counters).values(value=value + 1))

    await asyncio.gather(*(increment() for _ in range(200)))

    async with scratch.read() as reading:
        assert await reading.scalar(select(counters.c.value)) == 200


async def test_read_modify_writes_of_two_sqlite_processes_lose_none(sqlite_database: Database, tmp_path: Path) -> None:
    """A second Database object has a connection of its own, as another process has."""
    second = Database(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    async with sqlite_database.writer.begin() as connection:
        await connection.run_sync(TABLES.create_all)
    async with sqlite_database.write() as session:
        await session.execute(insert(counters).values(id=1, value=0))

    async def increment(database: Database) -> None:
        async with database.write() as session:
            value = await session.scalar(select(counters.c.value))
            assert value is not None
            await session.execute(update(counters).values(value=value + 1))

    await asyncio.gather(*(increment(database) for database in [sqlite_database, second] * 20))

    async with second.read() as reading:
        assert await reading.scalar(select(counters.c.value)) == 40
    await second.close()


async def test_writer_waits_in_line_for_the_one_before(database: Database) -> None:
    order: list[str] = []
    first_is_in = asyncio.Event()

    async def first() -> None:
        async with database.write() as session:
            await session.execute(ADD_CATEGORY)
            first_is_in.set()
            await asyncio.sleep(0.1)
            order.append("first")

    async def second() -> None:
        await first_is_in.wait()
        async with database.write() as session:
            await session.execute(text("UPDATE categories SET name = 'Coats'"))
            await session.execute(text("INSERT INTO categories (id, name, slug) VALUES ('cat_2', 'Hats', 'hats')"))
            order.append("second")

    await asyncio.gather(first(), second())

    assert len(order) == 2
    assert (database.dialect != "sqlite") or order == ["first", "second"]
    assert "Hats" in await category_names(database)


async def test_reader_does_not_wait_for_a_writer_and_sees_no_half_of_it(database: Database) -> None:
    async with database.write() as writing:
        await writing.execute(ADD_CATEGORY)

        assert await category_names(database) == []

    assert await category_names(database) == ["Jackets"]


async def test_read_session_cannot_write(database: Database) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)) as refused:
        async with database.read() as session:
            await session.execute(ADD_CATEGORY)

    cause = refused.value if isinstance(refused.value, DBAPIError) else refused.value.__cause__
    assert ("readonly" if database.dialect == "sqlite" else "read-only transaction") in str(cause)
    assert await category_names(database) == []


async def test_error_inside_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="half way"):  # noqa: PT012  the transaction is what raises
        async with database.write() as session:
            await session.execute(ADD_CATEGORY)
            raise RuntimeError("half way")

    assert await category_names(database) == []


async def test_cancelled_writer_leaves_nothing_and_frees_the_line(database: Database) -> None:
    started = asyncio.Event()

    async def write_and_hang() -> None:
        async with database.write() as session:
            await session.execute(ADD_CATEGORY)
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write_and_hang())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await category_names(database) == []
    async with database.write() as session:
        await session.execute(ADD_CATEGORY)
    assert await category_names(database) == ["Jackets"]


async def test_taken_unique_value_is_a_duplicate(database: Database) -> None:
    async with database.write() as session:
        await session.execute(ADD_CATEGORY)

    for statement in (
        "INSERT INTO categories (id, name, slug) VALUES ('cat_2', 'Jackets', 'other')",
        "INSERT INTO categories (id, name, slug) VALUES ('cat_1', 'Other', 'other')",
    ):
        with pytest.raises(DuplicateValue) as refused:
            async with database.write() as session:
                await session.execute(text(statement))
        assert refused.value.code == "duplicate_value"

    assert await category_names(database) == ["Jackets"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO categories (id, name) VALUES ('cat_1', 'Jackets')",
        "INSERT INTO retired_handles (handle, product_id) VALUES ('a', 'prod_nobody')",
        "SELECT * FROM nothing",
        "SELEC",
    ],
    ids=["not null", "foreign key", "no such table", "syntax"],
)
async def test_mistake_of_ours_stays_what_it_is(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError):
        async with database.write() as session:
            await session.execute(text(statement))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://portico@127.0.0.1:1/portico",
        "postgresql+asyncpg://portico@/portico?host=/nowhere",
        "sqlite+aiosqlite:////dev/null",
    ],
)
async def test_unreachable_database_is_unavailable(url: str) -> None:
    database = Database(url)

    with pytest.raises(DatabaseUnavailable) as refused:
        await database.ping()

    assert refused.value.code == "database_unavailable"
    assert refused.value.retryable
    assert refused.value.retry_after_seconds == 2
    await database.close()


@pytest.mark.parametrize("then", ["SELECT 1", None], ids=["at the next statement", "at the commit"])
async def test_connection_killed_in_mid_transaction_is_unavailable(
    postgres_database: Database, then: str | None
) -> None:
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012  the transaction is what raises
        async with postgres_database.write() as session:
            await session.execute(ADD_CATEGORY)
            process = await session.scalar(text("SELECT pg_backend_pid()"))
            async with postgres_database.read() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({process})"))
            await asyncio.sleep(0.05)
            if then:
                await session.execute(text(then))

    assert await category_names(postgres_database) == []
    async with postgres_database.write() as session:
        await session.execute(ADD_CATEGORY)
    assert await category_names(postgres_database) == ["Jackets"]


async def test_loser_of_a_deadlock_may_try_again(postgres_database: Database) -> None:
    async with postgres_database.write() as session:
        await session.execute(ADD_CATEGORY)
        await session.execute(text("INSERT INTO categories (id, name, slug) VALUES ('cat_2', 'Hats', 'hats')"))
    both_in = asyncio.Barrier(2)

    async def rename(*ids: str) -> None:
        async with postgres_database.write() as session:
            await session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
            await session.execute(text(f"UPDATE categories SET name = name || '!' WHERE id = '{ids[0]}'"))  # noqa: S608
            await both_in.wait()
            await session.execute(text(f"UPDATE categories SET name = name || '!' WHERE id = '{ids[1]}'"))  # noqa: S608

    results = await asyncio.gather(rename("cat_1", "cat_2"), rename("cat_2", "cat_1"), return_exceptions=True)

    assert {type(result) for result in results} == {type(None), DatabaseUnavailable}
    assert sorted(await category_names(postgres_database)) == ["Hats!", "Jackets!"]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
async def test_moment_is_read_back_aware_and_in_utc(scratch: Database, moment: datetime) -> None:
    async with scratch.write() as session:
        await session.execute(insert(moments).values(id=1, at=moment))

    async with scratch.read() as reading:
        found = await reading.scalar(select(moments.c.at))
        same = await reading.scalar(select(moments.c.id).where(moments.c.at == moment))

    assert found == moment
    assert found.tzinfo is UTC
    assert same == 1


async def test_no_moment_is_read_back_as_none(scratch: Database) -> None:
    async with scratch.write() as session:
        await session.execute(insert(moments).values(id=1, at=None))

    async with scratch.read() as reading:
        assert await reading.scalar(select(moments.c.at)) is None


async def test_sqlite_keeps_what_was_acknowledged_and_its_foreign_keys(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        kept = [
            await session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert kept == ["wal", 2, 1]


async def test_bulk_is_copied_into_the_file_less_often_and_kept_as_surely(sqlite_database: Database) -> None:
    await sqlite_database.expect_bulk()

    async with sqlite_database.write() as session:
        kept = [
            await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
        ]
    assert kept == ["wal", 2, 1, 8000]
