"""The catalogue over GraphQL is the catalogue over REST: same values, same lists, same cursors, same callers."""

import httpx2
import pytest

from core.resources import Resources
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with
from tests.graphql_api.asking import ON_SALE, Ask, as_graphql, error_of

PRODUCT = """fragment All on Product {
  id handle title description vendor category { id name slug } tags status
  priceRange { min { amount currency } max { amount currency } }
  variants {
    id sku title options { name value } price { amount currency } compareAtPrice { amount currency }
    stock available weightGrams barcode
  }
  images { id url alt width height } version createdAt updatedAt
}"""
# What a sort or a filter of GraphQL is called on REST.
LISTS = [
    ("", ""),
    ('filter: {q: "jack 3"}', "q=jack 3"),
    ('filter: {category: "Jackets 2"}', "category=Jackets 2"),
    ('filter: {category: "jackets-2"}', "category=jackets-2"),
    ('filter: {vendor: "Ridge"}', "vendor=Ridge"),
    ('filter: {tag: "sale"}', "tag=sale"),
    ("filter: {minPrice: 2001}", "min_price=2001"),
    ("filter: {maxPrice: 1499}", "max_price=1499"),
    ("filter: {minPrice: 3000000000}", "min_price=3000000000"),
    ("filter: {inStock: true}", "in_stock=true"),
    ("filter: {inStock: false}", "in_stock=false"),
    ('filter: {vendor: "Peak", tag: "sale", maxPrice: 1500}', "vendor=Peak&tag=sale&max_price=1500"),
    ("filter: {vendor: null}, sort: null", ""),
    ("sort: TITLE", "sort=title"),
    ("sort: TITLE_DESC", "sort=-title"),
    ("sort: PRICE", "sort=price"),
    ("sort: PRICE_DESC", "sort=-price"),
    ("sort: CREATED_AT", "sort=created_at"),
    ("sort: CREATED_AT_DESC", "sort=-created_at"),
    ("sort: UPDATED_AT", "sort=updated_at"),
    ("sort: UPDATED_AT_DESC", "sort=-updated_at"),
]


@pytest.mark.parametrize("handle", ["atlas-coat", "plain", "jacket-07"])
async def test_product_is_the_one_of_rest_field_by_field(ask: Ask, client: httpx2.AsyncClient, handle: str) -> None:
    rest = (await client.get(f"/public/v1/products/{handle}")).json()

    body = await ask("query($h: String) { product(handle: $h) { ...All } }" + PRODUCT, {"h": handle})

    assert body == {"data": {"product": as_graphql(rest)}}


async def test_variant_is_a_node_that_knows_its_product(ask: Ask, client: httpx2.AsyncClient) -> None:
    rest = (await client.get("/public/v1/products/atlas-coat")).json()
    ids = [variant["id"] for variant in rest["variants"]]
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Variant {
      id sku title options { name value } price { amount currency } compareAtPrice { amount currency } stock available
      weightGrams barcode product { id variants { id } }
    } } }"""

    body = await ask(query, {"ids": [*ids, "var_none"]})

    product = {"id": rest["id"], "variants": [{"id": each} for each in ids]}
    assert body["data"]["nodes"] == [
        *(as_graphql(variant) | {"__typename": "Variant", "product": product} for variant in rest["variants"]),
        None,
    ]


async def test_product_is_found_by_id_handle_and_node(ask: Ask, client: httpx2.AsyncClient) -> None:
    product_id = (await client.get("/public/v1/products/plain")).json()["id"]

    body = await ask(
        """query($id: ID!) {
          byId: product(id: $id) { handle } byHandle: product(handle: "plain") { id }
          node(id: $id) { __typename id ... on Product { title } }
          nodes(ids: ["prod_none", $id, "nonsense"]) { id }
          none: product(id: "prod_none") { id } neither: product(handle: "nope") { id } noNode: node(id: "x") { id }
        }""",
        {"id": product_id},
    )

    assert body["data"] == {
        "byId": {"handle": "plain"},
        "byHandle": {"id": product_id},
        "node": {"__typename": "Product", "id": product_id, "title": "Plain"},
        "nodes": [None, {"id": product_id}, None],
        "none": None,
        "neither": None,
        "noNode": None,
    }


async def test_retired_handle_finds_the_product_that_had_it(
    ask: Ask, client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    product_id = (await client.get("/public/v1/products/plain")).json()["id"]
    await client.patch(f"/public/v1/products/{product_id}", json={"handle": "plainer"}, headers=writer)

    body = await ask('{ product(handle: "plain") { id handle } }')

    assert body["data"]["product"] == {"id": product_id, "handle": "plainer"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ product { id } }", "invalid_request"),
        ('{ product(id: "a", handle: "b") { id } }', "invalid_request"),
        ("{ products(first: 0) { totalCount } }", "invalid_request"),
        ("{ products(first: 101) { totalCount } }", "invalid_request"),
        ('{ products(after: "nonsense") { totalCount } }', "invalid_cursor"),
        ('{ products(after: "' + "a" * 2001 + '") { totalCount } }', "invalid_request"),
        ('{ products(filter: {q: "' + "a" * 201 + '"}) { totalCount } }', "invalid_request"),
        ("{ products(filter: {minPrice: -1}) { totalCount } }", "invalid_request"),
        ("{ products(filter: {maxPrice: 9007199254740993}) { totalCount } }", "invalid_request"),
        ("{ nodes(ids: [" + '"a" ' * 101 + "]) { id } }", "invalid_request"),
    ],
)
async def test_bad_argument_is_refused_with_its_code(ask: Ask, query: str, code: str) -> None:
    body = await ask(query)

    assert error_of(body)["extensions"]["code"] == code
    assert body.get("data") is None or set(body["data"].values()) == {None}


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "a\\u0000b"])
@pytest.mark.parametrize(
    "field",
    [
        "product(handle: $v) { id }",
        "products(filter: {vendor: $v}) { totalCount }",
        "products(after: $v) { totalCount }",
    ],
)
async def test_text_that_no_database_stores_is_refused(
    client: httpx2.AsyncClient, log_entries: LogEntries, text: str, field: str
) -> None:
    for query in (f"query($v: String) {{ {field} }}", "{ " + field.replace("$v", f'\\"\\{text}\\"') + " }"):
        content = f'{{"query": "{query}", "variables": {{"v": "{text}"}}}}'
        response = await client.post("/graphql", content=content, headers={"Content-Type": "application/json"})

        assert error_of(response.json())["extensions"]["code"] == "invalid_request"
        assert "data" not in response.json()
    assert log_entries.application == []


async def test_cursor_of_another_order_is_refused(ask: Ask) -> None:
    page = await ask("{ products(first: 1, sort: TITLE) { pageInfo { endCursor } } }")

    body = await ask(
        "query($c: String) { products(after: $c, sort: PRICE) { totalCount } }",
        {"c": page["data"]["products"]["pageInfo"]["endCursor"]},
    )

    assert error_of(body)["extensions"]["code"] == "invalid_cursor"


async def test_pages_show_every_product_once_with_the_cursors_of_rest(ask: Ask, client: httpx2.AsyncClient) -> None:
    seen: list[str] = []
    after: str | None = None
    rest_after: dict[str, str] = {}
    pages = 0
    while True:
        rest = (await client.get("/public/v2/products", params={"limit": 9, "sort": "title", **rest_after})).json()
        page = (
            await ask(
                """query($after: String) { products(first: 9, after: $after, sort: TITLE) {
                  nodes { id } edges { cursor node { id } }
                  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
                } }""",
                {"after": after},
            )
        )["data"]["products"]
        cursors, info = [edge["cursor"] for edge in page["edges"]], page["pageInfo"]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"] == [{"id": p["id"]} for p in rest["items"]]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        assert info["hasPreviousPage"] is (after is not None)
        assert rest["next"] == (info["endCursor"] if info["hasNextPage"] else None)
        seen += [node["id"] for node in page["nodes"]]
        pages += 1
        if not info["hasNextPage"]:
            break
        after, rest_after = info["endCursor"], {"after": rest["next"]}

    assert (len(seen), len(set(seen)), pages) == (ON_SALE, ON_SALE, 6)


async def test_empty_list_has_no_cursors(ask: Ask) -> None:
    body = await ask(
        '{ products(filter: {vendor: "none"}) { edges { cursor } totalCount pageInfo { hasNextPage startCursor } } }'
    )

    assert body["data"]["products"] == {
        "edges": [],
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "startCursor": None},
    }


@pytest.mark.parametrize(("arguments", "parameters"), LISTS)
async def test_filters_and_sorts_give_the_list_of_rest(
    ask: Ask, client: httpx2.AsyncClient, arguments: str, parameters: str
) -> None:
    rest = (await client.get(f"/public/v2/products?limit=100&count=true&{parameters}")).json()

    body = await ask(f"{{ products(first: 100, {arguments}) {{ nodes {{ id }} totalCount }} }}")

    assert 0 < rest["total"] == body["data"]["products"]["totalCount"]
    assert [node["id"] for node in body["data"]["products"]["nodes"]] == [item["id"] for item in rest["items"]]


async def test_page_without_a_size_has_twenty(ask: Ask) -> None:
    body = await ask(
        "query($n: Int) { a: products { nodes { id } } b: products(first: $n) { nodes { id } } }", {"n": None}
    )

    assert [len(body["data"][name]["nodes"]) for name in "ab"] == [20, 20]


async def test_categories_are_those_of_rest(ask: Ask, client: httpx2.AsyncClient) -> None:
    body = await ask("{ categories { id name slug } }")

    assert body["data"]["categories"] == (await client.get("/public/v1/categories")).json()["items"]
    assert len(body["data"]["categories"]) == 6


@pytest.mark.parametrize(("scopes", "sees"), [((), False), (("catalog:read",), False), (("catalog:write",), True)])
async def test_drafts_are_for_those_who_may_write(
    ask: Ask, resources: Resources, client: httpx2.AsyncClient, scopes: tuple[str, ...], sees: bool
) -> None:
    headers = await key_with(resources, *scopes) if scopes else {}
    writer = await key_with(resources, "catalog:write")
    product = (await client.get("/public/v1/products/draft", headers=writer)).json()
    draft, variant = product["id"], product["variants"][0]["id"]

    body = await ask(
        """query($id: ID!, $variant: ID!) {
          a: product(id: $id) { id } b: product(handle: "draft") { id } c: node(id: $id) { id }
          d: nodes(ids: [$id, $variant]) { id } products { totalCount }
        }""",
        {"id": draft, "variant": variant},
        **headers,
    )

    found = {"id": draft} if sees else None
    assert body["data"] == {
        **dict.fromkeys("abc", found),
        "d": [found, {"id": variant} if sees else None],
        "products": {"totalCount": ON_SALE + 2 if sees else ON_SALE},
    }


async def test_total_is_counted_only_where_it_is_asked_for(ask: Ask, resources: Resources) -> None:
    with recorded(resources.database.reader) as without:
        await ask("{ products { nodes { id } totalCount @skip(if: true) } }")
    with recorded(resources.database.reader) as counted:
        await ask("{ products { nodes { id } ...T } } fragment T on ProductConnection { totalCount }")

    assert (len(without), [s for s in without if "count(" in s]) == (1, [])
    assert ["count(" in statement for statement in counted] == [True]


async def test_list_with_all_its_children_is_that_of_rest_in_a_fixed_number_of_statements(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    rest = (await client.get("/public/v2/products?limit=50&sort=price")).json()["items"]
    query = "query($n: Int) { products(first: $n, sort: PRICE) { nodes { ...All } } }" + PRODUCT

    with recorded(resources.database.reader) as two:
        few = await ask(query, {"n": 2})
    with recorded(resources.database.reader) as fifty:
        many = await ask(query, {"n": 50})

    assert few["data"]["products"]["nodes"] == as_graphql(rest[:2])
    assert many["data"]["products"]["nodes"] == as_graphql(rest)
    assert len(two) == len(fifty) == 1


async def test_products_by_id_are_one_statement_however_often_they_are_named(ask: Ask, resources: Resources) -> None:
    page = await ask("{ products(first: 9) { nodes { id } } }")
    ids = [node["id"] for node in page["data"]["products"]["nodes"]]
    aliases = " ".join(f'p{index}: product(id: "{product_id}") {{ title }}' for index, product_id in enumerate(ids))

    with recorded(resources.database.reader) as sent:
        body = await ask(f"{{ {aliases} }}")

    assert (len(body["data"]), len(sent)) == (9, 1)
