"""How the OpenAPI documents say that one signs in: what the docs' Authorize button works from."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from tests.fixtures.application import new_app
from tests.fixtures.asgi import Served, client_of, serve
from tests.public_api.accounts.people import V1, ask_token, register


def token_url(document: dict[str, Any]) -> str:
    url: str = document["components"]["securitySchemes"]["signIn"]["flows"]["password"]["tokenUrl"]
    return url


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_document_describes_keys_and_signing_in(client: httpx2.AsyncClient, version: str) -> None:
    document = (await client.get(f"/public/{version}/openapi.json")).json()

    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {"apiKey": "http", "signIn": "oauth2"}
    assert (schemes["apiKey"]["scheme"], schemes["apiKey"]["bearerFormat"]) == ("bearer", "ptk_<id>_<secret>")
    assert schemes["signIn"]["flows"] == {"password": {"scopes": {}, "tokenUrl": "/public/v1/auth/token"}}
    assert document["paths"]["/products"]["get"]["security"] == [{"apiKey": []}, {"signIn": []}]


async def test_token_url_is_where_one_signs_in(client: httpx2.AsyncClient) -> None:
    await register(client)
    url = token_url((await client.get("/public/v2/openapi.json")).json())

    response = await client.post(url, data={"username": "ada@example.com", "password": "correct horse battery staple"})

    assert response.status_code == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_token_url_has_the_prefix_that_the_client_uses(served: Served, version: str) -> None:
    async with client_of(served, root_path="/shop") as client:
        prefixed = (await client.get(f"/shop/public/{version}/openapi.json")).json()
    async with client_of(served) as client:
        plain = (await client.get(f"/public/{version}/openapi.json")).json()

    assert token_url(prefixed) == "/shop/public/v1/auth/token"
    assert token_url(plain) == "/public/v1/auth/token"


async def test_token_url_is_below_the_public_url(tmp_path: Path, sqlite_template: Path) -> None:
    server = ServerSettings(public_url="https://api.shop.example/base/")
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path), server=server))

    async with serve(new_app(settings, sqlite_template)) as served, client_of(served) as client:
        document = (await client.get("/public/v2/openapi.json")).json()

    assert token_url(document) == "https://api.shop.example/base/public/v1/auth/token"


async def test_password_form_and_its_refusals_are_documented(client: httpx2.AsyncClient) -> None:
    paths = (await client.get(f"{V1}/openapi.json")).json()["paths"]

    assert paths["/auth/token"]["post"]["requestBody"]["content"].keys() == {"application/x-www-form-urlencoded"}
    assert paths["/auth/token"]["post"]["responses"].keys() >= {"200", "401", "422", "429"}
    assert "security" not in paths["/auth/token"]["post"]
    assert paths["/auth/register"]["post"]["responses"].keys() >= {"201", "409", "422", "429"}
    assert paths["/api-keys"]["post"]["responses"].keys() >= {"201", "401", "403", "409", "422"}
    headers = [parameter["name"] for parameter in paths["/auth/register"]["post"]["parameters"]]
    assert headers == ["Idempotency-Key"]


async def test_problem_of_a_refused_sign_in_has_a_page(client: httpx2.AsyncClient) -> None:
    problem = (await ask_token(client)).json()

    page = await client.get(problem["type"])

    assert (page.status_code, "invalid_credentials" in page.text) == (200, True)
