"""uvicorn with two things more: the application learns when it is served, and of the shutdown before connections are
waited for. What is loaded by then is kept from the garbage collector.
"""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from gateway import heap

# In-flight requests and streams get this long after SIGTERM; below gunicorn's graceful_timeout of 30 s.
DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 75  # longer than the usual 60 s of a balancer, which must be the one that closes
OPTIONS: dict[str, Any] = {
    "lifespan": "on",
    "access_log": False,  # the root middleware writes it
    "proxy_headers": False,  # the same: PORTICO_TRUSTED_PROXIES
    "server_header": False,
    "timeout_graceful_shutdown": DRAIN_SECONDS,
}


class DrainingServer(uvicorn.Server):
    """Sets the lifespan state's `draining` event first: readiness turns 503 and every stream says goodbye."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self.draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        heap.settle()
        self._set("serving")
        if self._on_ready is not None:
            self._on_ready()

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
