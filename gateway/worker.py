"""The gunicorn worker. What uvicorn-worker's own leaves open: it drains streams, goes on beating while it drains,
obeys SIGQUIT, and knows its root path.
"""

import asyncio
import contextlib
import signal
import sys
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from gateway.server import OPTIONS, DrainingServer

BEAT_SECONDS = 1.0


class GatewayWorker(UvicornWorker):  # type: ignore[misc]  # untyped
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "auto", "http": "auto", **OPTIONS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.root_path = self.cfg.root_path or ""

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = DrainingServer(self.config)
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, self._quit, server)
        beat = asyncio.create_task(self._beat())
        try:
            await server.serve(sockets=self.sockets)
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def _quit(self, server: DrainingServer) -> None:
        """Now: requests are cancelled instead of awaited, and the lifespan is still closed."""
        self.config.timeout_graceful_shutdown = 0
        server.should_exit = True

    async def _beat(self) -> None:
        """The master kills a worker that is silent for `timeout`; uvicorn itself falls silent when it shuts down."""
        while True:
            self.notify()
            await asyncio.sleep(BEAT_SECONDS)
