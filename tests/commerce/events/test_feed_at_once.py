"""A client that takes events where it stands gets each once, in order, and its cursor follows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter
from core.eventlog import Event, event_id
from core.streams.broadcast import QUEUE_LIMIT, Shared, TooSlow
from tests.commerce.events.feeds import ANNA, NOW, Shop, order, product, subjects

Taking = asyncio.Task[list[Shared]]


class Hasty:
    """A client that takes what comes where it stands, as long as it `can`."""

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.asked: list[list[int]] = []

    def __call__(self, events: Sequence[Shared]) -> bool:
        self.asked.append([each.event.position for each in events])
        return self.can


@asynccontextmanager
async def taking(shop: Shop, client: Hasty) -> AsyncIterator[tuple[EventFeed, Taking]]:
    """Its feed, and a task that waits for what it does not take at once."""
    wanted = EventFilter(ANNA)
    feed = EventFeed(shop.database, shop.broadcast, wanted, kind="test", after=None, at_once=client)
    async with feed:
        task = asyncio.create_task(feed.take())
        await asyncio.sleep(0)
        yield feed, task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_client_that_waits_and_can_gets_events_at_once_and_the_cursor_moves(shop: Shop) -> None:
    client = Hasty()
    async with taking(shop, client) as (feed, task):
        await shop.happens(product("a"), product("b"))
        await shop.reaches(2)
        await shop.happens(product("c"), order("d", "usr_bert"))
        await shop.reaches(4)

        assert client.asked == [[1, 2], [3]]
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert feed.cursor == event_id(4)


async def test_what_a_client_cannot_take_at_once_is_taken_in_order_with_what_follows(shop: Shop) -> None:
    client = Hasty()
    async with taking(shop, client) as (feed, task):
        await shop.happens(product("a"))
        await shop.reaches(1)
        client.can = False
        await shop.happens(product("b"))
        await shop.reaches(2)
        client.can = True

        assert [each.event.subject for each in await task] == ["b"]
        await shop.happens(product("c"))
        await shop.reaches(3)
        assert client.asked == [[1], [2]]
        assert await subjects(feed, 1) == ["c"]
        assert feed.cursor == event_id(3)


async def test_client_whose_feed_was_closed_gets_nothing_at_once(shop: Shop) -> None:
    client = Hasty()
    async with taking(shop, client) as (feed, task):
        feed.close(PermissionError("revoked"))
        shop.broadcast._receive([an_event(1)])

        assert client.asked == []
        with pytest.raises(PermissionError):
            await task
        assert feed.cursor == event_id(0)


async def test_cursor_of_a_client_that_is_cut_off_stands_behind_what_it_took_at_once(shop: Shop) -> None:
    client = Hasty()
    async with taking(shop, client) as (feed, task):
        shop.broadcast._receive([an_event(1)])
        client.can = False
        shop.broadcast._receive([an_event(2)])
        feed.close(PermissionError("revoked"))

        with pytest.raises(PermissionError):
            await task
        assert (client.asked, feed.cursor) == ([[1], [2]], event_id(1))


async def test_what_a_client_found_in_the_log_does_not_come_again_at_once(shop: Shop) -> None:
    await shop.happens(product("a"), product("b"))
    await shop.reaches(2)
    client = Hasty()
    async with taking(shop, client) as (_, task):
        shop.broadcast._receive([an_event(2), an_event(3)])

        assert client.asked == []
        assert [each.event.position for each in await task] == [3]


async def test_more_than_a_client_has_room_for_is_not_pressed_upon_it(shop: Shop) -> None:
    client = Hasty()
    async with taking(shop, client) as (_, task):
        shop.broadcast._receive([an_event(number) for number in range(1, QUEUE_LIMIT + 2)])

        assert client.asked == []
        with pytest.raises(TooSlow):
            await task


def an_event(position: int) -> Event:
    return Event(position, "product.updated", f"p{position}", NOW, {}, "everybody", None)
