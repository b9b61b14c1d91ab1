"""What support chat refuses."""

from core.errors import Invalid, NotFound


class RoomNotFound(NotFound):
    """There is no support room of this name, or none that you may enter."""

    code = "room_not_found"
    title = "Room not found"


class InvalidRoomName(Invalid):
    """A room's name has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or a digit."""

    code = "invalid_room_name"
    title = "Invalid room name"


class InvalidMessage(Invalid):
    """A message has 1 to 4,000 characters, and not only blanks."""

    code = "invalid_message"
    title = "Invalid message"


class UnknownRecipient(Invalid):
    """A personal message is for somebody who is in the room, or was."""

    code = "unknown_recipient"
    title = "Unknown recipient"
