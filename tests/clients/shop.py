"""A shop that Node's clients talk to: a server on one address, whichever process serves it."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import httpx2

from commerce.operations.entities import sha256_of
from commerce.orders.commands import PayOrder
from core.database import Database
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk
from tests.fixtures.processes import PORTICO, Process, StartProcess

READY = "Portico is ready"
CLIENTS = {"websocket": "ws", "sse": "http"}
DRAIN_SECONDS = 20
PATIENCE_SECONDS = 30  # as long as a process that is busy may take


class Shop:
    """A server on one address, whichever process serves it, and a key that may do all that is done here."""

    def __init__(self, start: StartProcess, folder: Path, port: int) -> None:
        self._start = start
        self._folder = folder
        self._port = port
        self.process = self._serve()
        scopes = "catalog:write,orders:read,orders:write,events:read"
        self.key = self.portico("keys", "create", "shop", "--scopes", scopes).strip()

    def _serve(self) -> Process:
        process = self._start(*PORTICO, "serve", "--port", str(self._port))
        process.until(READY)
        return process

    def stop(self) -> None:
        self.process.send(signal.SIGTERM)
        assert self.process.wait(DRAIN_SECONDS) == 0, self.process.story

    def go_on(self) -> None:
        self.process = self._serve()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/graphql"

    def run(self, *command: str) -> str:
        """What a program printed that has ended well."""
        program = self._start(*command)
        assert program.wait(60) == 0, program.story
        return program.stdout

    def portico(self, *arguments: str) -> str:
        return self.run(*PORTICO, *arguments)

    def enforce(self, client: str) -> None:
        """Until the server obeys, which takes it a moment to hear of."""
        self.portico("operations", "mode", client, "enforce")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "errors" not in self.ask("{ __typename }", client):
            assert time.monotonic() < deadline, self.process.story
            time.sleep(0.05)

    def learn_from(self, client: str) -> None:
        """As `enforce`, automatic persisted queries: a hash is known that was sent with its text."""
        self.portico("operations", "automatic", client, "on")
        text = "{ __typename }"
        persisted = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(text)}}}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "errors" in (self.ask(text, client, **persisted), self.ask(None, client, **persisted))[1]:
            assert time.monotonic() < deadline, self.process.story
            time.sleep(0.05)

    def ask(self, query: str | None, client: str, **more: Any) -> dict[str, Any]:
        """What GraphQL answers to a client of this name."""
        response = httpx2.post(self.address, json={"query": query, **more}, headers={"X-Client-Name": client})
        answer: dict[str, Any] = response.json()
        return answer

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


def lines(client: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.stdout.splitlines()]


def pairs(output: str) -> list[tuple[str, Any]]:
    """What a program told, in its order: names and values."""
    return [(name, value) for name, value in map(json.loads, output.splitlines())]


def a_catalogue(shop: Shop) -> list[dict[str, Any]]:
    """Five products of one variant, of which there are three."""
    return [
        shop.post(
            "/products",
            {
                "title": title,
                "category": "Home",
                "variants": [{"sku": f"{title.upper()}-1", "stock": 3, "price": {"amount": 1000 + number}}],
            },
        )
        for number, title in enumerate(("Lamp", "Mug", "Rug", "Sofa", "Vase"))
    ]
