"""Asking for jobs: enqueue, cancel, run again, forget. What reads them is `repository`, what runs them `worker`."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json
from sqlalchemy import delete, event, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import SessionTransaction

from core.clock import Clock
from core.database import Database, WriteSession, table_of
from core.ids import new_id
from core.jobs.entities import COLUMNS, FINISHED, Job, JobFinished, JobNotFound, JobNotRetryable
from core.jobs.models import JobEngineRow, JobRow
from core.jobs.registry import Args, JobType
from core.prepared import Prepared

if TYPE_CHECKING:
    from core.jobs.engine import Door

_FORGOTTEN_AT_ONCE = 500
_TABLE = table_of(JobRow)
_NEW = {"progress": 0.0, "steps": {}, "attempts": 0, "failures": 0, "crashes": 0, "dispatch": 1}
_GIVEN = ("id", "name", "queue", "owner_id", "state", "args", "dedup_key", "priority", "created_at", "run_at")
# By the dialect. Nothing comes back where the key is taken.
_INSERT = {
    dialect: Prepared(
        module.insert(_TABLE).on_conflict_do_nothing(index_elements=["name", "dedup_key"]).returning(_TABLE.c.id),
        [*_NEW, *_GIVEN],
    )
    for dialect, module in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


async def engine_versions(database: Database) -> tuple[str | None, str]:
    """The version of DBOS that its tables are of, None where there are none, and ours. Raises DatabaseUnavailable."""
    async with database.read() as session:
        return await session.scalar(select(JobEngineRow.version)), version("dbos")


def is_behind(present: str | None, needed: str) -> bool:
    """Of versions of DBOS, which takes newer tables than its own too."""
    return present is None or _numbers(present) < _numbers(needed)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


class Jobs:
    """Per process. Nothing of DBOS is loaded before the first use, or `warm`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._opened: Door | None = None
        self._opening = asyncio.Lock()
        # Told the queue of each job that is committed here, so that a worker in this process need not wait to look.
        self.wakers: set[Callable[[str], None]] = set()

    async def prepare(self) -> None:
        """Makes DBOS's tables where they are missing or of an older version. Call it after the migrations, and in no
        transaction: on SQLite it would wait for itself. Raises DatabaseUnavailable.
        """
        present, needed = await engine_versions(self._database)
        if not is_behind(present, needed):
            return
        made = await asyncio.to_thread((await self.warm()).migrate)
        async with self._database.write() as session:
            await session.merge(JobEngineRow(id=1, version=made))

    async def warm(self) -> "Door":
        """Loads DBOS, which takes a third of a second, beside the event loop."""
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
        return self._opened

    def _open(self) -> "Door":
        from core.jobs.engine import Door  # noqa: PLC0415  heavy, and most processes get by without it for a while

        return Door(self._database.writer.url)

    async def enqueue(
        self,
        session: WriteSession,
        job: JobType[Args],
        args: Args,
        *,
        owner: str | None = None,
        dedup_key: str | None = None,
        delay: timedelta | None = None,
        priority: int = 0,
    ) -> Job:
        """Part of the session's transaction. A key that this job was enqueued with before gives that one, finished or
        not, for as long as it is remembered. A higher priority runs first, within its queue.
        """
        now = self._clock.now()
        row: dict[str, Any] = _NEW | {
            "id": new_id("job"),
            "name": job.name,
            "queue": job.queue,
            "owner_id": owner,
            "state": "queued",
            "args": from_json(to_json(args)),
            "dedup_key": dedup_key,
            "priority": priority,
            "created_at": now,
            "run_at": now + (delay or timedelta()),
        }
        if not await _INSERT[session.get_bind().dialect.name].run(session, row):
            same = select(*COLUMNS).where(JobRow.name == job.name, JobRow.dedup_key == dedup_key)
            return Job(*(await session.execute(same)).one())
        await self.dispatch(session, row["id"], job.queue, 1, priority=priority, delay=delay or timedelta())
        values: list[Any] = [row.get(column.key) for column in COLUMNS]
        return Job(*values)

    async def dispatch(
        self, session: WriteSession, job_id: str, queue: str, dispatch: int, *, priority: int, delay: timedelta
    ) -> None:
        """Puts a job's row in line for the `dispatch`-th time, in the session's transaction."""
        door = await self.warm()
        seconds = delay.total_seconds()
        await session.run_sync(
            lambda sync: door.enqueue(sync, queue, job_id, dispatch, priority=priority, delay_seconds=seconds)
        )
        if seconds <= 0 and self.wakers:
            # The outermost transaction's end: "after_commit" tells of savepoints too.
            event.listen(session.sync_session, "after_transaction_end", partial(self._wake, queue))

    def _wake(self, queue: str, _session: object, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            for wake in self.wakers:
                wake(queue)

    async def cancel(self, session: WriteSession, job_id: str) -> Job:
        """A job that waits is cancelled at once; one that runs is asked to end. Raises JobNotFound, JobFinished."""
        job, _ = await self._locked(session, job_id)
        if job.finished:
            raise JobFinished
        now = self._clock.now()
        values: dict[str, Any] = {"cancel_requested_at": job.cancel_requested_at or now}
        if job.state == "queued":  # what waits in line finds this, and does nothing
            values |= {"state": "cancelled", "finished_at": now}
        return await self._changed(session, job_id, values)

    async def retry(self, session: WriteSession, job_id: str) -> Job:
        """Puts a job that ended without success back in line, with all its attempts, its checkpoint and its steps.

        Raises JobNotFound, JobNotRetryable.
        """
        job, dispatch = await self._locked(session, job_id)
        if job.state not in ("failed", "dead", "cancelled"):
            raise JobNotRetryable
        values = {
            "state": "queued",
            "failures": 0,
            "crashes": 0,
            "dispatch": dispatch + 1,
            "run_at": self._clock.now(),
            "finished_at": None,
            "cancel_requested_at": None,
        }
        changed = await self._changed(session, job_id, values)
        await self.dispatch(session, job_id, job.queue, dispatch + 1, priority=job.priority, delay=timedelta())
        return changed

    async def forget_finished(self, before: datetime) -> int:
        """Deletes what finished earlier, with DBOS's rows; returns how many. Opens transactions of its own."""
        from core.jobs.engine import workflow_id  # noqa: PLC0415

        forgotten = 0
        is_old = JobRow.state.in_(FINISHED), JobRow.finished_at < before
        old = select(JobRow.id, JobRow.dispatch).where(*is_old)
        while True:
            async with self._database.read() as session:
                rows = (await session.execute(old.limit(_FORGOTTEN_AT_ONCE))).all()
            if not rows:
                return forgotten
            # DBOS's first: what is left behind by a crash is found again.
            ids = [workflow_id(row.id, number) for row in rows for number in range(1, row.dispatch + 1)]
            await asyncio.to_thread((await self.warm()).forget, ids)
            async with self._database.write() as session:
                await session.execute(delete(JobRow).where(JobRow.id.in_([row.id for row in rows]), *is_old))
            forgotten += len(rows)

    async def close(self) -> None:
        if self._opened is not None:
            await asyncio.to_thread(self._opened.close)

    async def _locked(self, session: WriteSession, job_id: str) -> tuple[Job, int]:
        statement = select(*COLUMNS, JobRow.dispatch).where(JobRow.id == job_id).with_for_update()
        row = (await session.execute(statement)).one_or_none()
        if row is None:
            raise JobNotFound
        return Job(*tuple(row)[:-1]), row.dispatch

    async def _changed(self, session: WriteSession, job_id: str, values: dict[str, Any]) -> Job:
        statement = update(JobRow).where(JobRow.id == job_id).values(**values).returning(*COLUMNS)
        return Job(*(await session.execute(statement)).one())
