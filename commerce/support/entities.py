"""Support chat as it is read: plain values, free of any session."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from core.eventlog import event_id


@dataclass(frozen=True, slots=True)
class Person:
    """`id` is a user's, or that of a key of the shop's own. `name` is empty once the account is deleted."""

    id: str
    name: str
    is_staff: bool


@dataclass(frozen=True, slots=True)
class Message:
    """`to` is a user's id; None: for all in the room. `position` is that of its event in the log."""

    id: str
    position: int
    room: str
    author: Person
    to: str | None
    text: str
    created_at: datetime

    @property
    def cursor(self) -> str:
        return event_id(self.position)


@dataclass(frozen=True, slots=True)
class Room:
    """`owner_id` None: no customer has come yet. `active_at`: of the last message that is for all in it, or of its
    making. `last_message`: of those that the reader may see.
    """

    name: str
    owner_id: str | None
    created_at: datetime
    active_at: datetime
    last_message: Message | None


# How a message is kept under an idempotency key; the same for every door.
MESSAGE = TypeAdapter(Message)
