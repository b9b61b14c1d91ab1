"""Work that would hold up the event loop, in threads: of each audience's requests so much at a time as it may."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")
_limiter: ContextVar[CapacityLimiter | None] = ContextVar("portico_threads", default=None)

enter_threads = _limiter.set
leave_threads = _limiter.reset


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """The rest of an audience's waits here. Outside of any request: with as many as the process has."""
    return await to_thread.run_sync(work, *arguments, limiter=_limiter.get())
