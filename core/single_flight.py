"""One making of a thing, however many ask for it at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Per process. Who asks while it is being made waits for that, and gets the same result or error."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def run(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Whoever asked first may leave: what was begun is finished, for those who wait and for those who come."""
        task = self._running.get(key)
        if task is None or task.done():  # what is made already is of before this was asked
            task = self._running[key] = asyncio.ensure_future(_made(make))
            task.add_done_callback(lambda done: self._forget(key, done))
        made: T = await asyncio.shield(task)
        return made

    def _forget(self, key: str, task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # seen, also where everybody has left

    async def settle(self) -> None:
        """Waits until nothing is being made: before what it needs is closed."""
        while self._running:
            await asyncio.wait(self._running.values())


async def _made(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
