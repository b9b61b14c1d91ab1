"""Who may chat, and in which rooms.

Customers chat by their own token, in rooms of their own; their keys do not, for they cannot have `support:write`.
Staff, and keys that have it, may enter every room.
"""

from sqlalchemy import ColumnElement, false, or_, true

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal
from commerce.support.models import MessageRow, RoomRow
from core.errors import Unauthenticated


def require_chat(principal: Principal) -> None:
    """Raises Unauthenticated, MissingScope."""
    if principal.kind == "anonymous":
        raise Unauthenticated
    if not principal.chats:
        raise MissingScope("this operation needs the scope support:write")


def may_enter(principal: Principal) -> ColumnElement[bool]:
    """Rooms, for principals that may chat."""
    if principal.answers_customers:
        return true()
    return RoomRow.owner_id == principal.user_id if principal.user_id is not None else false()


def may_read(principal: Principal) -> ColumnElement[bool]:
    """Messages of rooms that the principal may enter."""
    to_all = MessageRow.recipient_id.is_(None)
    return or_(to_all, MessageRow.recipient_id == principal.owner, MessageRow.author_id == principal.owner)
