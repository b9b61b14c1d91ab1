"""How many of an endpoint are sent at once: few, so that one that hangs holds back nobody but itself."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from commerce.webhooks.lanes import Lanes
from commerce.webhooks.models import DeliveryRow, EndpointRow
from commerce.webhooks.schedule import AT_ONCE, LONGEST_ATTEMPT
from commerce.webhooks.sending import Answer
from core.jobs.models import JobRow
from tests.commerce.webhooks.conftest import Desk

SLOW, QUICK = "https://slow.example.com/", "https://quick.example.com/"
TAKEN = Answer(200, None, "ok", None, 1)
SUBJECTS = [f"prod_{n:03}" for n in range(100)]


class Line:
    """Sends that end when they are told to; those to others end at once."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.most = 0
        self.at_once = 0
        self.begun = asyncio.Semaphore(0)
        self.goes_on = asyncio.Event()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:  # noqa: ARG002
        self.sent.append(url)
        if url == SLOW:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.begun.release()
            await self.goes_on.wait()
            self.at_once -= 1
        return TAKEN


@pytest.fixture
def line(desk: Desk) -> Line:
    desk.send = Line()
    return desk.send


async def attempts(desk: Desk) -> list[asyncio.Task[None]]:
    """Of all that is due, at once."""
    return [asyncio.create_task(desk.deliverer().attempt(*each)) for each in await desk.due()]


async def states(desk: Desk, endpoint_id: str) -> dict[str, int]:
    counted = select(DeliveryRow.state, func.count()).where(DeliveryRow.endpoint_id == endpoint_id)
    async with desk.database.read() as session:
        return {row[0]: row[1] for row in await session.execute(counted.group_by(DeliveryRow.state))}


async def jobs(desk: Desk) -> int:
    async with desk.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(JobRow)))


async def test_endpoint_that_hangs_with_many_subjects_takes_few_places_and_delays_no_other(
    desk: Desk, line: Line
) -> None:
    slow = (await desk.add(SLOW, "product.updated")).endpoint.id
    await desk.happen(*SUBJECTS)
    before = await desk.due()
    hanging = await attempts(desk)
    for _ in range(AT_ONCE):
        await line.begun.acquire()
    quick = (await desk.add(QUICK, "product.updated")).endpoint.id
    await desk.happen("prod_new")

    (due,) = set(await desk.due()) - set(before)
    await desk.deliverer().attempt(*due)

    assert await states(desk, quick) == {"delivered": 1}
    assert len(hanging) == AT_ONCE
    assert line.sent == [SLOW] * AT_ONCE + [QUICK]
    assert await states(desk, slow) == {"pending": 101}
    assert await jobs(desk) == AT_ONCE + 1  # what waits has none
    for task in hanging:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_waits_is_sent_oldest_first_as_places_become_free(desk: Desk, line: Line) -> None:
    slow = (await desk.add(SLOW)).endpoint.id
    await desk.happen(*SUBJECTS)
    line.goes_on.set()

    while tasks := await attempts(desk):
        await asyncio.gather(*tasks)

    assert await states(desk, slow) == {"delivered": 100}
    assert line.most <= AT_ONCE
    assert await jobs(desk) == 100


async def test_what_becomes_due_at_once_waits_for_the_end_of_another(desk: Desk, line: Line) -> None:
    slow = (await desk.add(SLOW)).endpoint.id
    await desk.happen(*SUBJECTS[:10])
    async with desk.database.write() as session:  # as after failures at the same time
        statement = select(DeliveryRow).where(DeliveryRow.next_attempt_at.is_(None))
        for row in list(await session.scalars(statement)):
            await Lanes(session, desk.enqueue, desk.clock.now()).schedule(row)

    first = await attempts(desk)
    for _ in range(AT_ONCE):
        await line.begun.acquire()
    async with asyncio.timeout(10):
        while sum(task.done() for task in first) < 10 - AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(line.sent) == AT_ONCE
    line.goes_on.set()
    await asyncio.gather(*first)
    while tasks := await attempts(desk):
        await asyncio.gather(*tasks)

    assert await states(desk, slow) == {"delivered": 10}
    assert line.most == AT_ONCE
    assert len(line.sent) == 10


async def test_marks_of_a_process_that_died_hinder_no_retry_and_others_only_for_a_while(desk: Desk, line: Line) -> None:
    slow = (await desk.add(SLOW)).endpoint.id
    await desk.happen(*SUBJECTS[: AT_ONCE + 1])
    died = await desk.due()
    line.goes_on.set()
    async with desk.database.write() as session:
        await session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id.in_([each for each, _ in died]))
            .values(sending_since=desk.clock.now())
        )
    (waiting,) = {each.id for each in await desk.deliveries()} - {each for each, _ in died}
    async with desk.database.write() as session:
        row = await session.get_one(DeliveryRow, waiting)
        await Lanes(session, desk.enqueue, desk.clock.now()).schedule(row)

    await desk.attempt(waiting)
    assert line.sent == []
    await desk.deliverer().attempt(*died[0])
    assert await states(desk, slow) == {"delivered": 1, "pending": AT_ONCE}
    desk.clock.advance(seconds=(LONGEST_ATTEMPT + timedelta(seconds=1)).total_seconds())
    await desk.attempt(waiting)

    assert await states(desk, slow) == {"delivered": 2, "pending": AT_ONCE - 1}


async def test_test_event_does_not_wait_behind_what_is_in_line(desk: Desk, line: Line) -> None:
    made = await desk.add(QUICK)
    await desk.happen(*SUBJECTS[:10])

    tests = [await desk.test(made.endpoint.id) for _ in range(2)]

    assert [test.next_attempt_at is not None for test in tests] == [True, False]
    while tasks := await attempts(desk):
        await asyncio.gather(*tasks)
    assert await states(desk, made.endpoint.id) == {"delivered": 12}
    assert len(line.sent) == 12


async def test_pause_of_an_endpoint_holds_what_waits_and_its_end_lets_all_go(desk: Desk, line: Line) -> None:
    slow = (await desk.add(SLOW)).endpoint.id
    await desk.happen(*SUBJECTS[:10])
    line.goes_on.set()
    async with desk.database.write() as session:
        until = desk.clock.now() + timedelta(seconds=30)
        await session.execute(update(EndpointRow).values(paused_until=until))

    while tasks := await attempts(desk):
        await asyncio.gather(*tasks)
    assert line.sent == []
    for seconds in (31, 61):  # until the pause ends, and for those that wait how the first one goes
        desk.clock.advance(seconds=seconds)
        while tasks := await attempts(desk):
            await asyncio.gather(*tasks)

    assert await states(desk, slow) == {"delivered": 10}
