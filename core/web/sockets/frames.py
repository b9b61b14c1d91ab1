"""Frames that every socket speaks, whatever else it does. Each is a JSON object, told apart by its `type`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter


class Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ping(Frame):
    """Answer it with a pong. The server sends one every `heartbeat_seconds`; you may, whenever you like."""

    type: Literal["ping"] = "ping"


class Pong(Frame):
    """The answer to a ping."""

    type: Literal["pong"] = "pong"


class Echo(Frame):
    """Comes back as it was sent."""

    type: Literal["echo"] = "echo"
    data: JsonValue = Field(None, description="Whatever you like.", examples=[{"hello": "world"}])


class ErrorFrame(Frame):
    """What you asked for was not done. The socket stays open."""

    model_config = ConfigDict(title="Error")

    type: Literal["error"] = "error"
    code: str = Field(description="Stable, the same as on REST.", examples=["order_not_found"])
    message: str = Field(examples=["no order 'ord_01jd0a3v5t8zk4e9m2q7r6w1xy'"])
    channel: str | None = Field(None, description="Which it is about, if any.", examples=["order:ord_01jd0a3v5t8zk4"])


class Limits(Frame):
    """What one socket may do."""

    frame_bytes: int = Field(description="A larger frame closes the socket with 1009.", examples=[65536])
    messages_per_second: int = Field(
        description="Those above it are answered with an error and not carried out; so many that the server is ahead "
        "by two bursts close the socket with 4429.",
        examples=[50],
    )
    burst: int = Field(description="Messages at once, before they are counted by the second.", examples=[100])
    channels: int = Field(description="Subscribed to at once.", examples=[50])


class Welcome(Frame):
    """The first frame."""

    type: Literal["welcome"] = "welcome"
    connection_id: str = Field(description="Name it when you ask us about this socket.", examples=["con_01jd0a3v5t"])
    heartbeat_seconds: float = Field(
        description="A ping comes this often. Who sends nothing for twice as long is closed with 4408.", examples=[30]
    )
    expires_at: datetime | None = Field(
        description="When the credential ends, and the socket with it (4401); null: never."
    )
    limits: Limits


class Reconnect(Frame):
    """The server is about to stop, and closes the socket with 1012. Come back after `retry_ms`."""

    type: Literal["reconnect"] = "reconnect"
    after: str | None = Field(
        description="The oldest of `cursors`: good for all channels, where some events may then come again. "
        "null where there is none: subscribe without `after`.",
        examples=["evt_0000000000042"],
    )
    cursors: dict[str, str | None] = Field(
        description="For each channel, where to go on: subscribe with it as `after`, and nothing is missing or comes "
        "again.",
        examples=[{"catalog": "evt_0000000000042"}],
    )
    retry_ms: int = Field(description="Differs from socket to socket, so that not all come at once.", examples=[1830])


# For sockets that know no others.
BasicFrame = Annotated[Ping | Pong | Echo, Field(discriminator="type")]
BASIC_FRAMES: TypeAdapter[BasicFrame] = TypeAdapter(BasicFrame)
