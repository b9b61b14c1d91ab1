"""What the database knows of how things are: read at one moment, and left out where it does not answer in time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from commerce.audit.log import AuditEntry, AuditRepository
from commerce.webhooks.entities import OPEN, EndpointState, Queue
from commerce.webhooks.models import DeliveryRow, EndpointRow
from core.database import ReadSession
from core.errors import Unavailable
from core.jobs.entities import Job, QueueDepth
from core.jobs.models import JobRow
from core.jobs.repository import JobRepository
from core.jobs.slots import live_workers
from core.repository import Repository
from core.resources import Resources
from core.tailer import Tailer
from internal_api.events import Lag, show_event_lag
from internal_api.invariants.endpoints import Check, show_invariants

_SECONDS = 1.5  # a database that hangs must not hide what the metrics say
_SHOWN_JOBS = 5
_SHOWN_CHANGES = 8
_SHOWN_ENDPOINTS = 5


@dataclass(frozen=True, slots=True)
class Stopped:
    """An endpoint that is sent nothing now."""

    id: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Books:
    depths: Sequence[QueueDepth]
    dead: dict[str, int]  # jobs, by queue
    dead_jobs: Sequence[Job]  # the newest
    backlog: Queue
    endpoints: dict[EndpointState, int]
    stopped: Sequence[Stopped]
    lag: Lag
    changes: Sequence[AuditEntry]
    invariants: Check
    workers: int


class BookRepository(Repository):
    """What operators count, and nobody else asks for."""

    async def dead_jobs(self) -> dict[str, int]:
        statement = select(JobRow.queue, func.count()).where(JobRow.state == "dead").group_by(JobRow.queue)
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def backlog(self) -> Queue:
        """Of all endpoints."""
        statement = select(func.count(), func.min(DeliveryRow.created_at)).where(DeliveryRow.state.in_(OPEN))
        return Queue(*(await self._session.execute(statement)).one())

    async def endpoints(self) -> dict[EndpointState, int]:
        statement = select(EndpointRow.state, func.count()).group_by(EndpointRow.state)
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def stopped_endpoints(self) -> list[Stopped]:
        statement = select(EndpointRow.id, EndpointRow.state, EndpointRow.reason).where(EndpointRow.state != "enabled")
        ordered = statement.order_by(EndpointRow.updated_at.desc()).limit(_SHOWN_ENDPOINTS)
        return [Stopped(*row) for row in await self._session.execute(ordered)]


async def read_books(resources: Resources, tailer: Tailer) -> Books | None:
    """None where the database is away, or too slow to wait for."""
    try:
        async with asyncio.timeout(_SECONDS):
            workers = await live_workers(resources.database, resources.settings.data.data_dir / "job-slots")
            async with resources.database.read() as session:
                return await _read(session, resources, tailer, workers)
    except (Unavailable, TimeoutError):
        return None


async def _read(session: ReadSession, resources: Resources, tailer: Tailer, workers: int) -> Books:
    jobs, books = JobRepository(session), BookRepository(session)
    changes, _ = await AuditRepository(session).newest(limit=_SHOWN_CHANGES)
    return Books(
        depths=await jobs.depths(resources.clock.now()),
        dead=await books.dead_jobs(),
        dead_jobs=(await jobs.newest(limit=_SHOWN_JOBS, state="dead")).items,
        backlog=await books.backlog(),
        endpoints=await books.endpoints(),
        stopped=await books.stopped_endpoints(),
        lag=await show_event_lag(session, resources, tailer),
        changes=changes,
        invariants=await show_invariants(session),
        workers=workers,
    )
