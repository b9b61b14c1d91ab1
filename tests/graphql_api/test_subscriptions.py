"""What subscriptions tell, to whom, and from where on; the same over both transports."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx2
import pytest

from commerce.catalog.repository import ProductRepository
from core import eventlog
from core.eventlog import event_id
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.asgi import Served
from tests.fixtures.probes import SECRET
from tests.graphql_api.asking import as_graphql
from tests.graphql_api.ordering import ONE, place
from tests.graphql_api.subscribing import (
    ORDERS,
    PRODUCTS,
    ROOM,
    connected,
    feeds,
    product_named,
    retitle,
    streamed,
    subscribe,
    until,
    updates,
)

Take: TypeAlias = Callable[[int], Awaitable[list[dict[str, Any]]]]
Headers: TypeAlias = dict[str, str]


class Subscriber:
    """Subscribes over one of the transports; everything is closed with the test."""

    def __init__(self, served: Served, client: httpx2.AsyncClient, transport: str, stack: AsyncExitStack) -> None:
        self._served = served
        self._client = client
        self._transport = transport
        self._stack = stack

    async def open(self, query: str, headers: Headers | None = None, **variables: Any) -> Take:
        """When it has begun to listen. Returns what takes so many updates."""
        before = len(feeds(self._served))
        if self._transport == "sse":
            stream = await self._stack.enter_async_context(streamed(self._served, query, headers, **variables))
            take: Take = stream.updates
        else:
            socket = await self._stack.enter_async_context(connected(self._client, headers=headers))
            await subscribe(socket, query, **variables)

            async def take(number: int) -> list[dict[str, Any]]:
                return await updates(socket, number)

        if "after" not in variables:
            await until(lambda: len(feeds(self._served)) > before)
        return take

    async def refused(self, query: str, headers: Headers | None = None, **variables: Any) -> dict[str, Any]:
        """The only error, of an operation that it ends."""
        if self._transport == "sse":
            async with streamed(self._served, query, headers, **variables) as stream:
                ping, (name, result), complete, end = [await stream.event() for _ in range(4)]  # type: ignore[misc]
            assert (ping, name, complete, end) == ((": ping", None), "next", ("complete", None), None)
            assert result["data"] is None
            (error,) = result["errors"]
        else:
            async with connected(self._client, headers=headers) as socket:
                await subscribe(socket, query, **variables)
                message = await socket.receive_json()
            assert message["type"] == "error"
            (error,) = message["payload"]
        assert error["extensions"]["request_id"] not in ("", "-")
        found: dict[str, Any] = error
        return found


@pytest.fixture(params=["websocket", "sse"])
async def subscriber(
    served: Served, client: httpx2.AsyncClient, request: pytest.FixtureRequest
) -> AsyncIterator[Subscriber]:
    async with AsyncExitStack() as stack:
        yield Subscriber(served, client, request.param, stack)


@pytest.fixture
async def socket_subscriber(served: Served, client: httpx2.AsyncClient) -> AsyncIterator[Subscriber]:
    async with AsyncExitStack() as stack:
        yield Subscriber(served, client, "websocket", stack)


async def order_of(client: httpx2.AsyncClient, headers: Headers, key: str = "k") -> str:
    found: str = (await place(client, ONE, headers, key)).json()["id"]
    return found


async def pay(client: httpx2.AsyncClient, order_id: str, headers: Headers) -> None:
    assert (await client.post(f"/public/v1/orders/{order_id}/payments", json={}, headers=headers)).status_code == 201


async def events(client: httpx2.AsyncClient, headers: Headers, prefix: str) -> list[tuple[str, str]]:
    """As REST has them."""
    items = (await client.get("/public/v1/events?limit=1000", headers=headers)).json()["items"]
    return [(each["id"], each["type"]) for each in items if each["type"].startswith(prefix)]


async def test_order_is_followed_with_the_ids_of_the_event_log(
    client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, admin: Headers
) -> None:
    take = await subscriber.open(ORDERS, customer)

    order_id = await order_of(client, customer)
    (placed,) = await take(1)
    await pay(client, order_id, admin)
    shipped = await client.post(f"/public/v1/orders/{order_id}/shipments", json={"carrier": "Post"}, headers=admin)
    told = [placed, *await take(2)]

    assert shipped.status_code == 201
    assert placed["order"] == {"id": order_id, "state": "placed"}
    assert told[-1]["order"] == {"id": order_id, "state": "shipped"}
    assert [each["type"] for each in told] == ["order.placed", "order.paid", "order.shipped"]
    assert [(each["id"], each["type"]) for each in told] == await events(client, customer, "order.")
    assert all(datetime.fromisoformat(each["time"]).tzinfo == UTC for each in told)


async def test_orders_are_told_to_whose_they_are_and_to_staff(
    client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, stranger: Headers, admin: Headers
) -> None:
    own, other, staff = [await subscriber.open(ORDERS, each) for each in (customer, stranger, admin)]

    mine = await order_of(client, customer)
    theirs = await order_of(client, stranger)
    told = [[each["order"]["id"] for each in await take(number)] for take, number in ((own, 1), (other, 1), (staff, 2))]

    assert told == [[mine], [theirs], [mine, theirs]]


async def test_one_order_is_followed_alone(
    client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, admin: Headers
) -> None:
    first = await order_of(client, customer, "1")
    take = await subscriber.open(ORDERS, customer, orderId=first)

    second = await order_of(client, customer, "2")
    for order_id in (second, first):
        await pay(client, order_id, admin)

    assert [(each["type"], each["order"]["id"]) for each in await take(1)] == [("order.paid", first)]


async def test_order_of_somebody_else_cannot_be_followed(
    served: Served, client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, stranger: Headers
) -> None:
    order_id = await order_of(client, customer)

    errors = [await subscriber.refused(ORDERS, stranger, orderId=each) for each in (order_id, "ord_nonsense")]

    assert {error["extensions"]["code"] for error in errors} == {"not_found"}
    assert errors[0]["message"] == errors[1]["message"]
    assert feeds(served) == []


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        (None, "unauthenticated"),
        (("catalog:read",), "missing_scope"),
        (("orders:read",), "missing_scope"),
        (("events:read",), "missing_scope"),
    ],
)
async def test_orders_need_credentials_that_may_read_orders_and_events(
    served: Served, resources: Resources, subscriber: Subscriber, scopes: tuple[str, ...] | None, code: str
) -> None:
    headers = await key_with(resources, *scopes) if scopes else {}

    error = await subscriber.refused(ORDERS, headers)

    assert error["extensions"]["code"] == code
    assert feeds(served) == []


async def test_products_are_told_to_everybody_and_drafts_to_editors(
    client: httpx2.AsyncClient, subscriber: Subscriber, writer: Headers
) -> None:
    anyone, editor = await subscriber.open(PRODUCTS), await subscriber.open(PRODUCTS, writer)
    body = {"title": "Lamp", "status": "draft", "variants": [{"price": {"amount": 100}}]}

    product_id = (await client.post("/public/v1/products", json=body, headers=writer)).json()["id"]
    address = f"/public/v1/products/{product_id}"
    for change in ({"title": "Hidden lamp"}, {"status": "active"}, {"title": "Big lamp"}, {"status": "archived"}):
        assert (await client.patch(address, json=change, headers=writer)).status_code == 200
    assert (await client.delete(address, headers=writer)).status_code == 204
    by_editor, by_anyone = await editor(6), await anyone(3)

    types = ["product.created", *["product.updated"] * 4, "product.deleted"]
    assert [each["type"] for each in by_editor] == types
    assert [each["type"] for each in by_anyone] == ["product.updated"] * 3
    assert {each["id"] for each in by_anyone} < {each["id"] for each in by_editor}
    assert {each["productId"] for each in by_editor} == {product_id}
    assert by_editor[-1]["product"] is None


async def test_product_is_read_when_its_update_is_told(
    client: httpx2.AsyncClient, subscriber: Subscriber, writer: Headers
) -> None:
    product_id, another = [await product_named(client, handle) for handle in ("plain", "atlas-coat")]
    take = await subscriber.open(PRODUCTS, productId=product_id)

    told = []
    for title in ("One", "Two"):
        await retitle(client, another, title, writer)
        await retitle(client, product_id, title, writer)
        told += await take(1)
    await client.patch(f"/public/v1/products/{product_id}", json={"status": "draft"}, headers=writer)
    told += await take(1)

    assert [each["product"] for each in told] == [{"title": "One"}, {"title": "Two"}, None]


async def test_stock_is_told_as_orders_take_it(
    client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers
) -> None:
    take = await subscriber.open("subscription { productUpdates { type product { variants { sku stock } } } }")

    await order_of(client, customer)
    (told,) = await take(1)

    assert told["type"] == "stock.changed"
    assert {"sku": "ATL-S", "stock": 2} in told["product"]["variants"]


async def test_subscription_goes_on_after_a_cursor_without_gap_or_double(
    served: Served, client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, admin: Headers
) -> None:
    first = await order_of(client, customer, "0")
    cursor = (await events(client, customer, "order."))[0][0]
    missed = [await order_of(client, customer, key) for key in "12"]
    await pay(client, first, admin)

    take = await subscriber.open(ORDERS, customer, after=cursor)
    caught_up = await take(3)
    await until(lambda: len(feeds(served)) == 1)
    await pay(client, missed[0], admin)
    told = caught_up + await take(1)

    everything = await events(client, customer, "order.")
    assert [(each["id"], each["type"]) for each in told] == everything[1:]
    assert len(everything) == 5


@pytest.mark.parametrize(
    ("cursor", "code"),
    [("nonsense", "invalid_cursor"), (event_id(1), "reset"), (event_id(10**6), "reset")],
)
async def test_cursor_that_is_none_or_too_old_ends_the_operation_with_the_code_of_rest(
    served: Served, client: httpx2.AsyncClient, resources: Resources, subscriber: Subscriber, cursor: str, code: str
) -> None:
    async with resources.database.write() as session:
        await eventlog.trim(session, datetime(2100, 1, 1, tzinfo=UTC))
    reader = await key_with(resources, "events:read")

    error = await subscriber.refused(PRODUCTS, after=cursor)
    rest = await client.get(f"/public/v1/events?after={cursor}", headers=reader)

    assert error["extensions"]["code"] == rest.json()["code"] == code
    assert feeds(served) == []


async def test_update_that_fails_is_masked_and_the_next_one_comes(
    client: httpx2.AsyncClient,
    served: Served,
    customer: Headers,
    log_entries: LogEntries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_arguments: Any) -> None:
        raise RuntimeError(SECRET)

    async with connected(client, headers=customer) as socket:
        await subscribe(socket, PRODUCTS)
        await until(lambda: len(feeds(served)) == 1)
        with monkeypatch.context() as broken:
            broken.setattr(ProductRepository, "heads", fail)
            await order_of(client, customer, "1")
            failed = await socket.receive_json()
        await order_of(client, customer, "2")
        (told,) = await updates(socket, 1)

    (error,) = failed["payload"]["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["productUpdates", "product"], "internal_error")
    assert failed["payload"]["data"]["productUpdates"]["type"] == "stock.changed"
    assert SECRET not in str(failed)
    assert told["product"] == {"title": "Átlas Coat"}
    assert [entry["event"] for entry in log_entries.application] == ["internal_error"]


@pytest.mark.parametrize(
    "selection",
    [
        "productUpdates { id product { variants { nope } } }",
        "productUpdates { " + " ".join(f"a{number}: id" for number in range(21)) + " }",
        "productUpdates { id } orderUpdates { id }",
        "productUpdates " + "{ product " * 12 + "{ id }" + " }" * 12,
    ],
)
async def test_rules_of_documents_hold_for_subscriptions(
    served: Served, subscriber: Subscriber, selection: str
) -> None:
    error = await subscriber.refused(f"subscription {{ {selection} }}")

    assert error["extensions"]["code"] == "invalid_request"
    assert feeds(served) == []


async def test_what_is_said_in_a_room_is_told_to_whom_it_is_for(
    client: httpx2.AsyncClient, subscriber: Subscriber, resources: Resources
) -> None:
    owner, helper, colleague = [await a_user(resources, role) for role in ("customer", "support", "support")]
    ada, ben, cleo = [await signed_in(resources, each) for each in (owner, helper, colleague)]
    first = await say(client, ada, text="Hello?")
    takes = [await subscriber.open(ROOM, each, room="help", after=first["cursor"]) for each in (ada, ben, cleo)]

    said = [
        await say(client, ben, text="Hello!"),
        await say(client, ada, text="For you", to=owner.id),
        await say(client, ben, text="My number is 1", to=owner.id),
        await say(client, ada, text="Bye"),
    ]
    told = [await take(number) for take, number in zip(takes, (4, 3, 2), strict=True)]

    assert [[each["text"] for each in messages] for messages in told] == [
        ["Hello!", "For you", "My number is 1", "Bye"],
        ["Hello!", "My number is 1", "Bye"],
        ["Hello!", "Bye"],
    ]
    assert told[0] == [as_graphql(each) for each in said]


async def test_room_of_somebody_else_is_not_found(
    served: Served, client: httpx2.AsyncClient, subscriber: Subscriber, customer: Headers, stranger: Headers
) -> None:
    await say(client, customer, text="Hello?")

    codes = [
        (await subscriber.refused(ROOM, headers, room=room))["extensions"]["code"]
        for headers, room in ((stranger, "help"), (customer, "nothing"), ({}, "help"))
    ]

    assert codes == ["room_not_found", "room_not_found", "unauthenticated"]
    assert feeds(served) == []


async def say(client: httpx2.AsyncClient, headers: Headers, **message: str) -> dict[str, Any]:
    sent = await client.post("/public/v1/support/rooms/help/messages", json=message, headers=headers)
    assert sent.status_code == 201, sent.text
    answer: dict[str, Any] = sent.json()
    return answer


async def test_subscription_without_a_stream_is_refused(served: Served, client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": PRODUCTS})

    assert response.status_code == 200
    assert response.json()["errors"][0]["extensions"]["code"] == "invalid_request"
    assert feeds(served) == []
