"""A run as server-sent events, and as one JSON body."""

import json
import random
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from fastapi.sse import format_sse_event

from commerce.assistant.entities import RunEvent
from commerce.assistant.feed import RunFeed
from core.errors import AppError, Unavailable, error_classes
from core.resources import Resources
from core.streams.broadcast import Broadcast, Draining
from core.streams.places import Places
from core.web.event_stream import joined
from public_api.assistant.schemas import event_data

KIND = "assistant"
PLACES = Places(per_key=20, in_all=1_000, kind=KIND)
# Whoever waits for one body holds a place among the requests of this door, where readers of a stream hold none.
WAITING = Places(per_key=4, in_all=16, kind="assistant_json")
_BACK_MS = (500, 3_000)  # after a break or a drain: by chance, so that not all come back at once


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. `lifetime`: longer than any run."""

    ping: float = 15.0
    lifetime: float = 300.0


async def get_timing() -> Timing:
    return Timing()


async def chunks(
    resources: Resources,
    broadcast: Broadcast,
    run_id: str,
    *,
    after: int,
    caller: str,
    timing: Timing,
    on_left: Callable[[], None] | None = None,
) -> AsyncGenerator[bytes, None]:
    """`on_left` is called where the client leaves before the run ends. Raises TooManyStreams before the first."""
    with PLACES.take(caller), ExitStack() as stack:
        async with RunFeed(resources.database, resources.hub, run_id, after=after) as feed:
            stack.callback(broadcast.at_drain(lambda: feed.close(Draining())))
            said_goodbye = False
            try:
                yield b"retry: %d\n" % random.randint(*_BACK_MS) + format_sse_event(comment=run_id)  # noqa: S311  no secret
                async for chunk in _follow(feed, run_id, timing):
                    yield chunk
            except Draining:
                said_goodbye = True
                yield _goodbye(feed.after)
            finally:
                if on_left is not None and not feed.ended and not said_goodbye and not broadcast.draining:
                    on_left()


async def _follow(feed: RunFeed, run_id: str, timing: Timing) -> AsyncGenerator[bytes, None]:
    """Raises Draining."""
    now = get_running_loop().time
    ends = now() + timing.lifetime
    while not feed.ended and (left := ends - now()) > 0:
        events = await feed.take(min(timing.ping, left))
        for chunk in joined(_frame(run_id, event) for event in events):
            yield chunk
        if not events and not feed.ended:
            yield format_sse_event(comment="ping")


async def whole(resources: Resources, run_id: str, seconds: float) -> list[RunEvent]:
    """All that the run says, when it has ended. Raises what ended it, where that is an error; and Unavailable where the
    server stops before, or it takes too long.
    """
    found: list[RunEvent] = []
    deadline = get_running_loop().time() + seconds
    async with RunFeed(resources.database, resources.hub, run_id) as feed:
        while not feed.ended and (left := deadline - get_running_loop().time()) > 0:
            found += await feed.take(left)
    if not found or not found[-1].is_last:
        raise Unavailable(f"{run_id} goes on without you: read its events", retry_after_seconds=1)
    if found[-1].type == "error":
        raise _raised(run_id, found[-1])
    return found


def _raised(run_id: str, event: RunEvent) -> AppError:
    kind = error_classes()[event.data["code"]]
    error = kind.__new__(kind)
    AppError.__init__(error, f"{event.data['detail']}; what was said is in the events of {run_id}")
    return error


def _frame(run_id: str, event: RunEvent) -> bytes:
    data = json.dumps(event_data(run_id, event), ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(data_str=data, event=event.type, id=str(event.number))


def _goodbye(after: int) -> bytes:
    retry_ms = random.randint(*_BACK_MS)  # noqa: S311  no secret
    data = json.dumps({"after": after, "retry_ms": retry_ms})
    return format_sse_event(data_str=data, event="reconnect", id=str(after), retry=retry_ms)
