"""Webhooks of real servers and workers: killed, drained, shared, and what the receiver then has."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.factories.receivers import Receiver, Reply, receiving
from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.journeys.shop import add_mug, place_order, place_orders, serve, shop_key

SECRET = "long enough to be a secret"
START_SECONDS = 30.0


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


class Shop:
    """A server, with an endpoint that is sent its orders. What blocks runs beside the loop, where the receiver is."""

    def __init__(self, start: StartProcess, **environment: str) -> None:
        self._start = start
        self._environment = environment
        self.key: dict[str, str] = {}

    async def serve(self, **environment: str) -> Process:
        server, self.address = await asyncio.to_thread(serve, self._start, **self._environment, **environment)
        if not self.key:
            self.key = await asyncio.to_thread(shop_key, self._start, **self._environment)
        return server

    async def add_endpoint(self, url: str) -> str:
        """Its secret."""
        asked = {"url": url, "types": ["order.placed", "order.paid", "order.cancelled"]}
        made = await self._call("POST", "/webhook-endpoints", asked)
        self._endpoint = made["id"]
        return str(made["secret"])

    async def order(self, number: int) -> str:
        return await asyncio.to_thread(place_order, self.address, self.key, number)

    async def cancel(self, order_id: str) -> None:
        await self._call("POST", f"/orders/{order_id}/cancel", {})

    async def deliveries(self) -> list[dict[str, Any]]:
        found = await self._call("GET", f"/webhook-endpoints/{self._endpoint}/deliveries?limit=100")
        items: list[dict[str, Any]] = found["items"]
        return items

    async def delivered(self, count: int) -> list[dict[str, Any]]:
        """The deliveries, all of them over."""

        async def done() -> bool:
            return [each["state"] for each in await self.deliveries()] == ["delivered"] * count

        await until(done)
        return await self.deliveries()

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=20) as client:
            answer = await client.request(method, f"{self.address}/public/v1{path}", json=body, headers=self.key)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not await question():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.05)


async def ended(process: Process, seconds: float = 20) -> int:
    return await asyncio.to_thread(process.wait, seconds)


@pytest.fixture
def shop(start: StartProcess) -> Shop:
    return Shop(start)


# When the attempt is to begin, and while the answer is noted.
@pytest.mark.parametrize(("statement", "sent_before"), [(1, 0), (14, 1)])
async def test_order_whose_webhook_the_server_died_over_is_told_after_the_restart(
    shop: Shop, receiver: Receiver, statement: int, sent_before: int
) -> None:
    server = await shop.serve(PORTICO_FAILPOINT=f"webhook.deliver:{statement}")
    secret = await shop.add_endpoint(receiver.url)
    await asyncio.to_thread(add_mug, shop.address, shop.key)
    order = await shop.order(1)
    assert await ended(server) == -signal.SIGKILL
    assert len(receiver.requests) == sent_before

    await shop.serve()
    (delivery,) = await shop.delivered(1)

    assert len(receiver.requests) == sent_before + 1
    (sent,) = {(request.id, request.body) for request in receiver.requests}
    assert sent[0] == delivery["event_id"]
    for request in receiver.requests:
        assert (request.event["type"], request.event["subject"]) == ("order.placed", order)
        request.verify(secret)


# The first ends while the server drains; for the second it does not wait.
@pytest.mark.parametrize(("seconds", "times"), [(3, 1), (60, 2)])
async def test_server_that_is_asked_to_end_during_a_slow_delivery_loses_nothing(
    shop: Shop, receiver: Receiver, seconds: float, times: int
) -> None:
    receiver.replies([Reply(seconds=seconds)])
    server = await shop.serve()
    secret = await shop.add_endpoint(receiver.url)
    await asyncio.to_thread(add_mug, shop.address, shop.key)
    order = await shop.order(1)
    await receiver.until(1)
    await shop.cancel(order)  # its event waits behind the first

    server.send(signal.SIGTERM)
    assert await ended(server, 30) == 0, server.story
    await shop.serve()
    await shop.delivered(2)

    types = [request.event["type"] for request in receiver.requests]
    assert types == ["order.placed"] * times + ["order.cancelled"]
    assert len({request.body for request in receiver.requests}) == 2
    for request in receiver.requests:
        request.verify(secret)


async def test_two_workers_deliver_each_event_once(
    start: StartProcess, receiver: Receiver, postgres_database_url: str
) -> None:
    shared = {"PORTICO_DATABASE_URL": postgres_database_url, "PORTICO_SECRET_KEY": SECRET}
    shop = Shop(start, **shared)
    await shop.serve()
    workers = [start(*PORTICO, "worker", **shared) for _ in range(2)]
    for worker in workers:
        await asyncio.to_thread(worker.until, "works on jobs")
    secret = await shop.add_endpoint(receiver.url)
    receiver.answer = lambda _request: Reply(seconds=0.05)

    orders = await asyncio.to_thread(place_orders, shop.address, shop.key, 20)
    deliveries = await shop.delivered(20)

    assert Counter(request.event["subject"] for request in receiver.requests) == dict.fromkeys(orders, 1)
    assert {(each["attempts"], each["last_status"]) for each in deliveries} == {(1, 200)}
    for request in receiver.requests:
        request.verify(secret)
    for worker in workers:
        worker.send(signal.SIGTERM)
    assert [await ended(worker) for worker in workers] == [0, 0]
