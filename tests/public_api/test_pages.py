"""The pages of the public door: documentation, and one page for every problem code."""

from urllib.parse import quote

import httpx2
import pytest

import gateway.app  # noqa: F401  loads every error class
from core.errors import error_classes

CODES = sorted(error_classes())


async def test_every_problem_code_has_a_page_that_explains_it(client: httpx2.AsyncClient) -> None:
    listing = await client.get("/public/problems")

    assert listing.status_code == 200
    for code in CODES:
        page = await client.get(f"/public/problems/{code}")
        assert page.status_code == 200, code
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert error_classes()[code].title in page.text
        assert f'href="/public/problems/{code}"' in listing.text


@pytest.mark.parametrize("code", ["nothing", "Conflict", "<script>", "a b", "é"])
async def test_page_of_an_unknown_problem_is_missing(client: httpx2.AsyncClient, code: str) -> None:
    response = await client.get(f"/public/problems/{code}")

    assert response.status_code == 404
    assert response.json()["instance"] == f"/public/problems/{quote(code)}"


async def test_type_of_a_problem_leads_to_its_page(client: httpx2.AsyncClient) -> None:
    problem = (await client.get("/public/v1/products/nothing")).json()

    page = await client.get(problem["type"])

    assert page.status_code == 200
    assert problem["title"] in page.text
