from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from core.bulk import insert_missing, insert_rows, insert_tables, update_rows
from core.database import Database, DuplicateValue, table_of
from core.eventlog import EventRow
from tests.factories.statements import recorded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS = table_of(EventRow)


def an_event(number: int, **changes: Any) -> dict[str, Any]:
    values = {"type": "a", "subject": f"s{number}", "time": NOON, "data": {"n": number}, "visibility": "everybody"}
    return values | {"owner_id": None} | changes


async def stored(database: Database) -> list[tuple[Any, ...]]:
    columns = EVENTS.c.subject, EVENTS.c.time, EVENTS.c.data, EVENTS.c.owner_id
    async with database.read() as session:
        return [tuple(row) for row in await session.execute(select(*columns).order_by(EVENTS.c.position))]


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(microseconds=1)])
async def test_rows_are_written_in_their_order_with_their_values(database: Database, apart: timedelta) -> None:
    """Moments that are all one object are converted once."""
    rows = [an_event(n, time=NOON + n * apart if apart else NOON, owner_id="u" if n == 2 else None) for n in range(4)]

    async with database.write() as session:
        await insert_rows(session, EVENTS, rows)

    assert await stored(database) == [(f"s{n}", NOON + n * apart, {"n": n}, "u" if n == 2 else None) for n in range(4)]


async def test_rows_are_few_statements_and_none_is_none(sqlite_database: Database) -> None:
    with recorded(sqlite_database.writer) as sent:
        async with sqlite_database.write() as session:
            await insert_rows(session, EVENTS, [an_event(n) for n in range(1_001)])
            await insert_rows(session, EVENTS, [])

    assert len(sent) == 2
    async with sqlite_database.read() as session:
        assert await session.scalar(select(func.count()).select_from(EVENTS)) == 1_001


async def test_rows_are_changed_by_their_key(database: Database) -> None:
    async with database.write() as session:
        await insert_rows(session, EVENTS, [an_event(n) for n in range(3)])
        some = [{"subject": "s2", "data": {"x": 2}, "time": NOON}, {"subject": "s0", "data": {}, "time": NOON}]
        await update_rows(session, EVENTS, some, key="subject")

    assert [(subject, data) for subject, _, data, _ in await stored(database)] == [
        ("s0", {}),
        ("s1", {"n": 1}),
        ("s2", {"x": 2}),
    ]


async def test_those_that_are_there_stay_as_they_are(database: Database) -> None:
    async with database.write() as session:
        await insert_rows(session, EVENTS, [an_event(1, position=7)])
        made = await insert_missing(session, EVENTS, [an_event(2, position=7), an_event(3, position=8)])

    assert made == 1
    assert [subject for subject, *_ in await stored(database)] == ["s1", "s3"]


async def test_rows_of_the_next_table_are_made_while_the_one_before_is_written(sqlite_database: Database) -> None:
    order: list[str] = []

    def tables() -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        yield EVENTS, [an_event(1)]
        order.append("made")
        yield EVENTS, [an_event(2)]

    with following(sqlite_database.writer, order):
        async with sqlite_database.write() as session:
            await insert_tables(session, tables())

    assert order == ["begun", "made", "ended", "begun", "ended"]
    assert [subject for subject, *_ in await stored(sqlite_database)] == ["s1", "s2"]


async def test_rows_that_cannot_be_made_leave_nothing_and_the_connection_free(database: Database) -> None:
    def tables() -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        yield EVENTS, [an_event(1)]
        raise LookupError

    with pytest.raises(LookupError):
        async with database.write() as session:
            await insert_tables(session, tables())

    assert await stored(database) == []
    async with database.write() as session:
        await insert_rows(session, EVENTS, [an_event(2)])
    assert [subject for subject, *_ in await stored(database)] == ["s2"]


@pytest.mark.parametrize("place", [0, 1])
async def test_table_that_is_refused_ends_it(database: Database, place: int) -> None:
    twice = [an_event(n, position=7) for n in range(2)]
    tables = [(EVENTS, [an_event(3)])]
    tables.insert(place, (EVENTS, twice))

    with pytest.raises(DuplicateValue):
        async with database.write() as session:
            await insert_tables(session, tables)

    assert await stored(database) == []


@contextmanager
def following(engine: AsyncEngine, order: list[str]) -> Iterator[None]:
    """Notes when an INSERT begins, and when its result is there."""

    def begun(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT"):
            order.append("begun")

    def ended(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT"):
            order.append("ended")

    event.listen(engine.sync_engine, "before_cursor_execute", begun)
    event.listen(engine.sync_engine, "after_cursor_execute", ended)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", begun)
        event.remove(engine.sync_engine, "after_cursor_execute", ended)
