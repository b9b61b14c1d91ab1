"""A log with its broadcast, what happens in it, and the readers of its feeds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from commerce.accounts.principal import SCOPES_OF, Principal
from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter, topics_of
from core.database import Database
from core.eventlog import NewEvent, append
from core.hub.memory import MemoryHub
from core.streams.broadcast import Broadcast
from core.tailer import Tailer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANNA = Principal("user", "usr_anna", SCOPES_OF["customer"], user_id="usr_anna", role="customer")
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
