"""Which client calls, as it says itself: in each line that is logged, and counted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from core.settings import Settings
from gateway.middleware import ObserveMiddleware
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve, websocket
from tests.fixtures.probes import add_probes, applications

WEB = {"X-Client-Name": "web", "X-Client-Version": "1.4.0"}


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    app = new_app(module_settings, sqlite_template)
    for each in applications(app).values():
        add_probes(each)
    async with serve(app) as served:
        yield served


@pytest.fixture
async def client(
    served: Served,
    module_operator: dict[str, str],
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served) as client:
        client.headers.update(module_operator)
        yield client


def named_in(entry: dict[str, Any]) -> tuple[Any, Any]:
    return entry.get("client_name"), entry.get("client_version")


def counted(audience: str, name: str, version: str) -> float:
    labels = {"audience": audience, "client": name, "version": version}
    return REGISTRY.get_sample_value("portico_client_requests_total", labels) or 0.0


@pytest.mark.parametrize("header", ["X-Client-", "apollographql-client-"])
@pytest.mark.parametrize(
    ("path", "audience"),
    [("/healthz", "root"), ("/public/v1/openapi.json", "public"), ("/internal/health", "internal")],
)
async def test_client_is_in_the_access_log_and_counted(
    client: httpx2.AsyncClient, log_entries: LogEntries, header: str, path: str, audience: str
) -> None:
    before = counted(audience, "web", "1.4.0")

    await client.get(path, headers={f"{header}Name": "web", f"{header}Version": "1.4.0"})

    (access,) = log_entries.access
    assert named_in(access) == ("web", "1.4.0")
    assert access["client"] == "127.0.0.1"
    assert counted(audience, "web", "1.4.0") == before + 1


async def test_own_headers_come_before_those_of_apollo(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    await client.get("/healthz", headers={"apollographql-client-name": "apollo-ios", **WEB})

    assert named_in(log_entries.access[0]) == ("web", "1.4.0")


@pytest.mark.parametrize("prefix", ["", "/public/v1", "/graphql"])
async def test_client_is_in_the_lines_of_errors(
    client: httpx2.AsyncClient, log_entries: LogEntries, prefix: str
) -> None:
    await client.get(f"{prefix}/probe/boom", headers={**WEB, "X-Request-ID": "req-1"})

    (entry,) = log_entries.application
    assert (entry["event"], entry["request_id"]) == ("internal_error", "req-1")
    assert named_in(entry) == ("web", "1.4.0")


@pytest.mark.parametrize("name", ["", "a" * 65, "wéb", "a,b", "web\nx", "<script>", "web\x00"])
async def test_what_is_no_name_is_neither_logged_nor_counted(
    served: Served, log_entries: LogEntries, name: str
) -> None:
    before = {sample.labels["client"] for sample in samples()}

    answer = await exchange(served, "GET", "/healthz", [("X-Client-Name", name), ("X-Client-Version", "1.4.0")])

    assert answer.status == 200
    assert named_in(log_entries.access[0]) == (None, None)
    assert {sample.labels["client"] for sample in samples()} == before


def samples() -> list[Any]:
    (metric,) = [each for each in REGISTRY.collect() if each.name == "portico_client_requests"]
    return [sample for sample in metric.samples if sample.name.endswith("_total")]


async def test_clients_beyond_the_first_are_counted_together(log_entries: LogEntries) -> None:  # noqa: ARG001
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    observed = Served(ObserveMiddleware(answer), {})
    before, others = len(samples()), counted("root", "other", "")

    for number in range(230):
        await exchange(observed, "GET", "/", [("X-Client-Name", f"crowd-{number}"), ("X-Client-Version", "1")])
    await exchange(observed, "GET", "/", [("X-Client-Name", "crowd-0"), ("X-Client-Version", "1")])

    assert counted("root", "crowd-0", "1") == 2
    assert counted("root", "crowd-199", "1") == 1
    assert counted("root", "crowd-200", "1") == 0
    assert counted("root", "other", "") == others + 30
    assert len(samples()) in (before + 200, before + 201)


async def test_socket_is_of_the_client_that_its_handshake_names(
    client: httpx2.AsyncClient, log_entries: LogEntries
) -> None:
    before = counted("internal", "web", "1.4.0")

    async with websocket(client, "/internal/ws/echo", WEB):
        pass

    (access,) = log_entries.access
    assert (access["status"], *named_in(access)) == (101, "web", "1.4.0")
    assert counted("internal", "web", "1.4.0") == before + 1


@pytest.mark.parametrize("path", ["/public/v1/products", "/graphql"])
async def test_pages_of_other_origins_may_name_their_client(client: httpx2.AsyncClient, path: str) -> None:
    names = "x-client-name, x-client-version, apollographql-client-name, apollographql-client-version"

    preflight = await client.options(
        path,
        headers={
            "Origin": "https://shop.example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": names,
        },
    )

    assert preflight.status_code == 200
    assert set(names.split(", ")) <= set(preflight.headers["access-control-allow-headers"].lower().split(", "))
