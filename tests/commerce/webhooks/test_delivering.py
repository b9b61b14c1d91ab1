"""Deliveries to a real receiver that fails in every way: tried again when it was promised, in order, and given up."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from standardwebhooks import WebhookVerificationError

from commerce.accounts.models import UserRow
from commerce.webhooks.models import EndpointRow
from commerce.webhooks.schedule import DELAYS
from commerce.webhooks.sending import Sender
from core.clock import SystemClock
from core.outbound import GuardedNetwork
from tests.commerce.webhooks.conftest import Desk
from tests.factories.clocks import FakeClock
from tests.factories.orders import a_person
from tests.factories.receivers import Received, Receiver, Reply

FAILS = Reply(500, body=b"no")


@pytest.fixture
def clock() -> FakeClock:
    """At the present: the reference implementation refuses signatures that are older than five minutes."""
    return FakeClock(SystemClock().now())


async def test_event_is_delivered_signed(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    (event_id,) = await desk.happen("prod_a")

    assert await desk.attempt_due() == 1

    (request,) = receiver.requests
    request.verify(made.secret)
    assert (request.id, request.event["id"], request.event["subject"]) == (event_id, event_id, "prod_a")
    delivery = await desk.one()
    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == ("delivered", 1, None)
    assert (delivery.last_status, delivery.last_error, delivery.response) == (200, None, "ok")
    assert (await desk.endpoint(made.endpoint.id)).last_success_at == desk.clock.now()


async def test_receiver_that_fails_three_times_gets_the_same_id_and_body_each_time(
    desk: Desk, receiver: Receiver
) -> None:
    made = await desk.add(receiver.url)
    (event_id,) = await desk.happen("prod_a")
    receiver.replies([FAILS] * 3)

    for delay in (*DELAYS[:3], timedelta()):
        assert await desk.attempt_due() == 1
        desk.clock.advance(seconds=delay.total_seconds())

    assert receiver.ids == [event_id] * 4
    assert len({request.body for request in receiver.requests}) == 1
    receiver.requests[0].verify(made.secret)
    delivery = await desk.one()
    assert (delivery.state, delivery.attempts, delivery.response) == ("delivered", 4, "ok")
    assert (await desk.endpoint(made.endpoint.id)).failures == 0


async def test_attempts_follow_the_schedule_and_end(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([], FAILS)
    waited = []

    while (delivery := await desk.one()).state != "abandoned":
        assert delivery.next_attempt_at is not None
        waited.append(delivery.next_attempt_at - desk.clock.now())
        desk.clock.advance(seconds=waited[-1].total_seconds() - 1)
        if waited[-1]:
            assert await desk.due() == []
        desk.clock.advance(seconds=1)
        await desk.attempt_due_one()

    assert waited == [timedelta(), *DELAYS]
    assert len(receiver.requests) == 10
    assert (delivery.attempts, delivery.next_attempt_at, delivery.last_status) == (10, None, 500)
    assert delivery.response == "no"


async def test_endpoint_that_took_nothing_for_days_is_broken_and_its_queue_is_abandoned(
    desk: Desk, receiver: Receiver
) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a", "prod_a")
    receiver.replies([], FAILS)

    for _ in range(10):
        desk.clock.advance(days=1)
        await desk.attempt_due_one()

    endpoint = await desk.endpoint(made.endpoint.id)
    assert endpoint.state == "broken"
    assert endpoint.reason is not None
    assert endpoint.reason.startswith("it took nothing since ")
    assert {each.state for each in await desk.deliveries()} == {"abandoned"}
    assert len(receiver.requests) == 10
    await desk.happen("prod_b")
    assert len(await desk.deliveries()) == 2


async def test_subject_keeps_its_order_with_failures_in_between_and_others_do_not_wait(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.add(receiver.url)
    first, second, other, third = await desk.happen("prod_a", "prod_a", "prod_b", "prod_a")
    failing = {first: 2, second: 1, third: 0, other: 0}

    def answer(request: Received) -> Reply:
        failing[request.id] -= 1
        return FAILS if failing[request.id] >= 0 else Reply()

    receiver.answer = answer
    for _ in range(5):
        await desk.attempt_due()
        desk.clock.advance(hours=1)

    assert receiver.ids == [first, other, first, first, second, second, third]
    assert [each.state for each in await desk.deliveries()] == ["delivered"] * 4


async def test_next_of_a_subject_goes_out_when_the_one_before_is_abandoned(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    first, second = await desk.happen("prod_a", "prod_a")
    receiver.answer = lambda request: FAILS if request.id == first else Reply()

    # One success now and then, of others: the endpoint is not broken.
    for n in range(10):
        desk.clock.advance(days=1)
        await desk.attempt_due()
        await desk.happen(f"prod_{n}")
        await desk.attempt_due()

    states = {each.event_id: each.state for each in await desk.deliveries()}
    assert (states[first], states[second]) == ("abandoned", "delivered")
    assert receiver.ids.count(first) == 10


async def test_slow_receiver_is_tried_again(desk: Desk, receiver: Receiver) -> None:
    desk.send = Sender(GuardedNetwork(allow_private=True), timeout_seconds=0.3)
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([Reply(seconds=20)])

    await desk.attempt_due()

    delivery = await desk.one()
    assert (delivery.state, delivery.last_status, delivery.last_error) == ("failed", None, "no answer within 0.3 s")
    desk.clock.advance(seconds=5)
    await desk.attempt_due()
    assert (await desk.one()).state == "delivered"


@pytest.mark.parametrize(
    ("reply", "status"), [(Reply(closes=True), None), (Reply(302, {"Location": "/elsewhere"}), 302)]
)
async def test_closed_connection_and_redirect_are_tried_again(
    desk: Desk, receiver: Receiver, reply: Reply, status: int | None
) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([reply])

    await desk.attempt_due()

    delivery = await desk.one()
    assert (delivery.state, delivery.last_status) == ("failed", status)
    assert delivery.next_attempt_at == desk.clock.now() + timedelta(seconds=5)
    desk.clock.advance(seconds=5)
    await desk.attempt_due()
    assert [request.path for request in receiver.requests] == ["/hooks", "/hooks"]
    assert (await desk.one()).state == "delivered"


async def test_410_disables_the_endpoint_and_abandons_what_waits(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a", "prod_a", "prod_b")
    receiver.replies([], Reply(410))

    await desk.attempt((await desk.due())[0][0])

    endpoint = await desk.endpoint(made.endpoint.id)
    assert (endpoint.state, endpoint.reason) == ("disabled", "it answered 410 Gone")
    assert [each.state for each in await desk.deliveries()] == ["abandoned"] * 3
    assert (await desk.deliveries())[0].last_status == 410
    assert await desk.attempt_due() == 0
    assert len(receiver.requests) == 1


async def test_retry_after_is_honoured_up_to_a_day(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    receiver.replies([Reply(429, {"Retry-After": "3600"}), Reply(503, {"Retry-After": "999999"})])

    waits = []
    for _ in range(2):
        await desk.attempt_due()
        delivery = await desk.one()
        assert delivery.next_attempt_at is not None
        waits.append(delivery.next_attempt_at - desk.clock.now())
        desk.clock.advance(seconds=waits[-1].total_seconds())

    assert waits == [timedelta(hours=1), timedelta(hours=24)]


async def test_rotated_secret_signs_beside_the_one_before_for_a_day(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    rotated = await desk.rotate(made.endpoint.id)
    await desk.happen("prod_a")
    await desk.attempt_due()

    during = receiver.requests[0]
    during.verify(made.secret)
    during.verify(rotated.secret)
    assert made.secret != rotated.secret
    assert during.headers["webhook-signature"].count("v1,") == 2

    again = await desk.rotate(made.endpoint.id)
    await desk.happen("prod_b")
    await desk.attempt_due()
    receiver.requests[1].verify(again.secret)
    receiver.requests[1].verify(rotated.secret)
    with pytest.raises(WebhookVerificationError):
        receiver.requests[1].verify(made.secret)


async def test_secret_before_does_not_sign_after_a_day(desk: Desk, receiver: Receiver, clock: FakeClock) -> None:
    clock.advance(hours=-25)
    made = await desk.add(receiver.url)
    rotated = await desk.rotate(made.endpoint.id)
    assert rotated.endpoint.previous_secret_ends_at == clock.now() + timedelta(hours=24)
    clock.advance(hours=25)

    await desk.happen("prod_a")
    await desk.attempt_due()

    (request,) = receiver.requests
    request.verify(rotated.secret)
    with pytest.raises(WebhookVerificationError):
        request.verify(made.secret)


async def test_secrets_are_nowhere_plain_in_the_table(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    rotated = await desk.rotate(made.endpoint.id)

    async with desk.database.read() as session:
        row = (await session.execute(select(EndpointRow.__table__))).one()

    text = repr(tuple(row))
    assert made.secret not in text
    assert rotated.secret not in text
    assert made.secret not in repr(made)


async def test_after_five_failures_in_a_row_one_at_a_time_is_tried(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen(*(f"prod_{n}" for n in range(8)))
    receiver.replies([], FAILS)

    await desk.attempt_due()

    assert len(receiver.requests) == 5
    endpoint = await desk.endpoint(made.endpoint.id)
    assert (endpoint.failures, endpoint.paused_until) == (5, desk.clock.now() + timedelta(seconds=30))
    waiting = [each for each in await desk.deliveries() if each.state == "pending"]
    assert [(each.attempts, each.next_attempt_at) for each in waiting] == [(0, endpoint.paused_until)] * 3

    desk.clock.advance(seconds=30)
    await desk.attempt_due()
    assert len(receiver.requests) == 6  # the probe
    endpoint = await desk.endpoint(made.endpoint.id)
    assert (endpoint.failures, endpoint.paused_until) == (6, desk.clock.now() + timedelta(seconds=60))

    receiver.replies([])
    desk.clock.advance(hours=2)
    await desk.attempt_due()
    endpoint = await desk.endpoint(made.endpoint.id)
    assert (endpoint.failures, endpoint.paused_until) == (0, None)
    assert {each.state for each in await desk.deliveries()} == {"delivered"}


async def test_others_wait_while_the_probe_is_on_its_way(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen(*(f"prod_{n}" for n in range(7)))
    receiver.replies([FAILS] * 5, Reply(seconds=0.3))
    await desk.attempt_due()
    desk.clock.advance(hours=1)

    due = await desk.due()
    await asyncio.gather(*(desk.deliverer().attempt(*each) for each in due))

    assert len(due) == 7
    assert len(receiver.requests) == 6


async def test_stale_job_does_nothing(desk: Desk, receiver: Receiver) -> None:
    await desk.add(receiver.url)
    await desk.happen("prod_a")
    ((delivery_id, dispatch),) = await desk.due()
    await desk.attempt_due()

    for number in (dispatch - 1, dispatch, dispatch + 1):
        await desk.deliverer().attempt(delivery_id, number)
    await desk.deliverer().attempt("whd_nothing", 1)

    assert len(receiver.requests) == 1


async def test_deleted_endpoint_gets_nothing_more(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a")
    due = await desk.due()

    await desk.delete(made.endpoint.id)
    for each in due:
        await desk.deliverer().attempt(*each)

    assert receiver.requests == []
    assert await desk.deliveries() == []


async def test_owner_who_may_not_sign_in_any_more_is_sent_nothing_of_what_waits(desk: Desk, receiver: Receiver) -> None:
    ada = await a_person(desk.database)
    await desk.add(receiver.url, by=ada)
    await desk.happen("prod_a")

    async with desk.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == ada.id).values(disabled_at=desk.clock.now()))
    await desk.attempt_due()

    assert receiver.requests == []
    assert (await desk.one()).state == "abandoned"


async def test_endpoint_disabled_while_an_attempt_is_on_its_way_keeps_how_it_went(
    desk: Desk, receiver: Receiver
) -> None:
    made = await desk.add(receiver.url)
    await desk.happen("prod_a", "prod_a")
    receiver.replies([], Reply(seconds=0.3))
    ((delivery_id, dispatch),) = await desk.due()

    attempt = asyncio.create_task(desk.deliverer().attempt(delivery_id, dispatch))
    await receiver.until(1)
    await desk.update(made.endpoint.id, state="disabled")
    await attempt

    assert [each.state for each in await desk.deliveries()] == ["delivered", "abandoned"]
    assert await desk.due() == []


async def test_changed_address_is_used_for_what_waits(desk: Desk, receiver: Receiver) -> None:
    made = await desk.add("http://127.0.0.1:1/")
    await desk.happen("prod_a")
    await desk.attempt_due()

    await desk.update(made.endpoint.id, url=receiver.url)
    desk.clock.advance(seconds=5)
    await desk.attempt_due()

    assert len(receiver.requests) == 1
    assert (await desk.one()).state == "delivered"
