"""The jobs of a server: in embedded mode they run in it; else it only asks for them, and `portico worker` runs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from core.resources import Resources
from core.tailer import Tailer

log = structlog.get_logger("portico.jobs")
# With what follows it, a job's own clean-up and giving the slot back, less than a server has after SIGTERM.
_DRAIN_SECONDS = 12.0
_AGAIN_SECONDS = 5.0


@asynccontextmanager
async def job_worker(resources: Resources, tailer: Tailer) -> AsyncIterator[None]:
    """A worker of every feature's jobs, and what makes jobs of events."""
    import commerce.jobs.registered  # noqa: F401, PLC0415  not needed where no job runs, as all here
    from commerce.semantics.jobs import VectorFeeder  # noqa: PLC0415
    from commerce.webhooks.feeder import Feeder  # noqa: PLC0415
    from core.jobs.worker import JobWorker, Timing  # noqa: PLC0415

    async with (
        JobWorker(resources, resources.jobs, timing=Timing(drain=_DRAIN_SECONDS)),
        Feeder(resources, tailer),
        VectorFeeder(resources, tailer),
    ):
        yield


@asynccontextmanager
async def working(
    resources: Resources, tailer: Tailer, serving: asyncio.Event, draining: asyncio.Event
) -> AsyncIterator[None]:
    """Jobs run from when the server serves, for what they need takes long to load, until it drains."""
    task = asyncio.create_task(_work(resources, tailer, serving, draining), name="portico-working")
    try:
        yield
    finally:
        draining.set()
        serving.set()
        await task


async def _work(resources: Resources, tailer: Tailer, serving: asyncio.Event, draining: asyncio.Event) -> None:
    await serving.wait()
    while not draining.is_set():
        try:
            if resources.settings.embedded:
                async with job_worker(resources, tailer):
                    await draining.wait()
            else:
                await resources.jobs.warm()  # so that the first that asks for a job need not wait
                return
        except Exception:  # the server goes on, and what was asked for waits
            log.exception("job_worker_failed")
            await _sleep(draining)


async def _sleep(draining: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_AGAIN_SECONDS):
            await draining.wait()
    except TimeoutError:
        return
