"""Reading jobs: one, many, and how long the lines are."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import case, func, select

from core.jobs.entities import COLUMNS, Job, QueueDepth, State
from core.jobs.models import JobRow
from core.pagination import Keyset, Slice
from core.repository import Repository

_NEWEST_FIRST = Keyset("created_at", JobRow.created_at, JobRow.id, descending=True)  # type: ignore[arg-type]


class JobRepository(Repository):
    async def get(self, job_id: str) -> Job | None:
        row = (await self._session.execute(select(*COLUMNS).where(JobRow.id == job_id))).one_or_none()
        return Job(*row) if row is not None else None

    async def newest(
        self,
        *,
        limit: int,
        after: str | None = None,
        state: State | None = None,
        name: str | None = None,
        queue: str | None = None,
        owner_id: str | None = None,
    ) -> Slice[Job]:
        """From the newest back. Raises InvalidCursor."""
        statement = select(*COLUMNS, JobRow.created_at.label("sort_value"))
        wanted = {JobRow.state: state, JobRow.name: name, JobRow.queue: queue, JobRow.owner_id: owner_id}
        statement = statement.where(*(column == value for column, value in wanted.items() if value is not None))
        page = await self.keyset_page(statement, _NEWEST_FIRST, limit=limit, after=after)
        return Slice([Job(*tuple(row)[:-1]) for row in page.items], page.cursors, page.has_next)

    async def given_up(self) -> dict[tuple[str, State], int]:
        """How many ended without success and are still kept, by queue and state."""
        ended = select(JobRow.queue, JobRow.state, func.count()).where(JobRow.state.in_(("failed", "dead")))
        found = await self._session.execute(ended.group_by(JobRow.queue, JobRow.state))
        return {(queue, state): count for queue, state, count in found}

    async def depths(self, now: datetime) -> list[QueueDepth]:
        """Every queue with a job that is not finished, by name."""
        ready_since = func.min(case((JobRow.run_at <= now, JobRow.run_at)))
        statement = (
            select(JobRow.queue, JobRow.state, func.count(), ready_since)
            .where(JobRow.state.in_(("queued", "running")))
            .group_by(JobRow.queue, JobRow.state)
        )
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        oldest: dict[str, float] = {}
        for queue, state, count, since in await self._session.execute(statement):
            counts[queue][state] = count
            if state == "queued" and since is not None:
                oldest[queue] = (now - since).total_seconds()
        return [
            QueueDepth(queue, by_state.get("queued", 0), by_state.get("running", 0), oldest.get(queue, 0.0))
            for queue, by_state in sorted(counts.items())
        ]
