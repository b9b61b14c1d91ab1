"""Event streams through a restart of the server: told to come back, and none lost and none doubled when they do."""

import asyncio
import signal
import time
from collections.abc import Callable

import httpx2
import pytest

from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.fixtures.sse import EventSource, SentEvent, event_source
from tests.gateway.processes.conftest import StartGunicorn

STREAM = "/public/v1/events/stream"
PRODUCT = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}
CLIENTS = 5
StartServer = Callable[[], Process]


@pytest.fixture(params=["serve", "gunicorn"])
def start_server(
    request: pytest.FixtureRequest, start: StartProcess, gunicorn: StartGunicorn, free_port: int
) -> StartServer:
    def serve() -> Process:
        process = start(*PORTICO, "serve", "--port", str(free_port))
        process.until("Portico is ready")
        return process

    return serve if request.param == "serve" else gunicorn


class Follower:
    """An EventSource: it comes back with the last id, after the time that it was told."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.events: list[SentEvent] = []
        self.goodbyes: list[SentEvent] = []
        self.opened = asyncio.Event()

    async def follow(self, after: str) -> None:
        last, retry_ms = after, 0
        while True:
            await asyncio.sleep(retry_ms / 1000)
            try:
                async with event_source(self._client, STREAM, last_event_id=last) as source:
                    await self._read(source)
            except (httpx2.TransportError, AssertionError):  # there is no server, or one that drains
                retry_ms = 100
                continue
            last, retry_ms = source.last_event_id, min(source.retry_ms or 0, 1000)

    async def _read(self, source: EventSource) -> None:
        await source.comment()
        self.opened.set()
        while (event := await source.next()) is not None:
            (self.goodbyes if event.type == "reconnect" else self.events).append(event)


async def write(client: httpx2.AsyncClient, stop: asyncio.Event) -> None:
    """Products, one after the other; what fails is tried again with its key."""
    number = 0
    while not stop.is_set():
        try:
            headers = {"Idempotency-Key": f"product-{number}"}
            answer = await client.post("/public/v1/products", json=PRODUCT, headers=headers)
        except httpx2.TransportError:
            await asyncio.sleep(0.1)
            continue
        number += answer.status_code == 201
        await asyncio.sleep(0.02)


async def logged(client: httpx2.AsyncClient, after: str) -> list[str]:
    page = (await client.get("/public/v1/events", params={"after": after, "limit": 1000})).json()
    assert page["next"] is None
    return [event["id"] for event in page["items"]]


async def stop_within(process: Process, seconds: float) -> None:
    process.send(signal.SIGTERM)
    began = time.monotonic()
    assert await asyncio.to_thread(process.wait, seconds + 5) == 0, process.story
    assert time.monotonic() - began < seconds, process.story


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_streams_go_on_through_a_restart_without_a_gap_or_a_double(
    start: StartProcess, start_server: StartServer, address: str
) -> None:
    server = await asyncio.to_thread(start_server)
    keys = start(*PORTICO, "keys", "create", "test", "--scopes", "catalog:write,events:read")
    assert keys.wait(20) == 0, keys.story
    key = {"Authorization": f"Bearer {keys.stdout.strip()}"}
    async with httpx2.AsyncClient(base_url=address, headers=key, timeout=30) as client, asyncio.timeout(120):
        await client.post("/public/v1/products", json=PRODUCT)
        (after,) = await logged(client, "evt_0000000000000")
        followers = [Follower(client) for _ in range(CLIENTS)]
        following = [asyncio.create_task(each.follow(after)) for each in followers]
        for each in followers:
            await each.opened.wait()
        stop = asyncio.Event()
        writing = asyncio.create_task(write(client, stop))
        await until(lambda: all(each.events for each in followers))

        await stop_within(server, 20)
        before = max(len(each.events) for each in followers)
        await asyncio.to_thread(start_server)
        await until(lambda: all(len(each.events) >= before + 10 for each in followers))
        stop.set()
        await writing
        expected = await logged(client, after)
        await until(lambda: all(len(each.events) >= len(expected) for each in followers))

        for task in following:
            task.cancel()
        await asyncio.wait(following)

    assert [[event.id for event in each.events] for each in followers] == [expected] * CLIENTS
    assert [len(each.goodbyes) for each in followers] == [1] * CLIENTS
    assert all(500 <= each.goodbyes[0].data["retry_ms"] <= 5000 for each in followers)
