"""What a job is to those who read it, and what can be wrong with asking for one."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from core.errors import Conflict, NotFound
from core.jobs.models import JobRow

State = Literal["queued", "running", "succeeded", "failed", "dead", "cancelled"]
FINISHED: tuple[State, ...] = ("succeeded", "failed", "dead", "cancelled")


class JobNotFound(NotFound):
    """No job has this id, or none that you may see. Finished jobs are forgotten after a while."""

    code = "job_not_found"
    title = "Job not found"


class JobFinished(Conflict):
    """The job has ended already, so that there is nothing to cancel."""

    code = "job_finished"
    title = "Job finished"


class JobNotRetryable(Conflict):
    """Only a job that ended without success can be run again; this one waits, runs or has succeeded."""

    code = "job_not_retryable"
    title = "Job cannot be run again"


@dataclass(frozen=True, slots=True)
class Job:
    """`error` is that of the last attempt: `code` and `message` are for its owner, `exception` for staff alone."""

    id: str
    name: str
    queue: str
    owner_id: str | None
    state: State
    args: dict[str, Any]
    dedup_key: str | None
    priority: int
    progress: float
    message: str | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """`oldest_seconds`: how long the first in line has been waiting since it could have run; 0 for an empty line."""

    queue: str
    queued: int
    running: int
    oldest_seconds: float


COLUMNS = [getattr(JobRow, field.name) for field in fields(Job)]
