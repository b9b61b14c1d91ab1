"""What is noted of a request while it is served."""

import asyncio
from collections.abc import Iterator

import pytest

from core.context import RequestContext, enter_request, leave_request
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
