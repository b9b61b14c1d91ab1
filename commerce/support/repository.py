"""Every query of support chat that only reads."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select

from commerce.accounts.principal import Principal
from commerce.support.access import may_enter, may_read
from commerce.support.commands import is_room_name
from commerce.support.entities import Message, Person, Room
from commerce.support.errors import RoomNotFound
from commerce.support.models import MessageRow, RoomRow
from core.eventlog import position_of
from core.pagination import Keyset, Slice
from core.repository import Repository

_ROOM = [RoomRow.name, RoomRow.owner_id, RoomRow.created_at, RoomRow.active_at]
_MESSAGE = [
    MessageRow.id,
    MessageRow.position,
    MessageRow.room,
    MessageRow.author_id,
    MessageRow.author_name,
    MessageRow.author_is_staff,
    MessageRow.recipient_id,
    MessageRow.text,
    MessageRow.created_at,
]
_ACTIVE_FIRST = Keyset("active_at", RoomRow.active_at, RoomRow.name, descending=True)  # type: ignore[arg-type]


class SupportRepository(Repository):
    """For principals that may chat (`commerce.support.access.require_chat`)."""

    async def require_room(self, name: str, principal: Principal) -> None:
        """Raises RoomNotFound, also for a room that no customer has entered yet where a customer asks."""
        found = is_room_name(name) and await self._session.scalar(
            select(RoomRow.name).where(RoomRow.name == name, may_enter(principal))
        )
        if not found:
            raise RoomNotFound(f"no room {name[:64]!r}")

    async def rooms(self, principal: Principal, *, limit: int, after: str | None = None) -> Slice[Room]:
        """The latest active first. Raises InvalidCursor."""
        statement = select(*_ROOM, RoomRow.active_at.label("sort_value"), RoomRow.name.label("id"))
        page = await self.keyset_page(statement.where(may_enter(principal)), _ACTIVE_FIRST, limit=limit, after=after)
        last = await self._last_messages([row.name for row in page.items], principal)
        rooms = [Room(row.name, row.owner_id, row.created_at, row.active_at, last.get(row.name)) for row in page.items]
        return Slice(rooms, page.cursors, page.has_next)

    async def messages(
        self, room: str, principal: Principal, *, limit: int, after: str | None = None
    ) -> tuple[list[Message], bool]:
        """Of a room that the principal may enter, those that it may read, oldest first, after the event with this id;
        and whether there are more. Raises InvalidCursor.
        """
        statement = select(*_MESSAGE).where(MessageRow.room == room, may_read(principal))
        if after is not None:
            statement = statement.where(MessageRow.position > position_of(after))
        rows = (await self._session.execute(statement.order_by(MessageRow.position).limit(limit + 1))).all()
        return [_message(row) for row in rows[:limit]], len(rows) > limit

    async def _last_messages(self, rooms: Sequence[str], principal: Principal) -> dict[str, Message]:
        newest = (
            select(func.max(MessageRow.position))
            .where(MessageRow.room.in_(rooms), may_read(principal))
            .group_by(MessageRow.room)
        )
        rows = await self._session.execute(select(*_MESSAGE).where(MessageRow.position.in_(newest)))
        return {row.room: _message(row) for row in rows}


def _message(row: Row[Any]) -> Message:
    author = Person(row.author_id, row.author_name, row.author_is_staff)
    return Message(row.id, row.position, row.room, author, row.recipient_id, row.text, row.created_at)
