"""A job as operators see it: with its arguments, and the exception that it failed of."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.jobs.entities import State
from internal_api.parameters import Text


class Job(BaseModel):
    model_config = ConfigDict(from_attributes=True)

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
    error: dict[str, Any] | None = Field(description="Of the last attempt that failed, with its exception.")
    attempts: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None


class Queue(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    queue: str
    queued: int
    running: int
    oldest_seconds: float = Field(description="How long the first in line has been waiting since it could have run.")


class JobSlice(BaseModel):
    items: list[Job]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class QueueList(BaseModel):
    items: list[Queue]


class JobQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None
    state: State | None = None
    name: Text | None = None
    queue: Text | None = None
