"""PostgreSQL that dies, comes back, or says nothing: nobody waits for ever, and nothing needs a restart."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import String, column, literal, select, text

from core.database import Database, DatabaseUnavailable
from core.direct import Sql, compiled
from core.postgresql import Limits
from tests.fixtures.postgres import PostgresProcess

ONE = compiled(select(literal(1)), "postgresql")
QUICK = Limits(statement_seconds=0.3, wait_seconds=1)


def sql_of(statement: str) -> Sql:
    return compiled(text(statement), "postgresql")


async def every_way(database: Database) -> None:
    """Reads and writes by each of its pools."""
    async with database.write() as session:
        await session.execute(text("SELECT 1"))
    await database.ping()
    async with database.read_report() as reading:
        await reading.execute(text("SELECT 1"))
    assert [tuple(row) for row in await database.fetch(ONE, {})] == [(1,)]


@pytest.fixture
async def database(postgres: PostgresProcess) -> AsyncIterator[Database]:
    database = Database(postgres.url, QUICK)
    await every_way(database)
    yield database
    await database.close()


async def test_first_request_after_a_restart_works(postgres: PostgresProcess, database: Database) -> None:
    postgres.kill()
    await asyncio.to_thread(postgres.restart)

    await every_way(database)


async def test_requests_while_it_is_away_are_told_so_and_those_after_work(
    postgres: PostgresProcess, database: Database
) -> None:
    sleeping = asyncio.create_task(database.fetch(sql_of("SELECT pg_sleep(0.2)"), {}))
    await asyncio.sleep(0.05)

    postgres.kill()

    with pytest.raises(DatabaseUnavailable):
        await sleeping
    for work in (database.ping(), database.fetch(ONE, {})):
        with pytest.raises(DatabaseUnavailable):
            await work
    await asyncio.to_thread(postgres.restart)
    await every_way(database)
    assert [pool.used for pool in database.pools] == [0] * 4


async def test_server_that_says_nothing_is_given_up(postgres: PostgresProcess, database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(text("SELECT 1"))

    postgres.freeze()

    async with asyncio.timeout(30):  # each after what its clock says, and none for ever
        ended = await asyncio.gather(write(), database.ping(), database.fetch(ONE, {}), return_exceptions=True)

    assert [type(error) for error in ended] == [DatabaseUnavailable] * 3
    postgres.thaw()
    await every_way(database)


@pytest.fixture
async def quick(postgres_database_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_database_url, QUICK)
    yield database
    await database.close()


async def test_statement_that_takes_too_long_is_ended_by_the_server(quick: Database) -> None:
    async with quick.read() as session:
        with pytest.raises(Exception, match="statement timeout"):
            await session.execute(text("SELECT pg_sleep(10)"))
    with pytest.raises(DatabaseUnavailable):
        await quick.fetch(sql_of("SELECT pg_sleep(10)"), {})

    await every_way(quick)


async def test_report_may_take_longer_than_a_request(quick: Database) -> None:
    async with quick.read_report() as session:
        await session.execute(text("SELECT pg_sleep(0.5)"))
        longest = await session.scalar(text("SHOW statement_timeout"))

    assert longest == "5min"


async def test_row_that_another_holds_is_waited_for_no_longer_than_a_statement(quick: Database) -> None:
    change = text("UPDATE event_log_state SET trimmed_to = 0")
    async with quick.write() as holding:
        await holding.execute(change)

        with pytest.raises(DatabaseUnavailable) as refused:
            async with quick.write() as session:
                await session.execute(change)

    assert "timeout" in str(refused.value.__cause__)


async def test_connections_say_whose_they_are_and_ask_whether_we_are_there(quick: Database) -> None:
    async with quick.read() as session:
        names = ("application_name", "idle_in_transaction_session_timeout", "lock_timeout")
        found = [await session.scalar(text("SELECT current_setting(:name)"), {"name": name}) for name in names]

    assert tuple(found) == ("portico", "30s", "300ms")


@pytest.mark.parametrize("way", ["direct", "session"])
async def test_statement_that_was_prepared_before_its_table_changed_works_again(quick: Database, way: str) -> None:
    statement = select(column("thing", String())).select_from(text("things"))
    prepared = compiled(statement, "postgresql")
    seen = []

    async def look() -> None:
        if way == "direct":
            seen.append((await quick.fetch(prepared, {}))[0][0])
        else:
            async with quick.read() as session:
                seen.append(await session.scalar(statement))

    async with quick.write() as session:
        await session.execute(text("CREATE TABLE things AS SELECT 1 AS thing"))
    await look()
    async with quick.write() as session:
        await session.execute(text("ALTER TABLE things ALTER COLUMN thing TYPE text"))
    if way == "session":  # in a transaction nothing can be asked again
        with pytest.raises(DatabaseUnavailable):
            await look()
    await look()

    assert seen == [1, "1"]
