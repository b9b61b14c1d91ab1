"""How HTTP is spoken: uvicorn's protocol, which writes an answer that is finished as it is (`core.web.finished`)."""

import asyncio
from functools import partial

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from core.web.finished import EXTENSION, head_of

_LAST_REQUEST_SECONDS = 1.0


class HttpProtocol(HttpToolsProtocol):
    """Per connection. While the server drains each request is the last of its connection, and one that may be on its
    way to a connection that is open already is waited for: none is closed in the face of a request.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._draining:  # taken while the others were told
            self.shutdown()

    def shutdown(self) -> None:
        if getattr(self.cycle, "response_complete", True):  # None before the first request
            self.loop.call_later(_LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.scope["extensions"] = {EXTENSION: {"write": partial(_write, cycle)}}
        if self._draining:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    @property
    def _draining(self) -> bool:
        draining: asyncio.Event | None = self.app_state.get("draining")
        return draining is not None and draining.is_set()


def _write(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """What `RequestResponseCycle.send` does with both messages. The rarer things are left to that."""
    if cycle.response_started or cycle.disconnected or not cycle.keep_alive or cycle.flow.write_paused:
        return False
    lines = (STATUS_LINE[status], head_of(cycle.default_headers), head, b"\r\n")
    cycle.transport.writelines([b"".join(lines), body])
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    cycle.on_response()
    return True
