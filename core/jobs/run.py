"""What a job's function is given: its transactions, its memory over attempts, and a way to say how far it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import from_json, to_json
from sqlalchemy import select, update

from core.database import Database, WriteSession
from core.jobs.models import JobRow
from core.jobs.slots import LostSlot, Slot, Slots

if TYPE_CHECKING:
    from core.resources import Resources

T = TypeVar("T")


class JobCancelled(Exception):
    """Somebody asked for the job to end."""


class JobRun:
    """Per attempt. After a crash or a failure the next attempt finds `checkpoint` and the results of steps."""

    def __init__(
        self,
        resources: "Resources",
        slots: Slots,
        slot: Slot,
        *,
        job_id: str,
        attempt: int,
        steps: Mapping[str, Any],
        checkpoint: dict[str, Any] | None,
        pause_seconds: float = 0.0,
    ) -> None:
        """`pause_seconds`: between its transactions, for writers of other processes."""
        self.id = job_id
        self.attempt = attempt
        self.resources = resources
        self.checkpoint = checkpoint
        self.slot = slot
        self.cancel_requested = False
        self._slots = slots
        self._pause_seconds = pause_seconds
        self.steps = dict(steps)
        self._unsaved: dict[str, Any] = {}  # progress and message

    @property
    def _database(self) -> Database:
        return self.resources.database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """A write transaction that commits only while the job is this worker's; keep waits for others out of it.

        Raises LostSlot, JobCancelled, and what `Database.write` raises.
        """
        async with self.fenced() as session:
            if self.cancel_requested:
                raise JobCancelled
            yield session
        if self._pause_seconds:
            await asyncio.sleep(self._pause_seconds)

    @asynccontextmanager
    async def fenced(self) -> AsyncIterator[WriteSession]:
        """As `transaction`, for what must be written of a cancelled job too."""
        async with self._database.write() as session:
            await self._slots.check(session, self.slot)
            mine = select(JobRow.attempts, JobRow.state, JobRow.cancel_requested_at).where(JobRow.id == self.id)
            row = (await session.execute(mine)).one_or_none()
            if row is None or (row.attempts, row.state) != (self.attempt, "running"):
                raise LostSlot
            self.cancel_requested = row.cancel_requested_at is not None
            yield session

    async def save(self, session: WriteSession, checkpoint: dict[str, Any]) -> None:
        """Keeps the checkpoint, and the progress said before, in the transaction of the work that it stands for."""
        unsaved, self._unsaved = self._unsaved, {}
        await session.execute(update(JobRow).where(JobRow.id == self.id).values(checkpoint=checkpoint, **unsaved))
        self.checkpoint = checkpoint

    async def progress(self, done: float, message: str | None = None) -> None:
        """`done` is from 0 to 1. Costs nothing: the worker writes it within a second. Raises JobCancelled."""
        self._unsaved = {"progress": min(max(done, 0.0), 1.0), "message": message}
        if self.cancel_requested:
            raise JobCancelled

    async def write_progress(self) -> None:
        """The worker's part of `progress`. Raises LostSlot."""
        if self._unsaved:
            async with self.fenced() as session:
                unsaved, self._unsaved = self._unsaved, {}
                if unsaved:
                    await session.execute(update(JobRow).where(JobRow.id == self.id).values(**unsaved))

    async def step(self, name: str, action: Callable[[], Awaitable[T]]) -> T:
        """What the action returned, which later attempts are given without running it again.

        It must be plain JSON. The action itself may run twice where the process dies before its result is kept: hand
        `once_key(name)` to whatever it calls outside the database.
        """
        if name not in self.steps:
            self.steps[name] = from_json(to_json(await action()))
            async with self.transaction() as session:
                await session.execute(update(JobRow).where(JobRow.id == self.id).values(steps=self.steps))
        kept: T = self.steps[name]
        return kept

    def once_key(self, step: str) -> str:
        """The same on every attempt: for effects outside the database that can be told to happen once."""
        return f"{self.id}:{step}"
