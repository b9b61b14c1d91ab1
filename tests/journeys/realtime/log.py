"""The event log as another process sees it: over a connection of its own, without a word to the servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from core.clock import SystemClock
from core.database import Database
from core.eventlog import EventRow, NewEvent, append, event_id
from tests.fixtures.followers import Headers


class Log:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = 0

    async def write(self, count: int) -> None:
        """So many products were changed, in one transaction."""
        numbers = range(self._written, self._written + count)
        events = [NewEvent("product.updated", f"prod_{n}", {"id": f"prod_{n}"}, "everybody") for n in numbers]
        async with self._database.write() as session:
            await append(session, events, SystemClock().now())
        self._written += count

    async def write_on(self, stop: asyncio.Event, per_second: int) -> None:
        """One by one. What is late is made up for."""
        loop = asyncio.get_running_loop()
        began, done = loop.time(), 0
        while not stop.is_set():
            await self.write(1)
            done += 1
            await asyncio.sleep(began + done / per_second - loop.time())

    async def ids(self, kind: str = "product.updated") -> list[str]:
        """Of all events of the type, in order."""
        positions = select(EventRow.position).where(EventRow.type == kind).order_by(EventRow.position)
        async with self._database.read() as session:
            return [event_id(position) for position in await session.scalars(positions)]

    async def keys(self, count: int, *scopes: str) -> list[Headers]:
        """The headers of so many API keys: each may have a hundred streams of a kind."""
        async with self._database.write() as session:
            keys = ApiKeyService(session, SystemClock(), actor="test")
            secrets = [(await keys.create(CreateKey("test", scopes))).secret for _ in range(count)]
        return [{"Authorization": f"Bearer {secret}"} for secret in secrets]


@asynccontextmanager
async def open_log(url: str) -> AsyncIterator[Log]:
    database = Database(url)
    yield Log(database)
    await database.close()


def embedded(folder: Path) -> str:
    """The database of a server that was started in the folder."""
    return f"sqlite+aiosqlite:///{folder / 'var' / 'portico.db'}"
