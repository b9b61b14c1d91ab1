"""The one task that work beside requests has: when its turns come, what a failure costs, and how it ends."""

import asyncio

from core.recurring import Recurring
from tests.fixtures.application import LogEntries


class Work:
    """Counts its turns; each waits at `gate`, and rests for `seconds`."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = self.ended = 0
        self.failures: list[Exception] = []
        self._news = asyncio.Condition()

    async def turn(self) -> float | None:
        async with self._news:
            self.began += 1
            self._news.notify_all()
        await self.gate.wait()
        self.ended += 1
        if self.failures:
            raise self.failures.pop()
        return self.seconds

    async def until(self, began: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.began >= began)


async def settled() -> None:
    """Whatever could run has run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_turn_comes_at_once_and_the_next_when_it_is_woken() -> None:
    work = Work()

    async with Recurring("work", work.turn) as recurring:
        await work.until(began=1)
        await settled()
        before = work.began
        recurring.wake()
        await work.until(began=2)
        await settled()

    assert (before, work.began) == (1, 2)


async def test_a_turn_comes_by_itself_after_its_rest() -> None:
    work = Work(seconds=0.001)

    async with Recurring("work", work.turn):
        await work.until(began=3)

    assert work.ended == work.began


async def test_who_wakes_it_during_a_turn_gets_another() -> None:
    work = Work()
    work.gate.clear()

    async with Recurring("work", work.turn) as recurring:
        await work.until(began=1)
        recurring.wake()
        recurring.wake()
        work.gate.set()
        await work.until(began=2)
        await settled()

    assert work.began == 2


async def test_a_turn_that_fails_is_logged_and_waking_does_not_hurry_the_next(log_entries: LogEntries) -> None:
    work = Work()
    work.failures = [OSError("away")]

    async with Recurring("work", work.turn, again_seconds=0.2) as recurring:
        await work.until(began=1)
        await settled()
        recurring.wake()
        await settled()
        meanwhile = work.began
        await work.until(began=2)

    assert meanwhile == 1
    assert [(entry["event"], entry["reason"]) for entry in log_entries.application] == [("work_waits", "OSError: away")]


async def test_closing_lets_the_turn_end_and_begins_no_other() -> None:
    work = Work()
    work.gate.clear()
    recurring = Recurring("work", work.turn)
    await recurring.__aenter__()
    await work.until(began=1)

    closing = asyncio.create_task(recurring.__aexit__(None, None, None))
    await settled()
    while_it_works = closing.done()
    work.gate.set()
    await closing

    assert (while_it_works, work.began, work.ended) == (False, 1, 1)


async def test_a_turn_that_rests_within_itself_knows_whether_it_was_woken() -> None:
    answers: list[bool] = []
    answered = asyncio.Event()

    async def turn() -> float | None:
        answers.append(await recurring.rest(0.001))
        answered.set()
        answers.append(await recurring.rest(None))
        return None

    recurring = Recurring("work", turn)
    async with recurring:
        await answered.wait()
        await settled()
        recurring.wake()
        await settled()

    assert answers == [False, True]


async def test_closing_ends_a_rest_within_a_turn_and_the_one_after_it() -> None:
    async def turn() -> float | None:
        resting.set()
        await recurring.rest(None)
        return None

    resting = asyncio.Event()
    recurring = Recurring("work", turn)
    await recurring.__aenter__()
    await resting.wait()

    closing = asyncio.create_task(recurring.__aexit__(None, None, None))
    await settled()

    assert closing.done()
