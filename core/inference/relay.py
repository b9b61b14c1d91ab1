"""What a task puts out, as an asynchronous generator."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def relayed(work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> AsyncGenerator[T, None]:
    """`work` runs in a task of its own, so that its timeouts, spans and connections are entered and left in one place,
    whoever iterates; what it puts out is bounded by itself. Raises what it raises. To close the generator, or to cancel
    who waits for it, cancels the task and waits for its end.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue()
    task = asyncio.create_task(work(queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (item := await queue.get()) is not None:
            yield item
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
