"""The event log as server-sent events."""

import json
import random
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.sse import format_sse_event
from pydantic import Field

from commerce.accounts.authentication import principal_for
from commerce.accounts.errors import InvalidTicket, TokenExpired
from commerce.accounts.principal import Principal
from commerce.accounts.tickets import principal_of_ticket
from commerce.accounts.watch import CredentialWatch, ended
from commerce.events.envelope import EventEncoder, event_source
from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter
from core.database import Database
from core.errors import AppError, Unauthenticated, Unavailable
from core.eventlog import CursorTooOld, Event, EventLog, event_id, position_of
from core.pagination import InvalidCursor
from core.streams.broadcast import Broadcast, Draining, TooSlow
from core.streams.places import Places, TooManyStreams
from core.web.dependencies import BroadcastDep, ClientAddressDep, ResourcesDep
from core.web.errors import failure_of
from core.web.event_stream import EventStreamResponse, joined
from public_api.auth import RequireScope, RequireSomebody, TokenDep, WatchDep, charged
from public_api.errors import problem_renderer, problems
from public_api.events.endpoints import Narrowed
from public_api.routing import public_router

router = public_router(tags=["Events"])
KIND = "sse"
PLACES = Places(per_key=100, in_all=2_000, kind=KIND)
_BACK_MS = (1_000, 3_000)  # after a break: by chance, so that not all come back at once
_BACK_FROM_DRAIN_MS = (500, 5_000)


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. A stream lasts up to a tenth less than its lifetime, by chance."""

    ping: float = 15.0
    lifetime: float = 3600.0
    send: float = 30.0


async def get_timing() -> Timing:
    return Timing()


class StreamQuery(Narrowed):
    ticket: Annotated[
        str | None, Field(max_length=200, description="Instead of credentials: from `POST /tickets`, for `events`.")
    ] = None


async def get_caller(
    request: Request,
    query: Annotated[StreamQuery, Query()],
    token: TokenDep,
    resources: ResourcesDep,
    address: ClientAddressDep,
) -> Principal:
    if query.ticket is not None:
        finding = principal_of_ticket(query.ticket, "events", resources, address)
    else:
        finding = principal_for(token, resources, "public", address)
    return await charged(request, resources, address, finding)


@dataclass(frozen=True, slots=True)
class RequireScopeOrTicket(RequireScope):
    """Lets through principals that have the scope, also by a ticket of theirs."""

    async def __call__(self, principal: Annotated[Principal, Depends(get_caller)]) -> Principal:
        return await RequireScope.__call__(self, await RequireSomebody()(principal))


class EventStream:
    """One client's."""

    def __init__(
        self, database: Database, broadcast: Broadcast, watch: CredentialWatch, wanted: EventFilter, after: str | None
    ) -> None:
        """Raises InvalidCursor."""
        self._database = database
        self._broadcast = broadcast
        self._watch = watch
        self._principal = wanted.principal
        self._feed = EventFeed(database, broadcast, wanted, kind=KIND, after=after)

    async def chunks(
        self, frame: Callable[[Event], bytes], problem: Callable[[AppError], str], timing: Timing
    ) -> AsyncGenerator[bytes, None]:
        """Raises Unavailable, TooManyStreams before the first."""
        if self._broadcast.draining:
            raise Unavailable("this server is about to stop; another one answers", retry_after_seconds=1)
        with PLACES.take(self._principal.name):
            try:
                async with self._feed as feed:
                    with suppress(Draining):
                        async with aclosing(self._follow(feed, frame, timing)) as followed:
                            async for chunk in followed:
                                yield chunk
                    yield _goodbye(feed.cursor)
            except TooSlow:  # it comes back with the last id that it got
                return
            except CursorTooOld as error:
                yield _retry() + format_sse_event(
                    data_str=problem(error), event=CursorTooOld.code, id=await self._newest()
                )
            except Unauthenticated as error:
                yield format_sse_event(data_str=problem(error), event="error")

    async def _follow(
        self, feed: EventFeed, frame: Callable[[Event], bytes], timing: Timing
    ) -> AsyncGenerator[bytes, None]:
        """Until its lifetime is over. Raises what the feed raises."""
        with ExitStack() as stack:
            stack.callback(self._watch.follow(self._principal, lambda how: feed.close(ended(how))))
            now = get_running_loop().time
            ends = now() + timing.lifetime * random.uniform(0.9, 1.0)  # noqa: S311  no secret
            # With an id, so that a client that is cut off before its first event misses none.
            yield _retry() + format_sse_event(comment="hello", id=feed.cursor)
            while (left := ends - now()) > 0:
                events = await feed.take(min(timing.ping, left))
                for chunk in joined(shared.form(frame) for shared in events):
                    yield chunk
                if not events:
                    yield format_sse_event(comment="ping", id=feed.cursor)

    async def _newest(self) -> str:
        """Where the client can go on after it has read everything anew."""
        async with self._database.read() as session:
            return event_id(await EventLog(session).newest())


@router.get(
    "/events/stream",
    status_code=200,
    response_class=EventStreamResponse,
    summary="Follow the event log",
    responses={
        200: {"description": "Server-sent events, until one of both ends leaves."},
        **problems(InvalidCursor, Unauthenticated, TokenExpired, InvalidTicket, TooManyStreams, Unavailable),
    },
)
async def stream_events(
    request: Request,
    query: Annotated[StreamQuery, Query()],
    principal: Annotated[Principal, Depends(RequireScopeOrTicket("events:read"))],
    resources: ResourcesDep,
    broadcast: BroadcastDep,
    watch: WatchDep,
    timing: Annotated[Timing, Depends(get_timing)],
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="Where to go on; an EventSource sends it by itself. It wins over `after`.",
        ),
    ] = None,
) -> EventStreamResponse:
    """What happens, as it happens, of what you may see; with `after` or `Last-Event-ID`, first what happened since.
    Each event has its `id`, which is the cursor; its type as `event`; and the same JSON as in `GET /events` as `data`.
    Ids come also without an event: remember the last one and come back with it, as an EventSource does, and nothing is
    left out and nothing comes twice.

    Three more events are about the stream, which ends after each:

    * `reconnect`, when the server stops or the stream is old: come back after `retry_ms`, `after` the cursor in its
      data. An EventSource does so by itself.
    * `reset`, when events after your cursor are no longer kept; its data is the problem. Read what you need anew, then
      go on after its `id`. An EventSource goes on by itself.
    * `error`, when your credentials have expired or were revoked, or your ticket opened another stream; its data is the
      problem. An EventSource gets it in its `error` listener, with `data`, which a broken connection has not: close the
      source, and open a new one with a new ticket and `after` the last id. Left alone, it comes back and is refused.

    A comment comes every 15 seconds. A client that reads too slowly is cut off, and comes back.
    """
    after = last_event_id or query.after
    if last_event_id:
        position_of(last_event_id, "/header/Last-Event-ID")
    wanted = EventFilter(principal, frozenset(query.types))
    stream = EventStream(resources.database, broadcast, watch, wanted, after)
    render = problem_renderer(resources.settings)

    def problem(error: AppError) -> str:
        return bytes(render(failure_of(error), request.scope).body).decode()

    chunks = stream.chunks(_frame_of(event_source(resources.settings)), problem, timing)
    return EventStreamResponse(chunks, kind=KIND, send_seconds=timing.send)


@cache
def _frame_of(source: str) -> Callable[[Event], bytes]:
    """The same function for all streams, so that each event is encoded once."""
    encoder = EventEncoder(source)

    def frame(event: Event) -> bytes:
        return format_sse_event(data_str=encoder.json(event).decode(), event=event.type, id=event.id)

    return frame


def _retry() -> bytes:
    return b"retry: %d\n" % random.randint(*_BACK_MS)  # noqa: S311  no secret


def _goodbye(cursor: str) -> bytes:
    retry_ms = random.randint(*_BACK_FROM_DRAIN_MS)  # noqa: S311  no secret
    data = json.dumps({"after": cursor, "retry_ms": retry_ms})
    return format_sse_event(data_str=data, event="reconnect", id=cursor, retry=retry_ms)
