"""Deliveries that are asked for by hand: a test, one again, and a part of the log."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from commerce.webhooks.errors import DeliveryInProgress, DeliveryNotFound, EndpointDisabled, EndpointNotFound
from commerce.webhooks.models import DeliveryRow
from commerce.webhooks.redelivery import RETENTION, Redelivered, forget_old
from core.clock import SystemClock
from core.eventlog import CursorTooOld, append, event_id, trim
from tests.commerce.webhooks.conftest import Desk, an_event
from tests.factories.clocks import FakeClock
from tests.factories.orders import a_person, key_of
from tests.factories.receivers import Receiver, Reply


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(SystemClock().now())


async def test_test_event_goes_the_way_of_all_events(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url, "order.paid")

    pending = await desk.test(made.endpoint.id)
    await desk.attempt_due()

    (request,) = receiver.requests
    request.verify(made.secret)
    assert (pending.state, pending.type, pending.subject) == ("pending", "webhook.test", made.endpoint.id)
    assert (request.id, request.event["id"], request.event["type"]) == (pending.id, pending.id, "webhook.test")
    assert request.event["data"] == {"endpoint_id": made.endpoint.id}
    assert (await desk.one()).state == "delivered"


async def test_test_event_that_fails_is_not_tried_again(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    receiver.replies([], Reply(500))

    for _ in range(2):
        await desk.test(made.endpoint.id)
    await desk.attempt_due()

    assert len(receiver.requests) == 2
    assert {(each.state, each.attempts, each.last_status) for each in await desk.deliveries()} == {
        ("abandoned", 1, 500)
    }
    assert (await desk.endpoint(made.endpoint.id)).state == "enabled"


async def test_delivered_event_is_sent_again_as_it_was(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    await desk.attempt_due()
    delivery = await desk.one()

    again = await desk.redeliver(delivery.id)
    await desk.attempt_due()

    assert (again.id, again.state, again.attempts, again.next_attempt_at) == (
        delivery.id,
        "pending",
        1,
        desk.clock.now(),
    )
    first, second = receiver.requests
    assert (first.id, first.body) == (second.id, second.body)
    assert (await desk.one()).attempts == 2


async def test_abandoned_event_is_sent_from_the_first_attempt_on_once_its_endpoint_is_enabled(
    desk: Desk, receiver: Receiver
) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([], Reply(500))
    for _ in range(10):
        desk.clock.advance(days=1)
        await desk.attempt_due()
    delivery = await desk.one()
    assert (delivery.state, delivery.attempts) == ("abandoned", 10)
    assert (await desk.endpoint(made.endpoint.id)).state == "broken"

    await desk.update(made.endpoint.id, state="enabled")
    await desk.redeliver(delivery.id)
    await desk.attempt_due()

    delivery = await desk.one()
    assert (delivery.state, delivery.attempts) == ("failed", 11)
    assert delivery.next_attempt_at == desk.clock.now() + timedelta(seconds=5)
    endpoint = await desk.endpoint(made.endpoint.id)
    assert (endpoint.state, endpoint.reason, endpoint.failures) == ("enabled", None, 1)


async def test_delivery_that_waits_for_hours_is_sent_now_and_its_old_job_does_nothing(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([Reply(503, {"Retry-After": "7200"})], Reply(500))
    await desk.attempt_due()
    delivery = await desk.one()

    await desk.redeliver(delivery.id)
    assert await desk.attempt_due() == 1
    desk.clock.advance(seconds=2)
    await desk.deliverer().attempt(delivery.id, 2)  # the job of two hours later

    assert len(receiver.requests) == 2


async def test_redelivered_event_waits_for_what_its_subject_is_sending(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    first, second = await desk.happen("prod_a", "prod_a")
    receiver.answer = lambda _request: Reply(500) if receiver.ids.count(second) == 1 else Reply()
    await desk.attempt_due()
    assert [each.state for each in await desk.deliveries()] == ["delivered", "failed"]

    again = await desk.redeliver((await desk.deliveries())[0].id)

    assert again.next_attempt_at is None
    desk.clock.advance(seconds=5)
    await desk.attempt_due()
    assert receiver.ids == [first, second, second, first]


async def test_delivery_on_its_way_is_not_sent_a_second_time(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([], Reply(seconds=0.3))
    ((delivery_id, dispatch),) = await desk.due()

    attempt = asyncio.create_task(desk.deliverer().attempt(delivery_id, dispatch))
    await receiver.until(1)
    with pytest.raises(DeliveryInProgress):
        await desk.redeliver(delivery_id)
    await attempt

    assert len(receiver.requests) == 1
    assert (await desk.one()).state == "delivered"


async def test_range_is_delivered_again_and_what_was_missed_for_the_first_time(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url, "product.updated")
    await desk.happen("prod_a", "prod_b")
    await desk.attempt_due()
    await desk.update(made.endpoint.id, state="disabled")
    await desk.happen("prod_c", an_event("ord_x", "order.placed"), "prod_d")
    await desk.update(made.endpoint.id, state="enabled")

    done = await desk.redeliver_range(made.endpoint.id, 1, 4)
    await desk.attempt_due()

    assert done == Redelivered(2, None)
    assert [each.event["subject"] for each in receiver.requests] == ["prod_a", "prod_b", "prod_b", "prod_c"]
    assert receiver.ids[1] == receiver.ids[2]
    assert receiver.requests[1].body == receiver.requests[2].body


async def test_long_range_is_done_by_parts(desk: Desk, receiver: Receiver) -> None:
    await desk.happen(*(f"prod_{n}" for n in range(503)))
    made = await desk.add(receiver.url)

    first = await desk.redeliver_range(made.endpoint.id, 1)
    assert first == Redelivered(500, event_id(501))
    second = await desk.redeliver_range(made.endpoint.id, 501)

    assert second == Redelivered(2, None)
    assert len(await desk.deliveries()) == 502


async def test_range_leaves_what_is_in_line_and_what_is_not_fed_yet_alone(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_0", "prod_a")
    before = await desk.deliveries()
    async with desk.database.write() as session:
        await append(session, [an_event("prod_new")], desk.clock.now())

    done = await desk.redeliver_range(made.endpoint.id, 1)

    assert done == Redelivered(1, None)
    assert await desk.deliveries() == before
    await desk.feed()
    assert len(await desk.deliveries()) == 3


async def test_range_has_only_what_the_owner_may_see(desk: Desk, receiver: Receiver) -> None:
    ada = await a_person(desk.database)
    made = await desk.add(receiver.url, by=ada)
    await desk.update(made.endpoint.id, state="disabled")
    await desk.happen(
        "first",
        an_event("ord_bob", "order.placed", visibility="owner", owner_id="usr_bob"),
        an_event("ord_ada", "order.placed", visibility="owner", owner_id=ada.id),
        an_event("draft", visibility="editors"),
    )
    await desk.update(made.endpoint.id, state="enabled")

    # By the shop, which may see all of them: what counts is whose endpoint it is.
    await desk.redeliver_range(made.endpoint.id, 1)

    assert [each.subject for each in await desk.deliveries()] == ["ord_ada"]


async def test_range_has_only_what_the_key_may_see(desk: Desk, receiver: Receiver) -> None:
    ada = await a_person(desk.database)
    made = await desk.add(receiver.url, by=key_of(ada, "webhooks:write"))
    await desk.happen("first", an_event("ord_ada", "order.placed", visibility="owner", owner_id=ada.id), "second")

    done = await desk.redeliver_range(made.endpoint.id, 1)

    assert done.count == 1
    assert [each.subject for each in await desk.deliveries()] == ["first", "second"]


async def test_range_from_before_the_kept_events_is_refused(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a", "prod_b", "prod_c")
    async with desk.database.write() as session:
        await trim(session, desk.clock.now() + timedelta(days=1))

    with pytest.raises(CursorTooOld):
        await desk.redeliver_range(made.endpoint.id, 1)


async def test_nothing_is_sent_to_an_endpoint_that_is_not_enabled(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a")
    await desk.attempt_due()
    delivery = await desk.one()
    await desk.update(made.endpoint.id, state="disabled")

    for refused in (
        desk.test(made.endpoint.id),
        desk.redeliver(delivery.id),
        desk.redeliver_range(made.endpoint.id, 1),
    ):
        with pytest.raises(EndpointDisabled):
            await refused

    assert await desk.deliveries() == [delivery]


@pytest.mark.parametrize("nothing", ["whd_nothing", "", "\0", "\udcff"])
async def test_what_there_is_not_is_not_found(desk: Desk, nothing: str) -> None:
    with pytest.raises(DeliveryNotFound):
        await desk.redeliver(nothing)
    with pytest.raises(EndpointNotFound):
        await desk.test(nothing)


async def test_redelivery_ends_a_pause(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen(*(f"prod_{n}" for n in range(5)))
    receiver.replies([Reply(500)] * 5)
    await desk.attempt_due()
    assert (await desk.endpoint(made.endpoint.id)).paused_until is not None

    await desk.redeliver((await desk.deliveries())[0].id)
    await desk.attempt_due()

    assert len(receiver.requests) == 6
    assert (await desk.endpoint(made.endpoint.id)).paused_until is None


async def test_old_deliveries_that_are_over_are_forgotten(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("old", "waiting")
    await desk.attempt((await desk.deliveries())[0].id)
    desk.clock.advance(days=31)
    await desk.happen("young")
    await desk.attempt((await desk.deliveries())[2].id)

    async with desk.database.write() as session:
        forgotten = [await forget_old(session, desk.clock.now() - RETENTION) for _ in range(2)]

    assert forgotten == [1, 0]
    assert [each.subject for each in await desk.deliveries()] == ["waiting", "young"]


async def test_attempt_of_a_process_that_died_does_not_keep_a_delivery_for_ever(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    delivery = await desk.one()
    async with desk.database.write() as session:
        await session.execute(update(DeliveryRow).values(sending_since=desk.clock.now() - timedelta(seconds=61)))

    await desk.redeliver(delivery.id)
    await desk.attempt_due()

    assert (await desk.one()).state == "delivered"
    assert len(receiver.requests) == 1


async def test_answer_to_an_attempt_that_was_given_up_changes_nothing(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([Reply(500, seconds=0.5)])
    ((delivery_id, dispatch),) = await desk.due()

    frozen = asyncio.create_task(desk.deliverer().attempt(delivery_id, dispatch))
    await receiver.until(1)
    desk.clock.advance(seconds=61)
    await desk.redeliver(delivery_id)
    await desk.attempt_due()
    await frozen

    delivery = await desk.one()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 200)
    assert (await desk.endpoint(made.endpoint.id)).failures == 0
