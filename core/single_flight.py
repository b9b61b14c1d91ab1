"""One making of a thing, however many ask for it at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    waiting: int = 0


class SingleFlight:
    """Per process. Who asks while it is being made waits for that, and gets the same result or error."""

    def __init__(self) -> None:
        self._running: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, key: str, make: Callable[[], Awaitable[T]], *, finish: bool = True) -> T:
        """Whoever asked first may leave: what was begun is finished, for those who wait and for those who come.
        Without `finish` it is cancelled when nobody waits any more.
        """
        flight = self._running.get(key)
        if flight is None or flight.task.done():  # what is made already is of before this was asked
            flight = self._running[key] = _Flight(self._begun(key, make))
        flight.waiting += 1
        try:
            made: T = await asyncio.shield(flight.task)
            return made
        finally:
            flight.waiting -= 1
            if not finish and not flight.waiting and not flight.task.done():
                self._forget(key, flight.task)  # who comes now begins anew
                flight.task.cancel()

    def _begun(self, key: str, make: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(_made(make))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: str, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._forget(key, task)
        if not task.cancelled():
            task.exception()  # seen, also where everybody has left

    def _forget(self, key: str, task: asyncio.Task[Any]) -> None:
        flight = self._running.get(key)
        if flight is not None and flight.task is task:
            del self._running[key]

    async def settle(self) -> None:
        """Waits until nothing is being made: before what it needs is closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _made(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
