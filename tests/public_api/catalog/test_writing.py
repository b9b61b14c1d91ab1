"""Creating, changing and deleting products: rules of access, preconditions, conflicts; a refusal changes nothing."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from commerce.catalog.entities import Product
from core.database import Database
from core.resources import Resources
from tests.fixtures.application import key_with
from tests.fixtures.probes import read_error
from tests.public_api.catalog.products import PRODUCTS, SMALLEST, stored


async def test_variants_and_images_that_were_read_can_be_sent_back(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    variants = [{"title": title, "price": {"amount": 100}} for title in ("Small", "Large")]
    body = {"title": "Thing", "variants": variants, "images": [{"url": "https://images.example.com/a.jpg"}]}
    made = (await client.post(PRODUCTS, json=body, headers=writer)).json()

    again = await client.patch(
        f"{PRODUCTS}/{made['id']}",
        json={"variants": made["variants"], "images": made["images"]},
        headers=writer,
    )

    assert [variant["options"] for variant in made["variants"]] == [{"Title": "Small"}, {"Title": "Large"}]
    assert again.status_code == 200
    assert again.json() == made


async def test_created_product_is_answered_whole_and_where_it_says(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    body = {
        "title": "Ridge Rain Jacket (Men's)", "description": "<p>Dry.</p><script>alert(1)</script>", "vendor": "Alder",
        "category": "Jackets", "tags": ["new"], "status": "active",
        "images": [{"url": "https://images.example.com/ridge.jpg", "alt": "front", "width": 10, "height": 20}],
        "variants": [
            {"price": {"amount": 4999, "currency": "USD"}, "options": {"Size": "S"}, "sku": "R-S", "stock": 2,
             "compare_at_price": {"amount": 5999}, "weight_grams": 300, "barcode": "0123"},
            {"price": {"amount": 5999}, "options": {"Size": "M"}, "inventory_policy": "continue", "stock": 0},
        ],
    }  # fmt: skip

    created = await client.post(PRODUCTS, json=body, headers=writer)

    assert created.status_code == 201
    product = created.json()
    assert created.headers["location"] == f"http://portico.test{PRODUCTS}/{product['id']}"
    assert created.headers["etag"] == 'W/"1"'
    assert product["handle"] == "ridge-rain-jacket-men-s"
    assert product["description"] == "<p>Dry.</p>"
    assert product["price_range"] == {
        "min": {"amount": 4999, "currency": "USD"},
        "max": {"amount": 5999, "currency": "USD"},
    }
    assert [(each["sku"], each["stock"], each["available"]) for each in product["variants"]] == [
        ("R-S", 2, True),
        (None, 0, True),
    ]
    read = await client.get(created.headers["location"])
    assert read.json() == product
    assert read.headers["etag"] == created.headers["etag"]


async def test_product_needs_a_title_and_a_price_alone(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    response = await client.post(PRODUCTS, json=SMALLEST, headers=writer)

    assert response.status_code == 201
    product = response.json()
    assert (product["handle"], product["status"], product["category"], product["tags"]) == ("thing", "active", None, [])
    (variant,) = product["variants"]
    assert (variant["options"], variant["stock"], variant["available"]) == ({"Title": "Default Title"}, None, True)


async def test_handle_made_from_the_title_is_a_free_one(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    made = [(await client.post(PRODUCTS, json=SMALLEST, headers=writer)).json()["handle"] for _ in range(3)]

    assert made == ["thing", "thing-2", "thing-3"]


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "/title"),
    ({"title": None}, "/title"),
    ({"title": 5}, "/title"),
    ({"title": "a" * 256}, "/title"),
    ({"handle": "Upper"}, "/handle"),
    ({"handle": "export"}, "/handle"),
    ({"handle": "prod_1"}, "/handle"),
    ({"status": "sold"}, "/status"),
    ({"tags": ["a", "a"]}, "/tags"),
    ({"tags": ["a,b"]}, "/tags/0"),
    ({"category": " "}, "/category"),
    ({"variants": []}, "/variants"),
    ({"variants": None}, "/variants"),
    ({"variants": [{}]}, "/variants/0/price"),
    ({"variants": [{"price": {"amount": -1}}]}, "/variants/0/price/amount"),
    ({"variants": [{"price": {"amount": 9.99}}]}, "/variants/0/price/amount"),
    ({"variants": [{"price": {"amount": "100"}}]}, "/variants/0/price/amount"),
    ({"variants": [{"price": {"amount": 10**13}}]}, "/variants/0/price/amount"),
    ({"variants": [{"price": {"amount": 1, "currency": "EUR"}}]}, "/variants/0/price/currency"),
    ({"variants": [{"price": {"amount": 1}, "compare_at_price": {"amount": 2, "currency": "JPY"}}]},
     "/variants/0/compare_at_price/currency"),
    ({"variants": [{"price": {"amount": 1}, "stock": 1.5}]}, "/variants/0/stock"),
    ({"variants": [{"price": {"amount": 1}, "inventory_policy": "maybe"}]}, "/variants/0/inventory_policy"),
    ({"variants": [{"price": {"amount": 1}, "sku": " x"}]}, "/variants/0/sku"),
    ({"variants": [{"price": {"amount": 1}}, {"price": {"amount": 1}}]}, "/variants/1/options"),
    ({"images": [{"url": "javascript:alert(1)"}]}, "/images/0/url"),
    ({"images": [{}]}, "/images/0/url"),
    ({"version": 7}, "/version"),
    ({"id": "prod_1"}, "/id"),
    ({"a/b~c": 1}, "/a~1b~0c"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "pointer"), FAULTS, ids=[pointer for _, pointer in FAULTS])
async def test_faulty_product_is_refused_with_the_place_of_the_fault(
    client: httpx2.AsyncClient, writer: dict[str, str], database: Database, changes: dict[str, Any], pointer: str
) -> None:
    before = await stored(database)

    response = await client.post(PRODUCTS, json=SMALLEST | changes, headers=writer)

    assert response.status_code == 422
    assert read_error("v1", response).code in ("invalid_request", "invalid_product")
    assert pointer in [fault["pointer"] for fault in response.json()["errors"]]
    assert await stored(database) == before


async def test_all_faults_of_a_product_are_named_at_once(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    body = {"title": " ", "handle": "A", "tags": ["a,b"], "variants": [{"price": {"amount": 1}, "sku": ""}]}

    response = await client.post(PRODUCTS, json=body, headers=writer)

    assert response.status_code == 422
    assert read_error("v1", response).code == "invalid_product"
    assert [fault["pointer"] for fault in response.json()["errors"]] == [
        "/handle",
        "/title",
        "/tags/0",
        "/variants/0/sku",
    ]


async def test_body_is_never_echoed(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    secret = "do-not-repeat-" * 20

    for body in ({"title": "", "description": secret}, {"title": [secret]}, {"title": "a", "variants": secret}):
        response = await client.post(PRODUCTS, json=body, headers=writer)
        assert response.status_code == 422
        assert "do-not-repeat-do" not in response.text


async def test_sku_that_is_taken_is_a_conflict(
    client: httpx2.AsyncClient, writer: dict[str, str], database: Database
) -> None:
    before = await stored(database)
    body = {"title": "Cap", "variants": [{"price": {"amount": 1}, "sku": "CAP-1"}]}

    response = await client.post(PRODUCTS, json=body, headers=writer)

    assert response.status_code == 409
    assert read_error("v1", response).code == "duplicate_sku"
    assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == [
        ("/variants/0/sku", "duplicate_sku")
    ]
    assert await stored(database) == before


async def test_handle_that_is_taken_is_a_conflict(
    client: httpx2.AsyncClient, writer: dict[str, str], database: Database
) -> None:
    before = await stored(database)

    response = await client.post(PRODUCTS, json=SMALLEST | {"handle": "tent"}, headers=writer)

    assert response.status_code == 409
    assert read_error("v1", response).code == "duplicate_handle"
    assert await stored(database) == before


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("scopes", "status", "code"),
    [
        (None, 401, "unauthenticated"),
        ((), 403, "missing_scope"),
        (("catalog:read", "orders:write"), 403, "missing_scope"),
    ],
)
async def test_write_needs_the_scope_for_writing(
    client: httpx2.AsyncClient,
    resources: Resources,
    shop: dict[str, Product],
    method: str,
    scopes: tuple[str, ...] | None,
    status: int,
    code: str,
) -> None:
    before = await stored(resources.database)
    headers = await key_with(resources, *scopes) if scopes is not None else {}
    path = PRODUCTS if method == "POST" else f"{PRODUCTS}/{shop['tent'].head.id}"

    response = await client.request(method, path, json=None if method == "DELETE" else SMALLEST, headers=headers)

    assert response.status_code == status
    assert read_error("v1", response).code == code
    assert response.headers.get("www-authenticate") == ('Bearer realm="portico"' if status == 401 else None)
    assert await stored(resources.database) == before


async def test_revoked_or_expired_key_is_refused(client: httpx2.AsyncClient, resources: Resources) -> None:
    for column in ("revoked_at", "expires_at"):
        headers = await key_with(resources, "catalog:write")
        async with resources.database.write() as session:
            await session.execute(text(f"UPDATE api_keys SET {column} = '2020-01-01 00:00:00.000000'"))  # noqa: S608
        response = await client.post(PRODUCTS, json=SMALLEST, headers=headers)
        assert response.status_code == 401
        assert read_error("v1", response).code == "invalid_api_key"


async def test_change_touches_what_it_names_alone(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    path = f"{PRODUCTS}/{shop['rain-jacket'].head.id}"
    before = (await client.get(path)).json()

    response = await client.patch(path, json={"title": "Rain Coat", "tags": []}, headers=writer)

    assert response.status_code == 200
    after = response.json()
    assert response.headers["etag"] == 'W/"2"'
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {"title": "Rain Coat", "tags": [], "version": 2}
    assert (await client.get(path)).json()["title"] == "Rain Coat"


async def test_change_that_alters_nothing_makes_no_version(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], database: Database
) -> None:
    before = await stored(database)
    path = f"{PRODUCTS}/{shop['tent'].head.id}"

    for body in ({}, {"title": "Tent"}):
        response = await client.patch(path, json=body, headers=writer)
        assert (response.status_code, response.headers["etag"]) == (200, 'W/"1"')

    assert await stored(database) == before


async def test_variants_keep_their_ids_by_options(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    small, medium = shop["rain-jacket"].variants
    variants = [
        {"price": {"amount": 1}, "options": {"Size": "L"}},
        {"price": {"amount": 2}, "options": {"Size": "S"}},
    ]

    response = await client.patch(
        f"{PRODUCTS}/{shop['rain-jacket'].head.id}", json={"variants": variants}, headers=writer
    )

    large, same = response.json()["variants"]
    assert same["id"] == small.id
    assert same["price"]["amount"] == 2
    assert large["id"] not in (small.id, medium.id)


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('W/"1"', 200),
        ('"1"', 200),
        (' "1" ', 200),
        ("*", 200),
        (None, 200),
        ('W/"2"', 412),
        ('"0"', 412),
        ('"01x"', 412),
        ("garbage", 412),
        ("1", 412),
        ("", 412),
        ('""', 412),
        ('"' + "9" * 40 + '"', 412),
        ('"٣"', 412),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_write_happens_only_to_the_version_that_was_read(
    client: httpx2.AsyncClient,
    writer: dict[str, str],
    shop: dict[str, Product],
    database: Database,
    method: str,
    if_match: str | None,
    status: int,
) -> None:
    before = await stored(database)
    headers = {name.encode(): value.encode() for name, value in writer.items()}
    if if_match is not None:
        headers[b"If-Match"] = if_match.encode()

    response = await client.request(
        method,
        f"{PRODUCTS}/{shop['tent'].head.id}",
        json={"title": "Other"} if method == "PATCH" else None,
        headers=headers,
    )

    if status == 200:
        assert response.status_code == (200 if method == "PATCH" else 204)
        assert await stored(database) != before
    else:
        assert response.status_code == 412
        assert read_error("v1", response).code == "stale_version"
        assert await stored(database) == before


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_write_to_an_unknown_product_is_a_404(
    client: httpx2.AsyncClient, writer: dict[str, str], method: str
) -> None:
    for name in ("prod_01h455vb4pex5vsknk084sn02q", "nothing"):
        response = await client.request(
            method, f"{PRODUCTS}/{name}", json={} if method == "PATCH" else None, headers=writer
        )
        assert response.status_code == 404
        assert read_error("v1", response).code == "product_not_found"


async def test_faulty_change_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], database: Database
) -> None:
    before = await stored(database)
    path = f"{PRODUCTS}/{shop['tent'].head.id}"

    for body, status in (
        ({"title": ""}, 422),
        ({"title": None}, 422),
        ({"variants": []}, 422),
        ({"handle": ""}, 422),
        ({"colour": "red"}, 422),
        ([], 422),
        ({"handle": "wool-cap"}, 409),
        ({"variants": [{"price": {"amount": 1}, "sku": "CAP-1"}]}, 409),
    ):
        response = await client.patch(path, json=body, headers=writer)
        assert response.status_code == status, body

    assert await stored(database) == before
