"""uvicorn with more: the application learns when it is served, and of the shutdown before connections are waited for;
connections whose other end is gone, or reads nothing, do not live for ever; and what is loaded by the time it serves is
kept from the garbage collector.
"""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from gateway import heap
from gateway.http import HttpProtocol
from gateway.websockets import FRAME_BYTES, PING_SECONDS, SocketProtocol

# In-flight requests and streams get this long after SIGTERM; with what closes after them the process is gone within
# 20 s, and gunicorn's graceful_timeout of 28 s is far.
DRAIN_SECONDS = 18
KEEP_ALIVE_SECONDS = 75  # longer than the usual 60 s of a balancer, which must be the one that closes
OPTIONS: dict[str, Any] = {
    "lifespan": "on",
    "access_log": False,  # the root middleware writes it
    "proxy_headers": False,  # the same: PORTICO_TRUSTED_PROXIES
    "server_header": False,
    "timeout_graceful_shutdown": DRAIN_SECONDS,
    "http": HttpProtocol,
    "ws": SocketProtocol,
    "ws_max_size": FRAME_BYTES,
    "ws_per_message_deflate": False,  # costs memory for each socket, and time for each that an event is sent to
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": 2 * PING_SECONDS,
}

# Of silence, and of bytes that the other end does not take.
DEAD_SECONDS = 60
_PROBES = 6
_SWEEP_SECONDS = 1.0
_SWEEP_TICKS = 10  # of uvicorn's, in that time
WARM_TICKS = 100  # ten seconds: what is loaded late is there, and what first requests make once


def let_go_of_the_dead(listener: socket.socket, *, seconds: int = DEAD_SECONDS) -> None:
    """The kernel breaks connections off whose other end has vanished without a word or takes nothing for so long. Linux
    hands the options of a listening socket on to those that it accepts (tcp(7)).
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    between = max(1, seconds // _PROBES)
    options = {
        "TCP_KEEPIDLE": between,
        "TCP_KEEPINTVL": between,
        "TCP_KEEPCNT": _PROBES - 1,
        "TCP_USER_TIMEOUT": seconds * 1000,  # also where the other end answers probes, and has closed its window
    }
    for name, value in options.items():
        if hasattr(socket, name):  # not all are everywhere
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class DrainingServer(uvicorn.Server):
    """Sets the lifespan state's `draining` event first: readiness turns 503 and every stream says goodbye."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self.draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            let_go_of_the_dead(listener)
        await super().startup(sockets)
        heap.settle()
        self._set("serving")
        if self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        if counter == WARM_TICKS:
            heap.settle_again()
        if counter % _SWEEP_TICKS == 0:
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, HttpProtocol):
                    connection.sweep(_SWEEP_SECONDS)  # not longer where the loop was late: they may have been in time
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.draining = True
        self._set("draining")
        await super().shutdown(sockets)

    def _set(self, name: str) -> None:
        """An event of the lifespan's state, which a start that failed has not."""
        event = self.lifespan.state.get(name)
        if event is not None:
            event.set()

    def cancel_requests(self) -> None:
        for task in self.server_state.tasks:
            task.cancel(msg="The server stops at once")
