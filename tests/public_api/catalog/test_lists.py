"""Lists of products: filters, order, numbered pages (v1), cursors (v2), tags and links."""

import re
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from commerce.catalog.service import CatalogService
from core.resources import Resources
from public_api.catalog.schemas import CategoryList, Product, ProductPage, ProductSlice
from tests.factories.products import a_product
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.fixtures.probes import read_error

NEWEST_FIRST = ["émile-scarf", "tent", "wool-cap", "rain-jacket"]
VERSIONS = ["v1", "v2"]


def handles(response: httpx2.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["handle"] for item in response.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", NEWEST_FIRST),
        ("category=Jackets", ["rain-jacket"]),
        ("category=jackets", ["rain-jacket"]),
        ("category=Hats %26 Caps", ["émile-scarf", "wool-cap"]),
        ("category=hats-caps", ["émile-scarf", "wool-cap"]),
        ("category=nothing", []),
        ("vendor=Alder", ["tent", "rain-jacket"]),
        ("vendor=alder", []),
        ("vendor=Cedar", []),
        ("tag=hiking", ["tent", "rain-jacket"]),
        ("tag=new", ["émile-scarf", "rain-jacket"]),
        ("tag=hik", []),
        ("min_price=1500", NEWEST_FIRST),
        ("min_price=1501", ["tent", "rain-jacket"]),
        ("max_price=1500", ["émile-scarf", "wool-cap"]),
        ("max_price=1499", []),
        ("min_price=9900&max_price=9900", ["rain-jacket"]),
        ("min_price=9999&max_price=1", []),
        ("in_stock=true", ["émile-scarf", "tent", "rain-jacket"]),
        ("in_stock=false", ["wool-cap"]),
        ("vendor=Birch&tag=new&in_stock=true&max_price=1500", ["émile-scarf"]),
        ("vendor=Birch&tag=hiking", []),
        ("sort=title", ["émile-scarf", "rain-jacket", "tent", "wool-cap"]),
        ("sort=-title", ["wool-cap", "tent", "rain-jacket", "émile-scarf"]),
        ("sort=price", ["wool-cap", "émile-scarf", "rain-jacket", "tent"]),
        ("sort=-price", ["tent", "rain-jacket", "émile-scarf", "wool-cap"]),
        ("sort=created_at", NEWEST_FIRST[::-1]),
        ("sort=-created_at", NEWEST_FIRST),
        ("sort=updated_at", NEWEST_FIRST[::-1]),
        ("sort=-updated_at&tag=wool", ["émile-scarf", "wool-cap"]),
        ("q=rain&sort=title", ["rain-jacket"]),
        ("q=EMILE&sort=title", ["émile-scarf"]),
        ("q=scarf birch&sort=title", ["émile-scarf"]),
        ("q=cap-1&sort=title", ["wool-cap"]),
        ("q=zzz&sort=title", []),
        ("q=rain&vendor=Birch&sort=title", []),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
async def test_list_is_narrowed_and_ordered(
    client: httpx2.AsyncClient, version: str, query: str, expected: list[str]
) -> None:
    response = await client.get(f"/public/{version}/products?{query}")

    assert handles(response) == expected
    if version == "v1":
        assert response.json()["total"] == len(expected)


@pytest.mark.parametrize(
    "query",
    [
        "q=%22*%20OR%20NEAR(",
        "q=%00",
        "q=%ff%fe",
        "q=%ed%a0%80",
        "q='--",
        "q=title:zzz",
        "tag=%00",
        "vendor=%ff",
        "category=%00",
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
async def test_hostile_query_finds_nothing_and_breaks_nothing(
    client: httpx2.AsyncClient, log_entries: LogEntries, version: str, query: str
) -> None:
    response = await client.get(f"/public/{version}/products?{query}")

    assert handles(response) == []
    assert log_entries.application == []


async def test_best_match_comes_first_where_no_order_is_asked(client: httpx2.AsyncClient) -> None:
    assert set(handles(await client.get("/public/v1/products?q=hik"))) == {"rain-jacket", "tent"}
    assert handles(await client.get("/public/v1/products?q=wool"))[0] == "wool-cap"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("size=0", "/query/size"),
        ("size=101", "/query/size"),
        ("page=0", "/query/page"),
        ("page=-1", "/query/page"),
        ("page=x", "/query/page"),
        ("min_price=-1", "/query/min_price"),
        ("min_price=9.99", "/query/min_price"),
        ("max_price=99999999999999999999", "/query/max_price"),
        ("in_stock=maybe", "/query/in_stock"),
        ("sort=stock", "/query/sort"),
        ("sort=--title", "/query/sort"),
        ("q=" + "a" * 201, "/query/q"),
        ("colour=red", "/query/colour"),
        ("include_unpublished=true", "/query/include_unpublished"),
        ("a~b/c=1", "/query/a~0b~1c"),
        ("page=101&size=100", "/query/page"),
        ("page=10001&size=1", "/query/page"),
    ],
)
async def test_faulty_query_of_v1_is_refused_with_its_place(
    client: httpx2.AsyncClient, query: str, pointer: str
) -> None:
    response = await client.get(f"/public/v1/products?{query}")

    assert response.status_code == 422
    assert read_error("v1", response).code == "invalid_request"
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=101", "/query/limit"),
        ("count=maybe", "/query/count"),
        ("after=" + "a" * 2001, "/query/after"),
        ("page=1", "/query/page"),
        ("size=5", "/query/size"),
    ],
)
async def test_faulty_query_of_v2_is_refused_with_its_place(
    client: httpx2.AsyncClient, query: str, pointer: str
) -> None:
    response = await client.get(f"/public/v2/products?{query}")

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]


async def test_all_faults_are_named_at_once(client: httpx2.AsyncClient) -> None:
    response = await client.get("/public/v1/products?page=0&size=0&sort=x&y=1")

    assert {fault["pointer"] for fault in response.json()["errors"]} == {
        "/query/page",
        "/query/size",
        "/query/sort",
        "/query/y",
    }


async def test_too_deep_page_points_at_v2(client: httpx2.AsyncClient) -> None:
    deepest = await client.get("/public/v1/products?page=100&size=100")
    too_deep = await client.get("/public/v1/products?page=101&size=100")

    assert (deepest.status_code, deepest.json()["items"], deepest.json()["total"]) == (200, [], 4)
    assert too_deep.status_code == 422
    assert "/public/v2/products" in too_deep.json()["detail"]


async def test_numbered_pages_cover_the_list_once(client: httpx2.AsyncClient) -> None:
    pages = [(await client.get(f"/public/v1/products?size=3&page={page}")).json() for page in (1, 2, 3)]

    assert [[item["handle"] for item in page["items"]] for page in pages] == [NEWEST_FIRST[:3], NEWEST_FIRST[3:], []]
    assert [(page["page"], page["size"], page["total"]) for page in pages] == [(1, 3, 4), (2, 3, 4), (3, 3, 4)]


@pytest.mark.parametrize("sort", ["title", "-title", "price", "-price", "created_at", "-updated_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
async def test_cursors_lead_through_the_whole_list_by_their_links(
    client: httpx2.AsyncClient, writer: dict[str, str], sort: str, limit: int
) -> None:
    whole = handles(await client.get(f"/public/v1/products?sort={sort}", headers=writer))

    address: str | None = f"/public/v2/products?sort={sort}&limit={limit}"
    walked: list[str] = []
    requests = 0
    while address is not None:
        response = await client.get(address, headers=writer)
        requests += 1
        page: dict[str, Any] = response.json()
        walked += handles(response)
        link = re.fullmatch(r'<([^>]+)>; rel="next"', response.headers.get("link", ""))
        assert (page["next"] is None) == (link is None)
        address = link[1] if link else None
        if address:
            assert httpx2.URL(address).params["after"] == page["next"]
            assert httpx2.URL(address).params["sort"] == sort

    assert walked == whole
    assert requests == -(-6 // limit)


async def test_total_of_v2_is_there_only_where_it_is_asked(client: httpx2.AsyncClient) -> None:
    plain = (await client.get("/public/v2/products?limit=1")).json()
    counted = (await client.get("/public/v2/products?limit=1&count=true&vendor=Alder")).json()
    later = (await client.get(f"/public/v2/products?limit=1&count=true&after={plain['next']}")).json()

    assert plain.keys() == {"items", "next"}
    assert counted.keys() == {"items", "next", "total"}
    assert counted["total"] == 2
    assert later["total"] == 4


@pytest.mark.parametrize("cursor", ["x", "e30", "bm9uc2Vuc2U", "W10", "....", "%00", "é"])
async def test_cursor_that_is_none_is_refused(client: httpx2.AsyncClient, cursor: str) -> None:
    response = await client.get(f"/public/v2/products?after={cursor}")

    assert response.status_code == 422
    assert read_error("v2", response).code == "invalid_cursor"
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/query/after"]


async def test_cursor_of_another_order_is_refused(client: httpx2.AsyncClient) -> None:
    cursor = (await client.get("/public/v2/products?limit=1&sort=title")).json()["next"]

    response = await client.get(f"/public/v2/products?limit=1&sort=-title&after={cursor}")

    assert response.status_code == 422
    assert read_error("v2", response).code == "invalid_cursor"


async def test_v1_announces_its_successor_and_v2_does_not(client: httpx2.AsyncClient) -> None:
    listed = await client.get("/public/v1/products")
    unchanged = await client.get("/public/v1/products", headers={"If-None-Match": listed.headers["etag"]})
    without_twin = [await client.get(f"/public/v1/{path}") for path in ("products/tent", "categories")]
    second = await client.get("/public/v2/products")

    for response in (listed, unchanged):
        assert re.fullmatch(r"@\d{10}", response.headers["deprecation"])
        assert response.headers["link"] == '<http://portico.test/public/v2/products>; rel="successor-version"'
    for response in (*without_twin, second):
        assert "deprecation" not in response.headers
        assert "link" not in response.headers


@pytest.mark.parametrize("version", VERSIONS)
async def test_tag_of_a_list_is_weak_and_changes_with_what_it_shows(
    client: httpx2.AsyncClient, writer: dict[str, str], version: str
) -> None:
    path = f"/public/{version}/products?vendor=Alder"
    before = (await client.get(path)).headers["etag"]
    product_id = (await client.get("/public/v1/products/tent")).json()["id"]

    same = (await client.get(path)).headers["etag"]
    changed = await client.patch(f"/public/v1/products/{product_id}", json={"title": "Big Tent"}, headers=writer)
    after = await client.get(path, headers={"If-None-Match": before})

    assert changed.status_code == 200
    assert re.fullmatch(r'W/"[0-9a-f]+"', before)
    assert same == before
    assert after.status_code == 200
    assert after.headers["etag"] != before
    assert after.json()["items"][0]["title"] == "Big Tent"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tag_of_a_list_changes_when_a_product_comes_or_goes(
    client: httpx2.AsyncClient, resources: Resources, version: str
) -> None:
    path = f"/public/{version}/products"
    tags = [(await client.get(path)).headers["etag"]]

    async with resources.database.write() as session:
        made = await CatalogService(session, resources.clock).create(a_product(handle="another"))
    tags.append((await client.get(path)).headers["etag"])
    async with resources.database.write() as session:
        await CatalogService(session, resources.clock).delete(made.head.id)
    tags.append((await client.get(path)).headers["etag"])

    assert tags[0] == tags[2] != tags[1]


async def test_tags_of_different_pages_differ(client: httpx2.AsyncClient) -> None:
    addresses = [
        "/public/v1/products?vendor=nobody",
        "/public/v1/products?vendor=nobody&size=5",
        "/public/v1/products?vendor=nobody&page=2",
        "/public/v1/products?size=1",
        "/public/v2/products?limit=1",
        "/public/v2/products?limit=1&count=true",
    ]

    tags = [(await client.get(address)).headers["etag"] for address in addresses]

    assert len(set(tags)) == len(addresses)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_current_list_is_not_sent_again_and_no_product_is_read(
    client: httpx2.AsyncClient, resources: Resources, version: str
) -> None:
    path = f"/public/{version}/products"
    tag = (await client.head(path)).headers["etag"]  # which is not kept

    with recorded(resources.database.reader) as statements:
        again = await client.get(path, headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert len(statements) == 1
    assert not [statement for statement in statements if "variants" in statement or "description" in statement]


@pytest.mark.parametrize("size", [1, 4])
async def test_number_of_statements_does_not_depend_on_the_number_of_products(
    client: httpx2.AsyncClient, resources: Resources, size: int
) -> None:
    with recorded(resources.database.reader) as statements:
        response = await client.get(f"/public/v1/products?size={size}")

    assert len(handles(response)) == size
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("path", "model", "left_out"),
    [
        ("v1/products", ProductPage, set()),
        ("v1/products?q=rain&page=3", ProductPage, set()),
        ("v2/products?limit=2&count=true", ProductSlice, set()),
        ("v2/products?limit=100", ProductSlice, {"total"}),
        ("v1/products/rain-jacket", Product, set()),
        ("v1/categories", CategoryList, set()),
    ],
)
async def test_body_is_byte_for_byte_what_the_response_model_writes(
    client: httpx2.AsyncClient, path: str, model: type[BaseModel], left_out: set[str]
) -> None:
    response = await client.get(f"/public/{path}")

    parsed = model.model_validate_json(response.content, strict=True)
    assert response.text == parsed.model_dump_json(exclude=left_out)
    assert response.headers["content-type"] == "application/json"
