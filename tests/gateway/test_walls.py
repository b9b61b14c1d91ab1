"""What is too much for one audience is its own: on real sockets, with places that a test fills and frees."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from websockets import Subprotocol
from websockets.asyncio.client import ClientConnection, connect

from core.bulkheads import Bulkhead
from core.settings import CapacitySettings, Settings
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.followers import until
from tests.fixtures.listening import Listening, listen
from tests.fixtures.probes import PREFIXES, applications, read_error

AUDIENCES = ("public", "internal", "graphql")
HELD = {name: f"{PREFIXES[name]}/probe/held" for name in AUDIENCES}
ORDER = "/public/v1/orders/held"


@dataclass
class Held:
    """What the probes were asked, in the order in which they were reached; they answer when they are let go."""

    reached: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, app: FastAPI) -> None:
        found = applications(app)
        for name in AUDIENCES:
            found[name].add_api_route("/probe/held", self.hold, methods=["GET", "POST"])
            found[name].add_api_route("/probe/broken", self.break_down)
        found["v1"].add_api_route("/orders/held", self.hold, methods=["POST"])

    async def hold(self, request: Request) -> dict[str, Any]:
        self.reached.append(request.query_params.get("name", ""))
        await self.go.wait()
        return {"got": len(await request.body())}

    async def break_down(self) -> None:
        raise RuntimeError("broken")


@dataclass
class Gateway:
    held: Held
    listening: Listening
    client: httpx2.AsyncClient
    asked: list["asyncio.Task[httpx2.Response]"] = field(default_factory=list)

    def wall(self, audience: str) -> Bulkhead:
        found: Bulkhead = self.listening.state["bulkheads"][audience]
        return found

    async def fill(self, audience: str, *, waiting: int = 0) -> list["asyncio.Task[httpx2.Response]"]:
        """One runs, and so many wait."""
        asked = [self.ask("GET", f"{HELD[audience]}?name={number}") for number in range(1 + waiting)]
        wall = self.wall(audience)
        await until(lambda: (wall.running, wall.waiting) == (1, waiting))
        return asked

    def ask(self, method: str, path: str, **options: Any) -> "asyncio.Task[httpx2.Response]":
        asked = asyncio.create_task(self.client.request(method, path, **options))
        self.asked.append(asked)
        return asked

    async def end(self) -> None:
        self.held.go.set()
        await asyncio.gather(*self.asked, return_exceptions=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One runs of each, and two wait; of /public an order may run beside it."""
    capacity = CapacitySettings(
        public_running=2,
        public_reserved=1,
        public_waiting=2,
        internal_running=1,
        internal_waiting=2,
        graphql_running=1,
        graphql_waiting=2,
        queue_seconds=60,
    )
    return settings.model_copy(update={"capacity": capacity})


@pytest.fixture
async def gateway(app: FastAPI, operator: dict[str, str], log_entries: LogEntries) -> AsyncIterator[Gateway]:  # noqa: ARG001
    held = Held()
    held.add(app)
    async with listen(app) as listening:
        limits = httpx2.Limits(max_connections=None)
        address = f"http://{listening.address}"
        async with httpx2.AsyncClient(base_url=address, headers=operator, timeout=60, limits=limits) as client:
            gateway = Gateway(held, listening, client)
            yield gateway
            await gateway.end()


@pytest.mark.parametrize("full", AUDIENCES)
async def test_audience_that_is_full_refuses_in_its_shape_and_the_others_answer(
    gateway: Gateway, log_entries: LogEntries, full: str
) -> None:
    asked = await gateway.fill(full, waiting=2)

    refused = await gateway.client.get(HELD[full])
    others = [gateway.ask("GET", HELD[name]) for name in AUDIENCES if name != full]
    await until(lambda: len(gateway.held.reached) == 3)
    pages = [(await gateway.client.get(path)).status_code for path in ("/healthz", "/readyz", "/")]
    gateway.held.go.set()

    assert refused.status_code == 503
    assert read_error(full, refused).code == "overloaded"
    assert 1 <= int(refused.headers["retry-after"]) <= 62
    assert pages == [200, 200, 200]
    assert [(await each).status_code for each in (*asked, *others)] == [200] * 5
    assert [entry["code"] for entry in log_entries.access if entry["status"] == 503] == ["overloaded"]
    assert not [entry for entry in log_entries.application if entry["level"] != "info"]


async def test_health_and_metrics_of_a_full_internal_door_answer_and_count_exactly(
    gateway: Gateway, metrics_reader: dict[str, str]
) -> None:
    await gateway.fill("internal", waiting=2)

    health = await gateway.client.get("/internal/health")
    metrics = (await gateway.client.get("/internal/metrics", headers=metrics_reader)).text

    assert health.status_code == 200
    assert 'portico_bulkhead_running{audience="internal"} 1.0' in metrics
    assert 'portico_bulkhead_waiting{audience="internal"} 2.0' in metrics
    assert 'portico_bulkhead_running{audience="public"} 0.0' in metrics


async def test_order_is_let_in_before_reads_that_wait(gateway: Gateway) -> None:
    reads = await gateway.fill("public", waiting=1)

    first, second = (gateway.ask("POST", f"{ORDER}?name=order {number}") for number in (1, 2))
    await until(lambda: gateway.wall("public").waiting == 2)
    reached = gateway.held.reached[:]
    gateway.held.go.set()
    await asyncio.gather(*reads, first, second)

    assert reached == ["0", "order 1"]
    assert sorted(gateway.held.reached[2:]) == ["1", "order 2"]
    assert gateway.wall("public").running == 0


async def test_client_that_leaves_the_line_is_not_served(gateway: Gateway, log_entries: LogEntries) -> None:
    asked = await gateway.fill("graphql", waiting=2)

    asked[1].cancel()
    await until(lambda: gateway.wall("graphql").waiting == 1)
    gateway.held.go.set()
    await asyncio.gather(*asked, return_exceptions=True)

    assert sorted(gateway.held.reached) == ["0", "2"]
    assert sorted(entry["status"] for entry in log_entries.access) == [200, 200, 499]
    assert not [entry for entry in log_entries.application if entry["level"] != "info"]


@pytest.mark.parametrize("size", [10, 300_000])
async def test_body_of_a_request_that_waited_is_whole(gateway: Gateway, size: int) -> None:
    await gateway.fill("graphql")
    asked = gateway.ask("POST", HELD["graphql"], content=b"x" * size)
    await until(lambda: gateway.wall("graphql").waiting == 1)

    gateway.held.go.set()

    response = await asked
    assert (response.status_code, response.json()) == ((200, {"got": size}) if size == 10 else (413, response.json()))


@pytest.mark.parametrize("audience", AUDIENCES)
async def test_place_is_free_again_after_an_error_and_after_a_client_that_left(gateway: Gateway, audience: str) -> None:
    broken = await gateway.client.get(f"{PREFIXES[audience]}/probe/broken")
    (asked,) = await gateway.fill(audience)

    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    gateway.held.go.set()
    await until(lambda: gateway.wall(audience).running == 0)

    assert broken.status_code == 500


async def test_streams_hold_no_place(gateway: Gateway, operator: dict[str, str]) -> None:
    reader = await key_with(gateway.listening.state["resources"], "events:read")
    address = f"ws://{gateway.listening.address}"

    async with (
        gateway.client.stream("GET", "/public/v1/events/stream", headers=reader) as events,
        connect(f"{address}/public/v1/ws", additional_headers=reader),
        connect(f"{address}/internal/ws/echo", additional_headers=operator),
        connect(f"{address}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]),
    ):
        await until(lambda: not any(gateway.wall(name).running for name in AUDIENCES))
        status = events.status_code

    assert status == 200


async def test_handshakes_wait_in_line_too(gateway: Gateway) -> None:
    reader = await key_with(gateway.listening.state["resources"], "events:read")
    await gateway.fill("public")
    address = f"ws://{gateway.listening.address}/public/v1/ws"
    opening = asyncio.ensure_future(_opened(connect(address, additional_headers=reader)))
    await until(lambda: gateway.wall("public").waiting == 1)

    gateway.held.go.set()

    await (await opening).close()


async def _opened(connecting: connect) -> ClientConnection:
    return await connecting


async def test_server_that_drains_sends_away_who_waits_and_serves_who_runs(gateway: Gateway) -> None:
    asked = await gateway.fill("public", waiting=2)

    gateway.listening.stop()
    runs = asked[int(gateway.held.reached[0])]
    sent_away = [await each for each in asked if each is not runs]
    gateway.held.go.set()

    assert [(each.status_code, each.headers["retry-after"]) for each in sent_away] == [(503, "1"), (503, "1")]
    assert (await runs).status_code == 200


async def test_five_hundred_clients_at_once_are_all_served(app: FastAPI, settings: Settings, gateway: Gateway) -> None:
    del app, settings
    wall = gateway.wall("public")
    wall.capacity = type(wall.capacity)(running=4, waiting=500, patience_seconds=60, reserved=1)
    asked = [gateway.ask("GET", HELD["public"]) for _ in range(500)]
    await until(lambda: (wall.running, wall.waiting) == (3, 497))

    gateway.held.go.set()

    assert {(await each).status_code for each in asked} == {200}
    assert (wall.running, wall.waiting) == (0, 0)
