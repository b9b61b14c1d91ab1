"""Products that change their handle, or go."""

import httpx2

from commerce.catalog.entities import Product
from core.database import Database
from tests.public_api.catalog.products import PRODUCTS, SMALLEST, stored


async def test_renamed_product_is_found_under_its_old_handles(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    path = f"{PRODUCTS}/{shop['tent'].head.id}"
    for handle in ("big-tent", "bigger-tent"):
        assert (await client.patch(path, json={"handle": handle}, headers=writer)).status_code == 200

    for old in ("tent", "big-tent"):
        response = await client.get(f"{PRODUCTS}/{old}")
        assert response.status_code == 301
        assert response.headers["location"] == f"http://portico.test{PRODUCTS}/bigger-tent"
        assert (await client.get(response.headers["location"])).json()["id"] == shop["tent"].head.id


async def test_renamed_draft_leads_nobody_to_it(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    path = f"{PRODUCTS}/{shop['rain-poncho'].head.id}"
    assert (await client.patch(path, json={"handle": "secret-poncho"}, headers=writer)).status_code == 200

    anonymous = await client.get(f"{PRODUCTS}/rain-poncho")
    known = await client.get(f"{PRODUCTS}/rain-poncho", headers=writer)

    assert anonymous.status_code == 404
    assert "secret-poncho" not in anonymous.text
    assert known.status_code == 301


async def test_old_handle_is_free_for_another_product(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    await client.patch(f"{PRODUCTS}/{shop['tent'].head.id}", json={"handle": "big-tent"}, headers=writer)

    created = await client.post(PRODUCTS, json=SMALLEST | {"handle": "tent"}, headers=writer)
    found = await client.get(f"{PRODUCTS}/tent")

    assert created.status_code == 201
    assert (found.status_code, found.json()["id"]) == (200, created.json()["id"])


async def test_redirect_to_an_odd_handle_is_encoded(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    await client.patch(f"{PRODUCTS}/{shop['tent'].head.id}", json={"handle": "große-zelte"}, headers=writer)

    response = await client.get(f"{PRODUCTS}/tent")

    assert response.status_code == 301
    assert response.headers["location"] == f"http://portico.test{PRODUCTS}/gro%C3%9Fe-zelte"
    assert (await client.get(response.headers["location"])).json()["handle"] == "große-zelte"


async def test_deleted_product_is_gone(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], database: Database
) -> None:
    path = f"{PRODUCTS}/{shop['tent'].head.id}"

    deleted = await client.delete(path, headers=writer)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-type" not in deleted.headers
    assert (await client.get(path)).status_code == 404
    assert (await client.get(f"{PRODUCTS}/tent")).status_code == 404
    assert (await client.delete(path, headers=writer)).status_code == 404
    assert "tent" not in dict(await stored(database))
