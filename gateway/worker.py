"""The gunicorn worker. What uvicorn-worker's own leaves open: it drains streams, goes on beating while it drains,
obeys SIGQUIT, and knows its root path.
"""

import asyncio
import contextlib
import os
import signal
from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from gateway.server import OPTIONS, DrainingServer

BEAT_SECONDS = 1.0


class GatewayWorker(UvicornWorker):  # type: ignore[misc]  # untyped
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "auto", **OPTIONS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.root_path = self.cfg.root_path or ""

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = DrainingServer(self.config)
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, self._quit, server)
        # uvicorn raises the signal again when it has drained: without a handler the worker would die of it there,
        # before its last log lines are written.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        beat = asyncio.create_task(self._beat(server))
        try:
            # A start that fails exits with 3 in there, by which the master knows not to try again.
            await server.serve(sockets=self.sockets)
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat

    def _quit(self, server: DrainingServer) -> None:
        """Now: requests are cancelled instead of awaited, also where the worker drains already; the lifespan is still
        closed.
        """
        self.config.timeout_graceful_shutdown = 0
        server.should_exit = True
        if server.draining:
            server.cancel_requests()

    async def _beat(self, server: DrainingServer) -> None:
        """The master kills a worker that is silent for `timeout`; uvicorn itself falls silent when it shuts down. A
        worker whose master was killed drains: it would keep the port from the next master.
        """
        while True:
            self.notify()
            if os.getppid() != self.ppid:
                server.should_exit = True
            await asyncio.sleep(BEAT_SECONDS)
