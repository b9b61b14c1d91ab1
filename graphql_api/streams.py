"""What streams over WebSocket and SSE share: the place that each holds, why it ends, and how it gets its events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import Literal, TypeVar

from commerce.accounts.principal import Principal
from commerce.accounts.throttling import caller_of
from commerce.accounts.watch import CredentialWatch
from commerce.events.feed import EventFeed
from core.eventlog import Event
from core.streams.broadcast import Broadcast, Draining, TooSlow
from core.streams.places import Places
from core.web.sockets.sockets import ServerStopping

T = TypeVar("T")
# Why a stream ends. `left`: the client went away, or was told by the protocol why.
Reason = Literal["draining", "too_slow", "too_fast", "too_big", "expired", "revoked", "silent", "left"]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Of each connection but for the first two, which are of a process and kind of stream."""

    per_caller: int = 100
    in_all: int = 5_000
    operations: int = 20  # at a time, on one WebSocket
    messages_per_second: int = 50
    burst: int = 100
    init_seconds: float = 10.0
    ping_seconds: float = 30.0  # on a WebSocket; who is silent for two of them is gone
    comment_seconds: float = 15.0  # between the comments of SSE


class Line:
    """Per connection: the place that it holds, and why it ends. Who ends it first is right."""

    def __init__(self, broadcast: Broadcast, watch: CredentialWatch) -> None:
        self.broadcast = broadcast
        self.reason: Reason | None = None
        self._watch = watch
        self._ended = asyncio.Event()
        self._held = ExitStack()

    def admit(self, principal: Principal, places: Places, address: str) -> None:
        """Takes a place for the principal, in exchange for the one that it holds, and ends with their credential.
        Raises ServerStopping, TooManyStreams.
        """
        if self.broadcast.draining:
            raise ServerStopping(retry_after_seconds=1)
        with ExitStack() as held:
            held.enter_context(places.take(caller_of(principal, address)))
            if principal.kind != "anonymous":
                held.callback(self._watch.follow(principal, self.end))
            self._held.close()
            self._held = held.pop_all()

    def release(self) -> None:
        self._held.close()

    def end(self, reason: Reason) -> None:
        self.reason = self.reason or reason
        self._ended.set()

    async def wait(self) -> None:
        """Until it ends."""
        await self._ended.wait()


async def follow(
    line: Line, feed: EventFeed, refresh: Callable[[], None], make: Callable[[Event], T]
) -> AsyncGenerator[T, None]:
    """What is made of each event. What keeps the feed from beginning is raised here, before there is a stream: raises
    CursorTooOld.

    `refresh` is called for each batch, when all its events have been committed: what was read before is old then.
    """
    batches = _batches(line, feed, refresh)
    await anext(batches)
    return _each(batches, make)


async def _batches(line: Line, feed: EventFeed, refresh: Callable[[], None]) -> AsyncGenerator[list[Event], None]:
    """An empty one when the feed is open, then what comes. Where the server ends the stream, so does the line: it is
    not complete.
    """
    async with feed:
        yield []
        while True:
            try:
                taken = await feed.take()
            except (Draining, TooSlow) as why:
                line.end("draining" if isinstance(why, Draining) else "too_slow")
                return
            refresh()
            yield [each.event for each in taken]


async def _each(batches: AsyncGenerator[list[Event], None], make: Callable[[Event], T]) -> AsyncGenerator[T, None]:
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield make(event)
                await asyncio.sleep(0)  # a page of the log is half a second of work
