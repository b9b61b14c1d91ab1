"""What support chat tells the event log."""

from typing import Any

from sqlalchemy import update

from commerce.accounts.principal import Principal
from commerce.events.filter import EventFilter
from commerce.support.commands import SendMessage
from commerce.support.entities import Person
from core.database import WriteSession
from core.eventlog import EventRow, NewEvent

_TYPE = "support.message"


def message_event(message_id: str, command: SendMessage, author: Person, room_owner: str | None) -> NewEvent:
    """For the room's customer and for who answers customers; a personal one for its author and its recipient alone."""
    data: dict[str, Any] = {
        "id": message_id,
        "room": command.room,
        "author": {"id": author.id, "name": author.name, "staff": author.is_staff},
        "to": command.to,
        "text": command.text,
    }
    if command.to is not None:
        return NewEvent(_TYPE, command.room, data, "direct", command.to)
    return NewEvent(_TYPE, command.room, data, "support", room_owner)


def room_filter(room: str, principal: Principal) -> EventFilter:
    """What is written in the room, as far as they may see it."""
    return EventFilter(principal, frozenset((_TYPE,)), room)


async def give_events(session: WriteSession, room: str, owner_id: str) -> None:
    """What was said before the customer came is for them too. Whoever writes in the room waits for its lock, so that
    nothing is said meanwhile.
    """
    said = EventRow.subject == room, EventRow.type == _TYPE, EventRow.visibility == "support"
    await session.execute(update(EventRow).where(*said).values(owner_id=owner_id))
