"""One order, followed over three kinds of stream, each of which is cut off for a while, and through a restart."""

import asyncio
import signal
from pathlib import Path

import httpx2

from core.eventlog import event_id
from tests.fixtures.followers import Follower, SocketFollower, StreamFollower, SubscriptionFollower, following, until
from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.journeys.realtime.log import embedded, open_log
from tests.journeys.shop import add_mug, place_order

TYPES = ("order.placed", "order.paid", "order.shipped")
BEGINNING = event_id(0)
PARCEL = {"carrier": "DHL"}


class Shop:
    def __init__(self, start: StartProcess, port: int) -> None:
        self._start = start
        self._port = port
        self.address = f"http://127.0.0.1:{port}"
        self.server = self._serve()

    def _serve(self) -> Process:
        server = self._start(*PORTICO, "serve", "--port", str(self._port))
        server.until("Portico is ready", 60)
        return server

    def restart(self) -> None:
        self.server.send(signal.SIGTERM)
        assert self.server.wait(60) == 0, self.server.story
        self.server = self._serve()

    def change(self, order: str, what: str, body: dict[str, str], key: dict[str, str]) -> None:
        answer = httpx2.post(f"{self.address}/public/v1/orders/{order}/{what}", json=body, headers=key)
        assert answer.status_code == 201, answer.text


async def test_three_kinds_of_clients_that_were_cut_off_end_with_the_same_events(
    start: StartProcess, free_port: int, tmp_path: Path
) -> None:
    shop = await asyncio.to_thread(Shop, start, free_port)
    async with open_log(embedded(tmp_path)) as log:
        (key,) = await log.keys(1, "catalog:write", "orders:read", "orders:write", "events:read")
        socket = SocketFollower(shop.address, key, BEGINNING)
        socket.channel = "orders"
        stream = StreamFollower(shop.address, key, BEGINNING)
        stream.query = f"?types={','.join(TYPES)}"
        subscription = SubscriptionFollower(shop.address, key, BEGINNING)
        followers: list[Follower] = [socket, stream, subscription]

        async with following([stream, subscription]):
            async with following([socket]):
                await asyncio.to_thread(add_mug, shop.address, key)
                order = await asyncio.to_thread(place_order, shop.address, key, 1)
                await until(lambda: [len(each.ids) for each in followers] == [1, 1, 1])
            await asyncio.to_thread(shop.change, order, "payments", {"reference": "card-1"}, key)
            await until(lambda: [len(each.ids) for each in followers] == [1, 2, 2])
        async with following([socket]):
            await until(lambda: len(socket.ids) == 2)
            await asyncio.to_thread(shop.restart)
            await asyncio.to_thread(shop.change, order, "shipments", PARCEL, key)
            await until(lambda: [len(each.ids) for each in followers] == [3, 2, 2])
            async with following([stream, subscription]):
                await until(lambda: [len(each.ids) for each in followers] == [3, 3, 3])

        expected = [(await log.ids(kind))[0] for kind in TYPES]
    assert [each.ids for each in followers] == [expected] * 3
    assert [socket.told, stream.told, subscription.broken] == [1, 0, 0]
