"""Webhooks by real processes, with the clock of the world: killed, started again, and several at once."""

import asyncio
import signal
import sys

import pytest

from core.clock import SystemClock
from core.database import Database
from core.eventlog import append
from tests.commerce.webhooks.conftest import SECRET, Desk, an_event
from tests.factories.clocks import FakeClock
from tests.factories.receivers import Receiver, Reply
from tests.fixtures.processes import Process, StartProcess


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(SystemClock().now())


class Workers:
    def __init__(self, start: StartProcess, database_url: str) -> None:
        self._start = start
        self._url = database_url

    def start(self, **environment: str) -> Process:
        return self._start(
            sys.executable,
            "-m",
            "tests.commerce.webhooks.program",
            PORTICO_DATABASE_URL=self._url,
            PORTICO_SECRET_KEY=SECRET,
            **environment,
        )

    async def ready(self, **environment: str) -> Process:
        process = self.start(**environment)
        await asyncio.to_thread(process.until, "working")
        return process


@pytest.fixture
def workers(start: StartProcess, database_url: str) -> Workers:
    return Workers(start, database_url)


async def done(desk: Desk, count: int) -> None:
    """All are over; what the receiver had is known to the table too."""
    async with asyncio.timeout(30):
        while [each.state for each in await desk.deliveries()] != ["delivered"] * count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_process_killed_between_commit_and_delivery_delivers_after_its_restart(
    desk: Desk, receiver: Receiver, workers: Workers
) -> None:
    made = await desk.add(receiver.url)
    killed = workers.start(SUBJECTS="prod_a prod_a prod_b", DIES="yes")
    assert await asyncio.to_thread(killed.wait, 20) == -signal.SIGKILL
    assert (receiver.requests, await desk.deliveries()) == ([], [])

    process = await workers.ready()
    await receiver.until(3)
    await done(desk, 3)

    assert sorted(request.event["subject"] for request in receiver.requests) == ["prod_a", "prod_a", "prod_b"]
    of_a = [request.id for request in receiver.requests if request.event["subject"] == "prod_a"]
    assert of_a == sorted(of_a)
    for request in receiver.requests:
        request.verify(made.secret)
    process.send(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0


async def test_process_killed_while_it_sends_sends_the_same_again_after_its_restart(
    desk: Desk, receiver: Receiver, workers: Workers
) -> None:
    made = await desk.add(receiver.url)
    receiver.replies([Reply(seconds=20)])
    process = await workers.ready(SUBJECTS="prod_a")
    await receiver.until(1)

    process.send(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 10)
    await workers.ready()
    await receiver.until(2)
    await done(desk, 1)

    first, second = receiver.requests
    assert (first.id, first.body) == (second.id, second.body)
    second.verify(made.secret)


async def test_two_processes_deliver_each_event_once_and_each_subject_in_order(
    desk: Desk, database: Database, receiver: Receiver, workers: Workers
) -> None:
    await desk.add(receiver.url)
    receiver.replies([Reply(500, seconds=0.05)], Reply(seconds=0.05))
    await asyncio.gather(workers.ready(), workers.ready())

    for n in range(6):
        async with database.write() as session:
            await append(session, [an_event(f"prod_{each}", data={"n": n}) for each in "abc"], desk.clock.now())
    await receiver.until(19, 40)
    await done(desk, 18)

    assert len(receiver.requests) == 19
    assert len(set(receiver.ids)) == 18
    for subject in ("prod_a", "prod_b", "prod_c"):
        numbers = [each.event["data"]["n"] for each in receiver.requests if each.event["subject"] == subject]
        assert list(dict.fromkeys(numbers)) == [0, 1, 2, 3, 4, 5]
        assert numbers == sorted(numbers)
