"""Lets a request of an audience run, wait, or go: pure ASGI, around all that costs."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.bulkheads import Bulkhead, Bulkheads
from core.threads import enter_threads, leave_threads
from core.web.replaying import replaying
from core.web.urls import route_path

_MOST_KEPT = 64 * 1024  # of a body, while its request waits


def never(_scope: Scope) -> bool:
    return False


def always(_scope: Scope) -> bool:
    return True


class BulkheadMiddleware:
    """Of the audience's wall (`state.bulkheads`). `urgent`: who is let in first, and has the right of way in the
    event loop. `free`: addresses that nothing holds up, by which others look how the audience is.

    A stream gives its place back when it begins, for it may last for days: what streams there may be at once is
    counted elsewhere (`core.streams.places`). So does an answer that is sent in pieces, as fast as its client reads.
    """

    def __init__(
        self,
        app: ASGIApp,
        audience: str,
        urgent: Callable[[Scope], bool] = never,
        free: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self._audience = audience
        self._urgent = urgent
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bulkheads: Bulkheads = scope["state"]["bulkheads"]
        if self._free and route_path(scope) in self._free:
            with bulkheads.way.taken():
                await self.app(scope, receive, send)
            return
        bulkhead = bulkheads[self._audience]
        urgent = self._urgent(scope)
        if not bulkhead.try_enter(urgent):
            receive = await _waited_for(bulkhead, urgent, scope, receive)
        holds = True

        def watch(message: Message) -> Awaitable[None]:
            nonlocal holds
            if holds and (message.get("more_body") or message["type"] == "websocket.accept"):
                holds = False
                bulkhead.leave(urgent)
            return send(message)

        threads = enter_threads(bulkhead.threads)
        try:
            await self.app(scope, receive, watch)
        finally:
            leave_threads(threads)
            if holds:
                bulkhead.leave(urgent)


async def _waited_for(bulkhead: Bulkhead, urgent: bool, scope: Scope, receive: Receive) -> Receive:
    """Gives the whole body again. Raises Overloaded; and ClientDisconnect for who does not wait for an answer."""
    if scope["type"] == "websocket":
        await bulkhead.enter(urgent)
        return receive

    def unused(entered: asyncio.Task[None]) -> None:
        if not entered.cancelled() and entered.exception() is None:
            bulkhead.leave(urgent)

    taken: list[Message] = []
    entering = asyncio.create_task(bulkhead.enter(urgent))
    leaving = asyncio.create_task(_departure(receive, taken))
    stays = False
    try:
        await asyncio.wait((entering, leaving), return_when=asyncio.FIRST_COMPLETED)
        gone = leaving.done()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        stays = not gone
    finally:
        leaving.cancel()
        entering.cancel()
        if not stays:  # not waited for: this may be cancelled again
            entering.add_done_callback(unused)
    if not stays:
        raise ClientDisconnect
    entering.result()
    return replaying(taken, receive)


async def _departure(receive: Receive, taken: list[Message]) -> None:
    """When the client leaves. What it sent is kept, up to a bound beyond which nothing is known of it."""
    size = 0
    while size <= _MOST_KEPT:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        taken.append(message)
        size += len(message.get("body", b""))
    await asyncio.Event().wait()
