"""What can be said in a room, with the rules of it."""

import re
from dataclasses import dataclass

from commerce.catalog.text import is_storable
from commerce.support.errors import InvalidMessage, InvalidRoomName
from core.errors import FieldError

MAX_TEXT = 4000
ROOM_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_ROOM = re.compile(ROOM_PATTERN)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """`to` is a user's id; None: for all in the room. Raises InvalidRoomName, InvalidMessage."""

    room: str
    text: str
    to: str | None = None

    def __post_init__(self) -> None:
        check_room_name(self.room)
        if not self.text.strip() or len(self.text) > MAX_TEXT or not is_storable(self.text):
            message = f"a message has 1 to {MAX_TEXT} characters, and not only blanks"
            raise InvalidMessage(message, errors=(FieldError("/text", "invalid", message),))


def is_room_name(name: str) -> bool:
    return _ROOM.fullmatch(name) is not None


def check_room_name(name: str) -> None:
    """Raises InvalidRoomName."""
    if not is_room_name(name):
        message = "begins with a letter or a digit; then up to 63 of them, dots, dashes and underscores"
        raise InvalidRoomName(message, errors=(FieldError("/path/room", "invalid", message),))
