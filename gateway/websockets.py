"""How WebSockets are spoken: uvicorn's protocol over the library `websockets`, with what it leaves open.

What a peer can make the server hold is bounded, a peer that does not read is cut off, and the application says goodbye
itself (docs/adr/0013).
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from core.web.sockets.prepared import EXTENSION

FRAME_BYTES = 64 * 1024  # of a message in all its fragments; a larger one is not read to its end
PING_SECONDS = 30.0  # of the protocol itself, for sockets whose application has no heartbeat of its own
_PIECES = 64
_SAID_ALREADY = "ASGI callable returned without completing handshake."


def _is_news(record: logging.LogRecord) -> bool:
    """Not that a socket was opened: that line names its address, which may hold a ticket, and the access log has it.
    Nor that a peer sent what is not UTF-8, which is answered with 1007, nor that a denial was no handshake.
    """
    if record.msg == _SAID_ALREADY:
        return False
    error = record.exc_info[0] if record.exc_info else None
    return record.levelno > logging.INFO and not (error is not None and issubclass(error, UnicodeDecodeError))


_log = logging.getLogger("uvicorn.error.websocket")
_log.addFilter(_is_news)


class _Protocol(ServerProtocol):
    def recv_frame(self, frame: Frame) -> None:
        """A close between the fragments of a message is a close (RFC 6455, 5.4), and no fault of the peer."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class SocketProtocol(WebSocketsSansIOProtocol):
    """Per connection."""

    goodbye_seconds = 2.0  # that an application has, when the server stops, to close its sockets itself
    close_seconds = 5.0  # that a peer has to answer a close, and to read what was sent before

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = _log
        self.conn = _Protocol(max_size=self.config.ws_max_size, logger=_log)
        self.close_timeout = self.close_seconds
        self._cut: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def handle_cont(self, event: Frame) -> None:
        """However small the fragments are: their bytes are limited, their number is not."""
        if len(self.frames) >= _PIECES:
            self.frames = [b"".join(self.frames)]
        super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        """Closing at once, while the peer still sends, would reset the connection, and the peer never learn why."""
        if self.close_sent:
            return
        closed = self.conn.close_sent
        assert closed is not None  # noqa: S101  the parser fails so
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()  # to the end, into nothing
        self.close_timer = self.loop.call_later(self.close_seconds, self.transport.abort)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()  # it is small: who reads too slowly finds it behind what they have not read
        if "frames" in message:
            await self._send_frames(message["frames"])
        else:
            await super().send(message)

    async def _send_frames(self, frames: bytes) -> None:
        """Whole ones, as they are."""
        await self.writable.wait()
        if not self._write(frames):
            raise ClientDisconnected

    def _write(self, frames: bytes) -> bool:
        """Whether it was: not to a peer that has to read first, nor after the close of either side."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True

    def shutdown(self) -> None:
        """When the server stops."""
        if self.handshake_complete and not self.close_sent:
            self.loop.call_later(self.goodbye_seconds, self._shut_down)
        else:
            super().shutdown()

    def _shut_down(self) -> None:
        if not self.disconnected:
            super().shutdown()
            self._cut_off_soon()

    async def run_asgi(self) -> None:
        self.scope["extensions"][EXTENSION] = {"write": self._write}
        await super().run_asgi()
        self._cut_off_soon()

    def _cut_off_soon(self) -> None:
        """A transport that is closed waits until its peer has read all, were it for ever."""
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(self.close_seconds, self.transport.abort)
