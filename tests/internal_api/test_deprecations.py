"""What is deprecated, and who still uses it, as operators see it."""

from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest

from commerce.usage.entities import Deprecation, Kind
from commerce.usage.recorder import UseRecorder
from commerce.usage.repository import UseRepository
from core.context import Client
from core.resources import Resources, open_resources
from core.settings import Settings
from graphql_api.schema import build_schema
from public_api.app import version_documents
from tests.factories.clocks import FakeClock
from tests.factories.uses import uses_of
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, serve

LIST = "GET /public/v1/products"
WEB = {"X-Client-Name": "web", "X-Client-Version": "1.4.0"}


@pytest.fixture
def uses(served: Served) -> UseRecorder:
    """The process's."""
    found: UseRecorder = served.state["uses"]
    return found


async def listed(client: httpx2.AsyncClient, operator: dict[str, str]) -> dict[str, dict[str, Any]]:
    answer = await client.get("/internal/deprecations", headers=operator)
    assert answer.status_code == 200, answer.text
    return {item["subject"]: item for item in answer.json()["items"]}


async def test_what_nobody_uses_is_listed_too(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    assert (await listed(client, operator))[LIST] == {
        "surface": "rest",
        "subject": LIST,
        "reason": "Use GET /public/v2/products.",
        "since": "2026-11-22",
        "uses": 0,
        "last_used_at": None,
        "clients": [],
    }


async def test_clients_of_a_superseded_operation_are_counted(
    client: httpx2.AsyncClient, operator: dict[str, str], uses: UseRecorder
) -> None:
    first = await client.get("/public/v1/products", headers=WEB)
    await client.get("/public/v1/products", headers=WEB | {"If-None-Match": first.headers["etag"]})
    await client.head("/public/v1/products")
    await uses.flush()

    found = (await listed(client, operator))[LIST]

    named, nameless = sorted(found["clients"], key=lambda each: -each["uses"])
    assert (named["name"], named["version"], named["uses"]) == ("web", "1.4.0", 2)
    assert (nameless["name"], nameless["version"], nameless["uses"]) == (None, None, 1)
    assert found["uses"] == 3
    assert found["last_used_at"] == nameless["last_used_at"] > named["first_used_at"]
    assert found["clients"] == [nameless, named]


@pytest.mark.parametrize("prefix", ["", "/shop"])
async def test_prefix_of_a_proxy_is_no_part_of_the_operation(
    served: Served, operator: dict[str, str], uses: UseRecorder, prefix: str
) -> None:
    async with client_of(served, root_path=prefix) as client:
        answer = await client.get(f"{prefix}/public/v1/products?size=1", headers=WEB)
        await uses.flush()
        found = await client.get(f"{prefix}/internal/deprecations", headers=operator)

    assert answer.headers["link"] == f'<http://portico.test{prefix}/public/v2/products>; rel="successor-version"'
    assert [item["uses"] for item in found.json()["items"] if item["subject"] == LIST] == [1]


async def test_what_is_not_deprecated_is_not_counted(client: httpx2.AsyncClient, uses: UseRecorder) -> None:
    for path in ("/public/v2/products", "/public/v1/categories", "/public/v1/products/nothing", "/healthz"):
        assert "deprecation" not in (await client.get(path, headers=WEB)).headers
    await client.post("/graphql", json={"query": "{ products { nodes { id } } }"}, headers=WEB)

    assert [await uses_of(uses, kind) for kind in get_args(Kind)] == [{}] * len(get_args(Kind))


async def test_operations_that_say_so_are_those_that_are_listed(
    client: httpx2.AsyncClient, operator: dict[str, str], settings: Settings
) -> None:
    marked = {
        f"{method.upper()} /public/{version}{path}"
        for version, document in version_documents(settings).items()
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("deprecated")
    }

    found = await listed(client, operator)

    assert marked == {LIST} == {subject for subject, item in found.items() if item["surface"] == "rest"}


async def test_members_of_the_graphql_schema_are_listed_with_their_reason(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    sdl = build_schema(production=False).as_str()

    found = await listed(client, operator)

    members = [item for item in found.values() if item["surface"] == "graphql"]
    assert len(members) == sdl.count("@deprecated(reason:")
    assert all(item["reason"] and item["since"] is None for item in members)


async def test_they_are_in_order_and_each_has_its_own_clients(
    served: Served, client: httpx2.AsyncClient, operator: dict[str, str], uses: UseRecorder
) -> None:
    served.state["deprecations"] = lambda: [
        Deprecation("rest", "GET /b", "Use c."),
        Deprecation("graphql", "Query.b", "Use c."),
        Deprecation("rest", "GET /a", "Use c."),
        Deprecation("graphql", "Query.a", "Use c."),
    ]
    uses.note("field", "Query.b", Client("web"))
    uses.note("rest", "GET /a", Client("ios"))
    uses.note("rest", "Query.a", Client("other"))  # of another kind
    uses.note("field", "Query.gone", Client("web"))  # deprecated no more
    await uses.flush()

    items = (await client.get("/internal/deprecations", headers=operator)).json()["items"]

    assert [(item["subject"], [each["name"] for each in item["clients"]]) for item in items] == [
        ("Query.a", []),
        ("Query.b", ["web"]),
        ("GET /a", ["ios"]),
        ("GET /b", []),
    ]


async def test_a_hundred_clients_are_named_and_all_are_counted(
    resources: Resources, client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    clock = FakeClock()
    uses = UseRecorder(resources.database, clock)
    for number in range(130):
        uses.note("rest", LIST, Client(f"client-{number:03}"))
        clock.advance(seconds=1)
    await uses.flush()

    found = (await listed(client, operator))[LIST]

    assert [each["name"] for each in found["clients"]] == [f"client-{number:03}" for number in range(129, 29, -1)]
    assert found["uses"] == 130


async def test_server_that_stops_has_written_what_it_counted(
    settings: Settings,
    gateway_template: Path,
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> None:
    app = new_app(settings, gateway_template)

    for _ in range(2):
        async with serve(app) as served, client_of(served) as client:
            await client.get("/public/v1/products", headers=WEB)

    async with open_resources(settings) as resources, resources.database.read() as session:
        (use,) = (await UseRepository(session).by_subject("rest"))[LIST]
    assert (use.name, use.version, use.uses) == ("web", "1.4.0", 2)
