"""Who may run jobs. A worker holds a slot; the name that it runs jobs under is never used by another.

On SQLite a slot is a locked file: the operating system lets go of it when its holder dies. On PostgreSQL it is a row
with a lease that is renewed, because a host that froze or lost its network keeps a lock; its fencing number is checked
where a job commits, so that a worker that lost its slot can do no harm.
"""

import fcntl
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import ColumnElement, DateTime, func, insert, select, text, update

from core.database import Database, WriteSession
from core.jobs.models import JobSlotRow
from core.settings import Settings

_LOCK = 7205759405  # of pg_advisory_xact_lock; the event log's is the one before


class LostSlot(Exception):
    """The slot, or the job, belongs to another worker now. Nothing that follows would be kept."""


@dataclass(frozen=True, slots=True)
class Slot:
    number: int
    fence: int

    @property
    def executor_id(self) -> str:
        return f"slot-{self.number}.{self.fence}"


class Slots(Protocol):
    async def claim(self) -> Slot:
        """A free slot; there is always one more."""
        ...

    async def renew(self, slot: Slot) -> None:
        """Raises LostSlot."""
        ...

    async def check(self, session: WriteSession, slot: Slot) -> None:
        """Keeps the slot ours until the session's transaction ends. Raises LostSlot."""
        ...

    async def live(self) -> set[str]:
        """The executor ids that are held. All others can commit nothing any more, and never will."""
        ...

    async def release(self, slot: Slot) -> None: ...


class FileSlots:
    """`slot-N` files in one folder, each with its fencing number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, IO[str]] = {}

    async def claim(self) -> Slot:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 0
        while (file := self._locked(number)) is None:
            number += 1
        # The time as a floor: a database that came back from a backup may know numbers that a new folder does not.
        fence = max(int(file.read() or 0) + 1, int(time.time()))
        file.seek(0)
        file.write(str(fence))
        file.flush()
        os.fsync(file.fileno())
        self._held[number] = file
        # A child of a fork has the lock too, and would keep it after our death.
        os.register_at_fork(after_in_child=file.close)
        return Slot(number, fence)

    async def renew(self, slot: Slot) -> None:
        """A lock is ours for as long as we live."""

    async def check(self, session: WriteSession, slot: Slot) -> None:
        """As `renew`."""

    async def live(self) -> set[str]:
        found = set()
        for path in self._folder.glob("slot-*"):
            number = int(path.name.removeprefix("slot-"))
            file = self._locked(number)
            if file is None:
                found.add(Slot(number, int(path.read_text() or 0)).executor_id)
            else:
                file.close()
        return found

    async def release(self, slot: Slot) -> None:
        self._held.pop(slot.number).close()

    def _locked(self, number: int) -> IO[str] | None:
        file = os.fdopen(os.open(self._folder / f"slot-{number}", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        file.close()
        return None


class TableSlots:
    """Rows of `job_slots`, timed by the database's clock. PostgreSQL alone."""

    def __init__(self, database: Database, *, lease_seconds: float = 45.0) -> None:
        self._database = database
        self._lease = timedelta(seconds=lease_seconds)
        # A process that freezes in the middle of a transaction loses its connection, and with it its locks, before
        # its lease ends.
        self._idle = str(int(lease_seconds * 500))

    async def claim(self) -> Slot:
        free = JobSlotRow.holder.is_(None) | (JobSlotRow.lease_until < _now())
        async with self._database.write() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            found = (
                await session.execute(
                    select(JobSlotRow.slot, JobSlotRow.fence)
                    .where(free)
                    .order_by(JobSlotRow.slot)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                )
            ).one_or_none()
            values = {"holder": _holder(), "heartbeat_at": _now(), "lease_until": _now() + self._lease}
            if found is not None:
                slot = Slot(found.slot, found.fence + 1)
                mine = JobSlotRow.slot == slot.number
                await session.execute(update(JobSlotRow).where(mine).values(fence=slot.fence, **values))
            else:
                highest = await session.scalar(select(func.max(JobSlotRow.slot)))
                slot = Slot(int(highest or 0) + 1, 1)
                await session.execute(insert(JobSlotRow).values(slot=slot.number, fence=slot.fence, **values))
        return slot

    async def renew(self, slot: Slot) -> None:
        async with self._database.write() as session:
            renewed = await session.scalar(
                update(JobSlotRow)
                .where(*_is(slot))
                .values(heartbeat_at=_now(), lease_until=_now() + self._lease)
                .returning(JobSlotRow.slot)
            )
        if renewed is None:
            raise LostSlot

    async def check(self, session: WriteSession, slot: Slot) -> None:
        # KEY SHARE goes together with the heartbeat's update, but not with the FOR UPDATE of who takes the slot away.
        statement = (
            select(func.set_config("idle_in_transaction_session_timeout", self._idle, True))
            .where(*_is(slot))
            .with_for_update(read=True, key_share=True)
        )
        if await session.scalar(statement.select_from(JobSlotRow)) is None:
            raise LostSlot

    async def live(self) -> set[str]:
        expired = select(JobSlotRow.slot).where(JobSlotRow.holder.is_not(None), JobSlotRow.lease_until < _now())
        async with self._database.write() as session:
            # One that is used in a transaction at this moment is skipped, and stays live until the next look.
            await session.execute(
                update(JobSlotRow)
                .where(JobSlotRow.slot.in_(expired.with_for_update(skip_locked=True)))
                .values(holder=None, fence=JobSlotRow.fence + 1)
            )
            held = await session.execute(
                select(JobSlotRow.slot, JobSlotRow.fence).where(JobSlotRow.holder.is_not(None))
            )
            return {Slot(number, fence).executor_id for number, fence in held}

    async def release(self, slot: Slot) -> None:
        async with self._database.write() as session:
            freed = update(JobSlotRow).where(*_is(slot)).values(holder=None, fence=JobSlotRow.fence + 1)
            await session.execute(freed)


def slots_of(settings: Settings, database: Database, lease_seconds: float) -> Slots:
    if settings.embedded:
        return FileSlots(settings.data.data_dir / "job-slots")
    return TableSlots(database, lease_seconds=lease_seconds)


async def live_workers(database: Database, folder: Path) -> int:
    """How many hold a slot at this moment; `folder` is that of SQLite's."""
    if database.dialect == "sqlite":
        return len(await FileSlots(folder).live())
    held = select(func.count()).where(JobSlotRow.holder.is_not(None), JobSlotRow.lease_until >= _now())
    async with database.read() as session:
        return int(await session.scalar(held) or 0)


def _is(slot: Slot) -> tuple[ColumnElement[bool], ...]:
    return JobSlotRow.slot == slot.number, JobSlotRow.fence == slot.fence, JobSlotRow.holder.is_not(None)


def _now() -> ColumnElement[datetime]:
    return func.clock_timestamp(type_=DateTime(timezone=True))


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
