import asyncio
from datetime import timedelta

from core.background import Background
from tests.factories.clocks import FakeClock
from tests.fixtures.application import LogEntries

MINUTE = timedelta(minutes=1)


async def test_work_runs_beside_its_caller_and_is_waited_for_at_the_end() -> None:
    background, done = Background(), []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append("work")

    background.start("work", work, now=FakeClock().now(), rest=MINUTE)
    before = done[:]
    await background.settle()

    assert (before, done) == ([], ["work"])


async def test_work_of_one_name_rests_and_that_of_another_does_not() -> None:
    background, clock, done = Background(), FakeClock(), []

    async def work() -> None:
        done.append(clock.now().second)

    for seconds in (0, 59, 1):
        clock.advance(seconds=seconds)
        background.start("work", work, now=clock.now(), rest=MINUTE)
        await background.settle()
    background.start("other", work, now=clock.now(), rest=MINUTE)
    await background.settle()

    assert done == [0, 0, 0]


async def test_names_whose_rest_is_over_are_forgotten() -> None:
    background, clock = Background(), FakeClock()

    async def work() -> None: ...

    for number in range(10_000):
        background._began[str(number)] = clock.now()
    clock.advance(minutes=1)
    background.start("work", work, now=clock.now(), rest=MINUTE)
    await background.settle()

    assert list(background._began) == ["work"]


async def test_work_that_fails_is_logged_and_nothing_more(log_entries: LogEntries) -> None:
    background = Background()

    async def fail() -> None:
        raise ValueError("no good")

    background.start("work", fail, now=FakeClock().now(), rest=MINUTE)
    await background.settle()

    (entry,) = log_entries
    assert (entry["event"], entry["level"], entry["work"]) == ("background_work_failed", "warning", "work")
    assert entry["reason"] == "ValueError: no good"
