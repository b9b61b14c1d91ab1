"""What fails: foreseen errors with their code, the unforeseen masked and logged once, credentials before anything.

`me`, which no plan has, sends an operation to the executor.
"""

from typing import Any

import httpx2
import pytest

from commerce.catalog.repository import ProductRepository
from core.database import DatabaseUnavailable
from tests.fixtures.application import LogEntries
from tests.fixtures.probes import SECRET
from tests.graphql_api.asking import Ask, error_of


def fail_with(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    async def fail(*_arguments: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(ProductRepository, method, fail)


@pytest.mark.parametrize(
    ("method", "query", "path"),
    [
        ("slice_of_heads", "{ me { id } products { nodes { id } } }", ["products"]),
        ("variants_of", '{ me { id } product(handle: "plain") { variants { id } } }', ["product", "variants"]),
    ],
)
async def test_bug_tells_nothing_and_is_logged_once(
    ask: Ask,
    log_entries: LogEntries,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    query: str,
    path: list[str],
) -> None:
    fail_with(monkeypatch, method, RuntimeError(SECRET))

    body = await ask(query, **{"X-Request-ID": "req-1"})

    assert error_of(body) == {
        "message": "an internal error was recorded under this request id",
        "locations": error_of(body)["locations"],
        "path": path,
        "extensions": {"code": "internal_error", "request_id": "req-1", "retryable": False},
    }
    (entry,) = log_entries.application
    assert (entry["level"], entry["event"], entry["request_id"]) == ("error", "internal_error", "req-1")
    assert SECRET in entry["exception"]
    assert "Traceback" in entry["exception"]
    assert log_entries.access[-1]["code"] == "internal_error"


async def test_database_that_is_away_is_a_warning_and_retryable(
    ask: Ask, log_entries: LogEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, "categories", DatabaseUnavailable(SECRET))

    extensions = error_of(await ask("{ me { id } categories { id } }"))["extensions"]

    assert (extensions["code"], extensions["retryable"]) == ("database_unavailable", True)
    assert [entry["level"] for entry in log_entries.application] == ["warning"]


@pytest.mark.parametrize(
    "query", ["{", "{ nope }", "{ products(first: 0) { totalCount } }", "query($x: Int!) { __typename }"]
)
async def test_mistakes_of_callers_are_not_logged(ask: Ask, log_entries: LogEntries, query: str) -> None:
    assert error_of(await ask(query))["extensions"]["code"] == "invalid_request"

    assert log_entries.application == []


async def test_each_answer_to_the_same_bad_document_has_its_own_request_id(ask: Ask) -> None:
    ids = [error_of(await ask("{ nope }", **{"X-Request-ID": name}))["extensions"]["request_id"] for name in "ab"]

    assert ids == ["a", "b"]


async def test_error_beside_data_leaves_the_rest(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, "heads_named", RuntimeError(SECRET))

    body = await ask('{ me { id } categories { slug } product(handle: "plain") { id } }')

    assert error_of(body)["path"] == ["product"]
    assert body["data"]["product"] is None
    assert len(body["data"]["categories"]) == 6


@pytest.mark.parametrize(
    ("credential", "code"),
    [("Bearer ptk_nonsense", "invalid_api_key"), ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "unauthenticated")],
)
async def test_bad_credentials_are_401_before_anything_runs(
    client: httpx2.AsyncClient, credential: str, code: str
) -> None:
    response = await client.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": credential, "X-Request-ID": "req-1"}
    )

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="portico"'
    assert error_of(response.json())["extensions"] == {"code": code, "request_id": "req-1", "retryable": False}
    assert "data" not in response.json()


@pytest.mark.parametrize("value", ['"price"', '"PRICE"', "[PRICE]"])
async def test_suggestion_is_told_without_the_value_that_it_is_for(ask: Ask, value: str) -> None:
    error = error_of(await ask(f"{{ products(sort: {value}) {{ totalCount }} }}"))

    assert error["message"] == (
        "Enum 'ProductSort' cannot represent non-enum value. Did you mean the enum value 'PRICE'?"
    )
