"""How mutations run, on every transport, and what is refused before any does."""

import json
from typing import Any

import httpx2
import pytest

from commerce.orders.models import OrderRow
from commerce.orders.service import OrderService
from core.idempotency import IdempotencyRow
from core.resources import Resources
from tests.fixtures.application import LogEntries
from tests.graphql_api.asking import Ask, error_of
from tests.graphql_api.ordering import ONE, PLACE, SCARCE, count, stock

WRONG_SHAPES: list[Any] = [
    None,
    "text",
    7,
    [],
    {},
    {"lines": None},
    {"lines": "text"},
    {"lines": [None]},
    {"lines": [{}]},
    {"lines": [{"sku": "x"}]},
    {"lines": [{"sku": "x", "quantity": "1"}]},
    {"lines": [{"sku": "x", "quantity": 1.5}]},
    {"lines": [{"sku": "x", "quantity": True}]},
    {"lines": [{"sku": "x", "quantity": 2**31}]},
    {"lines": [{"sku": 7, "quantity": 1}]},
    {"lines": [{"variantId": {}, "quantity": 1}]},
    {"lines": [{"variant_id": "x", "quantity": 1}]},
    ONE | {"email": ["a@example.com"]},
    ONE | {"shipping": 5},
    ONE | {"shipping": {"amount": "5"}},
    ONE | {"shipping": {"amount": 2**60}},
    ONE | {"shipping": {"currency": "USD"}},
    ONE | {"userId": "usr_1"},
]


@pytest.mark.parametrize("given", WRONG_SHAPES)
async def test_variable_of_the_wrong_shape_is_refused_before_anything_runs(
    ask: Ask, customer: dict[str, str], resources: Resources, log_entries: LogEntries, given: Any
) -> None:
    body = await ask(PLACE, {"input": given, "key": "k"}, **customer)

    assert {error["extensions"]["code"] for error in body["errors"]} == {"invalid_request"}
    assert "data" not in body
    assert log_entries.application == []
    assert await count(resources.database, IdempotencyRow) == 0


@pytest.mark.parametrize("variables", [{"input": ONE}, {"input": ONE, "key": None}, {"input": ONE, "key": 7}])
async def test_order_needs_a_key(ask: Ask, customer: dict[str, str], variables: dict[str, Any]) -> None:
    body = await ask(PLACE, variables, **customer)

    assert error_of(body)["extensions"]["code"] == "invalid_request"
    assert "data" not in body


@pytest.mark.parametrize("text", ["\0", "\ud800", "a\0b"])
@pytest.mark.parametrize("place_of", ["sku", "variantId", "email", "promotionCode", "currency", "key"])
async def test_text_that_no_database_stores_is_refused(
    client: httpx2.AsyncClient,
    customer: dict[str, str],
    resources: Resources,
    log_entries: LogEntries,
    text: str,
    place_of: str,
) -> None:
    given: dict[str, Any] = {"lines": [{"sku": SCARCE, "quantity": 1}]}
    key = text if place_of == "key" else "k"
    if place_of in ("sku", "variantId"):
        given["lines"] = [{place_of: text, "quantity": 1}]
    elif place_of == "currency":
        given["shipping"] = {"amount": 1, "currency": text}
    elif place_of != "key":
        given[place_of] = text
    content = json.dumps({"query": PLACE, "variables": {"input": given, "key": key}})

    response = await client.post("/graphql", content=content, headers=customer | {"Content-Type": "application/json"})

    assert response.status_code == 200
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"
    assert "data" not in response.json()
    assert log_entries.application == []
    assert await count(resources.database, IdempotencyRow) == 0


async def test_mutations_of_one_document_run_one_after_another_each_for_itself(
    ask: Ask, customer: dict[str, str], resources: Resources
) -> None:
    order = '(input: {lines: [{sku: "ATL-S", quantity: 2}]}, idempotencyKey: '
    parts = [
        f'{name}: placeOrder{order}"{key}") {{ __typename ... on OutOfStock {{ available }} }}'
        for name, key in (("first", "1"), ("second", "2"), ("again", "1"))
    ]

    body = await ask("mutation { " + " ".join(parts) + " }", **customer)

    assert body == {
        "data": {
            "first": {"__typename": "Order"},
            "second": {"__typename": "OutOfStock", "available": 1},
            "again": {"__typename": "Order"},
        },
        "extensions": {"idempotencyReplayed": ["again"]},
    }
    assert (await stock(resources.database), await count(resources.database, OrderRow)) == (1, 1)


async def test_bug_after_an_order_leaves_that_order_in_the_answer(
    ask: Ask, customer: dict[str, str], resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of what failed: neither rows nor the key, so that a retry may succeed."""

    async def fail(*_arguments: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(OrderService, "cancel", fail)
    document = """mutation {
      placeOrder(input: {lines: [{sku: "ATL-S", quantity: 1}]}, idempotencyKey: "1") { __typename }
      cancelOrder(id: "ord_1", idempotencyKey: "2") { __typename }
    }"""

    body = await ask(document, **customer)

    assert (error_of(body)["path"], error_of(body)["extensions"]["code"]) == (["cancelOrder"], "internal_error")
    assert body["data"] == {"placeOrder": {"__typename": "Order"}, "cancelOrder": None}
    assert await count(resources.database, IdempotencyRow) == 1


async def test_mutation_by_get_is_405_and_does_nothing(
    client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    parameters = {"query": PLACE, "variables": json.dumps({"input": ONE, "key": "k"})}

    response = await client.get("/graphql", params=parameters, headers=customer)

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert await count(resources.database, OrderRow) == 0


async def test_mutation_as_server_sent_events_is_done_once(
    client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    query = {"query": PLACE, "variables": {"input": ONE, "key": "k"}}
    headers = customer | {"Accept": "text/event-stream"}

    answers = [await client.post("/graphql", json=query, headers=headers) for _ in range(2)]

    assert '"__typename":"Order"' in answers[0].text
    assert '"extensions":{"idempotencyReplayed":["placeOrder"],"cost":' in answers[1].text
    assert await count(resources.database, OrderRow) == 1
