"""What all sockets of a process share: places, limits, and the word that the server stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends
from pydantic import TypeAdapter
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from core.errors import Unavailable
from core.streams.broadcast import Broadcast
from core.streams.places import Places
from core.web.sockets.connection import RESTART, FrameSocket, Handle, SocketLimits
from core.web.sockets.handshake import chosen_subprotocol

PER_KEY = 100  # sockets of one person or key
IN_ALL = 10_000  # some 60 kB each, while they are idle


class ServerStopping(Unavailable):
    """This server is about to stop, and takes no new streams. Another answers, or will at once: come back."""

    code = "server_stopping"
    title = "Server is stopping"


def _places() -> Places:
    return Places(PER_KEY, IN_ALL, kind="websocket")


@dataclass(frozen=True, slots=True)
class Sockets:
    """Per process."""

    broadcast: Broadcast
    limits: SocketLimits = field(default_factory=SocketLimits)
    places: Places = field(default_factory=_places)

    def require_running(self) -> None:
        """Raises ServerStopping."""
        if self.broadcast.draining:
            raise ServerStopping(retry_after_seconds=1)

    @asynccontextmanager
    async def accept(
        self,
        websocket: WebSocket,
        known: TypeAdapter[Any],
        *,
        key: str,
        expires_at: datetime | None,
        charge: Handle | None = None,
    ) -> AsyncIterator[FrameSocket]:
        """Welcomes the peer, and ends its socket when the server stops. Raises TooManyStreams before it accepts."""
        with self.places.take(key):
            await websocket.accept(subprotocol=chosen_subprotocol(websocket))
            socket = FrameSocket(websocket, known, self.limits, charge)
            leave = self.broadcast.at_drain(partial(socket.end, RESTART))
            try:
                await socket.welcome(expires_at)
                yield socket
            finally:
                leave()


async def get_sockets(connection: HTTPConnection) -> Sockets:
    """This process's."""
    sockets: Sockets = connection.state.sockets
    return sockets


SocketsDep = Annotated[Sockets, Depends(get_sockets)]
