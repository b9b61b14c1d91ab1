"""A shop with webhooks: its log is fed and its deliveries are attempted when a test says so, by a clock of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from commerce.accounts.principal import Principal
from commerce.webhooks.commands import CreateEndpoint, Redeliver, RedeliverRange, RotateSecret, SendTest, UpdateEndpoint
from commerce.webhooks.delivering import Deliverer
from commerce.webhooks.entities import Delivery, Endpoint, NewEndpoint, delivery
from commerce.webhooks.entities import endpoint as entity
from commerce.webhooks.feeder import Feeder
from commerce.webhooks.jobs import enqueuer
from commerce.webhooks.lanes import Enqueue
from commerce.webhooks.models import DeliveryRow, EndpointRow
from commerce.webhooks.redelivery import Redelivered, RedeliveryService
from commerce.webhooks.sending import Send, Sender
from commerce.webhooks.service import EndpointService
from core.database import Database
from core.eventlog import EventLog, NewEvent, append, event_id
from core.hub.memory import MemoryHub
from core.outbound import GuardedNetwork
from core.resources import Resources, assemble
from core.settings import DataSettings, ServerSettings, Settings
from core.tailer import Tailer
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory
from tests.factories.orders import SHOP_KEY
from tests.factories.receivers import Receiver, receiving

SECRET = "long enough to be a secret"


@dataclass
class Desk:
    resources: Resources
    clock: FakeClock
    feeder: Feeder
    send: Send = field(default_factory=lambda: Sender(GuardedNetwork(allow_private=True)))

    @property
    def database(self) -> Database:
        return self.resources.database

    def service(self, session: Any, principal: Principal = SHOP_KEY) -> EndpointService:
        resources = self.resources
        return EndpointService(session, self.clock, resources.keyring, principal=principal, public_only=False)

    def redelivery(self, session: Any, principal: Principal = SHOP_KEY) -> RedeliveryService:
        return RedeliveryService(session, self.clock, self.enqueue, principal=principal, source="urn:portico")

    async def add(self, url: str, *types: str, by: Principal = SHOP_KEY) -> NewEndpoint:
        async with self.database.write() as session:
            return await self.service(session, by).create(CreateEndpoint(url, types=types))

    async def update(self, endpoint_id: str, by: Principal = SHOP_KEY, **changes: Any) -> Endpoint:
        async with self.database.write() as session:
            return await self.service(session, by).update(UpdateEndpoint(endpoint_id, **changes))

    async def rotate(self, endpoint_id: str) -> NewEndpoint:
        async with self.database.write() as session:
            return await self.service(session).rotate(RotateSecret(endpoint_id))

    async def delete(self, endpoint_id: str) -> None:
        async with self.database.write() as session:
            await self.service(session).delete(endpoint_id)

    async def test(self, endpoint_id: str) -> Delivery:
        async with self.database.write() as session:
            return await self.redelivery(session).test(SendTest(endpoint_id))

    async def redeliver(self, delivery_id: str) -> Delivery:
        async with self.database.write() as session:
            return await self.redelivery(session).redeliver(Redeliver(delivery_id))

    async def redeliver_range(self, endpoint_id: str, after: int, until: int | None = None) -> Redelivered:
        end = event_id(until) if until is not None else None
        async with self.database.write() as session:
            command = RedeliverRange(endpoint_id, event_id(after), end)
            return await self.redelivery(session).redeliver_range(command)

    async def happen(self, *events: NewEvent | str, feed: bool = True) -> list[str]:
        """Subjects, or whole events; fed to the endpoints. The ids that they have in the log."""
        made = [each if isinstance(each, NewEvent) else an_event(each) for each in events]
        async with self.database.write() as session:
            await append(session, made, self.clock.now())
        async with self.database.read() as session:
            newest = await EventLog(session).newest()
        if feed:
            await self.feed()
        return [event_id(newest - len(made) + 1 + n) for n in range(len(made))]

    async def feed(self) -> None:
        while await self.feeder.feed():
            pass

    @property
    def enqueue(self) -> Enqueue:
        return enqueuer(self.resources.jobs)

    def deliverer(self) -> Deliverer:
        keyring, enqueue = self.resources.keyring, self.enqueue
        return Deliverer(self.database.write, self.clock, keyring, self.send, enqueue, uniform=lambda low, _high: low)

    async def due(self) -> list[tuple[str, int]]:
        """What has a job that may run now, in the order of the log."""
        columns = select(DeliveryRow.id, DeliveryRow.dispatch).order_by(DeliveryRow.position, DeliveryRow.id)
        async with self.database.read() as session:
            rows = await session.execute(columns.where(DeliveryRow.next_attempt_at <= self.clock.now()))
            return [(row[0], row[1]) for row in rows]

    async def attempt_due(self) -> int:
        """Each that is due, once; what becomes due by that, too. How many attempts."""
        count = 0
        while due := await self.due():
            for delivery_id, dispatch in due:
                await self.deliverer().attempt(delivery_id, dispatch)
                count += 1
        return count

    async def attempt_due_one(self) -> None:
        """The first that is due."""
        await self.deliverer().attempt(*(await self.due())[0])

    async def attempt(self, delivery_id: str) -> None:
        """Whenever it is due."""
        async with self.database.read() as session:
            dispatch = await session.scalar(select(DeliveryRow.dispatch).where(DeliveryRow.id == delivery_id))
        await self.deliverer().attempt(delivery_id, int(dispatch))

    async def deliveries(self, endpoint_id: str | None = None) -> list[Delivery]:
        """In the order of the log."""
        statement = select(DeliveryRow).order_by(DeliveryRow.position, DeliveryRow.id)
        if endpoint_id is not None:
            statement = statement.where(DeliveryRow.endpoint_id == endpoint_id)
        async with self.database.read() as session:
            return [delivery(row) for row in await session.scalars(statement)]

    async def one(self) -> Delivery:
        (found,) = await self.deliveries()
        return found

    async def endpoint(self, endpoint_id: str) -> Endpoint:
        async with self.database.read() as session:
            return entity((await session.scalars(select(EndpointRow).where(EndpointRow.id == endpoint_id))).one())


def an_event(subject: str = "prod_a", type_: str = "product.updated", **changes: Any) -> NewEvent:
    values: dict[str, Any] = {"data": {"id": subject}, "visibility": "everybody"} | changes
    return NewEvent(type_, subject, **values)


def settings_of(url: str, folder: Path) -> Settings:
    server = ServerSettings(secret_key=SecretStr(SECRET))
    return Settings(server=server, data=DataSettings(data_dir=folder / "var", database_url=url))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(database: Database, database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    resources = assemble(settings_of(database_url, tmp_path), clock, database, objects_in_memory(), {})
    # It is asked to feed, and not started: nothing follows the log.
    yield Desk(resources, clock, Feeder(resources, Tailer(database, MemoryHub())))
    await resources.jobs.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
