"""Reading one product: its shape, its addresses, its tags, and who sees what."""

import re
from typing import Any

import httpx2
import pytest

from commerce.catalog.entities import Product
from commerce.catalog.service import CatalogService
from core.resources import Resources
from tests.factories.products import a_product, a_variant, an_image
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.probes import read_error

PRODUCT_FIELDS = {
    *("id", "handle", "title", "description", "vendor", "category", "tags", "status", "price_range"),
    *("variants", "images", "version", "created_at", "updated_at"),
}
VARIANT_FIELDS = {
    *("id", "sku", "title", "options", "price", "compare_at_price", "stock", "available", "weight_grams", "barcode"),
}
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def test_product_has_all_fields_with_exact_values(client: httpx2.AsyncClient, resources: Resources) -> None:
    variant = a_variant(
        options={"Size": "Small", "Colour": "Moss"}, price=4999, compare_at_price=5999, sku="JKT-S", stock=2,
        weight_grams=300, barcode="0123",
    )  # fmt: skip
    data = a_product(
        handle="ridge", title="Ridge", description="<p>Dry.</p>", vendor="Alder", category="Jackets",
        tags=("new", "a"), options=("Size", "Colour"), images=(an_image(alt="front", width=10, height=20),),
        variants=(variant, a_variant(options={"Size": "Large", "Colour": "Moss"}, price=5500)),
    )  # fmt: skip
    async with resources.database.write() as session:
        made = await CatalogService(session, resources.clock).create(data)

    product = (await client.get("/public/v1/products/ridge")).json()

    first, second = product.pop("variants")
    (image,) = product.pop("images")
    category = product.pop("category")
    for name in ("created_at", "updated_at"):
        assert WHEN.fullmatch(product.pop(name))
    assert product == {
        "id": made.head.id,
        "handle": "ridge",
        "title": "Ridge",
        "description": "<p>Dry.</p>",
        "vendor": "Alder",
        "tags": ["new", "a"],
        "status": "active",
        "price_range": {"min": {"amount": 4999, "currency": "USD"}, "max": {"amount": 5500, "currency": "USD"}},
        "version": 1,
    }
    assert re.fullmatch(r"prod_[0-9a-hjkmnp-tv-z]{26}", product["id"])
    assert re.fullmatch(r"cat_[0-9a-hjkmnp-tv-z]{26}", category.pop("id"))
    assert category == {"name": "Jackets", "slug": "jackets"}
    assert re.fullmatch(r"var_[0-9a-hjkmnp-tv-z]{26}", first.pop("id"))
    assert first == {
        "sku": "JKT-S",
        "title": "Small / Moss",
        "options": {"Size": "Small", "Colour": "Moss"},
        "price": {"amount": 4999, "currency": "USD"},
        "compare_at_price": {"amount": 5999, "currency": "USD"},
        "stock": 2,
        "available": True,
        "weight_grams": 300,
        "barcode": "0123",
    }
    assert list(first["options"]) == ["Size", "Colour"]
    assert second | {"id": ""} == {
        "id": "",
        "sku": None,
        "title": "Large / Moss",
        "options": {"Size": "Large", "Colour": "Moss"},
        "price": {"amount": 5500, "currency": "USD"},
        "compare_at_price": None,
        "stock": None,
        "available": True,
        "weight_grams": None,
        "barcode": None,
    }
    assert image.pop("id").startswith("img_")
    assert image == {"url": "https://images.example.com/jacket.jpg", "alt": "front", "width": 10, "height": 20}


async def test_every_product_has_all_fields_on_both_versions(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    first = (await client.get("/public/v1/products", headers=writer)).json()
    second = (await client.get("/public/v2/products", headers=writer)).json()

    assert first.keys() == {"items", "page", "size", "total"}
    assert second.keys() == {"items", "next"}
    assert len(first["items"]) == 6
    assert first["items"] == second["items"]
    for product in first["items"]:
        assert product.keys() == PRODUCT_FIELDS
        assert product["price_range"].keys() == {"min", "max"}
        for variant in product["variants"]:
            assert variant.keys() == VARIANT_FIELDS


async def test_document_says_that_all_fields_are_always_there(client: httpx2.AsyncClient) -> None:
    for version in ("v1", "v2"):
        schemas = (await client.get(f"/public/{version}/openapi.json")).json()["components"]["schemas"]
        assert set(schemas["Product"]["required"]) == PRODUCT_FIELDS == set(schemas["Product"]["properties"])
        assert set(schemas["Variant"]["required"]) == VARIANT_FIELDS == set(schemas["Variant"]["properties"])
        assert set(schemas["Money"]["required"]) == {"amount", "currency"}
    page = (await client.get("/public/v1/openapi.json")).json()["components"]["schemas"]["ProductPage"]
    assert set(page["required"]) == {"items", "page", "size", "total"}


async def test_every_answer_is_declared_in_the_document(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/public/v1/openapi.json")).json()

    statuses = {
        f"{method} {path}": set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert statuses["get /products"] >= {"200", "304", "400", "422", "429", "503"}
    assert statuses["get /products/{id_or_handle}"] >= {"200", "301", "304", "404"}
    assert statuses["post /products"] >= {"201", "401", "403", "409", "422"}
    assert statuses["patch /products/{product_id}"] >= {"200", "401", "403", "404", "409", "412", "422"}
    assert statuses["delete /products/{product_id}"] >= {"204", "401", "403", "404", "412"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert "default" not in operation["responses"]  # which would declare whatever is answered
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]


async def test_product_is_read_by_id_and_by_handle(client: httpx2.AsyncClient, shop: dict[str, Product]) -> None:
    by_id = await client.get(f"/public/v1/products/{shop['tent'].head.id}")
    by_handle = await client.get("/public/v1/products/tent")
    encoded = await client.get("/public/v1/products/%C3%A9mile-scarf")

    assert by_id.status_code == by_handle.status_code == encoded.status_code == 200
    assert by_id.json() == by_handle.json()
    assert by_id.headers["etag"] == by_handle.headers["etag"] == 'W/"1"'
    assert encoded.json()["title"] == "Émile Scarf"


@pytest.mark.parametrize(
    "name", ["nothing", "prod_nothing", "prod_01h455vb4pex5vsknk084sn02q", "TENT", "%00", "a" * 3000, "'"]
)
async def test_unknown_product_is_a_404(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.get(f"/public/v1/products/{name}")

    assert response.status_code == 404
    assert read_error("v1", response).code == "product_not_found"
    assert len(response.json()["detail"]) < 200


async def test_current_copy_is_not_sent_again_and_no_product_is_read(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    other = {"If-None-Match": '"other"'}  # the answer to which is not kept
    first = await client.get("/public/v1/products/tent", headers=other)

    with recorded(resources.database.reader) as statements:
        again = await client.get("/public/v1/products/tent", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary"):
        assert again.headers[name] == first.headers[name]
    assert len(statements) == 1
    assert "variants" not in statements[0]
    assert "title" not in statements[0]


@pytest.mark.parametrize(
    ("tag", "status"),
    [('W/"1"', 304), ('"1"', 304), ('"0", W/"1"', 304), ("*", 304), ('W/"2"', 200), ('""', 200), ("1", 200), ("", 200)],
)
async def test_if_none_match_compares_weakly(client: httpx2.AsyncClient, tag: str, status: int) -> None:
    response = await client.get("/public/v1/products/tent", headers={"If-None-Match": tag})

    assert response.status_code == status


async def test_caches_may_share_what_anonymous_callers_see_alone(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    for path in ("/public/v1/products", "/public/v1/products/tent", "/public/v2/products"):
        anonymous = await client.get(path)
        known = await client.get(path, headers=writer)

        assert anonymous.headers["cache-control"] == "public, max-age=0, must-revalidate"
        assert known.headers["cache-control"] == "private, no-cache"
        for response in (anonymous, known):
            varied = {name.strip() for name in ", ".join(response.headers.get_list("vary")).split(",")}
            assert varied >= {"Authorization", "Accept-Encoding"}


@pytest.mark.parametrize("handle", ["rain-poncho", "old-boots"])
async def test_what_is_not_on_sale_is_shown_to_writers_alone(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], shop: dict[str, Product], handle: str
) -> None:
    reader = await key_with(resources, "catalog:read")
    product_id = shop[handle].head.id

    for name in (handle, product_id):
        assert (await client.get(f"/public/v1/products/{name}")).status_code == 404
        assert (await client.get(f"/public/v1/products/{name}", headers=reader)).status_code == 404
        assert (await client.get(f"/public/v1/products/{name}", headers=writer)).status_code == 200


async def test_lists_hold_what_is_not_on_sale_for_writers_alone(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    assert (await client.get("/public/v1/products")).json()["total"] == 4
    assert (await client.get("/public/v1/products", headers=writer)).json()["total"] == 6
    assert (await client.get("/public/v2/products?count=true")).json()["total"] == 4
    assert (await client.get("/public/v2/products?count=true", headers=writer)).json()["total"] == 6


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ("Bearer nonsense", "unauthenticated"),
        ("Bearer ptk_nonsense", "invalid_api_key"),
        ("Bearer ptk_000000000000_00000000000000000000000000000000000000", "invalid_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/public/v1/products", "/public/v1/products/tent", "/public/v2/products"])
async def test_bad_credentials_are_refused_where_none_are_needed(
    client: httpx2.AsyncClient, path: str, credentials: str, code: str
) -> None:
    response = await client.get(path, headers={"Authorization": credentials})

    assert response.status_code == 401
    assert read_error("v1", response).code == code
    assert response.headers["www-authenticate"] == 'Bearer realm="portico"'
    assert credentials.rsplit("_", maxsplit=1)[-1] not in response.text


async def test_categories_are_listed_by_name(client: httpx2.AsyncClient) -> None:
    response = await client.get("/public/v1/categories")

    body: dict[str, Any] = response.json()
    assert body.keys() == {"items"}
    assert [(each["name"], each["slug"]) for each in body["items"]] == [
        ("Hats & Caps", "hats-caps"),
        ("Jackets", "jackets"),
    ]


async def test_no_key_is_written_to_the_log(
    client: httpx2.AsyncClient, writer: dict[str, str], log_entries: LogEntries
) -> None:
    await client.get("/public/v1/products", headers=writer)

    assert writer["Authorization"].split("_")[-1] not in repr(log_entries)
