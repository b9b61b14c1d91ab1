"""WebSockets fail as requests do: before the handshake by an HTTP denial, after it by a close code."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from httpx2.websockets import WebSocketDisconnect, WebSocketUpgradeError

from core.settings import Settings
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, serve, websocket
from tests.fixtures.probes import (
    OUTSIDERS,
    PREFIXES,
    SECRET,
    add_failing_middleware,
    add_probes,
    applications,
    read_error,
)

AUDIENCES = list(PREFIXES)


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    app = new_app(module_settings, sqlite_template)
    for name, each in applications(app).items():
        add_probes(each)
        add_failing_middleware(each, name)
    async with serve(app) as served:
        yield served


@pytest.fixture
async def client(
    served: Served,
    module_operator: dict[str, str],
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served, headers=module_operator) as client:
        yield client


async def denial(client: httpx2.AsyncClient, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    """The HTTP answer to a handshake that is refused."""
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with websocket(client, path, headers):
            pass
    return refused.value.response


async def close_code(client: httpx2.AsyncClient, path: str) -> tuple[int, str | None]:
    async with websocket(client, path) as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            await socket.receive_text()
    return closed.value.code, closed.value.reason


@pytest.mark.parametrize("audience", AUDIENCES)
async def test_websocket_works_and_is_logged_with_its_route(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str
) -> None:
    async with websocket(client, f"{PREFIXES[audience]}/probe/ws/echo", {"X-Request-ID": "ws-1"}) as socket:
        await socket.send_text("hello")
        answer = await socket.receive_text()

    assert answer == "hello"
    assert socket.response is not None
    assert socket.response.headers["x-request-id"] == "ws-1"
    (entry,) = log_entries
    assert (entry["method"], entry["status"], entry["route"]) == (
        "WEBSOCKET",
        101,
        f"{PREFIXES[audience]}/probe/ws/echo",
    )


@pytest.mark.parametrize(
    ("path", "fail", "status", "code", "events"),
    [
        ("boom_before", "", 500, "internal_error", ["internal_error", "request"]),
        ("refuse_before", "", 409, "conflict", ["request"]),
        ("echo", "innermost", 500, "internal_error", ["internal_error", "request"]),
        ("echo", "outermost", 500, "internal_error", ["internal_error", "request"]),
        ("echo", "outermost-http", 403, "forbidden", ["request"]),
    ],
)
@pytest.mark.parametrize("audience", AUDIENCES)
async def test_handshake_that_fails_is_denied_in_the_audience_shape(
    client: httpx2.AsyncClient,
    log_entries: LogEntries,
    audience: str,
    path: str,
    fail: str,
    status: int,
    code: str,
    events: list[str],
) -> None:
    headers = {"X-Request-ID": "ws-2", "X-Fail": f"{audience}-{fail}"}

    response = await denial(client, f"{PREFIXES[audience]}/probe/ws/{path}", headers)

    assert response.status_code == status
    error = read_error(audience, response)
    assert (error.code, error.request_id) == (code, "ws-2")
    assert response.headers["x-request-id"] == "ws-2"
    if audience in OUTSIDERS:
        assert SECRET not in response.text
    assert [entry["event"] for entry in log_entries] == events
    assert (log_entries.access[0]["status"], log_entries.access[0]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "closed", "code", "events"),
    [
        ("boom_after", 1011, "internal_error", ["internal_error", "request"]),
        ("refuse_after", 1008, "conflict", ["request"]),
    ],
)
@pytest.mark.parametrize("audience", AUDIENCES)
async def test_open_socket_that_fails_is_closed_with_a_code(
    client: httpx2.AsyncClient,
    log_entries: LogEntries,
    audience: str,
    path: str,
    closed: int,
    code: str,
    events: list[str],
) -> None:
    assert await close_code(client, f"{PREFIXES[audience]}/probe/ws/{path}") == (closed, code)

    assert [entry["event"] for entry in log_entries] == events
    assert log_entries.access[0]["code"] == code
    assert (await client.get(f"{PREFIXES[audience]}/probe/fine")).status_code == 200


@pytest.mark.parametrize("audience", AUDIENCES)
async def test_websocket_to_an_unknown_address_is_refused(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str
) -> None:
    with pytest.raises((WebSocketUpgradeError, WebSocketDisconnect)):
        async with websocket(client, f"{PREFIXES[audience]}/probe/ws/nothing"):
            pass

    (entry,) = log_entries
    assert entry["status"] in (403, 404)
    assert entry["route"] == "unmatched"


async def test_websocket_to_static_files_is_refused_as_a_page(client: httpx2.AsyncClient) -> None:
    response = await denial(client, "/static/portico.css")

    assert response.status_code == 404
    assert read_error("pages", response).code == "not_found"


async def test_peer_that_leaves_is_no_failure_of_ours(client: httpx2.AsyncClient, log_entries: LogEntries) -> None:
    async with websocket(client, "/public/probe/ws/echo"):
        pass

    assert [(entry["event"], entry["level"], entry["status"]) for entry in log_entries] == [("request", "info", 101)]
