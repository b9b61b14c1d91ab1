"""Subscriptions as people use them: npm's graphql-ws and graphql-sse, on Node, against a server that restarts."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commerce.orders.commands import PayOrder
from core.database import Database
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk
from tests.fixtures.processes import PORTICO, Process, StartProcess

READY = "Portico is ready"
CLIENTS = {"websocket": "ws", "sse": "http"}
DRAIN_SECONDS = 20
KEY = {"Idempotency-Key": "order-1"}


class Shop:
    """A server on one address, whichever process serves it, and a key that may do all that is done here."""

    def __init__(self, start: StartProcess, folder: Path, port: int) -> None:
        self._start = start
        self._folder = folder
        self._port = port
        self.process = self._serve()
        made = start(
            *PORTICO, "keys", "create", "shop", "--scopes", "catalog:write,orders:read,orders:write,events:read"
        )
        assert made.wait(30) == 0, made.story
        self.key = made.stdout.strip()

    def _serve(self) -> Process:
        process = self._start(*PORTICO, "serve", "--port", str(self._port))
        process.until(READY)
        return process

    def stop(self) -> None:
        self.process.send(signal.SIGTERM)
        assert self.process.wait(DRAIN_SECONDS) == 0, self.process.story

    def go_on(self) -> None:
        self.process = self._serve()

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        response = httpx2.post(
            f"http://127.0.0.1:{self._port}/public/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}"} | headers,
        )
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def order_events(self) -> list[tuple[str, str]]:
        address = f"http://127.0.0.1:{self._port}/public/v1/events?limit=1000"
        items = httpx2.get(address, headers={"Authorization": f"Bearer {self.key}"}).json()["items"]
        return [(each["id"], each["type"]) for each in items if each["type"].startswith("order.")]

    async def pay_unseen(self, order_id: str) -> None:
        """While nobody serves."""
        database = Database(f"sqlite+aiosqlite:///{self._folder / 'var' / 'portico.db'}")
        desk = OrderDesk(database, FakeClock())
        await desk.do(PayOrder(order_id))
        await desk.jobs.close()
        await database.close()

    def client(self, node: str, name: str) -> Process:
        program = str(Path(__file__).with_name(f"{name}.mjs"))
        client = self._start(node, program, f"{CLIENTS[name]}://127.0.0.1:{self._port}/graphql", self.key)
        client.until('"connected":"first"')
        return client


@pytest.fixture
def shop(start: StartProcess, tmp_path: Path, free_port: int) -> Shop:
    return Shop(start, tmp_path, free_port)


def lines(client: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.stdout.splitlines()]


async def test_both_clients_follow_an_order_over_a_restart_and_miss_nothing(node: str, shop: Shop) -> None:
    variants = [{"price": {"amount": 100}, "sku": "LAMP"}]
    shop.post("/products", {"title": "Lamp", "variants": variants})
    clients = [shop.client(node, name) for name in CLIENTS]
    order = shop.post("/orders", {"lines": [{"sku": "LAMP", "quantity": 2}], "email": "a@example.com"}, **KEY)
    for client in clients:
        client.until("order.placed")

    shop.stop()
    await shop.pay_unseen(order["id"])
    shop.go_on()
    for client in clients:
        client.until("order.paid")
    shop.post(f"/orders/{order['id']}/shipments", {"carrier": "Post"})
    for client in clients:
        client.until("order.shipped")

    expected = shop.order_events()
    assert [kind for _, kind in expected] == ["order.placed", "order.paid", "order.shipped"]
    for client in clients:
        told = [line for line in lines(client) if "connected" not in line]
        assert [(each["id"], each["type"]) for each in told] == expected, client.story
        assert told[-1]["order"] == {"number": order["number"], "state": "shipped", "total": {"amount": 200}}
        assert {"connected": "again"} in lines(client), client.story
        assert client.running, client.story


async def test_clients_with_a_bad_cursor_are_told_so_and_do_not_come_back(
    node: str, shop: Shop, start: StartProcess, tmp_path: Path, free_port: int
) -> None:
    here = Path(__file__).parent.as_posix()
    clients = {}
    for name, scheme in CLIENTS.items():
        script = tmp_path / f"{name}.mjs"
        cursor = f'import {{ request }} from "{here}/subscriber.mjs"; request.variables.after = "nonsense";'
        script.write_text(f'{cursor} await import("{here}/{name}.mjs");')
        clients[name] = start(node, str(script), f"{scheme}://127.0.0.1:{free_port}/graphql", shop.key)

    codes = {name: client.wait(30) for name, client in clients.items()}

    assert codes == {"websocket": 1, "sse": 0}  # an error there, here a result with errors that completes
    for client in clients.values():
        assert client.stdout.count("invalid_cursor") == 1, client.story
        assert {"connected": "again"} not in lines(client), client.story
