"""Turns events of the log into deliveries: for each endpoint that wants them, and whose owner may see them.

The cursor moves in the transaction that makes the deliveries and their jobs, and its row is locked meanwhile: however
many processes feed, and wherever they die, each event is turned once.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import Table, exists, select, update

from commerce.events.envelope import event_source
from commerce.webhooks.content import body_of, event_values, wants
from commerce.webhooks.jobs import enqueuer
from commerce.webhooks.lanes import Lanes
from commerce.webhooks.models import CursorRow, DeliveryRow, EndpointRow
from commerce.webhooks.repository import WebhookRepository, viewer_of
from core.bulk import insert_rows
from core.database import WriteSession
from core.eventlog import Event, EventLog
from core.recurring import Recurring
from core.resources import Resources
from core.tailer import Tailer

_BATCH = 500
_MOST_DELIVERIES = 20  # of a transaction, or those of one event: each line takes milliseconds, and others write too
_BUSY_SECONDS = 0.2


class Feeder:
    """`async with Feeder(resources, tailer):` One in each process that runs jobs."""

    def __init__(self, resources: Resources, tailer: Tailer, *, batch: int = _BATCH) -> None:
        self._resources = resources
        self._tailer = tailer
        self._batch = batch
        self._enqueue = enqueuer(resources.jobs)
        self._source = event_source(resources.settings)
        self._feeding = Recurring("webhooks", self._turn)

    async def __aenter__(self) -> Self:
        self._leave = self._tailer.follow(lambda _events: self._feeding.wake())
        await self._feeding.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self._feeding.__aexit__(kind, error, trace)

    async def _turn(self) -> float | None:
        more = await self.feed()
        if more is None:
            return _BUSY_SECONDS
        return 0.0 if more else None

    async def feed(self) -> bool | None:
        """One batch; whether there may be more. None where another process does it at this moment."""
        async with self._resources.database.write() as session:
            locked = select(CursorRow.position).with_for_update(skip_locked=True)
            cursor: int | None = await session.scalar(locked)
            if cursor is None:
                return None
            event_log = EventLog(session)
            if not await session.scalar(select(exists().where(EndpointRow.state == "enabled"))):
                newest = await event_log.newest()  # an import makes thousands of events that nobody wants
                await session.execute(update(CursorRow).values(position=newest))
                return False
            events = await event_log.following(cursor, self._batch)
            if not events:
                return False
            wanted = await self._wanted(session, events)
            last = _end(wanted) or events[-1].position
            await self._deliver(session, [each for each in wanted if each[1].position <= last])
            await session.execute(update(CursorRow).values(position=last))
        return last < events[-1].position or len(events) == self._batch

    async def _wanted(self, session: WriteSession, events: Sequence[Event]) -> list[tuple[str, Event]]:
        """Endpoint and event, in the order of the log."""
        columns = (
            EndpointRow.id,
            EndpointRow.user_id,
            EndpointRow.scopes,
            EndpointRow.types,
            EndpointRow.after_position,
        )
        endpoints = (await session.execute(select(*columns).where(EndpointRow.state == "enabled"))).all()
        owners = await WebhookRepository(session).owners({row.user_id for row in endpoints} - {None})
        viewers = {row.id: viewer_of(row.user_id, row.scopes, owners) for row in endpoints}
        wanted = [
            (row.id, event)
            for event in events
            for row in endpoints
            if event.position > row.after_position and wants(row.types, viewers[row.id], event)
        ]
        if not wanted:
            return []
        still = select(EndpointRow.id).where(
            EndpointRow.id.in_({each for each, _ in wanted}), EndpointRow.state == "enabled"
        )
        kept = set(await session.scalars(still.order_by(EndpointRow.id).with_for_update()))
        return [(each, event) for each, event in wanted if each in kept]

    async def _deliver(self, session: WriteSession, wanted: Sequence[tuple[str, Event]]) -> None:
        now = self._resources.clock.now()
        bodies = {event.position: body_of(event, self._source) for _, event in wanted}
        table: Table = DeliveryRow.__table__  # type: ignore[assignment]
        rows = [event_values(each, event, bodies[event.position], now) for each, event in wanted]
        await insert_rows(session, table, rows)
        lanes = Lanes(session, self._enqueue, now)
        for endpoint_id in dict.fromkeys(each for each, _ in wanted):
            await lanes.refill(endpoint_id)


def _end(wanted: Sequence[tuple[str, Event]]) -> int | None:
    """The position to stop at, where there are more deliveries than one transaction should make."""
    return wanted[_MOST_DELIVERIES - 1][1].position if len(wanted) > _MOST_DELIVERIES else None
