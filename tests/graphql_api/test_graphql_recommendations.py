"""What goes with a product, over GraphQL."""

from typing import Any

import httpx2
import pytest

from commerce.recommendations.counting import count_sales
from core.resources import Resources
from tests.factories.order_rows import OrderRows, line
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, as_graphql, error_of
from tests.graphql_api.test_graphql_catalog import PRODUCT

LIKE = """query($id: ID!, $first: Int) {
  recommendations(productId: $id, first: $first) {
    model version fallback items { reason product { handle variants { sku } } }
  }
}"""


async def id_of(client: httpx2.AsyncClient, handle: str) -> str:
    found: str = (await client.get(f"/public/v1/products/{handle}")).json()["id"]
    return found


@pytest.fixture
async def sold(client: httpx2.AsyncClient, resources: Resources) -> None:
    """`jacket-N` N times; those with the same last digit, or that and five, are of one category."""
    orders = OrderRows(resources.database)
    now = resources.clock.now()
    for number in range(1, 30):
        product_id = await id_of(client, f"jacket-{number:02}")
        await orders.add(line(product_id=product_id, quantity=number), placed_at=now)
    await count_sales(resources.database, resources.clock)


@pytest.mark.usefixtures("sold")
async def test_the_same_category_comes_first_then_the_whole_shop(ask: Ask, client: httpx2.AsyncClient) -> None:
    body = await ask(LIKE, {"id": await id_of(client, "jacket-29"), "first": 7})

    found = body["data"]["recommendations"]
    assert (found["model"], found["version"], found["fallback"]) == ("popularity", "1", True)
    assert [(item["product"]["handle"], item["reason"]) for item in found["items"]] == [
        *((f"jacket-{number:02}", "SAME_CATEGORY") for number in (24, 19, 14, 9, 4)),
        *((f"jacket-{number:02}", "POPULAR") for number in (28, 27)),
    ]
    assert all(len(item["product"]["variants"]) == 2 for item in found["items"])


@pytest.mark.usefixtures("sold")
async def test_recommended_product_is_the_one_of_rest(ask: Ask, client: httpx2.AsyncClient) -> None:
    query = "query($id: ID!) { recommendations(productId: $id, first: 1) { items { product { ...All } } } }" + PRODUCT

    body = await ask(query, {"id": await id_of(client, "plain")})

    rest = (await client.get("/public/v1/products/jacket-29")).json()
    assert body["data"]["recommendations"] == {"items": [{"product": as_graphql(rest)}]}


@pytest.mark.usefixtures("sold")
async def test_statements_are_the_same_for_one_and_for_many(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    product_id = await id_of(client, "jacket-29")
    counts = []

    for first in (1, 25):
        with recorded(resources.database.reader) as sent:
            body = await ask(LIKE, {"id": product_id, "first": first})
        assert len(body["data"]["recommendations"]["items"]) == first
        counts.append(len(sent))

    assert counts == [4, 4]


@pytest.mark.usefixtures("sold")
async def test_there_are_ten_at_most_where_nothing_is_said(ask: Ask, client: httpx2.AsyncClient) -> None:
    query = "query($id: ID!) { recommendations(productId: $id) { items { reason } } }"

    body = await ask(query, {"id": await id_of(client, "jacket-29")})

    assert len(body["data"]["recommendations"]["items"]) == 10


async def test_unknown_or_hidden_product_has_none(ask: Ask, client: httpx2.AsyncClient, resources: Resources) -> None:
    key = await key_with(resources, "catalog:write")
    draft = (await client.get("/public/v1/products/draft", headers=key)).json()["id"]

    answers: list[Any] = [(await ask(LIKE, {"id": each}))["data"]["recommendations"] for each in (draft, "prod_none")]
    theirs = (await ask(LIKE, {"id": draft}, **key))["data"]["recommendations"]

    assert answers == [None, None]
    assert {item["reason"] for item in theirs["items"]} == {"NEW"}


@pytest.mark.parametrize("first", [0, -1, 101])
async def test_number_out_of_bounds_is_refused(ask: Ask, resources: Resources, first: int) -> None:
    with recorded(resources.database.reader) as sent:
        body = await ask(LIKE, {"id": "prod_none", "first": first})

    assert error_of(body)["extensions"]["code"] == "invalid_request"
    assert sent == []
