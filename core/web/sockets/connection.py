"""One accepted WebSocket: what its peer may send and how fast, whether it is still there, and how it ends.

It is read by the task that serves it, and written to by whoever has something for it. Nothing waits in between: a peer
that does not read makes its writers wait, each with the one frame that it has.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.errors import AppError, RateLimited, TransportError, Unavailable
from core.ids import new_id
from core.streams.broadcast import SLOW
from core.web.errors import failure_of, report
from core.web.sockets import frames
from core.web.sockets.pace import Pace
from core.web.sockets.prepared import EXTENSION, FramesExtension, Prepared, as_one, in_chunks


class InvalidFrame(TransportError):
    """The frame is not a JSON object that this socket knows. After ten of them the socket is closed with 1008."""

    code = "invalid_frame"
    title = "Invalid frame"


class TooManyMessages(RateLimited):
    """More frames came than the socket may send in a second. This one was not carried out; send fewer, or it is closed
    with 4429.
    """

    code = "too_many_messages"
    title = "Too many messages"


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Of each socket. `send_seconds`: how long a peer may leave a frame unread, once what the network holds is full."""

    frame_bytes: int = 64 * 1024
    messages_per_second: int = 50
    burst: int = 100
    channels: int = 50
    faults: int = 10
    heartbeat_seconds: float = 30.0
    send_seconds: float = 10.0
    goodbye_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a socket is closed (RFC 6455, 7.4; those from 4000 on are ours)."""

    code: int
    reason: str


RESTART = Ending(1012, "server_restarts")
TOO_SLOW = Ending(4429, "too_slow")
TOO_FAST = Ending(4429, "too_fast")
TOO_BIG = Ending(1009, "frame_too_big")
TOO_MANY_FAULTS = Ending(1008, "too_many_faults")
SILENT = Ending(4408, "heartbeat_lost")
GONE = Ending(1006, "gone")  # never sent: the peer has left
_RETRY_MS = (500, 5000)
Handle = Callable[[Any], Awaitable[None]]


class FrameSocket:
    """Per connection, from its acceptance on. `known`: the frames that a peer may send. `charge` takes what one costs
    from the budget of whoever sends it, and raises QuotaExceeded.
    """

    def __init__(
        self, websocket: WebSocket, known: TypeAdapter[Any], limits: SocketLimits, charge: Handle | None = None
    ) -> None:
        self._websocket = websocket
        self._known = known
        self._limits = limits
        extension: FramesExtension | None = websocket.scope.get("extensions", {}).get(EXTENSION)
        self._takes_frames = extension is not None
        self._write = extension["write"] if extension is not None else None
        self._pace = Pace(limits.messages_per_second, limits.burst)
        self._charge = charge
        self._faults = self._unpaid = 0
        self._heard = self._pinged = time.monotonic()
        self._waiting: asyncio.Timeout | None = None
        self.ending: Ending | None = None

    async def welcome(self, expires_at: datetime | None) -> None:
        limits = self._limits
        await self.send(
            frames.Welcome(
                connection_id=new_id("con"),
                heartbeat_seconds=limits.heartbeat_seconds,
                expires_at=expires_at,
                limits=frames.Limits(
                    frame_bytes=limits.frame_bytes,
                    messages_per_second=limits.messages_per_second,
                    burst=limits.burst,
                    channels=limits.channels,
                ),
            )
        )

    def end(self, ending: Ending) -> None:
        """Soon. From anywhere in the event loop, and never waits; the first one counts."""
        if self.ending is None:
            self.ending = ending
            if self._waiting is not None and not self._waiting.expired():
                self._waiting.reschedule(0)

    def expire(self, error: AppError) -> None:
        """The peer's credential has ended, as the error says."""
        self.end(Ending(4401, error.code))

    async def send(self, frame: BaseModel) -> None:
        await self.send_text(frame.model_dump_json())

    async def send_text(self, text: str) -> bool:
        """Whether it was sent: nothing is once the socket ends. Waits while the peer does not read; where that takes
        too long, the socket ends.
        """
        if self.ending is not None:
            return False
        return await self._send({"type": "websocket.send", "text": text}, self._limits.send_seconds)

    def pieces(self, texts: Sequence[Prepared]) -> Iterator[Sequence[Prepared]]:
        """As `send_piece` takes them: as few as possible."""
        return in_chunks(texts) if self._takes_frames else ([each] for each in texts)

    async def send_piece(self, piece: Sequence[Prepared]) -> bool:
        """Whether it was sent, as `send_text`: all of it, or nothing, also where it is cancelled."""
        if not self._takes_frames:
            return await self.send_text(piece[0].text)
        if self.ending is not None:
            return False
        message = {"type": "websocket.send", "frames": b"".join(each.frame for each in piece)}
        return await self._send(message, self._limits.send_seconds)

    def send_at_once(self, texts: Sequence[Prepared]) -> bool:
        """Whether they were sent, all of them, as one piece. Nothing is where that is too large, or would wait."""
        if self._write is None or self.ending is not None:
            return False
        piece = as_one(texts)
        return piece is not None and self._write(piece)

    async def _send(self, message: dict[str, Any], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._websocket.send(message)
        except TimeoutError:
            if self.ending is None:
                SLOW.labels("websocket").inc()
            self.end(TOO_SLOW)
            return False
        except (WebSocketDisconnect, RuntimeError):  # it is gone, or was closed meanwhile
            self.end(GONE)
            return False
        return True

    async def run(self, handle: Handle) -> None:
        """Until the peer leaves or the socket ends. `handle` gets what is not answered here; the AppErrors that it
        raises are told to the peer.
        """
        while self.ending is None:
            text = await self._receive()
            if text is not None and self.ending is None:
                await self._take(text, handle)

    async def close(self, cursors: Mapping[str, str | None] = MappingProxyType({})) -> None:
        """Says why, and where the server restarts, where to go on. A peer that does not read is not waited for long."""
        ending = self.ending
        if ending is None or ending is GONE:
            return
        seconds = self._limits.goodbye_seconds
        if ending is RESTART:
            await self._send({"type": "websocket.send", "text": _reconnect(cursors).model_dump_json()}, seconds)
        await self._send({"type": "websocket.close", "code": ending.code, "reason": ending.reason}, seconds)

    async def _receive(self) -> str | None:
        """The next frame; None where the socket has ended instead, or it was time for a ping."""
        heartbeat = self._limits.heartbeat_seconds
        due = min(self._pinged + heartbeat, self._heard + 2 * heartbeat) - time.monotonic()
        message = None
        try:
            async with asyncio.timeout(max(due, 0)) as self._waiting:
                message = await self._websocket.receive()
        except TimeoutError:
            if self.ending is None:
                await self._beat()
            return None
        finally:
            self._waiting = None
        if message["type"] == "websocket.disconnect":
            self.end(GONE)
            return None
        self._heard = time.monotonic()
        return message.get("text") or ""

    async def _beat(self) -> None:
        if time.monotonic() - self._heard >= 2 * self._limits.heartbeat_seconds:
            self.end(SILENT)
        else:
            self._pinged = time.monotonic()
            await self.send(frames.Ping())

    async def _take(self, text: str, handle: Handle) -> None:
        if len(text.encode()) > self._limits.frame_bytes:  # a server of ours has not read it this far
            self.end(TOO_BIG)
            return
        if not self._pace.allows():
            await self.refuse(TooManyMessages("too many messages in too short a time"))
            if self._pace.exhausted:
                self.end(TOO_FAST)
            return
        try:
            frame = self._known.validate_json(text)
        except ValidationError as error:
            await self.refuse(InvalidFrame(_fault(error)))
            self._faults += 1
            if self._faults > self._limits.faults:
                self.end(TOO_MANY_FAULTS)
            return
        if await self._is_paid(frame):
            await self._answer(frame, handle)

    async def _is_paid(self, frame: Any) -> bool:
        """Whether it may be carried out. The peer is told where not, and who goes on all the same is closed. The answer
        to a ping of ours costs nothing.
        """
        if self._charge is None or isinstance(frame, frames.Pong):
            return True
        try:
            await self._charge(frame)
        except RateLimited as error:
            await self.refuse(error, getattr(frame, "channel", None))
            self._unpaid += 1
            if self._unpaid > self._limits.faults:
                self.end(TOO_FAST)
            return False
        self._unpaid = 0
        return True

    async def _answer(self, frame: Any, handle: Handle) -> None:
        if isinstance(frame, frames.Ping):
            await self.send(frames.Pong())
        elif isinstance(frame, frames.Echo):
            await self.send(frame)
        elif not isinstance(frame, frames.Pong):
            try:
                await handle(frame)
            except AppError as error:
                if isinstance(error, Unavailable):
                    report(failure_of(error), response_started=True)
                await self.refuse(error, getattr(frame, "channel", None))

    async def refuse(self, error: AppError, channel: str | None = None) -> None:
        """Tells the peer; the socket stays open."""
        await self.send(frames.ErrorFrame(code=error.code, message=error.detail, channel=channel))


def _reconnect(cursors: Mapping[str, str | None]) -> frames.Reconnect:
    """Ids of events sort as the log does."""
    known = [cursor for cursor in cursors.values() if cursor is not None]
    retry_ms = random.randint(*_RETRY_MS)  # noqa: S311  no secret
    return frames.Reconnect(after=min(known, default=None), cursors=dict(cursors), retry_ms=retry_ms)


def _fault(error: ValidationError) -> str:
    """The first one, without what was sent."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
