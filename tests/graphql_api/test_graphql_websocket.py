"""graphql-transport-ws on both addresses: operations one after another, each with its own loaders; bad messages."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from httpx2.websockets import WebSocketDisconnect, WebSocketUpgradeError

from commerce.accounts.service import AccountService
from commerce.catalog.repository import ProductRepository
from commerce.orders.models import OrderRow
from core.resources import Resources
from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, serve, websocket
from tests.fixtures.probes import SECRET
from tests.graphql_api.asking import ON_SALE, without_cost
from tests.graphql_api.ordering import ONE, PLACE, count, place
from tests.graphql_api.subscribing import PROTOCOL, connected, run


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_websocket_connects_with_and_without_the_slash(client: httpx2.AsyncClient, path: str) -> None:
    async with connected(client, path) as socket:
        answer = await run(socket, "{ __typename }")

    assert (answer["type"], without_cost(answer["payload"])) == ("next", {"data": {"__typename": "Query"}})


async def test_later_operation_of_a_connection_sees_what_changed(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    product_id = (await client.get("/public/v1/products/plain")).json()["id"]
    query = f'{{ product(id: "{product_id}") {{ title }} }}'
    async with connected(client) as socket:
        before = await run(socket, query)
        await client.patch(f"/public/v1/products/{product_id}", json={"title": "Changed"}, headers=writer)
        after = await run(socket, query)

    titles = [answer["payload"]["data"]["product"]["title"] for answer in (before, after)]
    assert titles == ["Plain", "Changed"]


@pytest.mark.parametrize("by", ["handshake", "connection_init"])
async def test_principal_comes_from_the_handshake_or_from_connection_init(
    client: httpx2.AsyncClient, writer: dict[str, str], by: str
) -> None:
    headers, payload = (writer, {}) if by == "handshake" else ({}, {"authorization": writer["Authorization"]})
    async with connected(client, headers=headers, **payload) as socket:
        answer = await run(socket, "{ products { totalCount } }")

    assert answer["payload"]["data"]["products"]["totalCount"] == ON_SALE + 2


@pytest.mark.parametrize("by", ["handshake", "connection_init"])
async def test_mutation_is_done_once(client: httpx2.AsyncClient, resources: Resources, by: str) -> None:
    customer = await signed_in(resources, await a_user(resources))
    headers, payload = (customer, {}) if by == "handshake" else ({}, {"authorization": customer["Authorization"]})
    async with connected(client, headers=headers, **payload) as socket:
        answers = [await run(socket, PLACE, input=ONE, key="k") for _ in range(2)]

    rest = await place(client, ONE, customer, "k")
    first, second = [without_cost(answer["payload"]) for answer in answers]
    assert first["data"] == second["data"]
    assert first["data"]["placeOrder"]["id"] == rest.json()["id"]
    assert ("extensions" in first, second["extensions"]) == (False, {"idempotencyReplayed": ["placeOrder"]})
    assert await count(resources.database, OrderRow) == 1


@pytest.mark.parametrize("by", ["handshake", "connection_init"])
async def test_operation_after_the_sign_in_has_ended_is_refused(
    client: httpx2.AsyncClient, resources: Resources, served: Served, by: str
) -> None:
    """Though the connection was opened before, and is not closed yet."""
    customer = await signed_in(resources, await a_user(resources))
    headers, payload = (customer, {}) if by == "handshake" else ({}, {"authorization": customer["Authorization"]})
    async with connected(client, headers=headers, **payload) as socket:
        before = await run(socket, "{ me { id } }")
        served.state["watch"]._followed.clear()  # it has not looked yet
        await client.post("/public/v1/auth/logout", headers=customer)
        after = await run(socket, PLACE, input=ONE, key="k")

    assert before["payload"]["data"]["me"] is not None
    assert (after["type"], after["payload"][0]["extensions"]["code"]) == ("error", "unauthenticated")
    assert await count(resources.database, OrderRow) == 0


async def test_rights_that_were_lost_are_lost_on_an_open_connection(
    client: httpx2.AsyncClient, resources: Resources, served: Served
) -> None:
    editor = await a_user(resources, "editor")
    order = await place(client, ONE, await signed_in(resources, await a_user(resources)), "k")
    query = f'{{ products {{ totalCount }} order(id: "{order.json()["id"]}") {{ number }} }}'
    async with connected(client, headers=await signed_in(resources, editor)) as socket:
        before = await run(socket, query)
        served.state["watch"]._followed.clear()  # it has not looked yet
        async with resources.database.write() as session:
            await AccountService(session, resources.clock, actor="test").set_role(editor.id, "customer")
        after = await run(socket, query)

    assert before["payload"]["data"]["products"]["totalCount"] == ON_SALE + 2
    assert before["payload"]["data"]["order"] is not None
    assert after["payload"]["data"] == {"products": {"totalCount": ON_SALE}, "order": None}


async def test_bad_credentials_in_connection_init_close_the_socket(client: httpx2.AsyncClient) -> None:
    async with websocket(client, "/graphql", PROTOCOL) as socket:
        await socket.send_json({"type": "connection_init", "payload": {"Authorization": "Bearer ptk_nonsense"}})
        with pytest.raises(WebSocketDisconnect) as closed:
            await socket.receive_json()

    assert closed.value.code == 4403


async def test_bad_credentials_of_the_handshake_are_401(client: httpx2.AsyncClient) -> None:
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with websocket(client, "/graphql", PROTOCOL | {"Authorization": "Bearer ptk_nonsense"}):
            pass

    assert refused.value.response.status_code == 401


async def test_legacy_protocol_is_not_spoken(client: httpx2.AsyncClient) -> None:
    async with websocket(client, "/graphql", {"Sec-WebSocket-Protocol": "graphql-ws"}) as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            await socket.receive_json()

    assert (socket.subprotocol, closed.value.code) == (None, 4406)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", None),
        ("{", None),
        ("{ nope }", None),
        ("query A { __typename } query B { __typename }", None),
        ("query A { __typename }", "B"),
    ],
)
async def test_document_that_cannot_run_is_an_error_message(
    client: httpx2.AsyncClient, log_entries: LogEntries, query: str, name: str | None
) -> None:
    async with connected(client) as socket:
        answer = await run(socket, query, name)
        again = await run(socket, "{ __typename }")

    assert answer["type"] == "error"
    assert answer["payload"][0]["extensions"]["code"] == "invalid_request"
    assert again["type"] == "next"
    assert log_entries.application == []


async def test_bug_is_masked_and_logged_once(
    client: httpx2.AsyncClient, log_entries: LogEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(ProductRepository, "categories", fail)
    async with connected(client) as socket:
        answer = await run(socket, "{ categories { id } }")

    assert answer["payload"]["errors"][0]["extensions"]["code"] == "internal_error"
    assert SECRET not in str(answer)
    assert [entry["event"] for entry in log_entries.application] == ["internal_error"]


@pytest.mark.parametrize(
    "message",
    [
        [],
        "text",
        {},
        {"type": 1},
        {"type": "nonsense"},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}},
        {"type": "subscribe", "id": "1", "payload": []},
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}},
        {"type": "complete", "id": []},
    ],
)
async def test_message_of_the_wrong_shape_closes_the_socket_and_is_no_bug(
    client: httpx2.AsyncClient, log_entries: LogEntries, message: Any
) -> None:
    async with connected(client) as socket:
        await socket.send_json(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            await socket.receive_json()

    assert closed.value.code == 4400
    assert log_entries.application == []


async def test_operation_before_connection_init_is_refused(client: httpx2.AsyncClient) -> None:
    async with websocket(client, "/graphql", PROTOCOL) as socket:
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}})
        with pytest.raises(WebSocketDisconnect) as closed:
            await socket.receive_json()

    assert closed.value.code == 4401


@pytest.fixture
def one_origin_app(settings: Settings, gateway_template: Any) -> FastAPI:
    server = ServerSettings(cors_origins=("https://shop.example",))
    data = DataSettings(data_dir=settings.data.data_dir)
    return new_app(with_embedded_secrets(Settings(server=server, data=data)), gateway_template)


async def test_pages_of_foreign_origins_may_not_connect(one_origin_app: FastAPI) -> None:
    async with serve(one_origin_app) as served, client_of(served) as client:
        for origin in ("https://shop.example", "http://portico.test"):
            async with connected(client, headers={"Origin": origin}) as socket:
                assert (await run(socket, "{ __typename }"))["type"] == "next"
        with pytest.raises(WebSocketUpgradeError) as refused:
            async with websocket(client, "/graphql", PROTOCOL | {"Origin": "https://evil.example"}):
                pass

    assert refused.value.response.status_code == 403
