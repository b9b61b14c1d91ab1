"""The client that a WebSocket names: by its handshake's headers, or, as browsers must, in `connection_init`."""

from typing import Any

import httpx2
import pytest

from commerce.catalog.repository import ProductRepository
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import websocket
from tests.graphql_api.subscribing import PROTOCOL, connected, run, until

HEADERS = {"X-Client-Name": "ios", "X-Client-Version": "3"}


def named_in(entry: dict[str, Any]) -> tuple[Any, Any]:
    return entry.get("client_name"), entry.get("client_version")


@pytest.mark.parametrize(
    ("headers", "payload", "expected"),
    [
        ({}, {}, (None, None)),
        (HEADERS, {}, ("ios", "3")),
        ({}, {"clientName": "web", "clientVersion": "1.4.0"}, ("web", "1.4.0")),
        ({}, {"clientName": "web"}, ("web", None)),
        (HEADERS, {"clientName": "web", "clientVersion": "1.4.0"}, ("web", "1.4.0")),
        (HEADERS, {"clientName": "web"}, ("web", None)),
        (HEADERS, {"clientVersion": "1.4.0"}, ("ios", "3")),
        ({}, {"clientName": "w,b", "clientVersion": "1.4.0"}, (None, None)),
        ({}, {"clientName": {"web": 1}}, (None, None)),
    ],
)
async def test_client_of_a_socket_is_in_every_line(
    client: httpx2.AsyncClient,
    log_entries: LogEntries,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    payload: dict[str, Any],
    expected: tuple[Any, Any],
) -> None:
    async def fail(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(ProductRepository, "slice_of_heads", fail)

    async with connected(client, headers=headers, **payload) as socket:
        await run(socket, "{ products { nodes { id } } }")
    await until(lambda: bool(log_entries.access))

    (line,) = log_entries.application
    (access,) = log_entries.access
    assert (named_in(line), named_in(access)) == (expected, expected)


async def test_two_sockets_are_of_two_clients(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    async with connected(client, clientName="web"), connected(client, clientName="ios"):
        pass
    await until(lambda: len(log_entries.access) > 1)

    assert sorted(named_in(access)[0] for access in log_entries.access) == ["ios", "web"]


async def test_init_without_a_payload_is_taken(client: httpx2.AsyncClient) -> None:
    async with websocket(client, "/graphql", PROTOCOL) as socket:
        await socket.send_json({"type": "connection_init"})

        assert await socket.receive_json() == {"type": "connection_ack"}
