"""The last check of the invariants, and another one now."""

from datetime import datetime

from fastapi import Request, Response
from pydantic import BaseModel, Field

from commerce.audit.log import AuditLog
from commerce.invariants.jobs import check_invariants
from core.jobs.registry import Tick
from core.jobs.repository import JobRepository
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Editor
from internal_api.jobs.schemas import Job
from internal_api.routing import internal_router

router = internal_router()


class Finding(BaseModel):
    name: str
    meaning: str
    violations: int
    examples: list[str] = Field(description="Ids, the first twenty.")


class Check(BaseModel):
    ok: bool | None = Field(description="null: there was no check yet.")
    checked_at: datetime | None
    invariants: list[Finding]


@router.get("/invariants", summary="Show the last check")
async def show_invariants(session: ReadSessionDep) -> Check:
    """Made each night, or on demand."""
    found = await JobRepository(session).newest(limit=1, name=check_invariants.name, state="succeeded")
    for job in found.items:
        return Check.model_validate({**(job.result or {}), "checked_at": job.finished_at})
    return Check(ok=None, checked_at=None, invariants=[])


@router.post("/invariants", status_code=202, summary="Check now")
async def check_now(
    request: Request, response: Response, principal: Editor, session: WriteSessionDep, resources: ResourcesDep
) -> Job:
    """As a job: follow it at /internal/jobs/{id}."""
    now = resources.clock.now()
    job = await resources.jobs.enqueue(session, check_invariants, Tick(at=now), owner=principal.owner)
    await AuditLog(session, resources.clock, principal.name).record("invariants.check", job.id, None, None)
    response.headers["Location"] = str(request.url_for("internal:get_job", job_id=job.id))
    return Job.model_validate(job)
