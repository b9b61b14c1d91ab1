"""Jobs: all staff may look, admins may cancel and run again."""

from typing import Annotated

from fastapi import Depends, Query

from commerce.jobs.service import JobService
from core.jobs.entities import JobNotFound
from core.jobs.repository import JobRepository
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Admin
from internal_api.jobs.schemas import Job, JobQuery, JobSlice, Queue, QueueList
from internal_api.parameters import Text
from internal_api.routing import internal_router

router = internal_router()


async def get_jobs(principal: Admin, session: WriteSessionDep, resources: ResourcesDep) -> JobService:
    return JobService(session, resources.clock, resources.jobs, principal=principal)


JobsDep = Annotated[JobService, Depends(get_jobs, scope="function")]


@router.get("/jobs", summary="List jobs")
async def list_jobs(query: Annotated[JobQuery, Query()], session: ReadSessionDep) -> JobSlice:
    """Newest first."""
    found = await JobRepository(session).newest(**query.model_dump())
    return JobSlice(items=[Job.model_validate(job) for job in found.items], next=found.next_cursor)


@router.get("/jobs/queues", summary="List queues")
async def list_queues(session: ReadSessionDep, resources: ResourcesDep) -> QueueList:
    """Those with a job that is not finished."""
    depths = await JobRepository(session).depths(resources.clock.now())
    return QueueList(items=[Queue.model_validate(depth) for depth in depths])


@router.get("/jobs/{job_id}", summary="Read a job")
async def get_job(job_id: Text, session: ReadSessionDep) -> Job:
    job = await JobRepository(session).get(job_id)
    if job is None:
        raise JobNotFound(f"no job {job_id[:100]!r}")
    return Job.model_validate(job)


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job")
async def cancel_job(job_id: Text, jobs: JobsDep) -> Job:
    return Job.model_validate(await jobs.cancel(job_id))


@router.post("/jobs/{job_id}/retry", summary="Run a job again")
async def retry_job(job_id: Text, jobs: JobsDep) -> Job:
    """One that failed, died or was cancelled; it goes on where it stopped."""
    return Job.model_validate(await jobs.retry(job_id))
