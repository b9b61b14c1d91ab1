"""Persisted operations over WebSocket and server-sent events."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from commerce.operations.entities import EVERYBODY
from core.resources import Resources
from tests.factories.operations import sha
from tests.graphql_api.persisting import MENU, STRANGE, UPDATES, WEB, allow, apq, registered
from tests.graphql_api.subscribing import connected

EVENTS = {"Accept": "text/event-stream"}


async def ask(socket: Any, payload: dict[str, Any]) -> Any:
    """The data, or the code of the error."""
    await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
    answer = await socket.receive_json()
    if answer["type"] == "error":
        return answer["payload"][0]["extensions"]["code"]
    assert await socket.receive_json() == {"id": "1", "type": "complete"}
    return answer["payload"]["data"]


@pytest.mark.parametrize("payload", [{"documentId": sha(STRANGE)}, {"id": sha(STRANGE)}, apq(STRANGE)])
async def test_registered_operation_runs_by_its_hash_on_a_websocket(
    client: httpx2.AsyncClient, resources: Resources, payload: dict[str, Any]
) -> None:
    await registered(resources, STRANGE)
    async with connected(client, headers=WEB) as socket:
        assert await ask(socket, payload) == {"__typename": "Query"}


async def test_refusals_on_a_websocket_leave_it_open(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, MENU)
    async with connected(client, headers=WEB) as socket:
        assert await ask(socket, apq(STRANGE)) == "persisted_query_not_found"
        assert await ask(socket, apq(MENU, query=STRANGE)) == "invalid_request"
        assert await ask(socket, {"extensions": {}}) == "invalid_request"
        assert await ask(socket, {"query": STRANGE}) == {"__typename": "Query"}
        await allow(resources, "web", mode="enforce")
        assert await ask(socket, {"query": STRANGE}) == "operation_not_registered"
        assert await ask(socket, {"query": UPDATES}) == "operation_not_registered"
        assert "categories" in await ask(socket, apq(MENU))


async def test_subscription_by_get_may_be_named(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, UPDATES, client=EVERYBODY)

    response = await client.get(f"/graphql?documentId={sha(UPDATES)}", headers=EVENTS)

    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert '"code":"invalid_cursor"' in response.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_stream_that_may_not_be_is_refused_before_it_begins(
    client: httpx2.AsyncClient, resources: Resources, method: str
) -> None:
    async def codes(body: dict[str, Any]) -> tuple[int, str]:
        if method == "POST":
            response = await client.post("/graphql", json=body, headers=EVENTS)
        else:
            query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
            response = await client.get(f"/graphql?{urlencode(query)}", headers=EVENTS)
        return response.status_code, response.json()["errors"][0]["extensions"]["code"]

    assert await codes(apq(UPDATES)) == (404, "persisted_query_not_found")
    await allow(resources, EVERYBODY, mode="enforce")
    assert await codes({"query": UPDATES}) == (403, "operation_not_registered")
