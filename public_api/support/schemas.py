"""The JSON of support chat."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from commerce.support import entities
from commerce.support.commands import MAX_TEXT, SendMessage

_USER = "usr_01jd0a3v5te8zr9k1m2n3p4q5r"
_CURSOR = "evt_0000000000042"


class MessageCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # What is too short or too long is the domain's to say, the same at every door.
    text: str = Field(examples=["Where is my order?"], json_schema_extra={"minLength": 1, "maxLength": MAX_TEXT})
    to: str | None = Field(
        None,
        description="The id of a user who is or was in the room, for whose eyes alone it is; null: for all there.",
        examples=[None],
    )


class Author(BaseModel):
    id: str = Field(description="A user's, or that of a key of the shop's own.", examples=[_USER])
    name: str = Field(description="Empty where the account is deleted.", examples=["Ada"])
    staff: bool = Field(description="Whether it is somebody of the shop.")


class Message(BaseModel):
    id: str = Field(examples=["msg_01jd0a3v5te8zr9k1m2n3p4q5r"])
    cursor: str = Field(description="The id of its event in the log.", examples=[_CURSOR])
    room: str = Field(examples=["returns-1001"])
    author: Author
    to: str | None = Field(description="Whom alone it is for; null: for all in the room.", examples=[None])
    text: str = Field(examples=["Where is my order?"])
    created_at: datetime


class MessagePage(BaseModel):
    items: list[Message]
    next: str | None = Field(description="`after` of the next page; null when there is no more now.")


class Room(BaseModel):
    name: str = Field(examples=["returns-1001"])
    owner_id: str | None = Field(description="Its customer; null: none has come yet.", examples=[_USER])
    created_at: datetime
    active_at: datetime = Field(description="When somebody last wrote to all in the room.")
    last_message: Message | None = Field(description="The last that you may read.")


class RoomSlice(BaseModel):
    items: list[Room]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class RoomQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None


class MessageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=100, description="The cursor of the last that you have seen.")] = None


def send_command(room: str, body: MessageCreate) -> SendMessage:
    return SendMessage(room, body.text, body.to)


def message_schema(message: entities.Message) -> Message:
    author = Author(id=message.author.id, name=message.author.name, staff=message.author.is_staff)
    return Message(
        id=message.id,
        cursor=message.cursor,
        room=message.room,
        author=author,
        to=message.to,
        text=message.text,
        created_at=message.created_at,
    )


def room_schema(room: entities.Room) -> Room:
    return Room(
        name=room.name,
        owner_id=room.owner_id,
        created_at=room.created_at,
        active_at=room.active_at,
        last_message=message_schema(room.last_message) if room.last_message is not None else None,
    )
