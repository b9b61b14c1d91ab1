"""GraphQL over SSE (graphql-sse's PROTOCOL.md), distinct connections: one stream for one operation.

`event: next` for each result, `event: complete` when there are no more. A stream that the server ends, because it stops
or the client's credential has ended, has no `complete`: its clients come back, and go on with `after`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, suppress
from typing import Any

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry.http import process_result
from strawberry.types import ExecutionResult

from graphql_api.streams import Line

MEDIA_TYPE = "text/event-stream"
_HEADERS = {
    "Content-Type": MEDIA_TYPE,  # without a charset: it has no other
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back
}
_PING = format_sse_event(comment="ping")
_COMPLETE = format_sse_event(event="complete", data_str="")

Results = AsyncGenerator[ExecutionResult, None]


def accepts_events(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() == MEDIA_TYPE for part in accept.split(","))


class EventStream(StreamingResponse):
    """`admitted` is entered before anything is sent, and left when the stream ends, however that is."""

    def __init__(
        self, results: Results, line: Line, admitted: Callable[[], AbstractContextManager[None]], seconds: float
    ) -> None:
        self._events = _events(results, line, seconds)
        self._admitted = admitted
        super().__init__(self._events, headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._admitted():
            async with aclosing(self._events):
                await super().__call__(scope, receive, send)


async def _events(results: Results, line: Line, seconds: float) -> AsyncGenerator[bytes, None]:
    ended: asyncio.Future[Any] = asyncio.create_task(line.wait())
    upcoming: asyncio.Future[Any] | None = None
    try:
        yield _PING  # so that the client knows at once that it is heard
        while line.reason is None:
            upcoming = upcoming or asyncio.ensure_future(anext(results, None))
            await asyncio.wait((upcoming, ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if line.reason is not None:
                return
            if not upcoming.done():
                yield _PING
                continue
            result: ExecutionResult | None = upcoming.result()
            if result is None:
                yield _COMPLETE
                return
            upcoming = None
            yield format_sse_event(event="next", data_str=json.dumps(process_result(result), separators=(",", ":")))
    finally:
        ended.cancel()
        if upcoming is not None:
            upcoming.cancel()
            with suppress(asyncio.CancelledError):
                await upcoming
        await results.aclose()
