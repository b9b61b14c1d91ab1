"""What should not happen and may: a scheduled delivery whose job is gone, cancelled by hand or given up."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, cast, exists, select

from commerce.webhooks.lanes import Enqueue, Lanes
from commerce.webhooks.models import DeliveryRow, EndpointRow
from core.database import WriteSession
from core.jobs.models import JobRow

_PATIENCE = timedelta(minutes=1)
_AT_ONCE = 200


async def reschedule_orphans(session: WriteSession, job_name: str, enqueue: Enqueue, now: datetime) -> int:
    """Gives each a new job; returns how many there were."""
    orphans = select(DeliveryRow).where(DeliveryRow.next_attempt_at < now - _PATIENCE, ~_has_job(job_name))
    orphans = orphans.order_by(DeliveryRow.next_attempt_at).limit(_AT_ONCE)
    owners = {row.endpoint_id for row in await session.scalars(orphans)}
    if not owners:
        return 0
    locked = select(EndpointRow.id).where(EndpointRow.id.in_(owners)).order_by(EndpointRow.id).with_for_update()
    await session.execute(locked)
    # Asked again under the locks: the job may have ended with the delivery meanwhile.
    still = orphans.where(DeliveryRow.endpoint_id.in_(owners)).execution_options(populate_existing=True)
    rows = list(await session.scalars(still))
    for row in rows:
        await Lanes(session, enqueue, now).schedule(row)
    return len(rows)


def _has_job(job_name: str) -> ColumnElement[bool]:
    key = DeliveryRow.id + ":" + cast(DeliveryRow.dispatch, String)
    return exists().where(JobRow.name == job_name, JobRow.dedup_key == key, JobRow.state.in_(("queued", "running")))
