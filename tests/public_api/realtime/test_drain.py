"""A server that stops sends its sockets away with all that they need to go on at another, and nothing is missing."""

import asyncio
import signal
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core.resources import Resources
from core.settings import Settings
from gateway.app import create_app
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.listening import Listening, listen
from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.fixtures.sockets import Peer, Schemas, connected, happen, order, product
from tests.public_api.realtime.conftest import Connect

PATH = "/public/v1/ws"


@pytest.fixture
async def headers(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "events:read", "orders:read")


async def farewell(peer: Peer) -> dict[str, Any]:
    frame = await peer.hear()
    assert frame.pop("type") == "reconnect"
    assert 500 <= frame.pop("retry_ms") <= 5000
    return frame


async def test_socket_is_told_where_each_channel_goes_on(
    connect: Connect, listening: Listening, resources: Resources, headers: dict[str, str]
) -> None:
    async with connect(headers) as peer:
        begin = await peer.follow("orders")
        await peer.follow("catalog")
        await happen(resources, product("a"))
        seen = (await peer.hear())["event"]["id"]
        listening.stop()
        told = await farewell(peer)

        assert told["cursors"].keys() == {"orders", "catalog"}
        assert told["cursors"]["catalog"] == seen
        assert told["cursors"]["orders"] in (begin, seen)
        assert told["after"] == min(told["cursors"].values())
        assert await peer.closed() == (1012, "server_restarts")
    await listening.served


async def test_socket_without_channels_is_told_too(
    connect: Connect, listening: Listening, headers: dict[str, str]
) -> None:
    async with connect(headers) as peer:
        listening.stop()

        assert await farewell(peer) == {"after": None, "cursors": {}}
        assert await peer.closed() == (1012, "server_restarts")
    async with asyncio.timeout(5):
        await listening.served


async def test_socket_opened_before_anything_happened_misses_nothing(
    settings: Settings, sqlite_template: Any, schemas: Schemas, log_entries: LogEntries
) -> None:
    assert log_entries == []
    settings.data.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data.data_dir / "portico.db").write_bytes(sqlite_template.read_bytes())
    async with listen(create_app(settings)) as first:
        headers = await key_with(first.state["resources"], "events:read")
        async with connected(f"ws://{first.address}{PATH}", schemas, headers) as peer:
            await peer.follow("catalog")
            first.stop()
            told = await farewell(peer)
    async with listen(create_app(settings)) as second:
        await happen(second.state["resources"], product("first"))
        async with connected(f"ws://{second.address}{PATH}", schemas, headers) as peer:
            await peer.follow("catalog", after=told["cursors"]["catalog"])

            assert await peer.subjects(1) == ["first"]


async def test_what_was_not_sent_before_the_server_stopped_comes_after_it_and_nothing_comes_twice(
    app: FastAPI, settings: Settings, schemas: Schemas, log_entries: LogEntries
) -> None:
    """A burst is under way: some events are sent, some are not, and others happen while nobody listens."""
    assert log_entries == []
    async with listen(app) as first:
        resources = first.state["resources"]
        user = await a_user(resources)
        headers = await signed_in(resources, user)
        async with connected(f"ws://{first.address}{PATH}", schemas, headers) as peer:
            await peer.follow("orders")
            await happen(resources, *(order(f"o{number}", user.id) for number in range(1000)))
            before = await peer.subjects(10)
            first.stop()
            while (frame := await peer.hear())["type"] == "event":
                before.append(frame["event"]["subject"])
            await happen(resources, order("meanwhile", user.id))
    async with (
        listen(create_app(settings)) as second,
        connected(f"ws://{second.address}{PATH}", schemas, headers) as peer,
    ):
        await peer.follow("orders", after=frame["cursors"]["orders"])
        after = await peer.subjects(1001 - len(before))
        await peer.quiet()

    assert frame["after"] == frame["cursors"]["orders"]
    assert before + after == [*(f"o{number}" for number in range(1000)), "meanwhile"]


async def test_rolling_restart_of_the_server_loses_and_doubles_nothing(
    start: StartProcess, free_port: int, schemas: Schemas
) -> None:
    address = f"127.0.0.1:{free_port}"
    first = await serving(start, free_port)
    made = start(*PORTICO, "keys", "create", "writer", "--scopes", "events:read,catalog:read,catalog:write")
    assert made.wait(30) == 0, made.story
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    stop = asyncio.Event()
    async with httpx2.AsyncClient(base_url=f"http://{address}", headers=headers) as client:
        writer = asyncio.create_task(keep_writing(client, stop))
        ids: list[str] = []
        async with connected(f"ws://{address}{PATH}", schemas, headers) as peer:
            begin = await peer.follow("catalog")
            ids += [(await peer.hear())["event"]["id"] for _ in range(5)]
            first.send(signal.SIGTERM)
            while (frame := await peer.hear())["type"] == "event":
                ids.append(frame["event"]["id"])
            assert await peer.closed() == (1012, "server_restarts")
        assert await asyncio.to_thread(first.wait, 20) == 0, first.story
        await serving(start, free_port)
        async with connected(f"ws://{address}{PATH}", schemas, headers) as peer:
            await peer.follow("catalog", after=frame["cursors"]["catalog"])
            ids += [(await peer.hear())["event"]["id"] for _ in range(5)]
            stop.set()
            await writer
            log = (await client.get("/public/v1/events", params={"after": begin, "limit": 1000})).json()["items"]
            ids += [(await peer.hear())["event"]["id"] for _ in range(len(log) - len(ids))]

    assert ids == [event["id"] for event in log]
    assert len(ids) >= 10


async def serving(start: StartProcess, port: int) -> Process:
    process = start(*PORTICO, "serve", "--port", str(port))
    await asyncio.to_thread(process.until, "Portico is ready")
    return process


async def keep_writing(client: httpx2.AsyncClient, stop: asyncio.Event) -> None:
    """Products, one after the other, whoever answers."""
    number = 0
    while not stop.is_set():
        number += 1
        variants = [{"options": {}, "price": {"amount": 100, "currency": "USD"}}]
        with suppress(httpx2.TransportError):
            await client.post("/public/v1/products", json={"title": f"Product {number}", "variants": variants})
        await asyncio.sleep(0.02)
