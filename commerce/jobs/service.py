"""What people can do to jobs. Callers own the transaction; nothing here commits."""

from commerce.accounts.principal import Principal, Scope
from commerce.audit.log import AuditLog
from commerce.catalog.jobs import import_file
from commerce.catalog.text import is_storable
from commerce.jobs.events import tell_owner
from commerce.reports.jobs import make_sales_report
from core.clock import Clock
from core.database import ReadSession, WriteSession
from core.jobs.entities import Job, JobNotFound
from core.jobs.jobs import Jobs
from core.jobs.repository import JobRepository

# What it takes to ask for a job, for each that can be asked for. All others are the program's own.
ASKED_FOR_WITH: dict[str, Scope] = {import_file.name: "catalog:write", make_sales_report.name: "reports:read"}


async def visible_job(session: ReadSession, job_id: str, principal: Principal) -> Job:
    """Who asked for it, admins and the shop's own keys see a job; of these, a key sees what its scopes could ask for.

    Raises JobNotFound.
    """
    job = await JobRepository(session).get(job_id) if is_storable(job_id) else None
    if job is None or not _is_visible(job, principal):
        raise JobNotFound(f"no job {job_id[:100]!r}")
    return job


class JobService:
    """Per transaction."""

    def __init__(self, session: WriteSession, clock: Clock, jobs: Jobs, *, principal: Principal) -> None:
        self._session = session
        self._clock = clock
        self._jobs = jobs
        self._principal = principal
        self._audit = AuditLog(session, clock, principal.name)

    async def cancel(self, job_id: str) -> Job:
        """At once where it waits; where it runs it ends within seconds. Raises JobNotFound, JobFinished."""
        before = await visible_job(self._session, job_id, self._principal)
        after = await self._jobs.cancel(self._session, job_id)
        await self._record("job.cancel", before, after)
        if after.finished:
            await tell_owner(self._session, after, self._clock.now())
        return after

    async def retry(self, job_id: str) -> Job:
        """Goes on where it stopped, with all its attempts anew. Raises JobNotFound, JobNotRetryable."""
        before = await visible_job(self._session, job_id, self._principal)
        after = await self._jobs.retry(self._session, job_id)
        await self._record("job.retry", before, after)
        return after

    async def _record(self, action: str, before: Job, after: Job) -> None:
        await self._audit.record(action, after.id, _audited(before), _audited(after))


def _is_visible(job: Job, principal: Principal) -> bool:
    own = job.owner_id is not None and job.owner_id == principal.owner
    if not (own or principal.acts_for_shop):
        return False
    if principal.kind == "user":
        return True
    scope = ASKED_FOR_WITH.get(job.name)
    return scope is not None and principal.may(scope)


def _audited(job: Job) -> dict[str, object]:
    return {"name": job.name, "state": job.state, "cancel_requested": job.cancel_requested_at is not None}
