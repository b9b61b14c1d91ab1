"""How an operation answers that has a job done: 202, with where to follow it."""

import math
from datetime import datetime
from typing import Any

from fastapi import Request, Response
from pydantic import TypeAdapter

from core.jobs import entities
from public_api.jobs.schemas import Job, job_schema

JOB = TypeAdapter(entities.Job)
_LONGEST_WAIT = 60
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job",
        "headers": {
            "Location": {"description": "Where to follow it.", "schema": {"type": "string"}},
            "Retry-After": {"description": "When to look, in seconds.", "schema": {"type": "integer"}},
        },
    }
}


def accepted(request: Request, response: Response, job: entities.Job, now: datetime) -> Job:
    response.headers["Location"] = str(request.url_for("public:v1:get_job", job_id=job.id))
    return shown(response, job, now)


def shown(response: Response, job: entities.Job, now: datetime) -> Job:
    response.headers["Cache-Control"] = "no-store"
    if not job.finished:
        wait = math.ceil((job.run_at - now).total_seconds())
        response.headers["Retry-After"] = str(min(max(wait, 1), _LONGEST_WAIT))
    return job_schema(job)
