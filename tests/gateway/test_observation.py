"""What every answer of every mount carries, and what is written down about each request."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client import REGISTRY
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from commerce.catalog.service import CatalogService
from core.settings import Settings
from gateway.middleware import ObserveMiddleware
from tests.factories.products import a_product
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve, websocket
from tests.fixtures.probes import PREFIXES, add_probes, applications, read_error

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    app = new_app(module_settings, sqlite_template)
    for each in applications(app).values():
        add_probes(each)
    async with serve(app) as served:
        resources = served.state["resources"]
        async with resources.database.write() as session:
            catalog = CatalogService(session, resources.clock)
            product = await catalog.create(a_product(handle="old-jacket"))
            await catalog.update(product.head.id, lambda _: a_product(handle="rain-jacket"))
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


# method, address, status, route, audience
REQUESTS = [
    ("GET", "/", 200, "/", "root"),
    ("HEAD", "/", 200, "/", "root"),
    ("GET", "/healthz", 200, "/healthz", "root"),
    ("GET", "/readyz?secret=1", 200, "/readyz", "root"),
    ("GET", "/nothing", 404, "unmatched", "root"),
    ("GET", "/probe/boom", 500, "/probe/boom", "root"),
    ("GET", "/static/portico.css", 200, "/static/{path}", "static"),
    ("GET", "/static/nothing.css", 404, "/static/{path}", "static"),
    ("GET", "/public/docs", 200, "/public/docs", "public"),
    ("GET", "/public/docs/v2", 200, "/public/docs/{version}", "public"),
    ("GET", "/public/problems/conflict", 200, "/public/problems/{code}", "public"),
    ("GET", "/public/nothing", 404, "unmatched", "public"),
    ("GET", "/public/v1/openapi.json", 200, "/public/v1/openapi.json", "public"),
    ("GET", "/public/v2/openapi.json", 200, "/public/v2/openapi.json", "public"),
    ("GET", "/public/v1/nothing", 404, "unmatched", "public"),
    ("GET", "/public/v1/probe/count?number=5", 200, "/public/v1/probe/count", "public"),
    ("GET", "/public/v1/probe/count?number=x", 422, "/public/v1/probe/count", "public"),
    ("GET", "/public/v1/probe/boom", 500, "/public/v1/probe/boom", "public"),
    ("GET", "/public/v2/probe/refuse", 409, "/public/v2/probe/refuse", "public"),
    ("POST", "/public/v1/probe/fine", 405, "/public/v1/probe/fine", "public"),
    ("OPTIONS", "/public/v1/products", 405, "/public/v1/products", "public"),
    ("GET", "/internal/health", 200, "/internal/health", "internal"),
    ("GET", "/internal/nothing", 404, "unmatched", "internal"),
    ("GET", "/internal/probe/boom", 500, "/internal/probe/boom", "internal"),
    ("GET", "/graphql/probe/fine", 200, "/graphql/probe/fine", "graphql"),
    ("GET", "/graphql/probe/refuse", 409, "/graphql/probe/refuse", "graphql"),
    ("GET", "/graphql/probe/nothing", 404, "unmatched", "graphql"),
]
ANONYMOUS_REQUESTS = [
    ("GET", "/public/v1/products", 200, "/public/v1/products", "public"),
    ("HEAD", "/public/v1/products", 200, "/public/v1/products", "public"),
    ("GET", "/public/v1/products/rain-jacket", 200, "/public/v1/products/{id_or_handle}", "public"),
    ("GET", "/public/v1/products/old-jacket", 301, "/public/v1/products/{id_or_handle}", "public"),
    ("GET", "/public/v1/products/nothing", 404, "/public/v1/products/{id_or_handle}", "public"),
    ("GET", "/public/v2/products?q=rain", 200, "/public/v2/products", "public"),
    ("POST", "/public/v1/products", 415, "/public/v1/products", "public"),
    ("DELETE", "/public/v1/products/prod_1", 401, "/public/v1/products/{product_id}", "public"),
    ("GET", "/public/v1/categories/", 307, "unmatched", "public"),
    ("GET", "/internal/health", 401, "/internal/health", "internal"),
]  # fmt: skip
ALL = [(*request, True) for request in REQUESTS] + [(*request, False) for request in ANONYMOUS_REQUESTS]


def observed(audience: str, method: str, route: str, status: int) -> float:
    labels = {"audience": audience, "method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("portico_http_request_duration_seconds_count", labels) or 0.0


def observed_in_all() -> float:
    (metric,) = [each for each in REGISTRY.collect() if each.name == "portico_http_request_duration_seconds"]
    return sum(sample.value for sample in metric.samples if sample.name.endswith("_count"))


@pytest.mark.parametrize(("method", "address", "status", "route", "audience", "authorized"), ALL)
async def test_every_answer_is_marked_logged_once_and_counted_once(
    client: httpx2.AsyncClient,
    log_entries: LogEntries,
    method: str,
    address: str,
    status: int,
    route: str,
    audience: str,
    authorized: bool,
) -> None:
    if not authorized:
        del client.headers["Authorization"]
    before, before_in_all = observed(audience, method, route, status), observed_in_all()
    headers = {"X-Request-ID": "Caller_1.x-2", "traceparent": f"00-{TRACE}-{SPAN}-01"}

    response = await client.request(method, address, headers=headers)

    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == ["Caller_1.x-2"]
    total = re.findall(r"total;dur=(\d+\.\d\d)", response.headers["server-timing"])
    assert total == response.headers.get_list("x-process-time-ms")
    trace = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", response.headers["traceparent"])
    assert trace is not None
    assert trace[1] == TRACE
    assert trace[2] != SPAN
    (access,) = log_entries.access
    duration, timestamp = access.pop("duration_ms"), access.pop("timestamp")
    assert duration >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", timestamp)
    assert access.pop("code", None) == (read_error_code(address, response) if status >= 400 else None)
    sent = access.pop("bytes")
    assert sent == 0 if method == "HEAD" else sent > 0 or status in (301, 307)
    assert access == {
        "level": "warning" if status >= 400 else "info",
        "event": "request",
        "method": method,
        "path": address.partition("?")[0],
        "audience": audience,
        "route": route,
        "status": status,
        "client": "127.0.0.1",
        "request_id": "Caller_1.x-2",
        "trace_id": TRACE,
    }
    assert observed(audience, method, route, status) == before + 1
    assert observed_in_all() == before_in_all + 1


def read_error_code(address: str, response: httpx2.Response) -> str:
    names = [name for name, prefix in PREFIXES.items() if prefix and f"{address}/".startswith(f"{prefix}/")]
    error = read_error(max(names, key=lambda name: len(PREFIXES[name]), default="pages"), response)
    assert error.request_id == "Caller_1.x-2"
    return error.code


async def test_not_modified_answer_is_marked(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    del client.headers["Authorization"]
    tag = (await client.get("/public/v1/products")).headers["etag"]

    response = await client.get("/public/v1/products", headers={"If-None-Match": tag, "X-Request-ID": "again"})

    assert response.status_code == 304
    assert response.headers["x-request-id"] == "again"
    assert log_entries.access[1]["status"] == 304


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "0" * 128, "-", "..."])
async def test_callers_request_id_is_kept(client: httpx2.AsyncClient, given: str) -> None:
    response = await client.get("/healthz", headers={"X-Request-ID": given})

    assert response.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize(
    "given",
    ["", "0" * 129, "two words", "a\r\nSet-Cookie: x=1", "a\n", "ä", "<script>", "a,b", "a/b", "a:b", "%41", "\x00"],
)
async def test_request_id_that_is_none_is_replaced(served: Served, log_entries: LogEntries, given: str) -> None:
    answer = await exchange(served, "GET", "/public/v1/nothing", [("X-Request-ID", given)])

    (made,) = [value for name, value in answer.sent[0]["headers"] if name == b"x-request-id"]
    assert re.fullmatch(rb"[0-9a-f]{24}", made)
    assert f'"request_id":"{made.decode()}"'.encode() in b"".join(answer.chunks)
    assert log_entries.access[0]["request_id"] == made.decode()
    assert "set-cookie" not in answer.headers


async def test_new_request_ids_differ(client: httpx2.AsyncClient) -> None:
    made = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(20)}

    assert len(made) == 20


async def test_accepted_websocket_is_marked_and_logged(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    headers = {"X-Request-ID": "ws-1", "traceparent": f"00-{TRACE}-{SPAN}-00"}

    async with websocket(client, "/public/v1/probe/ws/echo?ticket=secret", headers) as socket:
        await socket.send_text("hello")
        await socket.receive_text()

    assert socket.response is not None
    assert socket.response.headers["x-request-id"] == "ws-1"
    assert socket.response.headers["traceparent"].startswith(f"00-{TRACE}-")
    (access,) = log_entries.access
    assert (access["method"], access["status"], access["path"]) == ("WEBSOCKET", 101, "/public/v1/probe/ws/echo")
    assert "secret" not in repr(access)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "garbage",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-extra",
    ],
)
async def test_trace_context_that_is_none_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    response = await client.get("/healthz", headers={"traceparent": given})

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", response.headers["traceparent"])
    assert TRACE not in response.headers["traceparent"]


async def test_query_is_never_logged(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    await client.get("/public/v1/probe/boom?ticket=s3cr3t-ticket")

    assert "s3cr3t-ticket" not in repr(log_entries)


async def test_unknown_method_has_one_label(served: Served, log_entries: LogEntries) -> None:
    before = observed("root", "other", "/healthz", 405)

    answer = await exchange(served, "BREW", "/healthz")

    assert answer.status == 405
    assert observed("root", "other", "/healthz", 405) == before + 1
    assert log_entries.access[0]["method"] == "BREW"


@pytest.mark.parametrize("path", ["*", "//", "/\x00", "/ä"])
async def test_odd_path_is_a_plain_refusal(served: Served, log_entries: LogEntries, path: str) -> None:
    answer = await exchange(served, "OPTIONS", path)

    assert answer.complete
    assert answer.status in (404, 405)
    assert log_entries.application == []


async def test_scanner_does_not_fill_the_metrics(client: httpx2.AsyncClient) -> None:
    paths = ["/wp-admin", "/public/wp-admin", "/public/v1/wp-admin", "/public/v9/a", "/internal/wp-admin", "/static/wp"]
    for path in paths:
        await client.get(path)

    (metric,) = [each for each in REGISTRY.collect() if each.name == "portico_http_request_duration_seconds"]
    routes = {sample.labels["route"] for sample in metric.samples if "route" in sample.labels}
    assert not [route for route in routes if "wp" in route or "v9" in route]


async def test_client_that_leaves_while_it_sends_is_no_error_of_ours(served: Served, log_entries: LogEntries) -> None:
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/public/v1/probe/drain", "headers": [], "query_string": b""}
    await served(scope, receive, send)

    assert sent == []
    assert log_entries.application == []
    assert [(entry["status"], entry["client"]) for entry in log_entries.access] == [(499, None)]


async def test_answer_from_before_routing_counts_under_the_label_that_it_says(log_entries: LogEntries) -> None:
    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["portico.audience"], scope["portico.route"] = "public", "/public/v1/things/{id}"
        await Response(b"kept")(scope, _receive, send)

    before = observed("public", "GET", "/public/v1/things/{id}", 200)

    await exchange(Served(ObserveMiddleware(answer), {}), "GET", "/public/v1/things/7")

    assert observed("public", "GET", "/public/v1/things/{id}", 200) == before + 1
    (access,) = log_entries.access
    assert (access["audience"], access["route"]) == ("public", "/public/v1/things/{id}")
