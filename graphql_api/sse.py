"""GraphQL over SSE (graphql-sse's PROTOCOL.md), distinct connections: one stream for one operation.

`event: next` for each result, `event: complete` when there are no more. A stream that the server ends, because it stops
or the client's credential has ended, has no `complete`: its clients come back, and go on with `after`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, suppress
from typing import Any

from fastapi.sse import format_sse_event
from strawberry.http import process_result
from strawberry.types import ExecutionResult

from graphql_api.streams import Line

_PING = format_sse_event(comment="ping")
_COMPLETE = format_sse_event(event="complete", data_str="")

Results = AsyncGenerator[ExecutionResult, None]


def accepts_events(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() == "text/event-stream" for part in accept.split(","))


async def event_stream(
    results: Results, line: Line, admitted: AbstractContextManager[None], seconds: float
) -> AsyncGenerator[bytes, None]:
    """A comment first, so that the client knows that it is heard, and whenever there was nothing for so many seconds.

    Raises what `admitted` raises, before that.
    """
    with admitted:
        ended: asyncio.Future[Any] = asyncio.create_task(line.wait())
        upcoming: asyncio.Future[Any] | None = None
        try:
            yield _PING
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
            for task in (ended, upcoming):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            await results.aclose()
