"""A job's JSON."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from core.jobs import entities
from core.jobs.entities import State


class JobError(BaseModel):
    code: str = Field(description="Stable, as of problems.", examples=["unreadable_file"])
    message: str


class Job(BaseModel):
    id: str = Field(examples=["job_01jd0a3v5t8zk4e9m2q7r6w1xy"])
    name: str = Field(examples=["catalog.import"])
    state: State = Field(
        description="queued and running go on; succeeded, failed (it can never succeed), dead (given up after several "
        "attempts) and cancelled are the end."
    )
    progress: float = Field(description="From 0 to 1.", examples=[0.4])
    message: str | None = Field(description="What it is at.", examples=["2000 products"])
    result: dict[str, Any] | None = Field(description="Of a job that succeeded; what it holds is the job's own.")
    error: JobError | None = Field(description="Of the last attempt that failed.")
    attempts: int = Field(description="How often it was begun.")
    created_at: datetime
    finished_at: datetime | None


def job_schema(job: entities.Job) -> Job:
    error = job.error
    return Job(
        id=job.id,
        name=job.name,
        state=job.state,
        progress=job.progress,
        message=job.message,
        result=job.result,
        error=JobError(code=error["code"], message=error["message"]) if error is not None else None,
        attempts=job.attempts,
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
