"""What is noted of a request while it is served."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from core.context import RequestContext, enter_request, leave_request
from core.database import Database, DuplicateValue
from core.receipts import note, tell


@pytest.fixture
def context() -> Iterator[RequestContext]:
    context = RequestContext("r1", "t1", "s1", sampled=False)
    token = enter_request(context)
    yield context
    leave_request(token)


def test_parts_add_up(context: RequestContext) -> None:
    note("sql", seconds=0.5)
    note("sql", seconds=0.25)
    note("cost", count=40)

    assert context.notes is not None
    assert context.notes.parts == {"sql": [2, 0.75], "cost": [40, 0.0]}


def test_last_word_of_a_fact_counts(context: RequestContext) -> None:
    tell("cache", "miss")
    tell("cache", "collapsed")
    tell("principal", "usr_1")

    assert context.notes is not None
    assert context.notes.facts == {"cache": "collapsed", "principal": "usr_1"}


async def test_what_a_task_of_the_request_spends_is_the_requests(context: RequestContext) -> None:
    async def ask() -> None:
        note("upstream:post", seconds=0.1)

    await asyncio.gather(asyncio.create_task(ask()), asyncio.create_task(ask()))

    assert context.notes is not None
    assert context.notes.parts == {"upstream:post": [2, 0.2]}


def test_request_that_says_nothing_has_no_notes(context: RequestContext) -> None:
    assert context.notes is None


def test_outside_of_a_request_nothing_is_noted() -> None:
    note("sql", seconds=1)
    tell("cache", "hit")


async def test_statement_that_fails_is_noted_once(database: Database) -> None:
    add = text("INSERT INTO categories (id, name, slug) VALUES ('cat_1', 'Jackets', 'jackets')")
    async with database.write() as session:
        await session.execute(add)
    context = RequestContext("r1", "t1", "s1", sampled=False)
    token = enter_request(context)  # here, and not in a fixture, whose context is another one than the test's

    with pytest.raises(DuplicateValue):
        async with database.write() as session:
            await session.execute(add)

    leave_request(token)
    assert context.notes is not None
    count, seconds = context.notes.parts["sql"]
    assert count == 1 + (database.dialect == "sqlite")  # whose BEGIN is a statement of ours
    assert seconds > 0
