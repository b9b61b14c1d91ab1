"""A process's worker: holds a slot, claims jobs and runs them in the event loop, and takes over from dead workers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog
from sqlalchemy import select

from core.jobs.apart import Apart
from core.jobs.cron import next_tick, ticks
from core.jobs.jobs import Jobs
from core.jobs.models import JobRow
from core.jobs.registry import REGISTRY, JobType, Registry, Tick
from core.jobs.runner import Runner, insist
from core.jobs.slots import LostSlot, Slot, slots_of

if TYPE_CHECKING:
    from core.jobs.engine import Lines
    from core.resources import Resources

_log = structlog.get_logger("jobs")
_END_SECONDS = 5.0  # for a job that is cancelled to clean up


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. A worker that dies unseen is given up after `lease`, and its jobs are taken within one `sweep`."""

    lease: float = 45.0
    heartbeat: float = 10.0
    sweep: float = 15.0
    poll: float = 0.25  # for jobs that other processes enqueued; those of this one start at once
    watch: float = 1.0  # until progress is seen, and a request to cancel
    drain: float = 20.0


class JobWorker:
    """`async with JobWorker(resources, jobs):` One per process, in the loop that jobs shall run in.

    Leaving it stops fetching, waits for jobs that run, and hands the rest to other workers. Entering it raises
    ValueError for a registry that does not fit together, and DatabaseUnavailable.
    """

    def __init__(
        self, resources: "Resources", jobs: Jobs, *, registry: Registry = REGISTRY, timing: Timing = Timing()
    ) -> None:
        self._resources = resources
        self._jobs = jobs
        self._registry = registry
        self._timing = timing
        self._slots = slots_of(resources.settings, resources.database, timing.lease)
        apart = Apart(resources.settings, timing.lease)
        self._runner = Runner(resources, jobs, registry, self._slots, apart=apart)
        self._runner.on_done = self.wake
        self._due: set[str] = set()
        self._woken = asyncio.Event()
        self._fetching = True
        self._claiming: asyncio.Future[int] | None = None

    async def __aenter__(self) -> Self:
        self._registry.check()
        for schedule in self._registry.schedules.values():
            next_tick(schedule.cron, self._resources.clock.now())
        await self._jobs.prepare()
        self._lines = await asyncio.to_thread(self._launch)
        try:
            self._lines.run_in_this_loop()
            slot = await self._slots.claim()
        except BaseException:
            await asyncio.to_thread(self._lines.close)
            raise
        self._serving = asyncio.create_task(self._serve(slot), name="portico-jobs")
        self._jobs.wakers.add(self.wake)
        return self

    def _launch(self) -> "Lines":
        from core.jobs.engine import Lines  # noqa: PLC0415  heavy: loaded where jobs run

        lines = Lines(self._resources.database.writer.url, self._registry.queues.values(), self._runner.run)
        lines.launch()
        return lines

    def wake(self, queue: str) -> None:
        """There may be something in this queue. Call it in the worker's loop."""
        if queue in self._registry.queues:
            self._due.add(queue)
            self._woken.set()

    def stop_fetching(self) -> None:
        self._fetching = False
        self._jobs.wakers.discard(self.wake)

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_fetching()
        await self._claimed()
        if self._runner.tasks:
            await asyncio.wait(set(self._runner.tasks), timeout=self._timing.drain)
        self._serving.cancel()
        await asyncio.wait([self._serving])
        slot = self._runner.slot
        await self._abandon()
        if slot is not None:
            try:
                await self._slots.release(slot)
                await self._take_over()
            except Exception as error:  # noqa: BLE001  the lease ends by itself
                _log.warning("job_slot_not_released", error=repr(error))
        await asyncio.to_thread(self._lines.close)

    async def _serve(self, slot: Slot) -> None:
        while True:
            self._runner.slot = slot
            try:
                async with asyncio.TaskGroup() as group:
                    for each in (self._fetch(slot), self._heartbeat(slot), self._sweep(slot), self._watch()):
                        group.create_task(each)
                    group.create_task(self._tick())
            except* LostSlot:
                _log.warning("job_slot_lost", slot=slot.executor_id)
            await self._abandon()
            slot = await insist(self._slots.claim)

    async def _abandon(self) -> None:
        """Ends what runs here, without an outcome: another worker runs it again."""
        self._runner.slot = None
        await self._claimed()
        tasks = set(self._runner.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_END_SECONDS)

    async def _claimed(self) -> None:
        """A claim runs in a thread, which nothing stops: waits for it. What it claimed and has not begun when the slot
        is given up is put back in line.
        """
        if self._claiming is not None:
            await asyncio.wait([self._claiming])

    async def _fetch(self, slot: Slot) -> None:
        due: set[str] | None = None
        while self._fetching:
            self._claiming = asyncio.ensure_future(asyncio.to_thread(self._lines.claim, due, slot.executor_id))
            try:
                await asyncio.shield(self._claiming)
            except Exception as error:  # noqa: BLE001  the database is away, or busy: there is a next time
                _log.warning("job_claim_failed", error=repr(error))
                await asyncio.sleep(self._timing.poll)
            try:
                async with asyncio.timeout(self._timing.poll):
                    await self._woken.wait()
                due = self._due
            except TimeoutError:
                due = None
            self._due = set()
            self._woken.clear()

    async def _heartbeat(self, slot: Slot) -> None:
        while True:
            await asyncio.sleep(self._timing.heartbeat)
            await _patiently(lambda: self._slots.renew(slot))

    async def _sweep(self, slot: Slot) -> None:
        while True:
            # Renewed first: after a long pause of this process its own lease may be over, and not lost yet.
            await _patiently(lambda: self._slots.renew(slot))
            await _patiently(self._take_over)
            await asyncio.sleep(self._timing.sweep)

    async def _take_over(self) -> None:
        """Puts what dead workers had claimed back in line."""
        claimed = await asyncio.to_thread(self._lines.claimed)
        # After it, not before: who claimed any of these and lives, was live then.
        live = await self._slots.live()
        orphans = [(each, executor) for each, executor in claimed if executor not in live]
        if orphans:
            _log.warning("jobs_taken_over", count=len(orphans), workers=sorted({executor for _, executor in orphans}))
            await asyncio.to_thread(self._lines.hand_back, orphans)
            for name in self._registry.queues:
                self.wake(name)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._timing.watch)
            if self._runner.running:
                await _patiently(self._look_after_running)

    async def _look_after_running(self) -> None:
        for run, _ in list(self._runner.running.values()):
            with suppress(LostSlot):  # the job is another's; that it finds out itself
                await run.write_progress()
        asked = select(JobRow.id).where(
            JobRow.id.in_(list(self._runner.running)), JobRow.cancel_requested_at.is_not(None)
        )
        async with self._resources.database.read() as session:
            for job_id in await session.scalars(asked):
                self._runner.cancel(job_id)

    async def _tick(self) -> None:
        async for schedule, at in ticks(self._resources.clock, self._registry.schedules.values()):
            if not self._fetching:
                return
            tick = Tick(at=at)
            await _patiently(partial(insist, partial(self._enqueue, schedule.job, tick)))

    async def _enqueue(self, job: JobType[Tick], tick: Tick) -> None:
        """However many workers do so, the key makes it one job."""
        async with self._resources.database.write() as session:
            await self._jobs.enqueue(session, job, tick, dedup_key=tick.at.isoformat())


async def _patiently(action: Callable[[], Awaitable[None]]) -> None:
    """A loop that must not end: what goes wrong is logged, and may go well the next time. Raises LostSlot."""
    try:
        await action()
    except LostSlot:
        raise
    except Exception as error:  # noqa: BLE001
        _log.warning("job_upkeep_failed", error=repr(error))
