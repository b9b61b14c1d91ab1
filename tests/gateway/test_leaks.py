"""What fails in one application is answered by it, in its shape, logged once, and noticed by no other."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.settings import Settings
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, exchange, serve
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
WITH_CORS = ("public", "v1", "v2", "graphql")
ORIGIN = "https://shop.example"
# way to fail: method, path below the prefix, X-Fail, status, code, whether it is a bug
FAILURES: dict[str, tuple[str, str, str, int, str, bool]] = {
    "bug": ("GET", "/probe/boom", "", 500, "internal_error", True),
    "refusal": ("GET", "/probe/refuse", "", 409, "conflict", False),
    "missing": ("GET", "/probe/nothing", "", 404, "not_found", False),
    "method": ("POST", "/probe/fine", "", 405, "method_not_allowed", False),
    "faulty": ("GET", "/probe/count?number=x", "", 422, "invalid_request", False),
    "innermost middleware": ("GET", "/probe/fine", "innermost", 500, "internal_error", True),
    "outermost middleware": ("GET", "/probe/fine", "outermost", 500, "internal_error", True),
    "HTTPException in innermost middleware": ("GET", "/probe/fine", "innermost-http", 403, "forbidden", False),
    "HTTPException in outermost middleware": ("GET", "/probe/fine", "outermost-http", 403, "forbidden", False),
}


@pytest.fixture(scope="module")
async def served(module_settings: Settings, sqlite_template: Path) -> AsyncIterator[Served]:
    """Every application with probes, and with middleware that fails on demand."""
    app = new_app(module_settings, sqlite_template)
    for name, each in applications(app).items():
        add_probes(each)
        add_failing_middleware(each, name)
    async with serve(app) as served:
        yield served


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """Tracebacks of what fails on purpose stay out of the test's own output."""


@pytest.fixture
async def client(served: Served, module_operator: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served, headers=module_operator) as client:
        yield client


async def assert_all_audiences_answer(client: httpx2.AsyncClient) -> None:
    for prefix in PREFIXES.values():
        response = await client.get(f"{prefix}/probe/fine", headers={"Authorization": ""} if not prefix else {})
        assert (response.status_code, response.json()) == (200, {"probe": "fine"})


@pytest.mark.parametrize("way", list(FAILURES))
@pytest.mark.parametrize("audience", AUDIENCES)
async def test_failure_stays_in_its_audience(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str, way: str
) -> None:
    method, path, fail, status, code, is_bug = FAILURES[way]
    headers = {"Origin": ORIGIN, "X-Request-ID": "caller-1", "X-Fail": f"{audience}-{fail}"}

    response = await client.request(method, PREFIXES[audience] + path, headers=headers)

    assert response.status_code == status
    error = read_error(audience, response)
    assert (error.code, error.request_id) == (code, "caller-1")
    assert response.headers.get_list("x-request-id") == ["caller-1"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers.get("access-control-allow-origin") == ("*" if audience in WITH_CORS else None)
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert len(response.headers.get_list("content-security-policy")) == 1
    assert response.headers.get("allow") == ("GET" if way == "method" else None)
    if audience in OUTSIDERS:
        assert SECRET not in response.text
        assert "RuntimeError" not in response.text
    elif is_bug:
        assert response.json()["error"]["exception"] == f"RuntimeError: {SECRET}"
    (access,) = log_entries.access
    assert (access["status"], access["code"], access["level"]) == (status, code, "warning")
    assert access["request_id"] == "caller-1"
    if is_bug:
        (entry,) = log_entries.application
        assert (entry["level"], entry["event"], entry["request_id"]) == ("error", "internal_error", "caller-1")
        assert entry["exception"].endswith(f"RuntimeError: {SECRET}")
    else:
        assert log_entries.application == []
    await assert_all_audiences_answer(client)


@pytest.mark.parametrize("audience", [name for name in AUDIENCES if name not in ("pages", "v1", "v2")])
async def test_middleware_outside_the_catch_all_is_answered_by_the_root_in_the_audience_shape(
    client: httpx2.AsyncClient, log_entries: LogEntries, audience: str
) -> None:
    response = await client.get(f"{PREFIXES[audience]}/probe/fine", headers={"X-Fail": f"{audience}-outside"})

    assert response.status_code == 500
    assert read_error(audience, response).code == "internal_error"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert [entry["event"] for entry in log_entries] == ["internal_error", "request"]
    await assert_all_audiences_answer(client)


@pytest.mark.parametrize(
    ("path", "code", "level", "event"),
    [
        ("/probe/break_off", "internal_error", "error", "internal_error"),
        ("/probe/break_off_refused", "conflict", "warning", "conflict"),
    ],
)
@pytest.mark.parametrize("audience", AUDIENCES)
async def test_answer_that_breaks_off_is_cut_and_logged_once(
    served: Served,
    client: httpx2.AsyncClient,
    log_entries: LogEntries,
    module_operator: dict[str, str],
    audience: str,
    path: str,
    code: str,
    level: str,
    event: str,
) -> None:
    answer = await exchange(served, "GET", PREFIXES[audience] + path, list(module_operator.items()))

    assert answer.status == 200
    assert answer.chunks == [b"first"]
    assert not answer.complete
    (entry,) = log_entries.application
    assert (entry["event"], entry["level"], entry["response_started"]) == (event, level, True)
    (access,) = log_entries.access
    assert (access["status"], access["code"]) == (200, code)
    assert "already started" not in repr(log_entries)
    await assert_all_audiences_answer(client)


@pytest.mark.parametrize("audience", AUDIENCES)
async def test_unhandled_error_leaves_the_application_without_being_raised(
    served: Served, module_operator: dict[str, str], audience: str
) -> None:
    """A server would log it again, and Starlette's own 500 handler would answer it again."""
    answer = await exchange(served, "GET", f"{PREFIXES[audience]}/probe/boom", list(module_operator.items()))

    starts = [message for message in answer.sent if message["type"] == "http.response.start"]
    assert [start["status"] for start in starts] == [500]
    assert answer.complete


async def test_one_failure_has_the_same_code_on_every_door(client: httpx2.AsyncClient) -> None:
    codes: dict[str, Any] = {}
    for audience, prefix in PREFIXES.items():
        codes[audience] = read_error(audience, await client.get(f"{prefix}/probe/refuse")).code

    assert set(codes.values()) == {"conflict"}


@pytest.mark.parametrize(("method", "path", "status", "code"), [
    ("GET", "/static/nothing.js", 404, "not_found"),
    ("POST", "/static/portico.css", 405, "method_not_allowed"),
    ("GET", "/static", 404, "not_found"),
    ("GET", "/static/../gateway/app.py", 404, "not_found"),
])  # fmt: skip
async def test_static_files_fail_as_pages_do(
    client: httpx2.AsyncClient, log_entries: LogEntries, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    assert read_error("pages", response).code == code
    assert [entry["code"] for entry in log_entries] == [code]
    assert response.headers.get("allow") == ("GET, HEAD" if status == 405 else None)
