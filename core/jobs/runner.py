"""One attempt of one job: begun, run, and its outcome written, each only while the slot is held."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from core import failpoints, tracing
from core.database import WriteSession
from core.errors import Unavailable
from core.jobs.apart import Apart
from core.jobs.entities import COLUMNS, Job
from core.jobs.failures import Failure
from core.jobs.jobs import Jobs
from core.jobs.metrics import JOB_SECONDS
from core.jobs.models import JobRow
from core.jobs.registry import JobType, Registry
from core.jobs.run import JobCancelled, JobRun
from core.jobs.slots import LostSlot, Slot, Slots

if TYPE_CHECKING:
    from core.resources import Resources

T = TypeVar("T")
# A job whose process goes away each time that it runs, it may be because of it.
MAX_CRASHES = 20
_LONGEST_DELAY = 3600.0
_UNKNOWN_DELAY = timedelta(seconds=60)
_log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class _Started:
    run: JobRun
    job: JobType[Any]
    args: dict[str, Any]
    failures: int
    dispatch: int
    priority: int
    origin: str | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """`error` None: succeeded, or cancelled. `delay`: try again after it."""

    name: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    delay: timedelta | None = None


class Runner:
    """Per worker. `slot` is what it runs jobs under; without one it begins none. Without `apart` all run in this
    process.
    """

    def __init__(
        self, resources: "Resources", jobs: Jobs, registry: Registry, slots: Slots, *, apart: Apart | None = None
    ) -> None:
        self._resources = resources
        self._jobs = jobs
        self._registry = registry
        self._slots = slots
        self._apart = apart
        self.slot: Slot | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.running: dict[str, tuple[JobRun, asyncio.Task[Any]]] = {}
        # DBOS writes the end of a workflow in the loop's own few threads; on SQLite it may wait there for a transaction
        # whose owner waits for such a thread.
        self._recording = asyncio.Semaphore(2)
        self.on_done: Callable[[str], None] = lambda _queue: None

    async def run(self, job_id: str, dispatch: int) -> None:
        """The workflow. It ends cancelled, and is then run again by whoever holds a slot, where this worker must not
        say how it ended.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  it always runs in one
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            slot = self.slot
            if slot is None:
                raise LostSlot
            started = await insist(lambda: self._begin(slot, job_id, dispatch))
            if started is not None:
                # The place in the line is free when DBOS has written that this is done, which is when the task ends.
                task.add_done_callback(lambda _: self.on_done(started.job.queue))
                named: dict[str, tracing.Value] = {
                    "portico__job__id": started.run.id,
                    "portico__job__attempt": started.run.attempt,
                }
                with tracing.led_by(started.origin, started.run.id, f"job {started.job.name}", **named) as span:
                    await self._carry_through(started, span)
            await self._recording.acquire()
            task.add_done_callback(lambda _: self._recording.release())
        except LostSlot:
            _log.warning("job_left_to_another_worker", job=job_id)
            raise asyncio.CancelledError from None
        except Exception as error:
            _log.exception("job_left_to_the_next_start", job=job_id)
            raise asyncio.CancelledError from error

    async def _carry_through(self, started: _Started, span: tracing.Span) -> None:
        began = time.perf_counter()
        try:
            outcome = await self._attempt(started)
        except asyncio.CancelledError:
            with suppress(LostSlot, Unavailable):
                await self._hand_back(started.run)
            raise
        try:
            await insist(lambda: self._finish(started, outcome))
        except (SQLAlchemyError, ValueError) as error:  # what it returned cannot be stored
            outcome = self._failed(started, Failure.of(error))
            await insist(lambda: self._finish(started, outcome))
        self._tell(started, outcome, time.perf_counter() - began, span)

    def _tell(self, started: _Started, outcome: _Outcome, seconds: float, span: tracing.Span) -> None:
        run, job = started.run, started.job
        JOB_SECONDS.labels(job.queue, job.name, outcome.name).observe(seconds)
        _log.info(
            "job_ended",
            job=run.id,
            name=job.name,
            attempt=run.attempt,
            outcome=outcome.name,
            duration_ms=round(seconds * 1000, 2),
        )
        span.tell(portico__job__outcome=outcome.name)
        if outcome.error is not None:
            span.fail(outcome.error["code"])

    def cancel(self, job_id: str) -> None:
        """Ends a job that runs here, as cancelled."""
        if job_id in self.running:
            run, task = self.running[job_id]
            run.cancel_requested = True
            if not task.cancelling():  # once: it may be cleaning up
                task.cancel()

    async def _begin(self, slot: Slot, job_id: str, dispatch: int) -> _Started | None:
        now = self._resources.clock.now()
        async with self._resources.database.write() as session:
            await self._slots.check(session, slot)
            found = await session.execute(select(JobRow).where(JobRow.id == job_id).with_for_update())
            row = found.scalar_one_or_none()
            if row is None or row.dispatch != dispatch or row.state not in ("queued", "running"):
                return None
            row.crashes += row.state == "running"
            job = self._registry.jobs.get(row.name)
            if row.cancel_requested_at is not None:
                await self._written(session, row.id, {"state": "cancelled", "finished_at": now}, now)
            elif row.crashes > MAX_CRASHES:
                gone = Failure("crashed", "Its process went away each time that it ran.")
                await self._written(session, row.id, {"state": "dead", "finished_at": now, "error": gone.kept}, now)
            elif job is None:  # a newer version's, while that is being rolled out
                _log.warning("job_unknown", job=job_id, name=row.name)
                row.state, row.dispatch, row.run_at = "queued", dispatch + 1, now + _UNKNOWN_DELAY
                await self._again(session, row.id, row.queue, row.dispatch, row.priority, _UNKNOWN_DELAY)
            else:
                row.state, row.started_at, row.attempts = "running", row.started_at or now, row.attempts + 1
                run = JobRun(
                    self._resources,
                    self._slots,
                    slot,
                    job_id=job_id,
                    attempt=row.attempts,
                    steps=row.steps,
                    checkpoint=row.checkpoint,
                )
                return _Started(run, job, row.args, row.failures, dispatch, row.priority, row.origin)
        return None

    async def _attempt(self, started: _Started) -> _Outcome:
        run, job = started.run, started.job
        try:
            args = job.args.model_validate(started.args)
        except ValidationError as error:
            wrong = Failure("invalid_arguments", "Its arguments are not valid.", Failure.of(error).exception)
            return _Outcome("failed", error=wrong.kept)
        with failpoints.running(job.name):
            apart = self._apart if job.own_process else None
            task = asyncio.ensure_future(apart.run(job, run, started.args) if apart else job.handler(run, args))
        self.running[run.id] = (run, task)
        timeout = asyncio.timeout(job.timeout_seconds)
        try:
            async with timeout:
                result = await task
        except LostSlot:
            raise
        except asyncio.CancelledError as error:
            if _current().cancelling():
                raise  # the worker stops, or has lost its slot
            if run.cancel_requested:
                return _Outcome("cancelled")
            return self._failed(started, Failure.of(error))
        except JobCancelled:
            return _Outcome("cancelled")
        except Exception as error:  # noqa: BLE001  whatever a job raises is its outcome
            late = Failure("timeout", f"It took longer than {job.timeout_seconds:g} s.")
            return self._failed(started, late if timeout.expired() else Failure.of(error))
        finally:
            del self.running[run.id]
        return _Outcome("succeeded", result=result)

    def _failed(self, started: _Started, failure: Failure) -> _Outcome:
        failures = started.failures + 1
        _log.warning(
            "job_failed",
            job=started.run.id,
            name=started.job.name,
            attempt=started.run.attempt,
            code=failure.code,
            **({"exception": failure.trace} if failure.trace else {}),
        )
        if failure.refused or failures >= started.job.max_attempts:
            return _Outcome("failed" if failure.refused else "dead", error=failure.kept)
        wanted = started.job.backoff_seconds * 2 ** (failures - 1)
        # Jitter, so that what failed together does not come back together.
        seconds = max(min(wanted, _LONGEST_DELAY) * random.uniform(0.75, 1.25), failure.retry_after_seconds)  # noqa: S311
        return _Outcome("retried", error=failure.kept, delay=timedelta(seconds=seconds))

    async def _finish(self, started: _Started, outcome: _Outcome) -> None:
        now = self._resources.clock.now()
        values: dict[str, Any] = {"error": outcome.error}
        if outcome.delay is None:
            result = None if outcome.result is None else from_json(to_json(outcome.result))
            values |= {"state": outcome.name, "finished_at": now, "result": result}
            if outcome.name == "succeeded":
                values["progress"] = 1.0
        else:
            values |= {"state": "queued", "run_at": now + outcome.delay, "dispatch": started.dispatch + 1}
        if outcome.error is not None:
            values["failures"] = started.failures + 1
        run, job = started.run, started.job
        async with run.fenced() as session:
            if outcome.delay is not None:
                if run.cancel_requested:
                    values |= {"state": "cancelled", "finished_at": now}
                else:
                    dispatch = started.dispatch + 1
                    await self._again(session, run.id, job.queue, dispatch, started.priority, outcome.delay)
            await self._written(session, run.id, values, now)

    async def _written(self, session: WriteSession, job_id: str, values: dict[str, Any], now: datetime) -> None:
        """And who listens is told where this ends the job."""
        changed = update(JobRow).where(JobRow.id == job_id).values(**values).returning(*COLUMNS)
        job = Job(*(await session.execute(changed)).one())
        if job.finished:
            await self._registry.finished(session, job, now)

    async def _hand_back(self, run: JobRun) -> None:
        async with run.fenced() as session:
            await session.execute(update(JobRow).where(JobRow.id == run.id).values(state="queued"))

    async def _again(
        self, session: WriteSession, job_id: str, queue: str, dispatch: int, priority: int, delay: timedelta
    ) -> None:
        await self._jobs.dispatch(session, job_id, queue, dispatch, priority=priority, delay=delay)


async def insist(action: Callable[[], Awaitable[T]]) -> T:
    """Waits while the database is away: until then nothing can be said of a job, not that it began nor how it ended."""
    while True:
        try:
            return await action()
        except Unavailable as error:
            _log.warning("job_waits_for_the_database", error=error.detail)
            await asyncio.sleep(1)


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  as above
    return task
