"""How HTTP is spoken: uvicorn's protocol, which writes an answer that is finished as it is (`core.web.finished`), and
bounds what a peer can make the server hold, and for how long (docs/hostile-clients.md).
"""

import asyncio
from functools import partial
from typing import Any, Literal

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from core.web.finished import EXTENSION, head_of

HEAD_BYTES = 64 * 1024  # of a request's line and headers
HEADERS = 200
# Until a connection sends anything, and then for each head to be whole.
HEAD_SECONDS = 20.0
# That a body may be slower than BODY_RATE, in bytes a second, all its pauses together.
BODY_SECONDS = 20.0
BODY_RATE = 500
# That a peer has to stop sending a body that was answered before its end.
HANG_UP_SECONDS = 5.0
LAST_REQUEST_SECONDS = 1.0  # that a connection is open for it when the server drains
_Doing = Literal["idle", "head", "body", "working", "answered"]


class HttpProtocol(HttpToolsProtocol):
    """Per connection. Nothing is timed for each request: the server calls `sweep` every second. While it drains each
    request is the last of its connection, and one that may be on its way to a connection that is open already is waited
    for: none is closed in the face of a request.
    """

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    hang_up_seconds = HANG_UP_SECONDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._read = 0  # bytes, in one go
        self._head = 0  # of a head that is not whole yet
        self._body = 0  # since the last sweep
        self._doing: _Doing = "idle"  # at the last sweep, and with which scope or cycle
        self._about: object = None
        self._left = self.head_seconds
        self._last = False  # whether the next request is the last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        draining: asyncio.Event | None = self.app_state.get("draining")
        if draining is not None and draining.is_set():  # taken while the others were told
            self.shutdown()

    def shutdown(self) -> None:
        self._last = True
        if getattr(self.cycle, "response_complete", True):  # None before the first request
            self.loop.call_later(LAST_REQUEST_SECONDS, self._hang_up)
        else:
            super().shutdown()

    def _hang_up(self) -> None:
        if self in self.connections:  # and has not become a WebSocket, which the application ends
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        self._read = len(data)
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            self._head += len(data)
            if self._head > HEAD_BYTES and self in self.connections:  # and has not become a WebSocket
                self._refuse(431)
        elif self._head:
            self._head = 0

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """What comes after the head is no header (RFC 9110, 6.5.1): uvicorn would add the trailers to them."""
        self.headers = []

    def sweep(self, seconds: float) -> None:
        """So many seconds after the last. Breaks off a connection whose peer takes too long."""
        doing, about = self._now()
        if doing != self._doing or about is not self._about:
            self._doing, self._about, self._body = doing, about, 0
            self._left = self._patience(doing)
            return
        if doing == "working" or self.flow.read_paused:  # it is for us to go on
            return
        self._left -= seconds
        if doing == "body":
            self._left = min(self.body_seconds, self._left + self._body / BODY_RATE)
            self._body = 0
        if self._left < 0 and not self.transport.is_closing():
            self._break_off(doing)

    def _now(self) -> tuple[_Doing, object]:
        scope: object | None = self.scope  # uvicorn's types do not say that there may be none
        cycle: RequestResponseCycle | None = self.cycle
        if scope is not None and (cycle is None or cycle.scope is not scope):
            return "head", scope
        if cycle is None:
            return "idle", None
        if cycle.response_complete:
            return ("answered" if cycle.more_body else "idle"), cycle
        return ("body" if cycle.more_body else "working"), cycle

    def _patience(self, doing: _Doing) -> float:
        if doing == "idle" and self.cycle is not None:
            return float(self.timeout_keep_alive)
        return {"body": self.body_seconds, "answered": self.hang_up_seconds}.get(doing, self.head_seconds)

    def _break_off(self, doing: _Doing) -> None:
        if doing == "head" or (doing == "body" and not self.cycle.response_started):
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """By the server itself: there is no request yet, or not all of one."""
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[status] + b"connection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        headers = cycle.scope["headers"]
        large = (self._head or self._read > HEAD_BYTES) and _bytes_of(cycle.scope) > HEAD_BYTES
        if large or len(headers) > HEADERS:  # type: ignore[arg-type]
            app = _head_too_large
        cycle.scope["extensions"] = {EXTENSION: {"write": partial(_write, cycle)}}
        if self._last:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)


def _bytes_of(scope: Any) -> int:
    line = len(scope["raw_path"]) + len(scope["query_string"])
    return line + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


async def _head_too_large(_scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    headers = [(b"connection", b"close"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


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
