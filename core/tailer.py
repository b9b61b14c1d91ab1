"""The tailer: one task in each process that reads what is new in the event log, in order, and hands it on.

It is woken after each commit here that appended events, and looks by itself for those of other processes: on SQLite it
asks for `PRAGMA data_version`, which costs no read; on PostgreSQL it reads on. A lost wake-up costs time, no event.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import Database
from core.eventlog import TOPIC, Event, EventLog
from core.hub import Hub
from core.recurring import Recurring

log = structlog.get_logger("portico.tailer")
_POSITION = Gauge(
    "portico_tailer_position",
    "The event that a process has handed on last; of several processes, the one that is furthest behind.",
    multiprocess_mode="livemin",
)
_POLL_SECONDS = {"sqlite": 0.25, "postgresql": 1.0}
_BATCH = 500
_BEFORE = 2_000
_SLICE = 50  # are handed on without a pause: to a thousand clients each

# Called in the event loop with events that follow those before. It must not wait: what takes time has a queue.
Consumer = Callable[[Sequence[Event]], None]


class Tailer:
    """`async with Tailer(Database(url), hub) as tailer:` One per process, with connections of its own, which it closes.

    `position` is that of the last event handed on; None before the first look into the log.
    """

    def __init__(self, database: Database, hub: Hub, *, poll_seconds: float | None = None, batch: int = _BATCH) -> None:
        self._database = database
        self._hub = hub
        self._poll_seconds = poll_seconds if poll_seconds is not None else _POLL_SECONDS[database.dialect]
        self._batch = batch
        self._consumers: list[Consumer] = []
        self._reading = Recurring("tailer", self._follow_log)
        self.looked = asyncio.Event()  # into the log: what is committed from then on is handed on
        self.before: Sequence[Event] = ()  # that: the newest that there were then
        self.position: int | None = None

    def follow(self, consumer: Consumer) -> Callable[[], None]:
        """From the next event on. Returns what ends it."""
        self._consumers.append(consumer)
        return lambda: self._consumers.remove(consumer)

    async def __aenter__(self) -> Self:
        self._leave = self._hub.subscribe(TOPIC, self._reading.wake)
        await self._reading.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self._reading.__aexit__(kind, error, trace)
        await self._database.close()

    async def _follow_log(self) -> None:
        async with AsyncExitStack() as stack:
            watch = None
            if self._database.dialect == "sqlite":
                watch = await stack.enter_async_context(self._database.reader.connect())
            seen = None
            while not self._reading.ending:
                # Asked before reading: what is committed meanwhile is seen the next time.
                version = await _data_version(watch) if watch is not None else None
                if watch is None or version != seen:
                    await self._read_on()
                seen = version
                await self._reading.rest(self._poll_seconds)

    async def _read_on(self) -> None:
        """Hands on all that there is."""
        while not self._reading.ending:
            async with self._database.read() as session:
                events = EventLog(session)
                if self.position is None:
                    newest = await events.newest()
                    before = await events.following(max(newest - _BEFORE, 0), _BEFORE)
                    self.before = [event for event in before if event.position <= newest]
                    self.position = newest
                    _POSITION.set(newest)
                    self.looked.set()
                found = await events.following(self.position, self._batch)
                if not found:
                    newest = await events.newest()
            if not found:
                # Less than before only where a backup was restored.
                self.position = min(self.position, newest)
                _POSITION.set(self.position)
                return
            for start in range(0, len(found), _SLICE):
                self._hand_on(found[start : start + _SLICE])
                await asyncio.sleep(0)
            if len(found) < self._batch:
                return

    def _hand_on(self, events: Sequence[Event]) -> None:
        self.position = events[-1].position
        _POSITION.set(self.position)
        for consumer in tuple(self._consumers):
            try:
                consumer(events)
            except Exception:  # the others are not to miss them
                log.exception("tailer_consumer_failed", consumer=repr(consumer))


async def _data_version(connection: AsyncConnection) -> int:
    """Another number after each commit of another connection."""
    version = (await connection.exec_driver_sql("PRAGMA data_version")).scalar_one()
    await connection.rollback()
    return int(version)
