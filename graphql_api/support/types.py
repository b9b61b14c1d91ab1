"""Support chat's types: REST's shapes in camelCase."""

from datetime import datetime
from typing import Annotated

import strawberry

from commerce.support import entities
from core.eventlog import Event
from graphql_api.refusals import Refused, UserError


@strawberry.type(description="Who wrote a message.")
class SupportAuthor:
    id: strawberry.ID = strawberry.field(description="A user's, or that of a key of the shop's own.")
    name: str = strawberry.field(description="What they are called.")
    staff: bool = strawberry.field(description="Whether it is somebody of the shop.")


@strawberry.type(description="Something that was said in a support room.")
class SupportMessage:
    id: strawberry.ID = strawberry.field(description="`msg_...`")
    cursor: str = strawberry.field(description="The id of its event, `evt_...`: the `after` to go on with.")
    room: str = strawberry.field(description="The room's name.")
    author: SupportAuthor = strawberry.field(description="Who wrote it.")
    to: strawberry.ID | None = strawberry.field(description="Whom alone it is for; null: for all in the room.")
    text: str = strawberry.field(description="What was said.")
    created_at: datetime = strawberry.field(description="When it was said.")


@strawberry.type(description="A personal message is for somebody who is in the room, or was.")
class UnknownRecipient(UserError):
    pass


SendSupportMessageResult = Annotated[
    SupportMessage | UnknownRecipient | Refused,
    strawberry.union(name="SendSupportMessageResult", description="The message, or why it was not sent."),
]


def sent_type(message: entities.Message) -> SupportMessage:
    author = message.author
    return SupportMessage(
        id=strawberry.ID(message.id),
        cursor=message.cursor,
        room=message.room,
        author=SupportAuthor(id=strawberry.ID(author.id), name=author.name, staff=author.is_staff),
        to=strawberry.ID(message.to) if message.to is not None else None,
        text=message.text,
        created_at=message.created_at,
    )


def message_type(event: Event) -> SupportMessage:
    """Of an event `support.message`, which says all of it."""
    data, author = event.data, event.data["author"]
    return SupportMessage(
        id=strawberry.ID(data["id"]),
        cursor=event.id,
        room=data["room"],
        author=SupportAuthor(id=strawberry.ID(author["id"]), name=author["name"], staff=author["staff"]),
        to=strawberry.ID(data["to"]) if data["to"] is not None else None,
        text=data["text"],
        created_at=event.time,
    )
