"""What keeps runs honest: their leases are renewed, those that somebody cancelled are stopped, dead ones are ended."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy import select

from commerce.assistant import storage
from commerce.assistant.models import RunRow
from commerce.assistant.repository import RunRepository
from commerce.assistant.storage import CANCELS
from core.database import Database
from core.recurring import Periodic, Recurring
from core.resources import Resources


@dataclass(frozen=True, slots=True)
class Pace:
    """Hosts' clocks differ by less than a lease is longer than the time between renewals. `look`: for runs to cancel,
    where no wake-up comes.
    """

    lease: timedelta = timedelta(seconds=20)
    renew: float = 5.0
    look: float = 0.25  # with the way to the database, a cancelled run ends within a second


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Keeping(Periodic):
    """Per process, whose runs are `running`, by id. Without any it looks only for those of the dead. It looks through
    `looking`, whose connections requests do not take.
    """

    def __init__(
        self, resources: Resources, looking: Database, runner: str, running: Mapping[str, Cancellable], pace: Pace
    ) -> None:
        super().__init__(Recurring("assistant", self._turn))
        self._resources = resources
        self._looking = looking
        self._runner = runner
        self._running = running
        self._pace = pace
        self._due = 0.0  # by the loop's time: when leases are renewed next, and the dead looked for

    async def __aenter__(self) -> Self:
        self._leave = self._resources.hub.subscribe(CANCELS, self.wake)
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await super().__aexit__(kind, error, trace)

    def wake(self) -> None:
        self._recurring.wake()

    async def _turn(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._running:
            await self._cancel()
        if now >= self._due:
            await self._renew()
            await self._sweep()
            self._due = now + self._pace.renew
        left = max(0.0, self._due - now)
        return min(self._pace.look, left) if self._running else left

    async def _cancel(self) -> None:
        async with self._looking.read() as session:
            asked = await RunRepository(session).asked_to_cancel(self._runner)
        for run_id in asked:
            running = self._running.get(run_id)
            if running is not None:
                running.cancel()

    async def _renew(self) -> None:
        if self._running:
            async with self._resources.database.write() as session:
                await storage.renew(session, list(self._running), self._resources.clock.now() + self._pace.lease)

    async def _sweep(self) -> None:
        """Mostly there is none: that is a read."""
        now = self._resources.clock.now()
        dead = select(RunRow.id).where(RunRow.state.in_(("queued", "running")), RunRow.lease_until < now).limit(1)
        async with self._looking.read() as session:
            found = await session.scalar(dead)
        if found is not None:
            async with self._resources.database.write() as session:
                await storage.sweep(session, now)
