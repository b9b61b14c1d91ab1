"""REST of jobs: how far they are, and how to end them."""

from typing import Annotated

from fastapi import Depends, Response

from commerce.jobs.service import JobService, visible_job
from core.errors import Unauthenticated
from core.jobs.entities import JobFinished, JobNotFound
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from public_api.auth import SomebodyDep
from public_api.errors import problems
from public_api.jobs.responses import shown
from public_api.jobs.schemas import Job
from public_api.routing import public_router

router = public_router(tags=["Jobs"])


async def get_jobs(principal: SomebodyDep, session: WriteSessionDep, resources: ResourcesDep) -> JobService:
    return JobService(session, resources.clock, resources.jobs, principal=principal)


JobsDep = Annotated[JobService, Depends(get_jobs, scope="function")]


@router.get(
    "/jobs/{job_id}",
    response_model=Job,
    summary="Follow a job",
    operation_id="get_job",
    responses=problems(Unauthenticated, JobNotFound),
)
async def get_job(
    response: Response, job_id: str, principal: SomebodyDep, session: ReadSessionDep, resources: ResourcesDep
) -> Job:
    """One that you asked for; another's is not found. An API key finds those that its scopes could ask for: imports
    with `catalog:write`, reports with `reports:read`. `Retry-After` says when to look again, until it has ended.

    Jobs are forgotten 30 days after their end.
    """
    return shown(response, await visible_job(session, job_id, principal), resources.clock.now())


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=Job,
    summary="Cancel a job",
    operation_id="cancel_job",
    responses=problems(Unauthenticated, JobNotFound, JobFinished),
)
async def cancel_job(response: Response, job_id: str, jobs: JobsDep, resources: ResourcesDep) -> Job:
    """One that you may follow: at once where it waits; while it runs, within seconds. What it has committed stays."""
    return shown(response, await jobs.cancel(job_id), resources.clock.now())
