"""What a run says, to one reader, from any number on: in this process or another, while it runs or after."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from commerce.assistant.entities import Run, RunEvent
from commerce.assistant.repository import RunRepository
from commerce.assistant.storage import ask_to_cancel, topic_of
from core.database import Database
from core.hub import Hub
from core.resources import Resources

_LOOK_SECONDS = 1.0  # where no wake-up came: it may be lost, and without Redis other processes send none


class RunFeed:
    """`async with RunFeed(...) as feed:` Per reader. No session is open while it waits."""

    def __init__(
        self, database: Database, hub: Hub, run_id: str, *, after: int = 0, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._database = database
        self._hub = hub
        self._run_id = run_id
        self._look_seconds = look_seconds
        self._woken = asyncio.Event()
        self._closed: Exception | None = None
        self.after = after
        self.ended = False  # nothing comes any more

    async def __aenter__(self) -> Self:
        self._leave = self._hub.subscribe(topic_of(self._run_id), self._woken.set)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def close(self, reason: Exception) -> None:
        """`take` raises it, now and ever after. The first reason counts."""
        self._closed = self._closed or reason
        self._woken.set()

    async def take(self, seconds: float) -> list[RunEvent]:
        """What comes after the last that was taken, as soon as there is something; nothing after so many seconds, or
        where the run has ended. Raises what it was closed with, and DatabaseUnavailable.
        """
        now = asyncio.get_running_loop().time
        until = now() + seconds
        while True:
            self._woken.clear()
            if self._closed is not None:
                raise self._closed
            found = await self._look()
            left = until - now()
            if found or self.ended or left <= 0:
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._look_seconds)):
                    await self._woken.wait()

    async def _look(self) -> list[RunEvent]:
        async with self._database.read() as session:
            repository = RunRepository(session)
            found = await repository.events_after(self._run_id, self.after)
            if not found:
                run = await repository.find(self._run_id)
                # Between the two statements it may have said its last.
                self.ended = run is None or (run.ended and run.events <= self.after)
        if found:
            self.after = found[-1].number
            self.ended = found[-1].is_last
        return found


async def cancelled(resources: Resources, run: Run, seconds: float) -> Run:
    """Asks whoever runs it to end it, and waits so long until they have. The run as it is then."""
    async with resources.database.write() as session:
        await ask_to_cancel(session, run.id)
    async with RunFeed(resources.database, resources.hub, run.id, after=run.events) as feed:
        deadline = asyncio.get_running_loop().time() + seconds
        while not feed.ended and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await feed.take(left)
    async with resources.database.read() as session:
        return await RunRepository(session).find(run.id) or run
