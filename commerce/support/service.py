"""What can be done in rooms. Callers own the transaction; nothing here commits."""

from sqlalchemy import Table, insert, select, update

from commerce.accounts.models import UserRow
from commerce.accounts.principal import Principal
from commerce.audit.log import AuditLog
from commerce.catalog.text import is_storable
from commerce.support.access import require_chat
from commerce.support.commands import SendMessage, check_room_name
from commerce.support.entities import Message, Person
from commerce.support.errors import RoomNotFound, UnknownRecipient
from commerce.support.events import give_events, message_event
from commerce.support.models import MemberRow, MessageRow, RoomRow
from core import eventlog
from core.bulk import Row, insert_missing
from core.clock import Clock
from core.database import WriteSession
from core.errors import FieldError
from core.eventlog import EventLog
from core.ids import new_id

SHOP = "Shop"  # writes with a key of its own, whose name is for operators


class SupportService:
    """Per transaction. The audit log says whose rooms are; of messages it would say what their own table says, which
    names author and time and is never changed. Raises Unauthenticated, MissingScope.
    """

    def __init__(self, session: WriteSession, clock: Clock, *, principal: Principal) -> None:
        require_chat(principal)
        self._session = session
        self._principal = principal
        self._audit = AuditLog(session, clock, principal.name)
        self._now = clock.now()

    async def enter(self, room: str) -> Person:
        """There is a room from the first time that somebody enters it or writes in it. It belongs to the customer who
        does so first, also where staff did before. Raises InvalidRoomName, RoomNotFound.
        """
        check_room_name(room)
        await self._enter(room)
        return await self._person()

    async def send(self, command: SendMessage) -> Message:
        """Enters the room too. Raises RoomNotFound, UnknownRecipient."""
        room = await self._enter(command.room)
        if command.to is not None:
            await self._require_member(command.room, command.to)
        else:
            await self._session.execute(update(RoomRow).where(RoomRow.name == command.room).values(active_at=self._now))
        message_id, author = new_id("msg"), await self._person()
        event = message_event(message_id, command, author, room.owner_id)
        await eventlog.append(self._session, [event], self._now)
        # The log is ours until the transaction ends: its newest event is this one.
        position = await EventLog(self._session).newest()
        values = {
            "id": message_id,
            "position": position,
            "room": command.room,
            "author_id": author.id,
            "author_name": author.name,
            "author_is_staff": author.is_staff,
            "recipient_id": command.to,
            "text": command.text,
            "created_at": self._now,
        }
        await self._session.execute(insert(MessageRow).values(values))
        return Message(message_id, position, command.room, author, command.to, command.text, self._now)

    async def _enter(self, name: str) -> RoomRow:
        """Holds the room's lock: what is said in it gets its position in turn."""
        made = False
        locked = select(RoomRow).where(RoomRow.name == name).with_for_update()
        room = (await self._session.scalars(locked)).one_or_none()
        if room is None:
            values = {"name": name, "owner_id": None, "created_at": self._now, "active_at": self._now}
            made = await self._insert_missing(RoomRow, values)
            room = (await self._session.scalars(locked)).one()
        before = None if made else {"owner_id": room.owner_id}
        customer = self._principal.user_id if not self._principal.answers_customers else None
        if customer is not None and room.owner_id != customer:
            if room.owner_id is not None:
                raise RoomNotFound(f"no room {name!r}")
            room.owner_id = customer
            await self._session.flush()
            await give_events(self._session, name, customer)
        if (after := {"owner_id": room.owner_id}) != before:
            await self._audit.record("support_room.enter", name, before, after)
        if self._principal.user_id is not None:
            await self._insert_missing(MemberRow, {"room": name, "user_id": self._principal.user_id})
        return room

    async def _require_member(self, room: str, user_id: str) -> None:
        if not is_storable(user_id) or await self._session.get(MemberRow, (room, user_id)) is None:
            fault = FieldError("/to", UnknownRecipient.code, "is nobody who is or was in the room")
            raise UnknownRecipient(fault.message, errors=(fault,))

    async def _person(self) -> Person:
        user_id = self._principal.user_id
        name = await self._session.scalar(select(UserRow.name).where(UserRow.id == user_id)) if user_id else SHOP
        return Person(str(self._principal.owner), name or "", self._principal.answers_customers)

    async def _insert_missing(self, kind: type[RoomRow | MemberRow], values: Row) -> bool:
        table: Table = kind.__table__  # type: ignore[assignment]
        return bool(await insert_missing(self._session, table, [values]))
