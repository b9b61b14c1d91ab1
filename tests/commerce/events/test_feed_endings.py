"""A feed that ends, as its reader is slow, the server drains or somebody closes it, tells where to go on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import pytest

from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter
from core.database import Database
from core.eventlog import append, event_id
from core.streams.broadcast import QUEUE_LIMIT, Draining, TooSlow
from tests.commerce.events.feeds import ANNA, Shop, opened, order, product, subjects


async def test_reader_that_is_too_slow_is_let_go_and_goes_on_with_its_cursor(shop: Shop) -> None:
    async with shop.feed(EventFilter(ANNA)) as feed:
        await shop.happens(*(product(f"p{number}") for number in range(QUEUE_LIMIT + 1)))
        await shop.reaches(QUEUE_LIMIT + 1)
        with pytest.raises(TooSlow):
            await feed.take(1)
        cursor = feed.cursor

    assert cursor == event_id(0)
    async with shop.feed(EventFilter(ANNA), after=cursor) as feed:
        assert len(await subjects(feed, QUEUE_LIMIT + 1)) == QUEUE_LIMIT + 1


async def test_draining_ends_feeds_that_wait_and_those_that_begin(shop: Shop) -> None:
    await shop.happens(product("a"), product("b"))

    async with shop.feed(EventFilter(ANNA)) as waiting, shop.feed(EventFilter(ANNA), after=event_id(1)) as behind:
        task = asyncio.create_task(waiting.take())
        await asyncio.sleep(0)
        shop.draining.set()

        with pytest.raises(Draining):
            await task
        assert waiting.cursor == event_id(2)
        with pytest.raises(Draining):
            await behind.take()
        async with shop.feed(EventFilter(ANNA)) as late:
            with pytest.raises(Draining):
                await late.take()


async def test_what_happens_after_the_drain_began_is_behind_the_cursor_that_is_given(shop: Shop) -> None:
    await shop.happens(product("a"))
    await shop.reaches(1)

    async with shop.feed(EventFilter(ANNA)) as feed:
        shop.draining.set()
        await asyncio.sleep(0)
        await shop.happens(product("b"))
        await shop.reaches(2)
        with pytest.raises(Draining):
            await feed.take()

        assert feed.cursor == event_id(1)


async def test_slow_reader_is_told_no_newer_cursor_when_the_server_drains(shop: Shop) -> None:
    async with shop.feed(EventFilter(ANNA)) as feed:
        await shop.happens(*(product(f"p{number}") for number in range(QUEUE_LIMIT + 1)))
        await shop.reaches(QUEUE_LIMIT + 1)
        shop.draining.set()
        await asyncio.sleep(0)

        with pytest.raises(TooSlow):
            await feed.take()
        assert feed.cursor == event_id(0)


@pytest.mark.parametrize("after", [None, event_id(1)])
async def test_closed_feed_raises_its_reason_at_once_and_ever_after(shop: Shop, after: str | None) -> None:
    await shop.happens(product("a"), product("b"))

    async with shop.feed(EventFilter(ANNA), after=after) as feed:
        waiting = asyncio.create_task(feed.take()) if after is None else None
        await asyncio.sleep(0)
        feed.close(PermissionError("over"))

        for take in (waiting or feed.take(), feed.take()):
            with pytest.raises(PermissionError, match="over"):
                await take


@pytest.fixture
async def restarted(database: Database, database_url: str) -> AsyncIterator[Shop]:
    """It began a moment after two events for everybody and one for somebody else."""
    async with database.write() as session:
        await append(session, [product("a"), order("o1", "usr_bob"), product("b")], datetime.now(UTC))
    async with opened(database, database_url) as shop:
        yield shop


def without_reading(shop: Shop, after: str) -> EventFeed:
    return EventFeed(cast("Database", None), shop.broadcast, EventFilter(ANNA), kind="test", after=after)


async def test_who_was_away_for_a_moment_is_told_what_they_missed_without_a_look_into_the_log(restarted: Shop) -> None:
    async with without_reading(restarted, event_id(1)) as feed:
        missed = await feed.take()
        await restarted.happens(product("c"))
        came = await feed.take()

        assert [each.event.position for each in (*missed, *came)] == [3, 4]
        assert feed.cursor == event_id(4)


async def test_cursor_stands_between_what_was_missed_and_what_waits(restarted: Shop) -> None:
    async with without_reading(restarted, event_id(1)) as feed:
        await restarted.happens(product("c"))
        await restarted.reaches(4)

        missed = await feed.take()

        assert [each.event.position for each in missed] == [3]
        assert feed.cursor == event_id(3)


async def test_drain_before_what_was_missed_is_taken_leaves_the_cursor_where_it_was(restarted: Shop) -> None:
    async with without_reading(restarted, event_id(1)) as feed:
        told = asyncio.Event()
        restarted.broadcast.at_drain(told.set)
        restarted.draining.set()
        await told.wait()

        with pytest.raises(Draining):
            await feed.take()
        assert feed.cursor == event_id(1)
