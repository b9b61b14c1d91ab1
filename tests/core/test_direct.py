import asyncio
import sqlite3
from datetime import UTC, datetime

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Integer, String, bindparam, literal, select, text
from sqlalchemy.types import TypeEngine

from commerce.catalog.models import CategoryRow
from core.database import Database, DatabaseUnavailable, UtcDateTime
from core.direct import Sql, TellingText, compiled, filled, named
from tests.factories.statements import recorded

NAMES = select(CategoryRow.name).where(CategoryRow.slug == named()("slug", String()))
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(1000)",
}


async def add_category(database: Database, name: str = "Jackets") -> None:
    async with database.write() as session:
        session.add(CategoryRow(id=f"cat_{name}", name=name, slug=name.lower()))


async def names_of(database: Database, slug: str) -> list[str]:
    return [row[0] for row in await database.fetch(compiled(NAMES, database.dialect), {"slug": slug})]


def sql_of(statement: str, dialect: str) -> Sql:
    return compiled(text(statement), dialect)


async def test_write_is_seen_by_the_next_read(database: Database) -> None:
    seen = [await names_of(database, "jackets")]
    await add_category(database)

    seen.append(await names_of(database, "jackets"))

    assert seen == [[], ["Jackets"]]


async def test_values_come_by_name_and_constants_stay(module_database: Database) -> None:
    b, a = bindparam("b", type_=String()), bindparam("a", type_=Integer())
    statement = select(b, literal("c"), a, b.label("again"))
    sql = compiled(statement, module_database.dialect)

    rows = [tuple(row) for row in await module_database.fetch(sql, {"a": 1, "b": "?", "unused": object()})]

    assert rows == [("?", "c", 1, "?")]
    with pytest.raises(KeyError, match="a"):
        await module_database.fetch(sql, {"b": "?"})


@pytest.mark.parametrize("bind", [named("p_"), filled({"at": datetime(2026, 3, 1, 12, tzinfo=UTC)})])
async def test_moment_is_sent_as_it_is_stored(module_database: Database, bind: object) -> None:
    kind: TypeEngine[datetime] = UtcDateTime()
    at = bind("at", kind)  # type: ignore[operator]
    sql = compiled(select(at == literal(datetime(2026, 3, 1, 12, tzinfo=UTC), kind)), module_database.dialect)

    ((same,),) = await module_database.fetch(sql, {"p_at": datetime(2026, 3, 1, 12, tzinfo=UTC)})

    assert bool(same)


async def test_statement_is_counted_as_those_of_sessions_are(module_database: Database) -> None:
    with recorded(module_database.reader) as sent:
        await names_of(module_database, "jackets")

    assert sent == [compiled(NAMES, module_database.dialect).text]


async def test_nothing_can_be_written(database: Database) -> None:
    await add_category(database)
    delete = sql_of("DELETE FROM categories", database.dialect)

    with pytest.raises((sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError, DatabaseUnavailable)):
        await database.fetch(delete, {})

    assert await names_of(database, "jackets") == ["Jackets"]


async def test_mistake_of_ours_stays_what_it_is(module_database: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedTableError)):
        await module_database.fetch(sql_of("SELECT * FROM nothing_of_that_name", module_database.dialect), {})

    assert await names_of(module_database, "jackets") == []


async def test_many_readers_at_once_share_a_few_connections(database: Database) -> None:
    await add_category(database)

    found = await asyncio.gather(*(names_of(database, "jackets") for _ in range(100)))

    assert found == [["Jackets"]] * 100


async def test_reader_that_leaves_takes_neither_time_nor_connection_along(database: Database) -> None:
    await add_category(database)
    endless = sql_of(ENDLESS[database.dialect], database.dialect)
    readers = [asyncio.create_task(database.fetch(endless, {})) for _ in range(8)]  # twice as many as connections

    done, waiting = await asyncio.wait(readers, timeout=0.2)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)

    assert (len(done), len(waiting)) == (0, 8)
    assert await asyncio.gather(*(names_of(database, "jackets") for _ in range(8))) == [["Jackets"]] * 8


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://portico@127.0.0.1:1/portico",
        "postgresql+asyncpg://portico@/portico?host=/nowhere",
        "sqlite+aiosqlite:////dev",  # a folder
    ],
)
async def test_unreachable_database_is_unavailable(url: str) -> None:
    database = Database(url)

    with pytest.raises(DatabaseUnavailable):
        await names_of(database, "jackets")

    await database.close()


async def test_connection_that_was_closed_meanwhile_is_replaced(postgres_database: Database) -> None:
    await add_category(postgres_database)
    pid = compiled(text("SELECT pg_backend_pid()"), "postgresql")
    ((first,),) = await postgres_database.fetch(pid, {})
    (idle,) = postgres_database._direct._idle

    async with postgres_database.write() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    while idle.is_usable():  # noqa: ASYNC110  until the loop has heard of its end
        await asyncio.sleep(0)

    assert await names_of(postgres_database, "jackets") == ["Jackets"]
    ((second,),) = await postgres_database.fetch(pid, {})
    assert second != first


async def test_connection_killed_in_mid_statement_is_unavailable(postgres_database: Database) -> None:
    reader = asyncio.create_task(postgres_database.fetch(sql_of("SELECT pg_sleep(60)", "postgresql"), {}))
    killed = False
    while not killed:
        async with postgres_database.write() as session:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
            killed = bool((await session.execute(text(kill))).all())

    with pytest.raises(DatabaseUnavailable):
        await reader
    assert await names_of(postgres_database, "jackets") == []


@pytest.mark.parametrize(("kind", "plans"), [(String(), (3, 5)), (TellingText(), (0, 8))])
async def test_plan_is_made_for_each_value_that_tells_which_is_good(
    postgres_database_url: str, kind: TypeEngine[str], plans: tuple[int, int]
) -> None:
    database = Database(postgres_database_url)
    on = select(literal("x") == named()("value", kind))
    sql, other = compiled(on, "postgresql"), sql_of("SELECT 1", "postgresql")
    for number in range(8):
        await database.fetch(sql, {"value": str(number)})
        await database.fetch(other, {})

    made = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT ''x''%'"
    rows = await database.fetch(sql_of(made, "postgresql"), {})
    await database.close()

    assert [tuple(row) for row in rows] == [plans]
