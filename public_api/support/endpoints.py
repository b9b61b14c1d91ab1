"""REST of support chat: rooms, and what is said in them."""

from typing import Annotated

from fastapi import Query, Response

from commerce.support.errors import InvalidMessage, InvalidRoomName, RoomNotFound, UnknownRecipient
from core.errors import Invalid
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.pagination import InvalidCursor
from core.web.idempotency import InvalidIdempotencyKey
from public_api.errors import problems
from public_api.routing import public_router
from public_api.support.dependencies import ChatDep, DeskDep, SupportDep
from public_api.support.schemas import (
    Message,
    MessageCreate,
    MessagePage,
    MessageQuery,
    RoomQuery,
    RoomSlice,
    message_schema,
    room_schema,
    send_command,
)

router = public_router(prefix="/support", tags=["Support"])
_NO_STORE = {"Cache-Control": "private, no-store"}


@router.get("/rooms", summary="List support rooms", responses=problems(Invalid, InvalidCursor))
async def list_support_rooms(
    response: Response, query: Annotated[RoomQuery, Query()], principal: ChatDep, support: SupportDep
) -> RoomSlice:
    """The latest active first. Customers see their own; staff, and keys with `support:write`, see all."""
    found = await support.rooms(principal, limit=query.limit, after=query.after)
    response.headers.update(_NO_STORE)
    return RoomSlice(items=[room_schema(each) for each in found.items], next=found.next_cursor)


@router.get(
    "/rooms/{room}/messages", summary="Read a support room", responses=problems(Invalid, InvalidCursor, RoomNotFound)
)
async def list_support_messages(
    response: Response, room: str, query: Annotated[MessageQuery, Query()], principal: ChatDep, support: SupportDep
) -> MessagePage:
    """Oldest first, of what you may read: what is for all in the room, and personal messages from you and to you. Ask
    again with `after`, the cursor of the last: nothing is left out and nothing comes twice.
    """
    await support.require_room(room, principal)
    found, more = await support.messages(room, principal, limit=query.limit, after=query.after)
    response.headers.update(_NO_STORE)
    return MessagePage(items=[message_schema(each) for each in found], next=found[-1].cursor if more else None)


@router.post(
    "/rooms/{room}/messages",
    status_code=201,
    summary="Write in a support room",
    responses=problems(
        Invalid,
        InvalidRoomName,
        InvalidMessage,
        UnknownRecipient,
        RoomNotFound,
        InvalidIdempotencyKey,
        IdempotencyKeyReused,
        IdempotencyInProgress,
    ),
)
async def send_support_message(response: Response, room: str, body: MessageCreate, desk: DeskDep) -> Message:
    """The first message makes the room. It belongs to the customer who comes first, who then reads also what staff
    wrote before: give a room that waits for its customer a name that nobody guesses. Another customer's room is not
    found. Everybody in the room is told by the event `support.message`, whose subject is the room's name.
    """
    message = await desk.send(send_command(room, body))
    response.headers.update(_NO_STORE)
    return message_schema(message)
