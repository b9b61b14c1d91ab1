"""Security headers and CORS, each fit for the audience that asks."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from tests.factories.people import staff
from tests.fixtures.application import new_app
from tests.fixtures.asgi import Served, client_of, serve

ORIGIN = "https://shop.example"
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGES = (
    *("/", "/public/docs", "/public/docs/v2", "/public/problems", "/public/problems/conflict", "/nothing"),
    *("/static/live.html", "/static/assistant.html"),
)
APIS = ("/healthz", "/public/v1/products", "/public/v1/openapi.json", "/internal/health", "/graphql/nothing")
EXPOSED = {"ETag", "Link", "RateLimit", "X-Request-ID", "Idempotency-Replayed", "Location"}
HSTS = "max-age=31536000; includeSubDomains"


@pytest.fixture
async def in_production(served_in_production: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served_in_production) as client:
        client.headers.update(await staff(served_in_production.state["resources"]))
        yield client


def policy_of(response: httpx2.Response) -> dict[str, list[str]]:
    (header,) = response.headers.get_list("content-security-policy")
    return {part.split()[0]: part.split()[1:] for part in header.split("; ")}


@pytest.mark.parametrize("path", [*PAGES, *APIS, "/static/portico.css"])
async def test_answer_has_each_security_header_once(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)

    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
    }.items():
        assert response.headers.get_list(name) == [value]
    assert "strict-transport-security" not in response.headers
    assert response.headers.get("x-robots-tag") == ("noindex" if path.startswith("/internal") else None)
    assert "server" not in response.headers


@pytest.mark.parametrize("path", [*APIS, "/static/portico.css"])
async def test_api_answer_may_load_nothing(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.headers.get_list("content-security-policy") == [API_POLICY]


@pytest.mark.parametrize("path", PAGES)
async def test_page_runs_only_scripts_from_our_files(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)

    policy = policy_of(response)
    assert policy["script-src"] == ["'self'"]
    assert policy["default-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["object-src"] == ["'none'"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", response.text)
    assert not re.search(r"\son\w+=", response.text)


async def test_page_that_a_browser_has_keeps_its_policy(client: httpx2.AsyncClient) -> None:
    page = await client.get("/static/live.html")

    response = await client.get("/static/live.html", headers={"If-None-Match": page.headers["etag"]})

    assert response.status_code == 304
    assert response.headers.get_list("content-security-policy") == []
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/public/docs", "/public/docs/v2", "/"])
async def test_page_loads_all_it_needs_from_immutable_files(client: httpx2.AsyncClient, path: str) -> None:
    page = (await client.get(path)).text

    loaded = re.findall(r"""<(?:script|img)[^>]*\bsrc="([^"]+)""", page)
    loaded += re.findall(r"""<link[^>]*\bhref="([^"]+)""", page)
    assert len(loaded) >= 2
    for address in loaded:
        assert address.startswith("/static/")
        file = await client.get(address)
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable", address


async def test_docs_page_names_a_document_that_exists(client: httpx2.AsyncClient) -> None:
    for version in ("v1", "v2"):
        page = (await client.get(f"/public/docs/{version}")).text
        (address,) = re.findall(r'data-openapi="([^"]+)"', page)
        assert (await client.get(address)).json()["info"]["version"] == version


async def test_docs_of_an_unknown_version_are_missing(client: httpx2.AsyncClient) -> None:
    response = await client.get("/public/docs/v9")

    assert response.status_code == 404


@pytest.mark.parametrize("path", [*PAGES, *APIS, "/static/portico.css"])
async def test_transport_security_is_strict_in_production(in_production: httpx2.AsyncClient, path: str) -> None:
    if path.startswith("/public/v1/products"):
        del in_production.headers["Authorization"]

    response = await in_production.get(path)

    assert response.headers.get_list("strict-transport-security") == [HSTS]


@pytest.mark.parametrize("path", ["/public/v1/products", "/public/v2/products", "/graphql"])
async def test_browser_of_any_origin_may_ask_the_open_doors(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, if-match, idempotency-key",
        },
    )

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    methods = {method.strip() for method in response.headers["access-control-allow-methods"].split(",")}
    assert {"GET", "POST", "PATCH", "DELETE"} <= methods
    allowed = {name.strip() for name in response.headers["access-control-allow-headers"].lower().split(",")}
    assert {"authorization", "content-type", "if-match", "idempotency-key"} <= allowed
    assert response.headers["access-control-max-age"] == "600"
    assert response.headers["x-request-id"]


async def test_browser_may_read_our_headers(client: httpx2.AsyncClient) -> None:
    response = await client.get("/public/v1/products", headers={"Origin": ORIGIN})

    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert exposed >= EXPOSED


@pytest.mark.parametrize("path", ["/internal/health", "/", "/healthz", "/static/portico.css"])
async def test_browser_of_another_origin_may_not_ask_the_other_doors(
    client: httpx2.AsyncClient, operator: dict[str, str], path: str
) -> None:
    preflight = await client.options(path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "GET"})
    headers = {"Origin": ORIGIN, **(operator if path.startswith("/internal") else {})}
    response = await client.get(path, headers=headers)

    assert response.status_code == 200
    for answer in (preflight, response):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert preflight.status_code == 405


@pytest.mark.parametrize("path", ["/public/v1/products", "/graphql"])
async def test_production_allows_no_origin_by_itself(in_production: httpx2.AsyncClient, path: str) -> None:
    response = await in_production.options(path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})

    assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_only_origins_of_the_setting_are_allowed(tmp_path: Path, sqlite_template: Path) -> None:
    server = ServerSettings(environment="production", cors_origins=(ORIGIN,))
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path), server=server))

    async with serve(new_app(settings, sqlite_template)) as served, client_of(served) as client:
        ours = await client.get("/public/v1/products", headers={"Origin": ORIGIN})
        foreign = await client.get("/public/v1/products", headers={"Origin": "https://evil.example"})

    assert ours.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in ours.headers["vary"]
    assert "access-control-allow-origin" not in foreign.headers
    assert "Origin" in foreign.headers["vary"]
