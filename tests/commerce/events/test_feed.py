"""A feed gives every event once and in order, wherever it begins and whatever is written meanwhile."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from commerce.events.filter import EventFilter
from core import eventlog
from core.database import Database
from core.eventlog import CursorTooOld, Event, NewEvent, event_id
from tests.commerce.events.feeds import ANNA, STAFF, Shop, order, product, subjects


async def test_feed_without_a_cursor_begins_with_what_happens_next(shop: Shop) -> None:
    await shop.happens(product("before"))

    async with shop.feed(EventFilter(ANNA)) as feed:
        await shop.happens(product("after"))

        assert await subjects(feed, 1) == ["after"]
        assert feed.cursor == event_id(2)
        assert await feed.take(0) == []


async def test_feed_with_a_cursor_begins_after_it(shop: Shop) -> None:
    await shop.happens(product("a"), product("b"), product("c"))

    async with shop.feed(EventFilter(ANNA), after=event_id(1)) as feed:
        assert await subjects(feed, 2) == ["b", "c"]
        await shop.happens(product("d"))

        assert await subjects(feed, 1) == ["d"]


@pytest.mark.parametrize("begin", [1, 700, 2000])
async def test_readers_miss_nothing_and_see_nothing_twice_while_writers_write(shop: Shop, begin: int) -> None:
    await shop.happens(*(product(f"p{number}") for number in range(1, 2001)))

    async def write() -> None:
        for number in range(2001, 2301):
            await shop.happens(product(f"p{number}"))

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        async with shop.feed(EventFilter(ANNA), after=event_id(begin)) as feed:
            found = await subjects(feed, 2300 - begin)

    assert found == [f"p{number}" for number in range(begin + 1, 2301)]


async def test_cursor_of_a_quiet_feed_moves_with_what_it_does_not_want(shop: Shop) -> None:
    async with shop.feed(EventFilter(ANNA, frozenset(("order.placed",)))) as feed:
        assert feed.cursor == event_id(0)
        await shop.happens(order("o1", "usr_anna"), product("p1"))

        assert await subjects(feed, 1) == ["o1"]
        assert feed.cursor == event_id(2)


async def test_cursor_stands_between_what_was_taken_and_what_waits(shop: Shop) -> None:
    await shop.happens(product("a"), product("b"))
    await shop.reaches(2)

    async with shop.feed(EventFilter(ANNA), after=event_id(0)) as behind, shop.feed(EventFilter(ANNA)) as newest:
        await shop.happens(product("c"))
        await shop.reaches(3)
        taken = [await subjects(behind, 2), await subjects(newest, 1)]
        await shop.happens(product("d"))
        await shop.reaches(4)

        assert taken == [["a", "b"], ["c"]]
        assert [behind.cursor, newest.cursor] == [event_id(2), event_id(3)]


@pytest.mark.parametrize("after", [None, event_id(1)])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(ANNA), ["p1", "o1"]),
        (EventFilter(ANNA, frozenset(("order.placed",))), ["o1"]),
        (EventFilter(ANNA, subject="o1"), ["o1"]),
        (EventFilter(ANNA, subject="o2"), []),
        (EventFilter(STAFF), ["p1", "o1", "o2", "u1"]),
        (EventFilter(STAFF, frozenset(("order.placed",)), subject="o2"), ["o2"]),
    ],
)
async def test_feed_has_what_its_reader_wants_and_may_see(
    shop: Shop, wanted: EventFilter, expected: list[str], after: str | None
) -> None:
    await shop.happens(product("begin", "nobody"))

    async with shop.feed(wanted, after=after) as feed:
        await shop.happens(
            product("p1"),
            product("draft", "editors"),
            order("o1", "usr_anna"),
            order("o2", "usr_bert"),
            NewEvent("user.registered", "u1", {}, "staff"),
        )
        await shop.happens(product("end", "nobody"))
        found = await subjects(feed, len(expected))
        await shop.reaches(7)
        found += [each.event.subject for each in await feed.take(0)]

    assert found == expected


async def test_feed_that_cannot_begin_leaves_no_subscription(shop: Shop, database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("DROP TABLE event_log_state"))

    with pytest.raises(DBAPIError):
        async with shop.feed(EventFilter(ANNA)):
            pass

    assert not shop.broadcast._subscriptions


async def test_cursor_of_an_empty_log_is_good_for_what_happens_first(shop: Shop) -> None:
    async with shop.feed(EventFilter(ANNA)) as feed:
        cursor = feed.cursor
    await shop.happens(product("first"))

    async with shop.feed(EventFilter(ANNA), after=cursor) as feed:
        assert await subjects(feed, 1) == ["first"]


async def test_form_of_an_event_is_made_once_for_all_its_readers(shop: Shop) -> None:
    made: list[str] = []

    def make(event: Event) -> str:
        made.append(event.subject)
        return f"<{event.subject}>"

    async with shop.feed(EventFilter(ANNA)) as one, shop.feed(EventFilter(STAFF)) as other:
        await shop.happens(product("a"))
        forms = [shared.form(make) for feed in (one, other) for shared in await feed.take(10)]

    assert (forms, made) == (["<a>", "<a>"], ["a"])


async def test_cursor_from_before_what_is_kept_is_refused(shop: Shop) -> None:
    await shop.happens(product("a"), product("b"), product("c"))
    async with shop.database.write() as session:
        await eventlog.trim(session, datetime(2027, 1, 1, tzinfo=UTC))

    with pytest.raises(CursorTooOld):
        async with shop.feed(EventFilter(ANNA), after=event_id(1)):
            pass
