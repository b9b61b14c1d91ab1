"""A shop with two customers and two of its staff, and what they do in rooms."""

from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from commerce.accounts.principal import SCOPES_OF, Principal, Role
from commerce.audit.models import AuditRow
from commerce.events.visibility import visible_to
from commerce.support.commands import SendMessage
from commerce.support.entities import Message, Room
from commerce.support.models import MemberRow, MessageRow, RoomRow
from commerce.support.repository import SupportRepository
from commerce.support.service import SupportService
from core.database import Database
from core.eventlog import Event, EventLog, EventRow
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory
from tests.factories.people import a_user

SHOP_KEY = Principal("api_key", "shop1", frozenset(("support:write", "events:read")))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@dataclass
class Chat:
    resources: Resources
    ada: Principal
    bob: Principal
    sue: Principal
    sam: Principal

    async def send(self, who: Principal, room: str, text: str, to: Principal | None = None) -> Message:
        async with self.resources.database.write() as session:
            support = SupportService(session, self.resources.clock, principal=who)
            return await support.send(SendMessage(room, text, to.user_id if to is not None else None))

    async def enter(self, who: Principal, room: str) -> None:
        async with self.resources.database.write() as session:
            await SupportService(session, self.resources.clock, principal=who).enter(room)

    async def history(self, who: Principal, room: str) -> list[str]:
        async with self.resources.database.read() as session:
            support = SupportRepository(session)
            await support.require_room(room, who)
            return [message.text for message in (await support.messages(room, who, limit=100))[0]]

    async def rooms(self, who: Principal) -> list[Room]:
        async with self.resources.database.read() as session:
            return list((await SupportRepository(session).rooms(who, limit=100)).items)

    async def events(self, who: Principal) -> list[Event]:
        """Of the log, those of chat that they may see."""
        async with self.resources.database.read() as session:
            log = EventLog(session)
            return (await log.after(None, visible=visible_to(who), types={"support.message"}, limit=1000))[0]

    async def told(self, who: Principal) -> list[str]:
        return [event.data["text"] for event in await self.events(who)]

    async def counts(self) -> dict[str, int]:
        """Rows of every table that a message may write."""
        async with self.resources.database.read() as session:
            tables = (RoomRow, MemberRow, MessageRow, EventRow, AuditRow)
            return {
                table.__tablename__: await session.scalar(select(func.count()).select_from(table)) for table in tables
            }


async def person(resources: Resources, role: Role) -> Principal:
    user = await a_user(resources, role)
    return Principal("user", user.id, SCOPES_OF[role], user_id=user.id, role=role, email=user.email)


async def chat_of(resources: Resources) -> Chat:
    roles: tuple[Role, ...] = ("customer", "customer", "support", "admin")
    return Chat(resources, *[await person(resources, role) for role in roles])


@pytest.fixture
async def chat(database: Database, clock: FakeClock, settings: Settings) -> Chat:
    return await chat_of(assemble(settings, clock, database, objects_in_memory(), {}))


@pytest.fixture
async def sqlite_chat(sqlite_database: Database, clock: FakeClock, settings: Settings) -> Chat:
    return await chat_of(assemble(settings, clock, sqlite_database, objects_in_memory(), {}))
