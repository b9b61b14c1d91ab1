"""How connections with subscriptions are opened, bounded and ended, over WebSocket and server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import httpx2
import pytest
from httpx2.websockets import AsyncWebSocketSession, WebSocketDisconnect, WebSocketUpgradeError
from wsproto.utilities import LocalProtocolError

from commerce.accounts.service import AccountService
from core.resources import Resources
from core.settings import Settings
from core.streams.broadcast import TooSlow
from core.streams.places import OPEN
from graphql_api.app import create_graphql_app
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.streams import StreamLimits
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, client_of, websocket
from tests.graphql_api.ordering import ONE, place
from tests.graphql_api.subscribing import (
    ORDERS,
    PRODUCTS,
    PROTOCOL,
    connected,
    feeds,
    product_named,
    retitle,
    run,
    streamed,
    subscribe,
    until,
    updates,
)

INIT = {"type": "connection_init"}
EVENTS = {"Accept": "text/event-stream"}


@asynccontextmanager
async def limited(served: Served, settings: Settings, **limits: float) -> AsyncIterator[httpx2.AsyncClient]:
    """The GraphQL application alone, at `/`, with other limits."""
    app = create_graphql_app(settings, StreamLimits(**limits))  # type: ignore[arg-type]
    async with client_of(Served(app, served.state)) as client:
        yield client


async def closed_with(socket: AsyncWebSocketSession) -> int:
    """The code, after whatever comes before it: never that an operation is complete."""
    async with asyncio.timeout(20):
        while True:
            try:
                message = await socket.receive_json()
            except WebSocketDisconnect as closed:
                return closed.code
            assert message["type"] != "complete"


async def denied(client: httpx2.AsyncClient, path: str = "/graphql") -> tuple[int, str]:
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with websocket(client, path, PROTOCOL):
            pass
    response = refused.value.response
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


def open_streams(kind: str) -> float:
    return float(OPEN.labels(kind)._value.get())


async def test_client_that_does_not_introduce_itself_is_closed(served: Served, settings: Settings) -> None:
    async with limited(served, settings, init_seconds=0.05) as client, websocket(client, "/", PROTOCOL) as socket:
        assert await closed_with(socket) == 4408


async def test_second_introduction_closes_the_socket(client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket:
        await socket.send_json(INIT)

        assert await closed_with(socket) == 4429


async def test_subscription_before_the_introduction_closes_the_socket(
    served: Served, client: httpx2.AsyncClient
) -> None:
    async with websocket(client, "/graphql", PROTOCOL) as socket:
        await subscribe(socket, PRODUCTS)

        assert await closed_with(socket) == 4401
    assert feeds(served) == []


async def test_second_subscription_with_an_id_closes_the_socket_and_ends_the_first(
    served: Served, client: httpx2.AsyncClient
) -> None:
    async with connected(client) as socket:
        await subscribe(socket, PRODUCTS)
        await until(lambda: len(feeds(served)) == 1)
        await subscribe(socket, PRODUCTS)

        assert await closed_with(socket) == 4409
        await until(lambda: feeds(served) == [])


async def test_ping_is_answered(client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket:
        await socket.send_json({"type": "ping"})

        assert await socket.receive_json() == {"type": "pong"}


async def test_subscription_that_the_client_completes_is_released_and_its_id_is_free(
    served: Served, client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    async with connected(client, headers=customer) as socket:
        await subscribe(socket, PRODUCTS, "1")
        await subscribe(socket, ORDERS, "2")
        await until(lambda: len(feeds(served)) == 2)

        await socket.send_json({"type": "complete", "id": "1"})
        await until(lambda: len(feeds(served)) == 1)
        await place(client, ONE, customer, "k")
        (told,) = await updates(socket, 1)
        await subscribe(socket, PRODUCTS, "1")
        await until(lambda: len(feeds(served)) == 2)

    assert told["type"] == "order.placed"


@pytest.mark.parametrize("kind", ["graphql_ws", "graphql_sse"])
async def test_client_that_leaves_leaves_nothing_behind(
    served: Served, client: httpx2.AsyncClient, log_entries: LogEntries, kind: str
) -> None:
    before = open_streams(kind)
    opened = connected(client) if kind == "graphql_ws" else streamed(served, PRODUCTS)
    async with opened as stream:
        if isinstance(stream, AsyncWebSocketSession):
            await subscribe(stream, PRODUCTS)
        await until(lambda: len(feeds(served)) == 1)
        during = open_streams(kind)

    await until(lambda: feeds(served) == [] and open_streams(kind) == before)
    assert during == before + 1
    assert log_entries.application == []


async def test_operations_of_a_connection_are_bounded(served: Served, settings: Settings) -> None:
    async with limited(served, settings, operations=2) as client, connected(client, "/") as socket:
        for operation in "12":
            await subscribe(socket, PRODUCTS, operation)
        await until(lambda: len(feeds(served)) == 2)
        await subscribe(socket, "{ __typename }", "3")
        refused = await socket.receive_json()
        await socket.send_json({"type": "complete", "id": "1"})
        let_in = await run(socket, "{ __typename }")

    assert (refused["id"], refused["type"]) == ("3", "error")
    assert refused["payload"][0]["extensions"]["code"] == "too_many_streams"
    assert let_in["type"] == "next"


async def test_sockets_of_one_address_are_bounded(served: Served, settings: Settings) -> None:
    async with limited(served, settings, per_caller=2) as client:
        async with connected(client, "/"), connected(client, "/"):
            refused = await denied(client, "/")
        async with connected(client, "/") as socket:
            let_in = await run(socket, "{ __typename }")

    assert refused == (429, "too_many_streams")
    assert let_in["type"] == "next"


async def test_sockets_of_one_person_are_bounded_and_do_not_count_for_their_address(
    served: Served, settings: Settings, customer: dict[str, str], stranger: dict[str, str]
) -> None:
    first, second = customer["Authorization"], stranger["Authorization"]
    async with limited(served, settings, per_caller=1) as client:
        async with (
            connected(client, "/", authorization=first),
            connected(client, "/", authorization=second),
            websocket(client, "/", PROTOCOL) as socket,
        ):
            await socket.send_json(INIT | {"payload": {"authorization": first}})
            code = await closed_with(socket)
        async with connected(client, "/", authorization=first) as socket:
            let_in = await run(socket, "{ me { id } }")

    assert code == 4429
    assert let_in["payload"]["data"]["me"] is not None


async def test_event_streams_of_one_address_are_bounded(served: Served, settings: Settings) -> None:
    limited_app = Served(create_graphql_app(settings, StreamLimits(per_caller=1)), served.state)
    async with streamed(limited_app, PRODUCTS, path="/") as stream:
        assert await stream.event() == (": ping", None)
        async with client_of(limited_app) as client:
            refused = await client.post("/", json={"query": PRODUCTS}, headers=EVENTS)
    async with streamed(limited_app, PRODUCTS, path="/") as stream:
        assert await stream.event() == (": ping", None)

    assert refused.status_code == 429
    assert refused.json()["errors"][0]["extensions"]["code"] == "too_many_streams"
    assert refused.headers["retry-after"] == "10"


@pytest.mark.parametrize("text", ["x" * (MAX_BODY_BYTES + 1), '{"type": "ping", "payload": "' + "é" * MAX_BODY_BYTES])
async def test_message_that_is_too_big_closes_the_socket(
    client: httpx2.AsyncClient, log_entries: LogEntries, text: str
) -> None:
    async with connected(client) as socket:
        await socket.send_text(text)

        assert await closed_with(socket) == 1009
    assert log_entries.application == []


async def test_messages_that_are_too_fast_close_the_socket(served: Served, settings: Settings) -> None:
    async with limited(served, settings, messages_per_second=5, burst=5) as client, connected(client, "/") as socket:
        with suppress(WebSocketDisconnect, LocalProtocolError):  # the close overtakes the rest
            for _ in range(50):
                await socket.send_json({"type": "pong"})

        assert await closed_with(socket) == 4429


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"type": "ping"'])
async def test_text_that_is_not_json_closes_the_socket_and_is_no_bug(
    client: httpx2.AsyncClient, log_entries: LogEntries, text: str
) -> None:
    async with connected(client) as socket:
        await socket.send_text(text)

        assert await closed_with(socket) == 4400
    assert log_entries.application == []


async def test_bytes_close_the_socket(client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket:
        await socket.send_bytes(b"{}")

        assert await closed_with(socket) == 4400


async def test_silent_client_is_closed_and_one_that_answers_pings_is_not(served: Served, settings: Settings) -> None:
    async with (
        limited(served, settings, ping_seconds=0.5) as client,
        connected(client, "/") as talking,
        connected(client, "/") as silent,
    ):
        for _ in range(5):
            assert await talking.receive_json() == {"type": "ping"}
            await talking.send_json({"type": "pong"})

        assert await closed_with(silent) == 4408
        assert (await talking.receive_json())["type"] == "ping"


@pytest.mark.parametrize("by", ["handshake", "connection_init"])
@pytest.mark.parametrize("why", ["revoked", "expired", "changed"])
async def test_socket_ends_with_its_credential(
    served: Served, client: httpx2.AsyncClient, resources: Resources, why: str, by: str
) -> None:
    user = await a_user(resources)
    person = await signed_in(resources, user)
    headers, payload = (person, {}) if by == "handshake" else ({}, {"authorization": person["Authorization"]})
    async with connected(client, headers=headers, **payload) as socket:
        await subscribe(socket, ORDERS)
        await until(lambda: len(feeds(served)) == 1)

        await _end_credential(served, client, resources, user.id, person, why)
        code = await closed_with(socket)

    assert code == 4401
    await until(lambda: feeds(served) == [])


@pytest.mark.parametrize("why", ["revoked", "expired", "changed"])
async def test_event_stream_ends_with_its_credential_and_is_not_complete(
    served: Served, client: httpx2.AsyncClient, resources: Resources, why: str
) -> None:
    user = await a_user(resources)
    person = await signed_in(resources, user)
    async with streamed(served, ORDERS, person) as stream:
        await until(lambda: len(feeds(served)) == 1)

        await _end_credential(served, client, resources, user.id, person, why)
        events = [await stream.event(), await stream.event()]

    assert events == [(": ping", None), None]
    assert stream.answer.complete
    await until(lambda: feeds(served) == [])


async def _end_credential(
    served: Served, client: httpx2.AsyncClient, resources: Resources, user_id: str, person: dict[str, str], why: str
) -> None:
    if why == "revoked":
        assert (await client.post("/public/v1/auth/logout", headers=person)).status_code == 204
    elif why == "changed":
        async with resources.database.write() as session:
            await AccountService(session, resources.clock, actor="test").set_role(user_id, "support")
    else:
        (followed,) = served.state["watch"]._followed
        served.state["watch"]._end(followed, "expired")  # what its timer does


async def test_draining_closes_sockets_ends_streams_without_complete_and_lets_nobody_in(
    served: Served, client: httpx2.AsyncClient
) -> None:
    async with connected(client) as busy, connected(client) as idle, streamed(served, PRODUCTS) as stream:
        await subscribe(busy, PRODUCTS)
        await until(lambda: len(feeds(served)) == 2)

        served.state["draining"].set()
        codes = [await closed_with(socket) for socket in (busy, idle)]
        events = [await stream.event(), await stream.event()]
        refused = await client.post("/graphql", json={"query": PRODUCTS}, headers=EVENTS)

        assert codes == [1012, 1012]
        assert events == [(": ping", None), None]
        assert await denied(client) == (503, "server_stopping")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["errors"][0]["extensions"]["code"] == "server_stopping"
        await until(lambda: feeds(served) == [])
        assert (await client.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


async def test_client_that_is_too_slow_is_let_go(served: Served, client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket, streamed(served, PRODUCTS) as stream:
        await subscribe(socket, PRODUCTS)
        await until(lambda: len(feeds(served)) == 2)

        for feed in feeds(served):
            feed.close(TooSlow())

        assert await closed_with(socket) == 4429
        assert [await stream.event(), await stream.event()] == [(": ping", None), None]


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_event_stream_has_the_headers_of_one_and_is_not_compressed(
    served: Served, client: httpx2.AsyncClient, customer: dict[str, str], path: str
) -> None:
    async with streamed(served, ORDERS, customer, path) as stream:
        assert await stream.event() == (": ping", None)
        await until(lambda: len(feeds(served)) == 1)
        await place(client, ONE, customer, "k")
        (told,) = await stream.updates(1)

    headers = stream.answer.headers
    assert (stream.answer.status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-encoding" not in headers
    assert headers["x-request-id"]
    assert told["type"] == "order.placed"


async def test_quiet_event_stream_says_that_it_is_there(served: Served, settings: Settings) -> None:
    app = Served(create_graphql_app(settings, StreamLimits(comment_seconds=0.05)), served.state)
    async with streamed(app, PRODUCTS, path="/") as stream:
        assert [await stream.event() for _ in range(3)] == [(": ping", None)] * 3


@pytest.mark.parametrize("query", ["{ __typename }", 'mutation { cancelOrder(id: "ord_1") { __typename } }'])
async def test_get_takes_subscriptions_alone(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"/graphql?query={quote(query)}", headers=EVENTS)

    assert response.status_code == 200
    assert '"code":"invalid_request"' in response.text
    assert response.text.endswith("event: complete\ndata: \n\n")


async def test_get_subscribes_as_an_event_source_does(
    served: Served, client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    product_id, another = [await product_named(client, handle) for handle in ("plain", "atlas-coat")]
    async with streamed(served, PRODUCTS, method="GET", productId=product_id) as stream:
        await until(lambda: len(feeds(served)) == 1)

        for changed in (another, product_id):
            await retitle(client, changed, "New", writer)
        (told,) = await stream.updates(1)

    assert (told["productId"], told["product"]) == (product_id, {"title": "New"})


@pytest.mark.parametrize(
    "query",
    ["", "?variables={}", "?query=", "?query={__typename}&variables={", "?query={__typename}&variables=[]"],
)
async def test_get_that_is_no_request_is_400(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"/graphql{query}", headers=EVENTS)

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "invalid_request"
