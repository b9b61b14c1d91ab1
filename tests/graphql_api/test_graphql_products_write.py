"""Writing products over GraphQL is doing so over REST: same commands, same keys, same refusals with the same codes."""

from typing import Any

import httpx2
import pytest

from commerce.audit.models import AuditRow
from commerce.catalog.models import CategoryRow, ProductRow, VariantRow
from core.database import Database
from core.eventlog import EventRow
from core.idempotency import IdempotencyRow
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, as_graphql, error_of
from tests.graphql_api.ordering import FAULT, count
from tests.graphql_api.test_graphql_catalog import PRODUCT

PRODUCTS = "/public/v1/products"
CREATE = (
    """mutation($input: CreateProductInput!, $key: String) {
      createProduct(input: $input, idempotencyKey: $key) { __typename ...All ...Fault }
    }"""
    + PRODUCT
    + FAULT
)
UPDATE = (
    """mutation($id: ID!, $input: UpdateProductInput!, $version: Int, $key: String) {
      updateProduct(id: $id, input: $input, expectedVersion: $version, idempotencyKey: $key) {
        __typename ...All ...Fault
      }
    }"""
    + PRODUCT
    + FAULT
)
SMALLEST: dict[str, Any] = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}
FULL: dict[str, Any] = {
    "title": "Fell Tent",
    "handle": "fell-tent",
    "description": "<p>Dry.</p><script>alert(1)</script>",
    "vendor": "Ridge",
    "category": "Tents",
    "tags": ["new", "rain"],
    "status": "draft",
    "images": [{"url": "https://images.example.com/t.jpg", "alt": "front", "width": 10, "height": 20}],
    "variants": [
        {
            "price": {"amount": 10**12, "currency": "USD"},
            "options": {"Size": "S", "Colour": "Moss"},
            "sku": "FT-S",
            "compare_at_price": {"amount": 10**12},
            "stock": 2,
            "weight_grams": 300,
            "barcode": "0123",
        },
        {
            "price": {"amount": 1},
            "options": {"Colour": "Moss", "Size": "M"},
            "stock": 0,
            "inventory_policy": "continue",
        },
    ],
}


@pytest.fixture
async def editor(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources, "editor"))


async def written(database: Database) -> list[int]:
    """What a refused mutation must not have changed."""
    return [await count(database, table) for table in (ProductRow, VariantRow, CategoryRow, AuditRow, EventRow)]


async def version_of(client: httpx2.AsyncClient, name: str) -> tuple[str, int]:
    product = (await client.get(f"{PRODUCTS}/{name}")).json()
    return product["id"], product["version"]


async def test_created_product_is_the_one_that_rest_reads(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str]
) -> None:
    body = await ask(CREATE, {"input": as_graphql(FULL)}, **editor)

    product = body["data"]["createProduct"]
    rest = (await client.get(f"{PRODUCTS}/{product['id']}", headers=editor)).json()
    assert product == {"__typename": "Product"} | as_graphql(rest)
    assert (product["handle"], product["description"], product["status"]) == ("fell-tent", "<p>Dry.</p>", "draft")
    assert [variant["title"] for variant in product["variants"]] == ["S / Moss", "M / Moss"]
    assert [variant["available"] for variant in product["variants"]] == [True, True]


async def test_product_needs_a_title_and_a_price_alone(ask: Ask, editor: dict[str, str]) -> None:
    made = [(await ask(CREATE, {"input": SMALLEST}, **editor))["data"]["createProduct"] for _ in range(2)]

    assert [product["handle"] for product in made] == ["thing", "thing-2"]
    assert (made[0]["category"], made[0]["tags"], made[0]["images"], made[0]["status"]) == (None, [], [], "active")
    assert made[0]["variants"][0]["options"] == [{"name": "Title", "value": "Default Title"}]


@pytest.mark.parametrize("first", ["rest", "graphql"])
@pytest.mark.parametrize("given", [SMALLEST, FULL])
async def test_key_of_a_creation_gives_the_same_product_at_the_other_door(
    ask: Ask,
    client: httpx2.AsyncClient,
    editor: dict[str, str],
    resources: Resources,
    first: str,
    given: dict[str, Any],
) -> None:
    async def by_rest() -> tuple[Any, bool]:
        response = await client.post(PRODUCTS, json=given, headers=editor | {"Idempotency-Key": "k"})
        assert response.status_code == 201
        return as_graphql(response.json()), "idempotency-replayed" in response.headers

    async def by_graphql() -> tuple[Any, bool]:
        body = await ask(CREATE, {"input": as_graphql(given), "key": "k"}, **editor)
        assert body["data"]["createProduct"].pop("__typename") == "Product"
        return body["data"]["createProduct"], body.get("extensions") == {"idempotencyReplayed": ["createProduct"]}

    before = await count(resources.database, ProductRow)
    doors = [by_rest, by_graphql] if first == "rest" else [by_graphql, by_rest]

    (made, fresh), (again, replayed) = [await door() for door in doors]

    assert (made, fresh, replayed) == (again, False, True)
    assert await count(resources.database, ProductRow) == before + 1


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_key_of_a_change_replays_what_the_product_was_then(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str], first: str
) -> None:
    """With its variants, though they are others by now."""
    product_id, version = await version_of(client, "plain")
    change: dict[str, Any] = {"title": "Plainer", "category": None, "variants": [{"price": {"amount": 7}}]}

    async def by_rest() -> Any:
        headers = editor | {"Idempotency-Key": "k", "If-Match": f'W/"{version}"'}
        return as_graphql((await client.patch(f"{PRODUCTS}/{product_id}", json=change, headers=headers)).json())

    async def by_graphql() -> Any:
        variables = {"id": product_id, "input": as_graphql(change), "version": version, "key": "k"}
        answer = (await ask(UPDATE, variables, **editor))["data"]["updateProduct"]
        assert answer.pop("__typename") == "Product"
        return answer

    doors = [by_rest, by_graphql] if first == "rest" else [by_graphql, by_rest]
    made = await doors[0]()
    later = {"variants": [{"price": {"amount": 9}}], "tags": ["later"]}
    await client.patch(f"{PRODUCTS}/{product_id}", json=later, headers=editor)

    again = await doors[1]()

    assert made == again
    assert (again["title"], again["tags"], again["variants"][0]["price"]["amount"]) == ("Plainer", [], 7)


async def test_what_is_left_out_stays_and_null_clears_the_category(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str]
) -> None:
    before = (await client.get(f"{PRODUCTS}/atlas-coat")).json()

    kept = await ask(UPDATE, {"id": before["id"], "input": {"title": "Atlas"}}, **editor)
    cleared = await ask(UPDATE, {"id": before["id"], "input": {"category": None}}, **editor)

    changed = {"title": "Atlas", "version": before["version"] + 1}
    updated = kept["data"]["updateProduct"]["updatedAt"]
    expected = as_graphql(before | changed | {"updated_at": updated})
    assert kept["data"]["updateProduct"] == {"__typename": "Product"} | expected
    assert cleared["data"]["updateProduct"]["category"] is None
    assert cleared["data"]["updateProduct"]["vendor"] == before["vendor"]


@pytest.mark.parametrize("name", ["title", "variants", "handle", "description", "vendor", "tags", "status", "images"])
async def test_null_where_it_clears_nothing_is_refused_as_on_rest(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str], resources: Resources, name: str
) -> None:
    product_id, _ = await version_of(client, "plain")
    before = await written(resources.database)

    rest = await client.patch(f"{PRODUCTS}/{product_id}", json={name: None}, headers=editor)
    refusal = (await ask(UPDATE, {"id": product_id, "input": {name: None}}, **editor))["data"]["updateProduct"]

    assert rest.json()["code"] == refusal["code"] == "invalid_request"
    assert {fault["pointer"] for fault in rest.json()["errors"]} == {f"/{name}"}
    assert [fault["pointer"] for fault in refusal["errors"]] == [f"/input/{name}"]
    assert await written(resources.database) == before


PRICE = {"price": {"amount": 1}}
# What is created, the code of both doors, the GraphQL type, and the places of the faults over GraphQL.
REFUSED: list[tuple[dict[str, Any], str, str, list[str]]] = [
    ({"title": " "}, "invalid_product", "InvalidProduct", ["/input/title"]),
    ({"title": "", "handle": "A"}, "invalid_product", "InvalidProduct", ["/input/handle", "/input/title"]),
    ({"category": " "}, "invalid_product", "InvalidProduct", ["/input/category"]),
    ({"tags": ["a,b"]}, "invalid_product", "InvalidProduct", ["/input/tags/0"]),
    ({"variants": []}, "invalid_product", "InvalidProduct", ["/input/variants"]),
    (
        {"variants": [{"price": {"amount": -1}}]},
        "invalid_product",
        "InvalidProduct",
        ["/input/variants/0/price/amount"],
    ),
    (
        {"variants": [PRICE | {"compare_at_price": {"amount": 1, "currency": "EUR"}}]},
        "invalid_product",
        "InvalidProduct",
        ["/input/variants/0/compareAtPrice/currency"],
    ),
    ({"variants": [PRICE, PRICE]}, "invalid_product", "InvalidProduct", ["/input/variants/1/options"]),
    ({"images": [{"url": "javascript:alert(1)"}]}, "invalid_product", "InvalidProduct", ["/input/images/0/url"]),
    ({"handle": "plain"}, "duplicate_handle", "DuplicateHandle", []),
    ({"variants": [PRICE | {"sku": "ATL-S"}]}, "duplicate_sku", "DuplicateSku", ["/input/variants/0/sku"]),
]


@pytest.mark.parametrize(("changes", "code", "kind", "pointers"), REFUSED)
async def test_product_is_refused_with_the_code_of_rest(
    ask: Ask,
    client: httpx2.AsyncClient,
    editor: dict[str, str],
    resources: Resources,
    changes: dict[str, Any],
    code: str,
    kind: str,
    pointers: list[str],
) -> None:
    product_id, _ = await version_of(client, "jacket-00")
    before = await written(resources.database)

    made = await client.post(PRODUCTS, json=SMALLEST | changes, headers=editor)
    changed = await client.patch(f"{PRODUCTS}/{product_id}", json=changes, headers=editor)
    create = (await ask(CREATE, {"input": as_graphql(SMALLEST | changes)}, **editor))["data"]["createProduct"]
    update = (await ask(UPDATE, {"id": product_id, "input": as_graphql(changes)}, **editor))["data"]["updateProduct"]

    assert {made.json()["code"], changed.json()["code"], create["code"], update["code"]} == {code}
    assert (create["__typename"], update["__typename"]) == (kind, kind)
    assert [fault["pointer"] for fault in create["errors"]] == pointers
    assert [fault["pointer"] for fault in update["errors"]] == pointers
    assert await written(resources.database) == before


async def test_option_that_is_named_twice_is_refused(ask: Ask, editor: dict[str, str], resources: Resources) -> None:
    before = await written(resources.database)
    twice = [{"name": "Size", "value": "S"}, {"name": "Size", "value": "M"}]

    body = await ask(CREATE, {"input": SMALLEST | {"variants": [PRICE | {"options": twice}]}}, **editor)

    refusal = body["data"]["createProduct"]
    assert (refusal["__typename"], refusal["code"]) == ("Refused", "invalid_request")
    assert [fault["pointer"] for fault in refusal["errors"]] == ["/input/variants/0/options"]
    assert await written(resources.database) == before


async def test_product_that_changed_or_is_unknown_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str], resources: Resources
) -> None:
    product_id, version = await version_of(client, "plain")
    before = await written(resources.database)

    async def both(product: str, stale: int) -> list[str]:
        headers = editor | {"If-Match": f'W/"{stale}"'}
        rest = await client.patch(f"{PRODUCTS}/{product}", json={"title": "Other"}, headers=headers)
        variables = {"id": product, "input": {"title": "Other"}, "version": stale}
        refusal = (await ask(UPDATE, variables, **editor))["data"]["updateProduct"]
        return [rest.json()["code"], refusal["code"], refusal["__typename"]]

    assert await both(product_id, version + 1) == ["stale_version", "stale_version", "StaleVersion"]
    assert await both("prod_none", version) == ["product_not_found", "product_not_found", "ProductNotFound"]
    assert await written(resources.database) == before


async def test_refusal_is_replayed_though_the_handle_is_free_by_then(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str]
) -> None:
    product_id, _ = await version_of(client, "plain")
    variables = {"input": SMALLEST | {"handle": "plain"}, "key": "k"}
    await ask(CREATE, variables, **editor)
    await client.delete(f"{PRODUCTS}/{product_id}", headers=editor)

    over_graphql = await ask(CREATE, variables, **editor)
    over_rest = await client.post(
        PRODUCTS, json=SMALLEST | {"handle": "plain"}, headers=editor | {"Idempotency-Key": "k"}
    )

    assert over_graphql["data"]["createProduct"]["__typename"] == "DuplicateHandle"
    assert over_graphql["extensions"] == {"idempotencyReplayed": ["createProduct"]}
    assert (over_rest.status_code, over_rest.json()["code"]) == (409, "duplicate_handle")
    assert over_rest.headers["idempotency-replayed"] == "true"


async def test_key_of_another_product_is_refused_with_its_place(ask: Ask, editor: dict[str, str]) -> None:
    await ask(CREATE, {"input": SMALLEST, "key": "k"}, **editor)

    refusal = (await ask(CREATE, {"input": as_graphql(FULL), "key": "k"}, **editor))["data"]["createProduct"]

    assert (refusal["__typename"], refusal["code"]) == ("Refused", "idempotency_key_reused")
    assert [fault["pointer"] for fault in refusal["errors"]] == ["/idempotencyKey"]


async def test_write_needs_the_scope_of_rest(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    product_id, _ = await version_of(client, "plain")
    key = await key_with(resources, "catalog:read", "orders:write")
    before = [*await written(resources.database), await count(resources.database, IdempotencyRow)]

    for code, headers in (("unauthenticated", {}), ("missing_scope", key), ("missing_scope", customer)):
        for document, variables in (
            (CREATE, {"input": SMALLEST, "key": "k"}),
            (UPDATE, {"id": product_id, "input": {"title": "x"}, "key": "k"}),
        ):
            body = await ask(document, variables, **headers)
            assert error_of(body)["extensions"]["code"] == code
            assert list(body["data"].values()) == [None]

    assert [*await written(resources.database), await count(resources.database, IdempotencyRow)] == before


async def test_fields_of_one_operation_are_transactions_of_their_own(
    ask: Ask, client: httpx2.AsyncClient, editor: dict[str, str]
) -> None:
    product_id, version = await version_of(client, "plain")
    document = """mutation($id: ID!) {
      first: updateProduct(id: $id, input: {variants: [{price: {amount: 5}}]}) { ...V }
      refused: updateProduct(id: $id, input: {title: ""}) { ...V }
      second: updateProduct(id: $id, input: {variants: [{price: {amount: 6}}]}) { ...V }
    }
    fragment V on UpdateProductResult {
      __typename ... on Product { version variants { price { amount } } }
    }"""

    body = await ask(document, {"id": product_id}, **editor)

    def shown(rise: int, amount: int) -> dict[str, Any]:
        return {"__typename": "Product", "version": version + rise, "variants": [{"price": {"amount": amount}}]}

    assert body["data"] == {"first": shown(1, 5), "refused": {"__typename": "InvalidProduct"}, "second": shown(2, 6)}
