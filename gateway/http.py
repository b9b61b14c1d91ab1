"""How HTTP is spoken: uvicorn's protocol, which writes an answer that is finished as it is (`core.web.finished`)."""

from functools import partial

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from core.web.finished import EXTENSION, head_of


class HttpProtocol(HttpToolsProtocol):
    """Per connection."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.scope["extensions"] = {EXTENSION: {"write": partial(_write, cycle)}}
        super()._start_asgi_task(cycle, app)


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
