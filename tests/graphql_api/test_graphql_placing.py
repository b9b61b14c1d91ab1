"""Placing and cancelling over GraphQL is doing so over REST: same keys, same refusals with the same codes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from commerce.catalog.models import VariantRow
from commerce.orders.models import OrderRow
from core.idempotency import IdempotencyRow
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, as_graphql, without_cost
from tests.graphql_api.ordering import CANCEL, FOUR, ONE, PLACE, SCARCE, count, everything, place, stock


async def test_placed_order_is_the_one_that_rest_reads(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    body = await ask(PLACE, {"input": ONE | {"shipping": {"amount": 5}}, "key": "k"}, **customer)

    order = body["data"]["placeOrder"]
    rest = (await client.get(f"/public/v1/orders/{order['id']}", headers=customer)).json()
    assert order == {"__typename": "Order"} | as_graphql(rest)
    assert (order["state"], order["total"]) == ("placed", {"amount": 10**12 + 5, "currency": "USD"})
    assert "extensions" not in body
    assert await stock(resources.database) == 2


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_key_that_one_door_has_seen_gives_the_same_order_at_the_other(
    client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, first: str
) -> None:
    body = {
        "lines": [{"sku": SCARCE, "quantity": 1}],
        "email": "Ada@Example.com",
        "shipping": {"amount": 3, "currency": "USD"},
    }
    query = {"query": PLACE, "variables": {"input": body, "key": "one-key"}}

    async def by_rest() -> tuple[dict[str, Any], Any]:
        response = await place(client, body, customer, "one-key")
        return as_graphql(response.json()), response.headers.get("idempotency-replayed")

    async def by_graphql() -> tuple[dict[str, Any], Any]:
        response = await client.post("/graphql", json=query, headers=customer)
        order = response.json()["data"]["placeOrder"]
        assert order.pop("__typename") == "Order"
        extensions = without_cost(response.json()).get("extensions")
        assert extensions in (None, {"idempotencyReplayed": ["placeOrder"]})
        assert (extensions is not None) == ("idempotency-replayed" in response.headers)
        return order, response.headers.get("idempotency-replayed")

    doors = [by_rest, by_graphql] if first == "rest" else [by_graphql, by_rest]
    (before, fresh), (after, replayed) = [await door() for door in doors]

    assert before == after
    assert (fresh, replayed) == (None, "true")
    assert await count(resources.database, OrderRow) == 1
    assert await stock(resources.database) == 2


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_refusal_is_replayed_at_the_other_door_too(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, first: str
) -> None:
    """Though there is enough of it by then."""
    if first == "rest":
        await place(client, FOUR, customer, "k")
    else:
        await ask(PLACE, {"input": FOUR, "key": "k"}, **customer)
    async with resources.database.write() as session:
        await session.execute(update(VariantRow).where(VariantRow.sku == SCARCE).values(stock=9))

    over_rest = await place(client, FOUR, customer, "k")
    over_graphql = await ask(PLACE, {"input": FOUR, "key": "k"}, **customer)

    assert (over_rest.json()["code"], over_rest.headers["idempotency-replayed"]) == ("out_of_stock", "true")
    assert over_graphql["data"]["placeOrder"]["__typename"] == "OutOfStock"
    assert over_graphql["data"]["placeOrder"]["available"] == 3
    assert over_graphql["extensions"] == {"idempotencyReplayed": ["placeOrder"]}


async def test_one_key_at_both_doors_at_once_is_one_order(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    async def by_rest() -> dict[str, Any]:
        body: dict[str, Any] = (await place(client, ONE, customer, "k")).json()
        return body

    async def by_graphql() -> dict[str, Any]:
        body: dict[str, Any] = (await ask(PLACE, {"input": ONE, "key": "k"}, **customer))["data"]["placeOrder"]
        return body

    answers = await asyncio.gather(*(door() for door in (by_rest, by_graphql) * 4))

    running = [answer for answer in answers if answer.get("code") == "idempotency_in_progress"]
    done = {answer["id"] for answer in answers if answer not in running}
    assert len(done) == 1
    assert {answer["retryable"] for answer in running} == {True}
    assert (await count(resources.database, OrderRow), await stock(resources.database)) == (1, 2)


async def test_cancelling_under_a_key_of_rest_is_replayed(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    order = (await place(client, ONE, customer, "k")).json()
    keyed = customer | {"Idempotency-Key": "cancel"}
    rest = (await client.post(f"/public/v1/orders/{order['id']}/cancel", headers=keyed)).json()

    body = await ask(CANCEL, {"id": order["id"], "key": "cancel"}, **customer)

    assert body["data"]["cancelOrder"] == {"__typename": "Order"} | as_graphql(rest)
    assert body["data"]["cancelOrder"]["state"] == "cancelled"
    assert body["extensions"] == {"idempotencyReplayed": ["cancelOrder"]}
    assert await stock(resources.database) == 3


async def test_keys_of_two_people_have_nothing_to_do_with_each_other(
    ask: Ask, customer: dict[str, str], stranger: dict[str, str], resources: Resources
) -> None:
    bodies = [await ask(PLACE, {"input": ONE, "key": "k"}, **who) for who in (customer, stranger)]

    assert len({body["data"]["placeOrder"]["id"] for body in bodies}) == 2
    assert await stock(resources.database) == 1


async def test_out_of_stock_is_typed_and_changes_nothing(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    variant = (await client.get("/public/v1/products/atlas-coat")).json()["variants"][0]["id"]
    rest = (await place(client, FOUR, customer, "rest")).json()
    before = await everything(resources)

    body = await ask(PLACE, {"input": FOUR, "key": "graphql"}, **customer)

    assert body == {
        "data": {
            "placeOrder": {
                "__typename": "OutOfStock",
                "code": rest["code"],
                "message": rest["detail"],
                "retryable": False,
                "errors": [
                    {
                        "pointer": "/input/lines/0/quantity",
                        "code": "out_of_stock",
                        "message": rest["errors"][0]["message"],
                    }
                ],
                "variantId": variant,
                "sku": SCARCE,
                "requested": 4,
                "available": 3,
            }
        }
    }
    assert await everything(resources) == before


LINE = {"sku": SCARCE, "quantity": 1}
# What is placed, the code of both doors, the GraphQL type, and the places of the faults over GraphQL.
REFUSED: list[tuple[dict[str, Any], str, str, Sequence[str]]] = [
    ({"lines": []}, "invalid_request", "Refused", ["/input/lines"]),
    ({"lines": [LINE] * 101}, "invalid_request", "Refused", ["/input/lines"]),
    ({"lines": [LINE | {"quantity": 0}]}, "invalid_request", "Refused", ["/input/lines/0/quantity"]),
    ({"lines": [LINE | {"quantity": 10_001}]}, "invalid_request", "Refused", ["/input/lines/0/quantity"]),
    ({"lines": [{"quantity": 1}]}, "invalid_request", "Refused", ["/input/lines/0"]),
    ({"lines": [LINE | {"variant_id": "var_1"}]}, "invalid_request", "Refused", ["/input/lines/0"]),
    ({"lines": [LINE, {"sku": "no", "quantity": 1}]}, "unknown_variant", "Refused", ["/input/lines/1/sku"]),
    ({"lines": [{"variant_id": "no", "quantity": 1}]}, "unknown_variant", "Refused", ["/input/lines/0/variantId"]),
    ({"lines": [LINE], "email": "nobody"}, "invalid_request", "Refused", ["/input/email"]),
    ({"lines": [LINE], "shipping": {"amount": -1}}, "invalid_request", "Refused", ["/input/shipping/amount"]),
    (
        {"lines": [LINE], "shipping": {"amount": 1, "currency": "EUR"}},
        "currency_mismatch",
        "Refused",
        ["/input/shipping/currency"],
    ),
    (
        {"lines": [LINE], "promotion_code": "NO"},
        "promotion_not_applicable",
        "PromotionNotApplicable",
        ["/input/promotionCode"],
    ),
    (FOUR, "out_of_stock", "OutOfStock", ["/input/lines/0/quantity"]),
]


@pytest.mark.parametrize(("body", "code", "kind", "pointers"), REFUSED)
async def test_placing_is_refused_with_the_code_of_rest(
    ask: Ask,
    client: httpx2.AsyncClient,
    customer: dict[str, str],
    resources: Resources,
    body: dict[str, Any],
    code: str,
    kind: str,
    pointers: list[str],
) -> None:
    before = await everything(resources)

    rest = await place(client, body, customer, "rest")
    refusal = (await ask(PLACE, {"input": as_graphql(body), "key": "graphql"}, **customer))["data"]["placeOrder"]

    assert rest.json()["code"] == refusal["code"] == code
    assert refusal["__typename"] == kind
    assert [fault["pointer"] for fault in refusal["errors"]] == pointers
    assert await everything(resources) == before


async def test_order_without_an_address_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    key = await key_with(resources, "orders:write")

    rest = await place(client, ONE, key, "rest")
    refusal = (await ask(PLACE, {"input": ONE, "key": "graphql"}, **key))["data"]["placeOrder"]

    assert rest.json()["code"] == refusal["code"] == "invalid_request"
    assert [fault["pointer"] for fault in refusal["errors"]] == ["/input/email"]


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256, '""'])
async def test_key_of_the_wrong_form_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, key: str
) -> None:
    headers = {name.encode(): value.encode("latin-1") for name, value in (customer | {"Idempotency-Key": key}).items()}

    rest = await client.post("/public/v1/orders", json=ONE, headers=headers)
    refusal = (await ask(PLACE, {"input": ONE, "key": key}, **customer))["data"]["placeOrder"]

    assert rest.json()["code"] == refusal["code"] == "invalid_idempotency_key"
    assert await count(resources.database, IdempotencyRow) == 0


async def test_key_may_have_the_quotes_of_the_header(ask: Ask, customer: dict[str, str]) -> None:
    first, second = [await ask(PLACE, {"input": ONE, "key": key}, **customer) for key in ("k", '"k"')]

    assert first["data"] == second["data"]
    assert second["extensions"] == {"idempotencyReplayed": ["placeOrder"]}


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_key_of_another_order_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, first: str
) -> None:
    two = {"lines": [{"sku": SCARCE, "quantity": 2}]}
    if first == "rest":
        await place(client, ONE, customer, "k")
        body = await ask(PLACE, {"input": two, "key": "k"}, **customer)
        code = body["data"]["placeOrder"]["code"]
        assert body["data"]["placeOrder"]["__typename"] == "Refused"
        assert [fault["pointer"] for fault in body["data"]["placeOrder"]["errors"]] == ["/idempotencyKey"]
    else:
        await ask(PLACE, {"input": ONE, "key": "k"}, **customer)
        code = (await place(client, two, customer, "k")).json()["code"]

    assert code == "idempotency_key_reused"
    assert await stock(resources.database) == 2


async def test_key_of_another_mutation_is_refused(ask: Ask, customer: dict[str, str]) -> None:
    order = (await ask(PLACE, {"input": ONE, "key": "k"}, **customer))["data"]["placeOrder"]

    body = await ask(CANCEL, {"id": order["id"], "key": "k"}, **customer)

    assert body["data"]["cancelOrder"]["code"] == "idempotency_key_reused"


async def test_order_that_cannot_be_cancelled_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], stranger: dict[str, str], resources: Resources
) -> None:
    support = await signed_in(resources, await a_user(resources, "support"))
    order = (await place(client, ONE, customer, "k")).json()["id"]

    async def codes(order_id: str, who: dict[str, str]) -> tuple[str, str, str]:
        rest = await client.post(f"/public/v1/orders/{order_id}/cancel", headers=who)
        refusal = (await ask(CANCEL, {"id": order_id}, **who))["data"]["cancelOrder"]
        return rest.json()["code"], refusal["code"], refusal["__typename"]

    assert await codes("ord_none", customer) == ("order_not_found", "order_not_found", "Refused")
    assert await codes(order, stranger) == ("order_not_found", "order_not_found", "Refused")
    assert await codes(order, support) == ("order_not_yours", "order_not_yours", "Refused")
    assert await stock(resources.database) == 2
    await client.post(f"/public/v1/orders/{order}/cancel", headers=customer)
    assert await codes(order, customer) == ("invalid_order_state", "invalid_order_state", "InvalidOrderState")
    assert await stock(resources.database) == 3
