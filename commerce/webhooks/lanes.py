"""The lines that deliveries wait in, one for each endpoint and subject: the first of a line has a job, no other has.

Whoever calls these holds the lock of the endpoint's row, so that two transactions do not both leave the next to the
other.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.orm import aliased

from commerce.webhooks.entities import OPEN
from commerce.webhooks.models import DeliveryRow
from core.database import WriteSession

# Makes the job of an attempt, part of the session's transaction: the delivery, the number of its dispatch, the delay.
Enqueue = Callable[[WriteSession, str, int, timedelta], Awaitable[None]]


class Lanes:
    """Per transaction."""

    def __init__(self, session: WriteSession, enqueue: Enqueue, now: datetime) -> None:
        self._session = session
        self._enqueue = enqueue
        self._now = now

    async def schedule(self, row: DeliveryRow, delay: timedelta = timedelta()) -> None:
        """Whatever job the delivery had before does nothing any more."""
        row.dispatch += 1
        row.next_attempt_at = self._now + delay
        await self._session.flush()
        await self._enqueue(self._session, row.id, row.dispatch, delay)

    async def advance(self, endpoint_id: str, subject: str) -> None:
        """Schedules the first that is open, unless the line has a scheduled one."""
        other = aliased(DeliveryRow)
        busy = exists().where(
            other.endpoint_id == endpoint_id, other.subject == subject, other.next_attempt_at.is_not(None)
        )
        first = (
            select(DeliveryRow)
            .where(
                DeliveryRow.endpoint_id == endpoint_id,
                DeliveryRow.subject == subject,
                DeliveryRow.state.in_(OPEN),
                ~busy,
            )
            .order_by(DeliveryRow.position, DeliveryRow.id)
            .limit(1)
        )
        row = (await self._session.execute(first)).scalar_one_or_none()
        if row is not None:
            await self.schedule(row)


async def abandon_open(session: WriteSession, endpoint_id: str, now: datetime, reason: str) -> None:
    """What is being sent at this moment still says how that went."""
    await session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.endpoint_id == endpoint_id, DeliveryRow.state.in_(OPEN))
        .values(state="abandoned", next_attempt_at=None, last_error=reason, updated_at=now)
    )
