"""Placing orders over REST: what is answered, what is refused, and what a key promises."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from commerce.promotions.commands import promotion_data
from commerce.promotions.service import PromotionService
from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.people import a_user, signed_in
from tests.factories.products import a_variant
from tests.fixtures.application import key_with
from tests.fixtures.probes import read_error
from tests.public_api.orders.calls import EMAIL, ORDERS, body, keyed, place

PRODUCTS = "/public/v1/products"


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


async def test_placed_order_is_answered_whole_and_where_it_says(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str
) -> None:
    sent = body(variant, 2, shipping={"amount": 500})

    placed = await client.post(ORDERS, json=sent, headers=keyed(buyer))

    order = placed.json()
    assert placed.status_code == 201
    assert placed.headers["location"] == f"http://portico.test{ORDERS}/{order['id']}"
    assert placed.headers["etag"] == 'W/"1"'
    assert "idempotency-replayed" not in placed.headers
    assert re.fullmatch(r"ord_[0-9a-z]{26}", order.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", order.pop("placed_at"))
    line = {"variant_id": variant, "sku": "JKT", "title": "Rain Jacket", "quantity": 2}
    assert order == {
        "number": 1001,
        "state": "placed",
        "email": EMAIL,
        "lines": [line | {"unit_price": usd(1999), "total": usd(3998)}],
        "promotion": None,
        "subtotal": usd(3998),
        "discount": usd(0),
        "shipping": usd(500),
        "total": usd(4498),
        "payments": [],
        "shipments": [],
    }
    read = await client.get(placed.headers["location"], headers=buyer)
    assert read.json() == placed.json()
    assert read.headers["etag"] == placed.headers["etag"]


async def test_order_by_sku_with_a_promotion(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, resources: Resources
) -> None:
    now = resources.clock.now()
    data = promotion_data({"title": "Spring", "code": "SPRING", "percent_off": 15,
                           "starts_at": now, "ends_at": now + timedelta(days=1)})  # fmt: skip
    async with resources.database.write() as session:
        promotion = await PromotionService(session, resources.clock, resources.jobs, actor="test").create(data)
    sent = {"lines": [{"sku": "JKT", "quantity": 1}], "email": EMAIL, "promotion_code": "spring"}

    order = (await client.post(ORDERS, json=sent, headers=keyed(buyer))).json()

    assert order["lines"][0]["variant_id"] == variant
    assert order["promotion"] == {"id": promotion.id, "code": "SPRING", "title": "Spring"}
    assert (order["discount"], order["total"]) == (usd(300), usd(1699))


async def test_customer_needs_to_give_no_email(client: httpx2.AsyncClient, resources: Resources, variant: str) -> None:
    user = await a_user(resources)
    headers = keyed(await signed_in(resources, user))

    placed = await client.post(ORDERS, json=body(variant, email=None), headers=headers)

    assert placed.status_code == 201
    assert placed.json()["email"] == user.email


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"colour": "red"}, "invalid_request", "/colour"),
        ({"shipping_quote_id": "q"}, "unknown_shipping_quote", "/shipping_quote_id"),
        ({"shipping_quote_id": "q\0"}, "unknown_shipping_quote", "/shipping_quote_id"),
        ({"shipping_quote_id": "q", "shipping": {"amount": 0}}, "invalid_request", "/shipping_quote_id"),
        ({"lines": []}, "invalid_request", "/lines"),
        ({"lines": [{"sku": "JKT", "quantity": 0}]}, "invalid_request", "/lines/0/quantity"),
        ({"lines": [{"sku": "JKT", "quantity": "1"}]}, "invalid_request", "/lines/0/quantity"),
        ({"lines": [{"sku": "JKT", "quantity": 1, "price": 1}]}, "invalid_request", "/lines/0/price"),
        ({"lines": [{"quantity": 1}]}, "invalid_request", "/lines/0"),
        ({"lines": [{"sku": "JKT", "quantity": 1}] * 101}, "invalid_request", "/lines"),
        ({"email": None}, "invalid_request", "/email"),
        ({"email": "nobody"}, "invalid_request", "/email"),
        ({"shipping": {"amount": -1}}, "invalid_request", "/shipping/amount"),
        ({"shipping": {"amount": 1, "currency": "EUR"}}, "currency_mismatch", "/shipping/currency"),
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, "unknown_variant", "/lines/0/sku"),
        ({"promotion_code": "NONE"}, "promotion_not_applicable", "/promotion_code"),
    ],
)
async def test_order_that_breaks_a_rule_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient,
    buyer: dict[str, str],
    variant: str,
    desk: OrderDesk,
    changes: dict[str, Any],
    code: str,
    pointer: str,
) -> None:
    before = await desk.everything()

    response = await client.post(ORDERS, json=body(variant) | changes, headers=keyed(buyer))

    assert response.status_code == 422
    assert read_error("v1", response).code == code
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert await desk.everything() == before


async def test_out_of_stock_is_a_conflict_that_names_the_lines(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk
) -> None:
    before = await desk.everything()

    response = await client.post(ORDERS, json=body(variant, 11), headers=keyed(buyer))

    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["detail"], problem["retryable"]) == (
        "out_of_stock",
        "10 of JKT in stock, 11 ordered",
        False,
    )
    assert problem["errors"] == [
        {"pointer": "/lines/0/quantity", "code": "out_of_stock", "message": "10 in stock, 11 ordered"}
    ]
    assert await desk.everything() == before


async def test_order_without_a_key_is_refused(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk
) -> None:
    before = await desk.everything()

    response = await client.post(ORDERS, json=body(variant), headers=buyer)

    assert response.status_code == 400
    assert read_error("v1", response).code == "idempotency_key_required"
    assert await desk.everything() == before


@pytest.mark.parametrize(("scopes", "status"), [([], 401), (["orders:read", "catalog:write"], 403)])
async def test_order_needs_the_scope(
    client: httpx2.AsyncClient, resources: Resources, variant: str, desk: OrderDesk, scopes: list[str], status: int
) -> None:
    headers = keyed(await key_with(resources, *scopes) if scopes else {})
    before = await desk.everything()

    response = await client.post(ORDERS, json=body(variant), headers=headers)

    assert response.status_code == status
    assert await desk.everything() == before


async def test_retry_with_the_key_answers_the_same_bytes(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk
) -> None:
    headers = keyed(buyer)
    first = await client.post(ORDERS, json=body(variant, 2), headers=headers)
    await client.post(f"{ORDERS}/{first.json()['id']}/cancel", headers=buyer)
    before = await desk.everything()

    again = await client.post(ORDERS, json=body(variant, 2), headers=headers)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert [again.headers[name] for name in ("location", "etag")] == [
        first.headers[name] for name in ("location", "etag")
    ]
    assert await desk.everything() == before


async def test_refusal_is_replayed_too(
    client: httpx2.AsyncClient, buyer: dict[str, str], catalogue: Catalogue, desk: OrderDesk
) -> None:
    product = await catalogue.create(handle="hat", variants=(a_variant(stock=0),))
    headers = keyed(buyer) | {"X-Request-ID": "the-same"}
    sent = body(only_variant(product))
    first = await client.post(ORDERS, json=sent, headers=headers)
    await catalogue.update(product, variants=(a_variant(stock=5),))
    before = await desk.everything()

    again = await client.post(ORDERS, json=sent, headers=headers)

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await desk.everything() == before


async def test_key_is_refused_for_another_order_and_good_for_another_caller(
    client: httpx2.AsyncClient, buyer: dict[str, str], resources: Resources, variant: str, desk: OrderDesk
) -> None:
    other = await key_with(resources, "orders:write")
    first = await client.post(ORDERS, json=body(variant), headers=keyed(buyer, "one"))
    before = await desk.everything()

    changed = await client.post(ORDERS, json=body(variant, 2), headers=keyed(buyer, "one"))
    unchanged = await desk.everything()
    others = await client.post(ORDERS, json=body(variant, 2), headers=keyed(other, "one"))

    assert changed.status_code == 422
    assert read_error("v1", changed).code == "idempotency_key_reused"
    assert unchanged == before
    assert others.status_code == 201
    assert others.json()["id"] != first.json()["id"]


TRIGGERS = {
    "in the action": [
        "CREATE TRIGGER broken BEFORE INSERT ON order_lines BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ],
    "at the commit": [
        "CREATE TABLE notes (handle TEXT REFERENCES products(handle) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER broken AFTER INSERT ON orders BEGIN INSERT INTO notes VALUES ('nobody'); END",
    ],
}


@pytest.mark.parametrize("when", TRIGGERS)
async def test_failure_is_not_kept_and_a_retry_succeeds(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str, desk: OrderDesk, when: str
) -> None:
    headers = keyed(buyer)
    before = await desk.everything()
    async with desk.database.write() as session:
        for statement in TRIGGERS[when]:
            await session.execute(text(statement))

    failed = await client.post(ORDERS, json=body(variant), headers=headers)
    unchanged = await desk.everything()
    async with desk.database.write() as session:
        await session.execute(text("DROP TRIGGER broken"))
    again = await client.post(ORDERS, json=body(variant), headers=headers)

    assert failed.status_code == 500
    assert read_error("v1", failed).code == "internal_error"
    assert "location" not in failed.headers
    assert unchanged == before
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers
    assert (await desk.stock(variant), await desk.sold(variant)) == (9, 1)


async def test_sale_changes_the_products_tag_and_fails_changes_of_the_old_one(
    client: httpx2.AsyncClient, buyer: dict[str, str], writer: dict[str, str], catalogue: Catalogue, variant: str
) -> None:
    product = (await catalogue.everything())["jacket"]
    path = f"{PRODUCTS}/{product.head.id}"
    before = await client.get(path, headers=writer)
    listed = await client.get(PRODUCTS)

    await place(client, buyer, variant, 4)

    after = await client.get(path, headers=writer | {"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()["variants"][0]["stock"] == 6
    assert (await client.get(PRODUCTS, headers={"If-None-Match": listed.headers["etag"]})).status_code == 200
    stale = writer | {"If-Match": before.headers["etag"]}
    refused = await client.patch(path, json={"title": "Sun Hat"}, headers=stale)
    assert refused.status_code == 412
    assert (await client.get(path)).json()["title"] == "Rain Jacket"
    fresh = writer | {"If-Match": after.headers["etag"]}
    assert (await client.patch(path, json={"title": "Sun Hat"}, headers=fresh)).status_code == 200


async def test_document_says_that_the_key_is_needed(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/public/v1/openapi.json")).json()

    keyed = {
        f"{method} {path}": parameter["required"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }

    assert [operation for operation, required in keyed.items() if required] == ["post /orders"]
    assert "post /orders/{order_id}/payments" in keyed
