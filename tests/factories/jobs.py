"""Jobs run here and now, one after another, by the worker's own runner but without DBOS and in this process."""

import asyncio

from sqlalchemy import select

import commerce.jobs.registered  # noqa: F401  every feature's jobs
from core.jobs.entities import Job
from core.jobs.models import JobRow
from core.jobs.registry import REGISTRY, JobType
from core.jobs.repository import JobRepository
from core.jobs.runner import Runner
from core.jobs.slots import slots_of
from core.resources import Resources


async def run_jobs(resources: Resources) -> None:
    """All that may run now, and what those ask for."""
    database = resources.database
    slots = slots_of(resources.settings, database, lease_seconds=45.0)
    runner = Runner(resources, resources.jobs, REGISTRY, slots)
    runner.slot = await slots.claim()
    due = select(JobRow.id, JobRow.dispatch).where(JobRow.state == "queued", JobRow.run_at <= resources.clock.now())
    while True:
        async with database.read() as session:
            rows = (await session.execute(due.order_by(JobRow.id))).all()
        if not rows:
            break
        for row in rows:
            await asyncio.create_task(runner.run(row.id, row.dispatch))
    await slots.release(runner.slot)


async def job_now(resources: Resources, job_id: str) -> Job:
    async with resources.database.read() as session:
        job = await JobRepository(session).get(job_id)
    assert job is not None
    return job


async def jobs_of(resources: Resources, job: JobType[object]) -> list[Job]:  # type: ignore[type-var]
    async with resources.database.read() as session:
        return list((await JobRepository(session).newest(limit=100, name=job.name)).items)
