"""Look-ahead of the executor: each field is read where it is asked for, however it is asked for, nothing else is."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import httpx2
import pytest
from strawberry.types import get_object_definition

from commerce.accounts.principal import ANONYMOUS
from commerce.catalog import entities
from commerce.orders import entities as orders
from core.database import Database, ReadSession
from core.resources import Resources
from core.settings import Settings
from core.slices import Slices
from graphql_api.catalog.types import Category, Image, Product, Variant
from graphql_api.fields import reads_of
from graphql_api.loaders import MOST_AT_ONCE, Hold, Lists, Loaders
from graphql_api.orders.types import Order
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, error_of, on_the_executor
from tests.graphql_api.ordering import ORDER, placed
from tests.graphql_api.test_graphql_catalog import PRODUCT

TYPES: list[tuple[type, type]] = [
    (Product, entities.ProductHead),
    (Variant, entities.Variant),
    (Image, entities.Image),
    (Category, entities.Category),
    (Order, orders.Order),
]
ABOVE = {"product"}  # of a variant
BELOW = {
    "category": "category { id name slug }",
    "priceRange": "priceRange { min { amount currency } max { amount currency } }",
    "variants": "variants { id }",
    "images": "images { id }",
    "options": "options { name value }",
    "price": "price { amount currency }",
    "compareAtPrice": "compareAtPrice { amount currency }",
    "lines": "lines { title total { amount } }",
    "promotion": "promotion { id code title }",
    "payments": "payments { id reference }",
    "shipments": "shipments { id carrier }",
    **{name: f"{name} {{ amount currency }}" for name in ("subtotal", "discount", "shipping", "total")},
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return on_the_executor(settings)


def names_of(shown: type) -> list[str]:
    """Of the type's fields, in the schema."""
    found = [each.graphql_name or each.python_name for each in get_object_definition(shown, strict=True).fields]
    return [re.sub(r"_(\w)", lambda each: each[1].upper(), name) for name in found]


@pytest.mark.parametrize(("shown", "entity"), TYPES)
def test_field_reads_what_its_entity_has(shown: type, entity: type) -> None:
    read = {name for each in get_object_definition(shown, strict=True).fields for name in reads_of(each)}

    assert read
    assert read <= {each.name for each in fields(entity)}


@pytest.mark.parametrize(
    ("place", "shown"), [("product", Product), ("variants", Variant), ("images", Image), ("category", Category)]
)
async def test_field_asked_for_alone_is_what_it_is_among_all(ask: Ask, place: str, shown: type) -> None:
    whole = (await ask('{ product(handle: "atlas-coat") { ...All } }' + PRODUCT))["data"]["product"]

    for name in set(names_of(shown)) - ABOVE:
        asked = BELOW.get(name, name)
        inside = asked if place == "product" else f"{place} {{ {asked} }}"
        found = (await ask(f'{{ product(handle: "atlas-coat") {{ {inside} }} }}'))["data"]["product"]
        alone, among = (found, whole) if place == "product" else (found[place], whole[place])
        for one, of_all in zip(_listed(alone), _listed(among), strict=True):
            assert list(one) == [name]
            assert _within(one[name], of_all[name]), name


async def test_field_of_an_order_asked_for_alone_is_what_it_is_among_all(
    ask: Ask, client: httpx2.AsyncClient, admin: dict[str, str]
) -> None:
    (order,) = await placed(client, admin)
    parcel = {"carrier": "DHL", "tracking_number": "1", "tracking_url": "https://track.example.com/1"}
    await client.post(f"/public/v1/orders/{order['id']}/shipments", json=parcel, headers=admin)
    asked = {"id": order["id"]}
    whole = (await ask("query($id: ID!) { order(id: $id) { ...All } }" + ORDER, asked, **admin))["data"]["order"]

    for name in names_of(Order):
        body = await ask("query($id: ID!) { order(id: $id) { " + BELOW.get(name, name) + " } }", asked, **admin)

        assert _within(body["data"]["order"][name], whole[name]), name
    assert whole["payments"]
    assert whole["shipments"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _within(part: Any, whole: Any) -> bool:
    """Whether the part has the values of the whole, where it has any."""
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(_within(*both) for both in zip(part, whole, strict=True))
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(_within(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("{ products { nodes { title } } }", "title"),
        ("{ products { edges { node { title } } } }", "title"),
        ("{ products { nodes { handle } edges { node { title } } } }", "handle title"),
        ("{ products { nodes { name: title, same: title } } }", "title"),
        ("{ products { nodes { ...A } } } fragment A on Product { ...B } fragment B on Product { title }", "title"),
        ("{ products { ...A } } fragment A on ProductConnection { nodes { title } }", "title"),
        ("{ products { nodes { ... on Node { id } ... { title } } } }", "title"),
        ("{ products { nodes { title @skip(if: true) handle } } }", "handle"),
        ("query($no: Boolean!) { products { nodes { title @include(if: $no) handle } } }", "handle"),
        ("query($yes: Boolean!) { products { nodes { title @include(if: $yes) handle } } }", "title handle"),
        ("{ products { nodes { ...A @skip(if: true) handle } } } fragment A on Product { title }", "handle"),
        (
            "query($unsaid: Boolean! = true) { products { nodes { ... @include(if: $unsaid) { title } handle } } }",
            "title handle",
        ),
        ("{ products { nodes { title } nodes { handle } } }", "title handle"),
        ("{ products { nodes { __typename id } } }", ""),
        ("{ products { pageInfo { endCursor } } }", ""),
        ("{ products { nodes { priceRange { min { amount } } } } }", "price_min price_max currency"),
        ("{ products { nodes { tags } } }", ""),
    ],
)
async def test_page_reads_what_its_nodes_show(ask: Ask, resources: Resources, query: str, columns: str) -> None:
    with recorded(resources.database.reader) as sent:
        body = await ask(query, {"yes": True, "no": False})

    assert "errors" not in body
    assert _columns(sent[0]) == {"id", "created_at", *columns.split()}


def _columns(statement: str) -> set[str]:
    return set(re.findall(r"\w+\.(\w+)", statement.split("FROM", maxsplit=1)[0]))


async def test_node_reads_what_its_own_kind_is_asked_for(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, customer: dict[str, str]
) -> None:
    product = (await client.get("/public/v1/products/plain")).json()["id"]
    (order,) = await placed(client, customer)
    query = """query($ids: [ID!]!) { nodes(ids: $ids) {
      id ... on Product { vendor } ... on Order { payments { reference } }
    } }"""

    with recorded(resources.database.reader) as sent:
        body = await ask(query, {"ids": [product, order["id"]]}, **customer)

    payments = [{"reference": each["reference"]} for each in order["payments"]]
    assert body["data"]["nodes"] == [{"id": product, "vendor": ""}, {"id": order["id"], "payments": payments}]
    (products,) = [statement for statement in sent if "FROM products" in statement]
    assert _columns(products) == {"id", "vendor", "status"}
    assert [statement for statement in sent if "order_lines" in statement or "shipments" in statement] == []


async def test_those_who_need_different_columns_are_read_together(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    ids = [(await client.get(f"/public/v1/products/{handle}")).json()["id"] for handle in ("plain", "atlas-coat")]
    query = """query($a: ID!, $b: ID!) {
      a: product(id: $a) { title variants { id } } b: product(id: $b) { vendor variants { barcode } }
    }"""

    with recorded(resources.database.reader) as sent:
        body = await ask(query, dict(zip("ab", ids, strict=True)))

    assert [_columns(statement) for statement in sent] == [
        {"id", "title", "vendor", "status", "currency"},
        {"id", "product_id", "barcode"},
    ]
    assert (body["data"]["a"]["title"], body["data"]["b"]["vendor"]) == ("Plain", "Crème & Co")


async def test_child_of_one_object_under_two_names_has_what_each_asks_for(ask: Ask) -> None:
    body = await ask(
        """{ product(handle: "atlas-coat") {
          few: variants { sku } ...More
        } } fragment More on Product { many: variants { sku barcode available } variants { title } }"""
    )

    product = body["data"]["product"]
    assert product["few"] == [{"sku": "ATL-S"}, {"sku": None}]
    assert product["many"][0] == {"sku": "ATL-S", "barcode": "4006381333931", "available": True}
    assert product["variants"] == [{"title": "S / Gold"}, {"title": "M / Gold"}]


async def test_result_of_a_mutation_is_shown_whole_and_not_read_again(ask: Ask, resources: Resources) -> None:
    writer = await key_with(resources, "catalog:write")
    query = """mutation { createProduct(input: {title: "Cup", category: "Cups", variants: [{price: {amount: 5}}]}) {
      ... on Product { description category { name } variants { price { amount } barcode } images { url } tags }
    } }"""

    with recorded(resources.database.reader) as sent:
        body = await ask(query, **writer)

    assert body["data"]["createProduct"] == {
        "description": "",
        "category": {"name": "Cups"},
        "variants": [{"price": {"amount": 5}, "barcode": None}],
        "images": [],
        "tags": [],
    }
    assert [statement for statement in sent if "api_keys" not in statement] == []


async def test_total_alone_reads_no_page_and_still_checks_its_arguments(
    ask: Ask, resources: Resources, customer: dict[str, str]
) -> None:
    with recorded(resources.database.reader) as sent:
        await ask("{ products { __typename totalCount } }")
    with recorded(resources.database.reader) as of_orders:
        await ask("{ orders { totalCount } }", **customer)
    refused = await ask('{ products(after: "nonsense") { totalCount } }')

    assert ["count(" in statement for statement in sent] == [True]
    assert ["count(" in statement for statement in of_orders] == [False, True]  # the caller, their number
    assert error_of(refused)["extensions"]["code"] == "invalid_cursor"


async def test_list_that_is_refused_holds_up_no_other(ask: Ask, customer: dict[str, str]) -> None:
    body = await ask(
        """{
          orders(after: "nonsense") { nodes { id } }
          products(first: 1, filter: {q: "plain"}) { nodes { handle images { url } variants { available } } }
        }""",
        **customer,
    )

    assert error_of(body)["path"] == ["orders"]
    plain = {"handle": "plain", "images": [], "variants": [{"available": True}]}
    assert body["data"] == {"orders": None, "products": {"nodes": [plain]}}


async def test_children_of_two_lists_are_read_together(ask: Ask, resources: Resources) -> None:
    with recorded(resources.database.reader) as sent:
        body = await ask(
            """{
              a: products(first: 2) { nodes { variants { sku } } }
              b: products(first: 50, sort: TITLE) { nodes { variants { sku } } }
            }"""
        )

    assert [len(body["data"][name]["nodes"]) for name in "ab"] == [2, 50]
    assert ["FROM variants" in statement for statement in sent] == [False, False, True]


async def test_children_of_two_lists_are_read_together_however_late_one_of_them_is(
    ask: Ask, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, lists = Database.read, iter("ab")
    first = asyncio.Event()

    @asynccontextmanager
    async def late(database: Database) -> AsyncIterator[ReadSession]:
        name = next(lists, None)
        async with read(database) as session:
            yield session
        if name == "a":
            first.set()
        elif name == "b":
            await first.wait()
            for _ in range(100):  # rounds of the loop: the first has been completed, and what hangs on it waits
                await asyncio.sleep(0)

    monkeypatch.setattr(Database, "read", late)
    with recorded(resources.database.reader) as sent:
        body = await ask(
            """{
              a: products(first: 2) { edges { node { variants { sku } images { url } } } }
              b: products(first: 50, sort: TITLE) { edges { node { variants { sku } images { url } } } }
            }"""
        )

    assert next(lists, None) is None
    assert [len(body["data"][name]["edges"]) for name in "ab"] == [2, 50]
    assert sorted(re.findall(r"FROM (\w+)", " ".join(sent))) == ["product_images", "products", "products", "variants"]


async def test_children_of_two_lists_that_end_at_once_are_read_together_though_some_ask_later(
    sqlite_database: Database,
) -> None:
    loaders = Loaders(sqlite_database, ANONYMOUS, Slices())

    async def ask(rounds: int) -> None:
        for _ in range(rounds):  # of the loop, as deeper children take
            await asyncio.sleep(0)
        assert await loaders.products.load(f"prod_{rounds}", frozenset({"title"})) is None

    with recorded(sqlite_database.reader) as sent:
        with loaders.lists.hold(), loaders.lists.hold():
            await asyncio.sleep(0)
        await asyncio.gather(ask(0), ask(3))

    assert len(sent) == 1


async def test_list_that_is_forgotten_holds_up_nobody(sqlite_database: Database) -> None:
    lists = Lists(sqlite_database)
    forgotten = [lists.hold(), lists.hold()]

    forgotten.clear()

    async with asyncio.timeout(20):
        await lists.wait()


def test_list_may_be_forgotten_after_its_loop_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def begun() -> list[Hold]:
        lists = Lists(Database("sqlite+aiosqlite:////nowhere"))
        return [lists.hold(), lists.hold()]

    failures: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", failures.append)
    forgotten = asyncio.run(begun())

    forgotten.clear()

    assert failures == []


async def test_batch_of_more_than_are_read_at_once_is_read_in_parts(sqlite_database: Database) -> None:
    loader = Loaders(sqlite_database, ANONYMOUS, Slices()).products
    number = MOST_AT_ONCE + 1

    with recorded(sqlite_database.reader) as sent:
        found = await asyncio.gather(*(loader.load(f"prod_{index}", frozenset({"title"})) for index in range(number)))

    assert found == [None] * number
    assert len(sent) == 2
