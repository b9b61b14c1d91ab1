"""Work that a process does again and again beside its requests, until it closes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger("portico.recurring")
_AGAIN_SECONDS = 2.0
_END_SECONDS = 5.0

# One turn of the work. Answers for how many seconds it rests if nobody wakes it; None: until somebody does.
Turn = Callable[[], Awaitable[float | None]]


class Recurring:
    """`async with Recurring(name, turn) as recurring:` One task that takes turns. A turn that fails is logged, and the
    next comes after `again_seconds`, whoever wakes it: what it needs is away.
    """

    def __init__(self, name: str, turn: Turn, *, again_seconds: float = _AGAIN_SECONDS) -> None:
        self._name = name
        self._turn = turn
        self._again_seconds = again_seconds
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def ending(self) -> bool:
        """A turn that is long stops where this is true."""
        return self._ended.is_set()

    def wake(self) -> None:
        """The next turn comes at once; one that has begun is followed by another."""
        self._woken.set()

    async def rest(self, seconds: float | None) -> bool:
        """For turns that rest within themselves. Whether somebody woke it before the time was over."""
        woken = await _until(self._woken, seconds)
        if not self.ending:
            self._woken.clear()
        return woken

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"portico-{self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The turn that has begun goes on to its end, for some seconds: what a thread of the database still does for a
        task that is cancelled would come back to a loop that is closed.
        """
        self._ended.set()
        self._woken.set()
        await asyncio.wait([self._task], timeout=_END_SECONDS)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while not self.ending:
            try:
                seconds = await self._turn()
            except Exception as failure:  # noqa: BLE001  what it needs is away: there is a next time
                log.warning("%s_waits", self._name, reason=f"{type(failure).__name__}: {failure}")
                await _until(self._ended, self._again_seconds)
            else:
                await self.rest(seconds)


class Periodic:
    """A part of a process whose work is one `Recurring`, which is entered and left with it."""

    def __init__(self, recurring: Recurring) -> None:
        self._recurring = recurring

    async def __aenter__(self) -> Self:
        await self._recurring.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._recurring.__aexit__(kind, error, trace)


async def _until(event: asyncio.Event, seconds: float | None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
