"""A delivery that is scheduled always gets its attempt, also where its job is gone."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from commerce.webhooks.jobs import deliver_webhook, enqueuer
from commerce.webhooks.sweeping import reschedule_orphans
from core.clock import SystemClock
from core.jobs.models import JobRow
from tests.commerce.webhooks.conftest import Desk
from tests.factories.clocks import FakeClock
from tests.factories.receivers import Receiver


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(SystemClock().now())


async def sweep(desk: Desk) -> int:
    async with desk.database.write() as session:
        enqueue = enqueuer(desk.resources.jobs)
        return await reschedule_orphans(session, deliver_webhook.name, enqueue, desk.clock.now())


async def test_delivery_whose_job_was_cancelled_gets_another(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a", "prod_a", "prod_b")
    async with desk.database.write() as session:
        for job_id in list(await session.scalars(select(JobRow.id))):
            await desk.resources.jobs.cancel(session, job_id)

    assert await sweep(desk) == 0  # it may be ending at this moment
    desk.clock.advance(minutes=2)
    assert [await sweep(desk) for _ in range(2)] == [2, 0]

    async with desk.database.read() as session:
        waiting = list(await session.scalars(select(JobRow.args).where(JobRow.state == "queued")))
    first, _, other = await desk.deliveries()
    assert sorted(args["delivery_id"] for args in waiting) == sorted([first.id, other.id])
    await desk.attempt_due()
    assert len(receiver.requests) == 3


async def test_delivery_whose_job_is_forgotten_gets_another(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    async with desk.database.write() as session:
        await session.execute(delete(JobRow))

    desk.clock.advance(minutes=2)

    assert await sweep(desk) == 1


@pytest.mark.parametrize("state", ["queued", "running"])
async def test_delivery_with_a_job_is_left_alone_however_late(desk: Desk, receiver: Receiver, state: str) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    async with desk.database.write() as session:
        await session.execute(update(JobRow).values(state=state))

    desk.clock.advance(hours=2)

    assert await sweep(desk) == 0
    assert (await desk.one()).next_attempt_at == desk.clock.now() - timedelta(hours=2)
