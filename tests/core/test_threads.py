"""Each audience has so many threads; work that belongs to none has the process's."""

import asyncio
import threading

from anyio import CapacityLimiter

from core.threads import enter_threads, in_thread, leave_threads


async def test_work_of_one_audience_waits_for_its_own_threads_alone() -> None:
    going, running = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        running.release()
        going.wait(20)

    few = CapacityLimiter(1)
    token = enter_threads(few)
    held = [asyncio.create_task(in_thread(work)) for _ in range(2)]
    leave_threads(token)
    await asyncio.to_thread(running.acquire)

    other = await in_thread(lambda: "done")
    waiting = few.statistics().tasks_waiting
    going.set()
    await asyncio.gather(*held)

    assert other == "done"
    assert waiting == 1
    assert few.borrowed_tokens == 0
