"""Searching over GraphQL: the best match first, in pages that neither lose nor repeat a product."""

from typing import Any

import httpx2
import pytest
from pydantic_core import from_json

from commerce.catalog import filters as products
from commerce.catalog.filters import MAX_QUERY, SORT_NAMES, ProductFilter
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from commerce.orders import filters as orders
from core.database import Database
from core.resources import Resources
from graphql_api.catalog.listing import ProductFilterInput, ProductSort
from graphql_api.fields import plain
from graphql_api.orders.listing import OrderFilterInput
from public_api.catalog.schemas import PageQuery, SliceQuery
from public_api.orders.schemas import OrderQuery
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant
from tests.factories.shop import fill, handles
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.graphql_api.asking import Ask, error_of

SEARCH = """query($query: String!, $first: Int, $after: String) {
  search(query: $query, first: $first, after: $after) {
    nodes { handle } edges { cursor } pageInfo { hasNextPage endCursor } totalCount
  }
}"""
# In the order of their making; each matches `red cap` in another place.
CAPS = [
    a_product(handle="said", title="Hat", description="<p>Nearly a red cap</p>"),
    a_product(handle="title", title="Red Wool Cap", description="<p>red cap red cap</p>"),
    a_product(handle="tag", title="Cap of Wool", tags=("reddish",)),
    a_product(handle="exact", title="RED  cap!"),
    a_product(handle="split", title="Red Hat", description="<p>A cap</p>"),
    a_product(handle="inside", title="Bored Captain", description="<p>red</p>"),
    a_product(handle="sku", title="Cap", variants=(a_variant(sku="RED-1"),)),
    a_product(handle="beside", title="Hat", tags=("red", "cap"), description="<p>red cap</p>"),
    a_product(handle="begins", title="Capes, redone"),
    a_product(handle="neither", title="Red Hat"),
    a_product(handle="hidden", title="Red Cap", status="draft"),
]
BEST_FIRST = ["exact", "begins", "title", "sku", "tag", "inside", "split", "beside", "said"]


async def searched(ask: Ask, query: str, first: int = 20, after: str | None = None, **who: Any) -> dict[str, Any]:
    body = await ask(SEARCH, {"query": query, "first": first, "after": after}, **who)
    found: dict[str, Any] = body["data"]["search"]
    return found


@pytest.mark.parametrize("sort", [None, "title"])
async def test_both_databases_rank_by_where_the_words_are(database: Database, sort: Any) -> None:
    await fill(database, CAPS)
    async with database.read() as session:
        repository = ProductRepository(session)
        wanted = ProductFilter(q="Red CAP")
        numbered = await CatalogReader(database).page(wanted, sort, page=1, size=100)
        pages, after = [], None
        while True:
            page = await repository.slice(wanted, sort, limit=2, after=after, count=True)
            pages.append(await handles(repository, page.items))
            after = page.next_cursor
            if after is None:
                break

        found = [handle for page in pages for handle in page]
        assert found == [from_json(item.json)["handle"] for item in numbered.items]
        assert [len(page) for page in pages] == [2, 2, 2, 2, 1]
        assert page.total == numbered.total == 9
        assert found == BEST_FIRST if sort is None else sorted(found) == sorted(BEST_FIRST)


async def test_page_goes_on_where_it_was_while_other_products_come_and_go(database: Database) -> None:
    """As they would not if how well one matches followed from how many others have the word."""
    clock = FakeClock()
    await fill(database, CAPS, clock)
    wanted = ProductFilter(q="red cap")
    async with database.read() as session:
        first = await ProductRepository(session).slice(wanted, None, limit=3, after=None)

    await fill(database, [a_product(handle=f"more-{n}", title=f"Cap {n} " + "red " * n) for n in range(1, 30)], clock)
    async with database.write() as session:
        await CatalogService(session, clock).delete(first.items[-1].id)
    async with database.read() as session:
        repository = ProductRepository(session)
        rest = await repository.slice(wanted, None, limit=100, after=first.next_cursor)
        assert await handles(repository, rest.items) == BEST_FIRST[3:]


async def test_search_is_the_list_of_rest(ask: Ask, client: httpx2.AsyncClient) -> None:
    for query in ("jacket", "jack 3", "sale ridge", "ÁTLAS", "gold", "!!!", "", '"* OR NEAR('):
        rest = (await client.get("/public/v1/products", params={"q": query, "size": 100})).json()
        found = await searched(ask, query, 100)
        assert [node["handle"] for node in found["nodes"]] == [item["handle"] for item in rest["items"]]
        assert found["totalCount"] == rest["total"]


async def test_pages_show_every_product_once(ask: Ask) -> None:
    whole = [node["handle"] for node in (await searched(ask, "jacket", 100))["nodes"]]
    seen, after = [], None
    while True:
        page = await searched(ask, "jacket", 7, after)
        seen += [node["handle"] for node in page["nodes"]]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]

    assert seen == whole
    assert (len(whole), len(set(whole))) == (50, 50)


async def test_drafts_are_found_by_those_who_may_write(ask: Ask, resources: Resources) -> None:
    key: dict[str, Any] = await key_with(resources, "catalog:write")

    assert (await searched(ask, "draft"))["nodes"] == []
    assert (await searched(ask, "draft", **key))["nodes"] == [{"handle": "draft"}]


async def test_total_is_counted_only_where_it_is_asked_for(ask: Ask, resources: Resources) -> None:
    with recorded(resources.database.reader) as sent:
        await ask('{ search(query: "jacket", first: 50) { nodes { handle } } }')
    assert len(sent) == 1

    with recorded(resources.database.reader) as sent:
        await ask('{ search(query: "jacket", first: 1) { nodes { handle } totalCount } }')
    assert ["count(" in statement for statement in sent] == [True]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (f'query: "{"a" * (MAX_QUERY + 1)}"', "invalid_request"),
        ('query: "a", first: 0', "invalid_request"),
        ('query: "a", first: 101', "invalid_request"),
        ('query: "a", after: "nonsense"', "invalid_cursor"),
    ],
)
async def test_bad_argument_is_refused(ask: Ask, resources: Resources, arguments: str, code: str) -> None:
    with recorded(resources.database.reader) as sent:
        body = await ask(f"{{ search({arguments}) {{ nodes {{ handle }} }} }}")

    assert error_of(body)["extensions"]["code"] == code
    assert sent == []


async def test_cursor_of_another_order_is_refused(ask: Ask) -> None:
    body = await ask("{ products(first: 1, sort: PRICE_DESC) { pageInfo { endCursor } } }")
    cursor = body["data"]["products"]["pageInfo"]["endCursor"]

    refused = await ask(SEARCH, {"query": "jacket", "after": cursor})

    assert error_of(refused)["extensions"]["code"] == "invalid_cursor"


PAGING = {"page", "size", "limit", "after", "count", "sort"}


def test_graphql_has_every_filter_and_sort_of_rest() -> None:
    """What one door gets, the other one gets too, and the domain has it."""
    for query in (PageQuery, SliceQuery):
        assert set(query.model_fields) - PAGING == set(products.FILTERS)
    assert set(ProductFilterInput.__annotations__) == set(products.FILTERS)
    assert set(map(plain, ProductSort)) == set(SORT_NAMES)
    assert set(OrderQuery.model_fields) - PAGING == set(orders.FILTERS)
    assert set(OrderFilterInput.__annotations__) == set(orders.FILTERS)


@pytest.mark.parametrize(
    ("at_rest", "over_graphql"),
    [
        ("products?q=" + "a" * 201, 'products(filter: {q: "' + "a" * 201 + '"}) { nodes { id } }'),
        ("products?min_price=-1", "products(filter: {minPrice: -1}) { nodes { id } }"),
        ("products?max_price=-1", "products(filter: {maxPrice: -1}) { nodes { id } }"),
        (f"products?max_price={2**53 + 1}", f"products(filter: {{maxPrice: {2**53 + 1}}}) {{ nodes {{ id }} }}"),
        ("orders?email=" + "a" * 256, 'orders(filter: {email: "' + "a" * 256 + '"}) { nodes { id } }'),
    ],
)
async def test_bounds_of_filters_are_those_of_rest(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], at_rest: str, over_graphql: str
) -> None:
    rest = await client.get(f"/public/v1/{at_rest}", headers=customer)
    body = await ask(f"{{ {over_graphql} }}", **customer)

    assert (rest.status_code, rest.json()["code"]) == (422, "invalid_request")
    assert error_of(body)["extensions"]["code"] == "invalid_request"
