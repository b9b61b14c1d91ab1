"""Asking for deliveries by hand: a test, one again, or all of a part of the log again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from commerce.accounts.principal import Principal
from commerce.audit.log import AuditLog
from commerce.catalog.text import is_storable
from commerce.events.visibility import visible_to
from commerce.webhooks.commands import Redeliver, RedeliverRange, SendTest
from commerce.webhooks.content import body_of, event_values, test_values, wants
from commerce.webhooks.entities import OPEN, Delivery, delivery
from commerce.webhooks.errors import DeliveryInProgress, DeliveryNotFound, EndpointDisabled
from commerce.webhooks.lanes import Enqueue, Lanes
from commerce.webhooks.models import DeliveryRow, EndpointRow
from commerce.webhooks.repository import WebhookRepository, belongs_to
from commerce.webhooks.schedule import LONGEST_ATTEMPT
from commerce.webhooks.service import locked_endpoint
from core.clock import Clock
from core.database import WriteSession
from core.eventlog import Event, EventLog, position_of

MAX_EVENTS = 500  # of one call
RETENTION = timedelta(days=30)
_FORGOTTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Redelivered:
    """`next`: the `after` of the next call, where the range has more events."""

    count: int
    next: str | None


class RedeliveryService:
    """Per transaction. Whoever asks believes that the endpoint works: a pause of it ends."""

    def __init__(
        self, session: WriteSession, clock: Clock, enqueue: Enqueue, *, principal: Principal, source: str
    ) -> None:
        self._session = session
        self._now = clock.now()
        self._lanes = Lanes(session, enqueue, self._now)
        self._principal = principal
        self._source = source
        self._audit = AuditLog(session, clock, principal.name)

    async def test(self, command: SendTest) -> Delivery:
        """An event of its own, tried once. Raises EndpointNotFound, EndpointDisabled."""
        endpoint = await self._ready(command.endpoint_id)
        row = DeliveryRow(**test_values(endpoint.id, self._source, self._now))
        self._session.add(row)
        await self._lanes.advance(endpoint.id, row.subject)
        await self._audit.record("webhook_endpoint.test", endpoint.id, None, {"delivery_id": row.id})
        return delivery(row)

    async def redeliver(self, command: Redeliver) -> Delivery:
        """Now, from the first attempt on; after what its subject has in line before it.

        Raises DeliveryNotFound, DeliveryInProgress, EndpointDisabled.
        """
        delivery_id = command.delivery_id
        owner = None
        if is_storable(delivery_id):
            mine = select(DeliveryRow.endpoint_id).join(EndpointRow, EndpointRow.id == DeliveryRow.endpoint_id)
            owner = await self._session.scalar(mine.where(DeliveryRow.id == delivery_id, belongs_to(self._principal)))
        if owner is None:
            raise DeliveryNotFound(f"no webhook delivery {delivery_id[:40]!r}")
        endpoint = await self._ready(owner)
        row = await self._session.get_one(DeliveryRow, delivery_id, populate_existing=True)
        if row.sending_since is not None and self._now - row.sending_since < LONGEST_ATTEMPT:
            raise DeliveryInProgress(retry_after_seconds=5)
        await self._again(row)
        await self._lanes.advance(endpoint.id, row.subject)
        await self._audit.record("webhook_delivery.redeliver", row.id, None, {"endpoint_id": endpoint.id})
        return delivery(row)

    async def redeliver_range(self, command: RedeliverRange) -> Redelivered:
        """Every event after the one cursor, up to and with the other, that the endpoint would get now: again, or for
        the first time. What is in line already stays as it is.

        Raises EndpointNotFound, EndpointDisabled, InvalidCursor, CursorTooOld.
        """
        endpoint = await self._ready(command.endpoint_id)
        events, more = await self._events(command, endpoint)
        known = select(DeliveryRow).where(
            DeliveryRow.endpoint_id == endpoint.id, DeliveryRow.position.in_([event.position for event in events])
        )
        rows = {row.position: row for row in await self._session.scalars(known)}
        for event in events:
            row = rows.get(event.position)
            if row is None:
                values = event_values(endpoint.id, event, body_of(event, self._source), self._now)
                self._session.add(DeliveryRow(**values))
            elif row.state not in OPEN:
                await self._again(row)
        await self._session.flush()
        await self._lanes.refill(endpoint.id)
        asked = {"after": command.after, "until": command.until, "count": len(events)}
        await self._audit.record("webhook_endpoint.redeliver", endpoint.id, None, asked)
        return Redelivered(len(events), events[-1].id if more else None)

    async def _events(self, command: RedeliverRange, endpoint: EndpointRow) -> tuple[list[Event], bool]:
        repository = WebhookRepository(self._session)
        viewer = await repository.viewer(endpoint.user_id, endpoint.scopes)
        assert viewer is not None  # noqa: S101  `_ready` has refused whose owner may not sign in
        # What the feeder has not come to yet it will make deliveries of itself.
        last = await repository.cursor()
        if command.until is not None:
            last = min(last, position_of(command.until))
        found, more = await EventLog(self._session).after(
            command.after, visible=visible_to(viewer), types=endpoint.types, limit=MAX_EVENTS
        )
        events = [event for event in found if event.position <= last and wants(endpoint.types, viewer, event)]
        return events, more and len(events) == len(found)

    async def _ready(self, endpoint_id: str) -> EndpointRow:
        endpoint = await locked_endpoint(self._session, endpoint_id, self._principal)
        active = endpoint.user_id is None or await WebhookRepository(self._session).owners({endpoint.user_id})
        if endpoint.state != "enabled" or not active:
            raise EndpointDisabled(f"the endpoint is {endpoint.state}" if active else "its owner may not sign in")
        endpoint.paused_until = None
        return endpoint

    async def _again(self, row: DeliveryRow) -> None:
        """Open, and not scheduled: `advance` does that when its turn has come."""
        row.state, row.failures, row.next_attempt_at, row.sending_since = "pending", 0, None, None
        row.updated_at = self._now
        await self._session.flush()


async def forget_old(session: WriteSession, before: datetime) -> int:
    """Deliveries that were over earlier, the oldest of them; returns how many."""
    old = select(DeliveryRow.id).where(DeliveryRow.state.not_in(OPEN), DeliveryRow.updated_at < before)
    ids = list(await session.scalars(old.order_by(DeliveryRow.updated_at).limit(_FORGOTTEN_AT_ONCE)))
    if ids:
        await session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(ids)))
    return len(ids)
