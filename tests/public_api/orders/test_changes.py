"""Paying, cancelling and shipping over REST."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core.resources import Resources
from tests.factories.orders import OrderDesk
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.fixtures.probes import applications, read_error
from tests.public_api.orders.calls import ORDERS, change, keyed, place

PARCEL = {"carrier": "DHL", "tracking_number": "0034", "tracking_url": "https://track.example.com/0034"}


async def test_order_is_paid_and_shipped(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, resources: Resources
) -> None:
    order = await place(client, buyer, variant)

    part = await change(client, buyer, order, "payments", {"amount": {"amount": 999}, "reference": "ch_1"})
    paid = await change(client, buyer, order, "payments", {})
    shipped = await change(client, buyer, order, "shipments", PARCEL)

    assert [response.status_code for response in (part, paid, shipped)] == [201, 201, 201]
    assert [response.json()["state"] for response in (part, paid, shipped)] == ["placed", "paid", "shipped"]
    assert [response.headers["etag"] for response in (part, paid, shipped)] == ['W/"2"', 'W/"3"', 'W/"4"']
    first, second = shipped.json()["payments"]
    assert first.keys() == {"id", "amount", "reference", "created_at"}
    assert (first["amount"], first["reference"]) == ({"amount": 999, "currency": "USD"}, "ch_1")
    assert (second["amount"]["amount"], second["reference"]) == (1000, second["id"])
    (parcel,) = shipped.json()["shipments"]
    assert parcel.keys() == {"id", "created_at", *PARCEL}
    assert {name: parcel[name] for name in PARCEL} == PARCEL
    read = await client.get(f"{ORDERS}/{order['id']}", headers=buyer)
    assert (
        read.json()
        == shipped.json()
        == order
        | {
            "state": "shipped",
            "payments": [first, second],
            "shipments": [parcel],
        }
    )
    assert resources.settings.shop.currency == "USD"


async def test_cancelled_order_gives_its_stock_back_once(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk
) -> None:
    order = await place(client, buyer, variant, 4)

    cancelled = await change(client, buyer, order, "cancel")
    again = await change(client, buyer, order, "cancel")

    assert (cancelled.status_code, cancelled.json()) == (200, order | {"state": "cancelled"})
    assert cancelled.headers["etag"] == 'W/"2"'
    assert again.status_code == 409
    assert read_error("v1", again).code == "invalid_order_state"
    assert "cancelled" in again.json()["detail"]
    assert await desk.stock(variant) == 10


@pytest.mark.parametrize(("what", "sent"), [("payments", {}), ("cancel", None), ("shipments", PARCEL)])
async def test_change_with_a_key_is_done_once(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk, what: str, sent: Any
) -> None:
    order = await place(client, buyer, variant)
    if what == "shipments":
        await change(client, buyer, order, "payments", {})
    headers = keyed(buyer)
    first = await change(client, headers, order, what, sent)
    before = await desk.everything()

    again = await change(client, headers, order, what, sent)

    assert first.is_success
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert await desk.everything() == before


async def test_key_of_one_order_is_refused_for_another(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str
) -> None:
    first, second = [await place(client, buyer, variant) for _ in range(2)]
    headers = keyed(buyer)
    await change(client, headers, first, "cancel")

    response = await change(client, headers, second, "cancel")

    assert response.status_code == 422
    assert read_error("v1", response).code == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("what", "sent", "status", "code"),
    [
        ("payments", {"amount": {"amount": 5000}}, 422, "overpayment"),
        ("payments", {"amount": {"amount": 2**64}}, 422, "overpayment"),
        ("payments", {"amount": {"amount": 5, "currency": "EUR"}}, 422, "currency_mismatch"),
        ("payments", {"amount": {"amount": 0}}, 422, "invalid_request"),
        ("payments", {"amount": {"amount": 11}, "reference": "ch_1"}, 409, "payment_reference_used"),
        ("payments", {"reference": "\0"}, 422, "invalid_request"),
        ("payments", {"note": "x"}, 422, "invalid_request"),
        ("shipments", PARCEL, 409, "invalid_order_state"),
        ("shipments", {}, 422, "invalid_request"),
        ("shipments", PARCEL | {"tracking_url": "javascript:alert(1)"}, 422, "invalid_request"),
    ],
)
async def test_change_that_breaks_a_rule_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient,
    buyer: dict[str, str],
    variant: str,
    desk: OrderDesk,
    what: str,
    sent: dict[str, Any],
    status: int,
    code: str,
) -> None:
    order = await place(client, buyer, variant)
    await change(client, buyer, order, "payments", {"amount": {"amount": 10}, "reference": "ch_1"})
    before = await desk.everything()

    response = await change(client, buyer, order, what, sent)

    assert response.status_code == status
    assert read_error("v1", response).code == code
    assert await desk.everything() == before


@pytest.mark.parametrize(("what", "sent"), [("payments", {}), ("cancel", None), ("shipments", PARCEL)])
async def test_only_who_placed_it_and_the_shop_change_an_order(
    client: httpx2.AsyncClient,
    resources: Resources,
    buyer: dict[str, str],
    variant: str,
    desk: OrderDesk,
    what: str,
    sent: Any,
) -> None:
    owner, other = [await signed_in(resources, await a_user(resources)) for _ in range(2)]
    support = await signed_in(resources, await a_user(resources, "support"))
    reader = await key_with(resources, "orders:read")
    order = await place(client, owner, variant)
    if what == "shipments":
        await change(client, owner, order, "payments", {})
    before = await desk.everything()

    refused = [await change(client, headers, order, what, sent) for headers in (other, support, reader, {})]
    unknown = await change(client, buyer, {"id": "ord_none"}, what, sent)
    unchanged = await desk.everything()
    allowed = await change(client, owner, order, what, sent)

    assert [(response.status_code, read_error("v1", response).code) for response in (*refused, unknown)] == [
        (404, "order_not_found"),
        (403, "order_not_yours"),
        (403, "missing_scope"),
        (401, "unauthenticated"),
        (404, "order_not_found"),
    ]
    assert unchanged == before
    assert allowed.is_success


def test_links_lead_from_an_order_to_all_that_can_be_done_with_it(app: FastAPI) -> None:
    document = applications(app)["v1"].openapi()
    operations = {
        operation["operationId"]: path for path, item in document["paths"].items() for operation in item.values()
    }

    orders = document["paths"]["/orders"]
    placed, listed = (
        orders[method]["responses"][status]["links"] for method, status in (("post", "201"), ("get", "200"))
    )

    for links, order_id in ((placed, "/id"), (listed, "/items/0/id")):
        assert {link["operationId"] for link in links.values()} == {
            "get_order",
            "pay_order",
            "cancel_order",
            "ship_order",
        }
        for link in links.values():
            assert operations[link["operationId"]].startswith("/orders/{order_id}")
            assert link["parameters"]["order_id"] == f"$response.body#{order_id}"
    from_products = document["paths"]["/products"]["get"]["responses"]["200"]["links"]
    assert [link["operationId"] for link in from_products.values()] == ["place_order"]
