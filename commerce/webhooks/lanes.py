"""The lines that deliveries wait in, one for each endpoint and subject: the first of a line may have a job, no other.
Of an endpoint a few are on the way at once; the end of each of them is what the next one waits for.

Whoever calls these holds the lock of the endpoint's row, so that two transactions do not both leave the next to the
other.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import aliased

from commerce.webhooks.entities import OPEN
from commerce.webhooks.models import DeliveryRow
from commerce.webhooks.schedule import AT_ONCE, LONGEST_ATTEMPT
from core.database import WriteSession

# Makes the job of an attempt, part of the session's transaction: the delivery, the number of its dispatch, the delay,
# and the origin of the delivery.
Enqueue = Callable[[WriteSession, str, int, timedelta, str | None], Awaitable[None]]


class Lanes:
    """Per transaction."""

    def __init__(self, session: WriteSession, enqueue: Enqueue, now: datetime) -> None:
        self._session = session
        self._enqueue = enqueue
        self._now = now

    async def schedule(self, row: DeliveryRow, delay: timedelta = timedelta()) -> None:
        """Whatever job the delivery had before does nothing any more."""
        row.dispatch += 1
        row.next_attempt_at, row.sending_since = self._now + delay, None
        await self._session.flush()
        await self._enqueue(self._session, row.id, row.dispatch, delay, row.origin)

    async def advance(self, endpoint_id: str, subject: str) -> None:
        """Schedules the first that is open, unless the line has a scheduled one: for what somebody asks for by hand."""
        first = _waiting(endpoint_id).where(DeliveryRow.subject == subject)
        row = (await self._session.execute(first)).scalar_one_or_none()
        if row is not None:
            await self.schedule(row)

    async def refill(self, endpoint_id: str) -> None:
        """Schedules the oldest that wait, until as many are on the way as may be."""
        due = select(func.count()).where(
            DeliveryRow.endpoint_id == endpoint_id, DeliveryRow.next_attempt_at <= self._now
        )
        for _ in range(AT_ONCE - int(await self._session.scalar(due) or 0)):
            row = (await self._session.execute(_waiting(endpoint_id))).scalar_one_or_none()
            if row is None:
                return
            await self.schedule(row)

    async def is_full(self, row: DeliveryRow) -> bool:
        """Whether as many others of its endpoint are being sent as may be. One that a process died over is forgotten
        after the longest time that an attempt takes, or when it is tried again.
        """
        sending = select(func.count()).where(
            DeliveryRow.endpoint_id == row.endpoint_id,
            DeliveryRow.id != row.id,
            DeliveryRow.next_attempt_at.is_not(None),
            DeliveryRow.sending_since > self._now - LONGEST_ATTEMPT,
        )
        return int(await self._session.scalar(sending) or 0) >= AT_ONCE


def _waiting(endpoint_id: str) -> Select[DeliveryRow]:
    """The oldest that is open, of the lines that have no scheduled one."""
    other = aliased(DeliveryRow)
    busy = exists().where(
        other.endpoint_id == endpoint_id, other.subject == DeliveryRow.subject, other.next_attempt_at.is_not(None)
    )
    waits = (
        DeliveryRow.endpoint_id == endpoint_id,
        DeliveryRow.state.in_(OPEN),
        DeliveryRow.next_attempt_at.is_(None),
        ~busy,
    )
    return select(DeliveryRow).where(*waits).order_by(DeliveryRow.position, DeliveryRow.id).limit(1)


async def abandon_open(session: WriteSession, endpoint_id: str, now: datetime, reason: str) -> None:
    """What is being sent at this moment still says how that went."""
    await session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.endpoint_id == endpoint_id, DeliveryRow.state.in_(OPEN))
        .values(state="abandoned", next_attempt_at=None, last_error=reason, updated_at=now)
    )
