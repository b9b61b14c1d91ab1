"""An order and kill -9: wherever the server dies, sending the order again gives one order, and the stock is right."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.catalog.service import CatalogService
from core.clock import SystemClock
from core.database import Database
from core.settings import DataSettings, ServerSettings, Settings
from gateway.app import create_app
from tests.factories.products import a_product, a_variant
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import client_of, serve
from tests.fixtures.processes import ROOT

SECRET = "a secret key for the crash tests"
SCOPES = ("orders:read", "orders:write", "events:read", "catalog:read")
MOST_STEPS = 60


class Attempt:
    """One order for one product that nobody else buys, in a shop of its own making."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.handle = f"crash-{step}"
        self.email = f"step-{step}@example.com"
        skus = [f"CRASH-{step}-{size}" for size in "SM"]
        self.variants = tuple(a_variant(sku=sku, price=1000, stock=5, options={"Size": sku[-1]}) for sku in skus)
        self.body = {
            "lines": [{"sku": skus[0], "quantity": 2}, {"sku": skus[1], "quantity": 1}],
            "email": self.email,
        }
        self.headers = {"Idempotency-Key": f"order-{step}"}

    async def prepare(self, database: Database) -> None:
        async with database.write() as session:
            product = a_product(handle=self.handle, options=("Size",), variants=self.variants)
            await CatalogService(session, SystemClock()).create(product)
            key = await ApiKeyService(session, SystemClock(), actor="test").create(CreateKey("crash", SCOPES))
        self.headers["Authorization"] = f"Bearer {key.secret}"

    def kills(self, servers: "Servers") -> bool:
        """Whether the server died before it answered."""
        address = servers.start(f"PlaceOrder:{self.step}")
        try:
            answer = httpx2.post(f"{address}/public/v1/orders", json=self.body, headers=self.headers, timeout=20)
        except httpx2.TransportError:
            assert servers.ended() == signal.SIGKILL
            return True
        assert answer.status_code == 201, answer.text
        return False

    async def assert_one_order(self, client: httpx2.AsyncClient) -> None:
        """What the client that sends its order again gets, and what is there then."""
        answer = await client.post("/public/v1/orders", json=self.body, headers=self.headers)
        assert answer.status_code == 201, (self.step, answer.text)
        order = answer.json()["id"]

        found = await client.get("/public/v1/orders", params={"email": self.email}, headers=self.headers)
        product = (await client.get(f"/public/v1/products/{self.handle}")).json()
        log = (await client.get("/public/v1/events?limit=1000", headers=self.headers)).json()["items"]

        assert [each["id"] for each in found.json()["items"]] == [order], self.step
        assert [variant["stock"] for variant in product["variants"]] == [3, 4], self.step
        own: list[dict[str, Any]] = [event for event in log if event["subject"] in (order, product["id"])]
        types = sorted(event["type"] for event in own)
        assert types == ["order.placed", "product.created", "stock.changed", "stock.changed"], self.step


# Imports once what takes two seconds to import; each server is a process of its own all the same.
FORK_SERVERS = """
import os, sys
import gateway.app
from gateway.cli import main
for failpoint in sys.stdin:
    child = os.fork()
    if child == 0:
        os.environ["PORTICO_FAILPOINT"] = failpoint.strip()
        sys.argv = ["portico", "serve", "--port", "0"]
        try:
            main()
        finally:
            os._exit(1)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""


class Servers:
    """One server after the other, each with a failpoint of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.log = (folder / "servers.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORK_SERVERS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PORTICO_DATA_DIR": str(folder / "var")} | environment,
            start_new_session=True,
        )  # fmt: skip

    def start(self, failpoint: str) -> str:
        """Its address."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{failpoint}\n")
        return self._line("Portico is ready: ").strip()

    def ended(self) -> int:
        """The signal that the last one was killed by."""
        return int(self._line("ended "))

    def _line(self, beginning: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(beginning):
                return line.removeprefix(beginning)
        self.log.seek(0)
        pytest.fail(f"no {beginning!r}: {self.log.read()}")

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate(timeout=10)
        self.log.close()


async def test_server_killed_between_any_two_statements_of_an_order_leaves_one_order(
    database_url: str, tmp_path: Path, log_entries: LogEntries
) -> None:
    database = Database(database_url)
    settings = Settings(
        server=ServerSettings.model_validate({"secret_key": SECRET, "metrics_token": SECRET}),
        data=DataSettings(data_dir=tmp_path / "var", database_url=database_url),
    )
    servers = Servers(tmp_path, {"PORTICO_DATABASE_URL": database_url, "PORTICO_SECRET_KEY": SECRET})

    died, killed = 0, True
    try:
        while killed and died < MOST_STEPS:
            attempt = Attempt(died + 1)
            await attempt.prepare(database)
            killed = attempt.kills(servers)
            if killed:
                died += 1
                async with serve(create_app(settings)) as served, client_of(served) as client:
                    await attempt.assert_one_order(client)
    finally:
        servers.close()
        await database.close()

    assert 12 <= died < MOST_STEPS  # every statement, BEGIN and COMMIT among them, and the moment before the answer
    assert [entry for entry in log_entries.application if entry["level"] == "error"] == []
