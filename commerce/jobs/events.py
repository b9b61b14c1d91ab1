"""What the event log is told of jobs."""

from datetime import datetime

from core import eventlog
from core.database import WriteSession
from core.eventlog import NewEvent
from core.jobs.entities import Job
from core.jobs.registry import when_finished


@when_finished
async def tell_owner(session: WriteSession, job: Job, now: datetime) -> None:
    """Of a job that somebody asked for. The program's own are nobody's news."""
    if job.owner_id is not None:
        data = {"id": job.id, "name": job.name, "state": job.state}
        await eventlog.append(session, [NewEvent("job.updated", job.id, data, "owner", job.owner_id)], now)
