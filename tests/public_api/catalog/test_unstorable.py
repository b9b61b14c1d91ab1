"""Texts and numbers that a database cannot hold name nothing, on either database; they are nobody's server error."""

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from commerce.catalog.service import CatalogService
from core.resources import Resources
from gateway.app import create_app
from tests.factories.products import a_product
from tests.fixtures.application import LogEntries, settings_over
from tests.fixtures.probes import read_error


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    """Over each kind of database."""
    return create_app(settings_over(database_url, tmp_path / "var"))


@pytest.mark.parametrize("text", ["%00", "a%00b", "%ed%a0%80"])
async def test_unstorable_text_finds_nothing(
    client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries, text: str
) -> None:
    async with resources.database.write() as session:
        await CatalogService(session, resources.clock).create(a_product())

    for name in ("vendor", "tag", "category", "q"):
        for version in ("v1", "v2"):
            response = await client.get(f"/public/{version}/products?{name}={text}")
            assert (response.status_code, response.json()["items"]) == (200, []), (version, name)
    for path in (text, f"prod_{text}"):
        response = await client.get(f"/public/v1/products/{path}")
        assert response.status_code == 404
        assert read_error("v1", response).code == "product_not_found"
    assert log_entries.application == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_product_with_an_unstorable_id_is_not_there_to_change(
    client: httpx2.AsyncClient, writer: dict[str, str], log_entries: LogEntries, method: str
) -> None:
    response = await client.request(method, "/public/v1/products/prod_%00", json={"title": "X"}, headers=writer)

    assert response.status_code == 404
    assert log_entries.application == []


@pytest.mark.parametrize("name", ["min_price", "max_price"])
@pytest.mark.parametrize("price", [2**63 - 1, 2**63, 10**30])
async def test_price_beyond_all_is_refused_with_its_place(client: httpx2.AsyncClient, name: str, price: int) -> None:
    for version in ("v1", "v2"):
        response = await client.get(f"/public/{version}/products?{name}={price}")

        assert response.status_code == 422
        assert [fault["pointer"] for fault in response.json()["errors"]] == [f"/query/{name}"]
