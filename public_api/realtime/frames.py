"""Every frame of the public WebSockets: what AsyncAPI describes, what the sockets read and write, what tests check."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from commerce.events.envelope import CloudEvent
from core.web.sockets.frames import Echo, ErrorFrame, Frame, Ping, Pong, Reconnect, Welcome

_CHANNEL = Field(
    max_length=128,
    description="`catalog`, `orders`, `order:<id>` or `support:<room>`.",
    examples=["order:ord_01jd0a3v5t8zk4e9m2q7r6w1xy"],
)
_CURSOR = Field(description="The id of an event.", examples=["evt_0000000000042"])


class Subscribe(Frame):
    """Follow a channel. One that is followed already begins anew."""

    type: Literal["subscribe"] = "subscribe"
    channel: str = _CHANNEL
    after: str | None = Field(
        None, description="The id of the last event that you have; without it, from now on.", examples=["evt_0000042"]
    )


class Unsubscribe(Frame):
    """Follow a channel no more. Answered by nothing: no event of it follows."""

    type: Literal["unsubscribe"] = "unsubscribe"
    channel: str = _CHANNEL


class Send(Frame):
    """Say something in the support room that the socket is in."""

    type: Literal["send"] = "send"
    text: str = Field(description="1 to 4,000 characters.", examples=["Is the jacket waterproof?"])
    to: str | None = Field(None, description="To this user alone.", examples=["usr_01jd0a3v5t8zk4e9m2q7r6w1xy"])


class Subscribed(Frame):
    """The channel is followed: what comes after the cursor is sent."""

    type: Literal["subscribed"] = "subscribed"
    channel: str = _CHANNEL
    cursor: str = _CURSOR


class EventFrame(Frame):
    """Something happened. Each event comes once, in the order of the log."""

    type: Literal["event"] = "event"
    channel: str = _CHANNEL
    event: CloudEvent


class Reset(Frame):
    """The cursor is too old, or of another log: events are missing. The channel is followed from now on, as the next
    frame says; read anew what you know of it.
    """

    type: Literal["reset"] = "reset"
    channel: str = _CHANNEL


class Person(Frame):
    id: str = Field(examples=["usr_01jd0a3v5t8zk4e9m2q7r6w1xy"])
    name: str = Field(examples=["Ada Lovelace"])
    staff: bool


class Message(Frame):
    """Somebody said something in the room."""

    type: Literal["message"] = "message"
    id: str = Field(description="Of the message.", examples=["msg_01jd0a3v5t8zk4e9m2q7r6w1xy"])
    cursor: str = _CURSOR
    room: str = Field(examples=["returns"])
    author: Person
    to: str | None = Field(description="The user whom it is for; null: everybody in the room.")
    text: str = Field(examples=["Is the jacket waterproof?"])
    created_at: datetime


class Presence(Frame):
    """Somebody came into the room, or left it."""

    type: Literal["presence"] = "presence"
    room: str = Field(examples=["returns"])
    person: Person
    state: Literal["joined", "left"]


CLIENT_FRAMES: tuple[type[Frame], ...] = (Subscribe, Unsubscribe, Ping, Pong, Echo, Send)
SERVER_FRAMES: tuple[type[Frame], ...] = (
    *(Welcome, Subscribed, EventFrame, Message, Presence),
    *(Ping, Pong, Echo, ErrorFrame, Reset, Reconnect),
)
ClientFrame = Annotated[Subscribe | Unsubscribe | Ping | Pong | Echo | Send, Field(discriminator="type")]
ServerFrame = Annotated[
    Welcome | Subscribed | EventFrame | Message | Presence | Ping | Pong | Echo | ErrorFrame | Reset | Reconnect,
    Field(discriminator="type"),
]
FROM_CLIENT: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
FROM_SERVER: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)
