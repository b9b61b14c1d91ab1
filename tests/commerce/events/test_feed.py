"""A feed gives every event once and in order, wherever it begins and whatever is written meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from commerce.accounts.principal import SCOPES_OF, Principal
from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter, topics_of
from core import eventlog
from core.database import Database
from core.eventlog import CursorTooOld, Event, NewEvent, append, event_id
from core.hub.memory import MemoryHub
from core.streams.broadcast import QUEUE_LIMIT, Broadcast, Draining, Shared, TooSlow
from core.tailer import Tailer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANNA = Principal("user", "usr_anna", SCOPES_OF["customer"], user_id="usr_anna", role="customer")
Taking = asyncio.Task[list[Shared]]
STAFF = Principal("user", "usr_staff", SCOPES_OF["support"], user_id="usr_staff", role="support")


class Shop:
    """A log with its broadcast."""

    def __init__(self, database: Database, broadcast: Broadcast, draining: asyncio.Event) -> None:
        self.database = database
        self.broadcast = broadcast
        self.draining = draining

    async def happens(self, *events: NewEvent) -> None:
        async with self.database.write() as session:
            await append(session, events, NOW)

    async def reaches(self, position: int) -> None:
        async with asyncio.timeout(30):
            while self.broadcast.position is None or self.broadcast.position < position:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # nobody but a test waits for it

    def feed(self, wanted: EventFilter, after: str | None = None) -> EventFeed:
        return EventFeed(self.database, self.broadcast, wanted, kind="test", after=after)


@asynccontextmanager
async def opened(database: Database, url: str) -> AsyncIterator[Shop]:
    hub, draining = MemoryHub(), asyncio.Event()
    database.on_announced = hub.publish
    async with Tailer(Database(url), hub) as tailer, Broadcast(tailer, topics_of, draining) as broadcast:
        shop = Shop(database, broadcast, draining)
        await shop.reaches(0)
        yield shop


@pytest.fixture
async def shop(database: Database, database_url: str) -> AsyncIterator[Shop]:
    async with opened(database, database_url) as shop:
        yield shop


def product(subject: str, visibility: str = "everybody") -> NewEvent:
    return NewEvent("product.updated", subject, {}, visibility)


def order(subject: str, owner: str) -> NewEvent:
    return NewEvent("order.placed", subject, {}, "owner", owner)


async def subjects(feed: EventFeed, count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += [each.event.subject for each in await feed.take(1)]
    return found


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


async def test_drain_before_what_was_missed_is_taken_leaves_the_cursor_where_it_was(restarted: Shop) -> None:
    async with without_reading(restarted, event_id(1)) as feed:
        told = asyncio.Event()
        restarted.broadcast.at_drain(told.set)
        restarted.draining.set()
        await told.wait()

        with pytest.raises(Draining):
            await feed.take()
        assert feed.cursor == event_id(1)


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
