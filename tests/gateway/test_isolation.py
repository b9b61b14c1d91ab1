"""The applications share a process and nothing else: middleware, documents, addresses, rules of access."""

from collections import Counter

import httpx2
import pytest
from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from core.web.audience import describe
from tests.fixtures.asgi import client_of, serve
from tests.fixtures.probes import PREFIXES, add_probes, applications, read_error

SIGN_IN = {"/internal/auth/token", "/internal/dashboard/sign-in"}


class Counting:
    """Counts the requests that pass through one application."""

    def __init__(self, app: ASGIApp, seen: Counter[str], name: str) -> None:
        self.app = app
        self._seen = seen
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._seen[self._name] += 1
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    ("audience", "passed"),
    [
        ("pages", {"pages": 1}),
        ("public", {"public": 1}),
        ("v1", {"public": 1, "v1": 1}),
        ("v2", {"public": 1, "v2": 1}),
        ("internal", {"internal": 1}),
        ("graphql", {"graphql": 1}),
    ],
)
async def test_middleware_of_one_application_does_not_run_for_another(
    app: FastAPI, operator: dict[str, str], audience: str, passed: dict[str, int]
) -> None:
    seen: Counter[str] = Counter()
    for name, each in applications(app).items():
        add_probes(each)
        # Last is innermost: the root's own dispatcher stands before it.
        each.user_middleware.append(Middleware(Counting, seen=seen, name=name))

    async with serve(app) as served, client_of(served, headers=operator) as client:
        response = await client.get(f"{PREFIXES[audience]}/probe/fine")

    assert response.status_code == 200
    assert seen == passed


async def test_documents_of_the_versions_name_their_own_operations_alone(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/public/v1/openapi.json")).json()
    second = (await client.get("/public/v2/openapi.json")).json()

    assert {(path, method) for path, methods in first["paths"].items() for method in methods} >= {
        ("/products", "get"),
        ("/products", "post"),
        ("/products/{id_or_handle}", "get"),
        ("/products/{product_id}", "patch"),
        ("/products/{product_id}", "delete"),
        ("/categories", "get"),
    }
    assert list(second["paths"]) == ["/products"]
    assert list(second["paths"]["/products"]) == ["get"]
    assert first["info"]["version"] == "v1"
    assert second["info"]["version"] == "v2"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_public_document_shows_nothing_of_other_audiences(client: httpx2.AsyncClient, version: str) -> None:
    document = (await client.get(f"/public/{version}/openapi.json")).text

    for foreign in ("/internal", "/metrics", "/topology", "/health", "/graphql", "/readyz", "openapi.json", "/probe"):
        assert foreign not in document


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
@pytest.mark.parametrize("prefix", ["/internal", "", "/graphql"])
async def test_no_documentation_is_served_but_the_public(
    client: httpx2.AsyncClient, operator: dict[str, str], prefix: str, path: str
) -> None:
    response = await client.get(prefix + path, headers=operator if prefix == "/internal" else {})

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("audience", "path"),
    [
        ("pages", "/nothing"),
        ("pages", "/publicity"),
        ("pages", "/internals/health"),
        ("pages", "/v1/products"),
        ("public", "/public"),
        ("public", "/public/"),
        ("public", "/public/nothing"),
        ("public", "/public/v3/products"),
        ("public", "/public//v1/products"),
        ("v1", "/public/v1/"),
        ("v1", "/public/v1/nothing"),
        ("v1", "/public/v1/products/prod_nothing/nothing"),
        ("v2", "/public/v2/categories"),
        ("internal", "/internal"),
        ("internal", "/internal/"),
        ("internal", "/internal/nothing"),
        ("graphql", "/graphql/nothing"),
    ],
)
async def test_unknown_address_is_answered_by_the_audience_it_lies_under(
    client: httpx2.AsyncClient, audience: str, path: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert read_error(audience, response).code == "not_found"


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer ", "Basic b3BlbjpzZXNhbWU=", "Bearer a.b.c"])
async def test_nothing_but_signing_in_is_open_at_the_internal_door(
    app: FastAPI, client: httpx2.AsyncClient, given: str | None
) -> None:
    described = describe(applications(app)["internal"], "/internal")["operations"]
    operations = [each for each in described if each["method"] != "WEBSOCKET"]  # those are test_echo.py's
    guarded = [operation for operation in operations if operation["path"] not in SIGN_IN]
    assert len(guarded) == len(operations) - len(SIGN_IN) >= 14
    headers = {"Authorization": given} if given is not None else {}

    for operation in guarded:
        refused = await client.request(operation["method"], operation["path"], json={}, headers=headers)

        assert refused.status_code == 401, operation
        assert read_error("internal", refused).code == "unauthenticated"
        assert refused.headers["www-authenticate"] == 'Bearer realm="portico"'
        assert "POST /internal/auth/token" in refused.json()["error"]["hint"]


async def test_api_key_does_not_open_the_internal_door(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    response = await client.get("/internal/health", headers=writer)

    assert response.status_code == 401


async def test_operators_token_does_not_open_the_public_door(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    response = await client.get("/public/v1/products", headers=operator)

    assert response.status_code == 401
    assert read_error("v1", response).code == "unauthenticated"


def who() -> str:
    return "nobody"


@pytest.mark.parametrize("audience", list(PREFIXES))
async def test_override_on_the_root_reaches_every_application(
    app: FastAPI, operator: dict[str, str], audience: str
) -> None:
    async def show(name: str = Depends(who)) -> str:
        return name

    applications(app)[audience].add_api_route("/who", show)
    path = f"{PREFIXES[audience]}/who"
    async with serve(app) as served, client_of(served, headers=operator) as client:
        before = (await client.get(path)).json()
        app.dependency_overrides[who] = lambda: "somebody"
        during = (await client.get(path)).json()
        app.dependency_overrides.clear()
        after = (await client.get(path)).json()

    assert (before, during, after) == ("nobody", "somebody", "nobody")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/public/v1/products", "GET, POST"),
        ("PUT", "/public/v1/products/tent", "DELETE, GET, PATCH"),
        ("DELETE", "/public/v2/products", "GET"),
        ("POST", "/public/docs", "GET"),
        ("POST", "/internal/health", "GET"),
        ("DELETE", "/", "GET"),
    ],
)
async def test_refused_method_is_answered_with_all_that_the_address_takes(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == 405
    assert response.headers.get_list("allow") == [allowed]
