"""The two ways to name a variant in an order, of which one is deprecated: the same command either way."""

from typing import Any

import httpx2
import pytest
from graphql import GraphQLInputObjectType

from commerce.orders.models import OrderRow
from core.resources import Resources
from graphql_api.schema import build_schema
from tests.graphql_api.asking import Ask, error_of
from tests.graphql_api.ordering import PLACE, SCARCE, count, everything, place


async def variant_id(client: httpx2.AsyncClient) -> str:
    found: str = (await client.get("/public/v1/products/atlas-coat")).json()["variants"][0]["id"]
    return found


@pytest.mark.parametrize("by", ["id", "sku"])
async def test_key_is_known_whichever_way_the_variant_is_named(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources, by: str
) -> None:
    value = SCARCE if by == "sku" else await variant_id(client)
    new = {"lines": [{"variant": {by: value}, "quantity": 1}]}
    old = {"lines": [{"variantId" if by == "id" else "sku": value, "quantity": 1}]}
    rest = {"lines": [{"variant_id" if by == "id" else "sku": value, "quantity": 1}]}

    first = await ask(PLACE, {"input": new, "key": "k"}, **customer)
    second = await ask(PLACE, {"input": old, "key": "k"}, **customer)
    third = await place(client, rest, customer, "k")

    order = first["data"]["placeOrder"]
    assert order["__typename"] == "Order"
    assert order == second["data"]["placeOrder"]
    assert second["extensions"] == {"idempotencyReplayed": ["placeOrder"]}
    assert (third.json()["id"], third.headers["idempotency-replayed"]) == (order["id"], "true")
    assert await count(resources.database, OrderRow) == 1


@pytest.mark.parametrize(
    ("line", "code", "pointer"),
    [
        ({"variant": {"sku": "no"}}, "unknown_variant", "/input/lines/0/variant/sku"),
        ({"variant": {"id": "no"}}, "unknown_variant", "/input/lines/0/variant/id"),
        ({"variant": {"id": ""}}, "unknown_variant", "/input/lines/0/variant/id"),
        ({"variantId": "no"}, "unknown_variant", "/input/lines/0/variantId"),
        ({"variant": {"sku": SCARCE}, "sku": SCARCE}, "invalid_request", "/input/lines/0"),
        ({"variant": {"sku": SCARCE}, "variantId": "no"}, "invalid_request", "/input/lines/0"),
        ({"variant": None}, "invalid_request", "/input/lines/0"),
    ],
)
async def test_fault_of_a_line_points_to_where_its_variant_is_named(
    ask: Ask, customer: dict[str, str], resources: Resources, line: dict[str, Any], code: str, pointer: str
) -> None:
    before = await everything(resources)

    body = await ask(PLACE, {"input": {"lines": [line | {"quantity": 1}]}, "key": "k"}, **customer)

    refusal = body["data"]["placeOrder"]
    assert (refusal["__typename"], refusal["code"]) == ("Refused", code)
    assert [fault["pointer"] for fault in refusal["errors"]] == [pointer]
    assert await everything(resources) == before


@pytest.mark.parametrize("variant", [{}, {"id": None}, {"id": "a", "sku": "b"}, {"id": "a", "sku": None}])
async def test_variant_is_named_in_exactly_one_way(
    ask: Ask, customer: dict[str, str], resources: Resources, variant: dict[str, Any]
) -> None:
    lines = {"lines": [{"variant": variant, "quantity": 1}]}
    literal = ", ".join(f"{name}: {'null' if value is None else repr(value)}" for name, value in variant.items())
    inline = f"""mutation {{
      placeOrder(input: {{lines: [{{variant: {{{literal}}}, quantity: 1}}]}}, idempotencyKey: "k") {{ __typename }}
    }}""".replace("'", '"')

    for body in (await ask(PLACE, {"input": lines, "key": "k"}, **customer), await ask(inline, **customer)):
        assert error_of(body)["extensions"]["code"] == "invalid_request"
        assert "data" not in body
    assert await count(resources.database, OrderRow) == 0


def test_old_ways_are_deprecated_and_name_their_successor() -> None:
    line = build_schema(production=False)._schema.type_map["OrderLineInput"]

    assert isinstance(line, GraphQLInputObjectType)
    assert {name: each.deprecation_reason for name, each in line.fields.items()} == {
        "quantity": None,
        "variant": None,
        "variantId": "Use `variant: {id: ...}`.",
        "sku": "Use `variant: {sku: ...}`.",
    }
