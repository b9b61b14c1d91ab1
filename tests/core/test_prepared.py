from datetime import UTC, datetime

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.database import Database, UtcDateTime, table_of
from core.eventlog import EventRow
from core.prepared import Prepared, listed, numbered
from tests.factories.statements import recorded

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("data", JSON()),
    Column("at", UtcDateTime()),
)
NAMES = ["name", "data", "at"]
ADD = Prepared(insert(THINGS).returning(THINGS.c.id), NAMES)
FIND = Prepared(select(THINGS.c.name, THINGS.c.data, THINGS.c.at).where(THINGS.c.name == bindparam("name")))
NOON = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)
LAMP = {"name": "lamp", "data": {"b": "1", "a": "ä"}, "at": NOON}


@pytest.fixture
async def things(database: Database) -> Database:
    async with database.writer.begin() as connection:
        await connection.run_sync(THINGS.create)
    return database


async def test_values_go_in_and_come_out_as_the_columns_types_have_them(things: Database) -> None:
    async with things.write() as session:
        added = await ADD.run(session, LAMP)
        found = await FIND.run(session, {"name": "lamp"})

    assert added == [(1,)]
    assert found == [("lamp", {"b": "1", "a": "ä"}, NOON)]
    assert list(found[0][1]) == ["b", "a"]


async def test_a_read_session_runs_it_too(things: Database) -> None:
    async with things.write() as session:
        await ADD.run(session, LAMP | {"data": None, "at": None})

    async with things.read() as reading:
        assert await FIND.run(reading, {"name": "lamp"}) == [("lamp", None, None)]
        assert await FIND.run(reading, {"name": "'; DROP TABLE things; --"}) == []


async def test_a_statement_without_rows_gives_none(things: Database) -> None:
    rename = Prepared(update(THINGS).where(THINGS.c.name == bindparam("old")).values(name=bindparam("new")))

    async with things.write() as session:
        await ADD.run(session, LAMP)
        given = await rename.run(session, {"old": "lamp", "new": "lantern"})
        found = await session.scalar(select(THINGS.c.name))

    assert (given, found) == ([], "lantern")


async def test_it_is_part_of_the_sessions_transaction_and_savepoint(things: Database) -> None:
    async with things.write() as session:
        await ADD.run(session, LAMP)
        savepoint = await session.begin_nested()
        await ADD.run(session, LAMP | {"name": "chair"})
        with pytest.raises(IntegrityError):
            await ADD.run(session, LAMP)
        await savepoint.rollback()

    async with things.read() as reading:
        assert (await reading.scalars(select(THINGS.c.name))).all() == ["lamp"]


async def test_a_value_that_is_missing_is_an_error(things: Database) -> None:
    async with things.write() as session:
        with pytest.raises(KeyError, match="at"):
            await ADD.run(session, {"name": "lamp", "data": None})

        assert await session.scalar(select(func.count()).select_from(THINGS)) == 0


async def test_its_text_is_the_same_for_every_run(sqlite_database: Database) -> None:
    of_one = Prepared(select(table_of(EventRow).c.position).where(EventRow.subject == bindparam("subject")))

    async with sqlite_database.write() as session:
        with recorded(sqlite_database.writer) as sent:
            await of_one.run(session, {"subject": "a"})
            await of_one.run(session, {"subject": "b"})

    assert len(sent) == 2
    assert len(set(sent)) == 1


@pytest.mark.parametrize(("given", "count"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (100, 128)])
async def test_a_list_of_any_length_is_one_of_few_statements(sqlite_database: Database, given: int, count: int) -> None:
    names = [f"name {number}" for number in range(given)]
    values = numbered("subject", names)
    positions = listed(EventRow.subject, "subject", len(values))

    assert len(values) == count
    assert {value for value in values.values() if value is not None} == set(names)
    assert [each.key for each in positions] == list(values)
    async with sqlite_database.read() as session:
        statement = Prepared(select(EventRow.position).where(EventRow.subject.in_(positions)))
        assert await statement.run(session, values) == []
