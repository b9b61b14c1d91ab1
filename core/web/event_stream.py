"""Server-sent events (WHATWG HTML, 9.2): answers that go on until one of both ends leaves."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from core.streams.broadcast import SLOW
from core.web.leaving import until_left
from core.web.middleware.head import is_head

_CHUNK = 64 * 1024  # what a client that does not read can hold of us, beside the server's buffer of as much
# A client that takes nothing for so long is let go: it holds a place that others may want.
_SEND_SECONDS = 30.0
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back
}

# How OpenAPI tells of such an answer: by its events, in 3.2's word, which readers of 3.1 pass over.
DESCRIPTION = {
    "content": {
        "text/event-stream": {
            "itemSchema": {
                "type": "object",
                "properties": {
                    "event": {"type": "string"},
                    "id": {"type": "string"},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                    "retry": {"type": "integer", "minimum": 0},
                },
            }
        }
    }
}


def joined(frames: Iterable[bytes]) -> Iterator[bytes]:
    """As few chunks as possible, none of which is much larger than 64 KiB."""
    pending: list[bytes] = []
    size = 0
    for frame in frames:
        pending.append(frame)
        size += len(frame)
        if size >= _CHUNK:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)


class EventStreamResponse(StreamingResponse):
    """Sends chunks as they come. For HEAD none is made.

    The first is awaited before the answer begins: what it raises is still answered with a status. The generator is
    closed, where it stands, as soon as the client has left, takes nothing any more, or the server stops.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes, None], *, kind: str, send_seconds: float = _SEND_SECONDS) -> None:
        """`kind` of stream is for the metrics."""
        super().__init__(chunks, headers=_HEADERS)
        self._kind = kind
        self._pieces = chunks
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._pieces):
            first = b"" if is_head(scope) else await anext(self._pieces)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if not is_head(scope):
                await until_left(self._send(first, send), receive)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, first: bytes, send: Send) -> None:
        chunk: bytes | None = first
        while chunk is not None:
            try:
                async with asyncio.timeout(self._send_seconds):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except TimeoutError:
                SLOW.labels(self._kind).inc()
                raise ClientDisconnect from None
            await asyncio.sleep(0)
            chunk = await anext(self._pieces, None)
