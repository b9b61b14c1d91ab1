"""GraphQL over HTTP: media types, statuses, methods and bodies (graphql-over-http)."""

import gzip
from typing import Any

import httpx2
import pytest

from core.resources import Resources
from graphql_api.limits import MAX_BODY_BYTES
from tests.factories.statements import recorded
from tests.graphql_api.asking import error_of, without_cost

PLAIN = "application/json"
GRAPHQL = "application/graphql-response+json"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, PLAIN),
        ("*/*", PLAIN),
        ("application/json", PLAIN),
        ("application/*", PLAIN),
        ("", PLAIN),
        ("text/html, */*;q=0.1", PLAIN),
        (GRAPHQL, GRAPHQL),
        ("Application/GraphQL-Response+JSON; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, application/json;q=0.9", GRAPHQL),
        (f"application/json, {GRAPHQL}", GRAPHQL),
        (f"application/json, {GRAPHQL};q=0.5", PLAIN),
        (f"application/json;q=0.2, {GRAPHQL};q=0", PLAIN),
        (f"{GRAPHQL};q=nonsense", GRAPHQL),
    ],
)
async def test_answer_has_the_media_type_that_was_asked_for(
    client: httpx2.AsyncClient, accept: str | None, media_type: str
) -> None:
    if accept is None:
        del client.headers["accept"]
    headers = {} if accept is None else {"Accept": accept}

    response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert without_cost(response.json()) == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "accept", ["text/html", "image/png, text/*", "application/xml", f"{PLAIN};q=0", f"{GRAPHQL};q=0.0", "*/*;q=0"]
)
async def test_accept_that_leaves_out_json_is_406_and_nothing_is_done(
    client: httpx2.AsyncClient, resources: Resources, accept: str
) -> None:
    with recorded(resources.database.reader) as sent:
        headers = {"Accept": accept}
        asked = await client.post("/graphql", json={"query": "{ categories { id } }"}, headers=headers)
        read = await client.get(f"/graphql?documentId={'0' * 64}", headers=headers)

    for response in (asked, read):
        assert (response.status_code, response.headers["content-type"]) == (406, PLAIN)
        assert error_of(response.json())["extensions"]["code"] == "not_acceptable"
    assert sent == []


@pytest.mark.parametrize("accept", [PLAIN, GRAPHQL])
@pytest.mark.parametrize(
    "body",
    [
        {"query": "{"},
        {"query": "{ nope }"},
        {"query": "query($x: Int!) { products(first: $x) { totalCount } }"},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "query A { __typename }", "operationName": "B"},
        {"query": "mutation { x }"},
    ],
)
async def test_operation_that_cannot_run_is_400_for_clients_that_know_the_media_type(
    client: httpx2.AsyncClient, accept: str, body: dict[str, Any]
) -> None:
    response = await client.post("/graphql", json=body, headers={"Accept": accept})

    assert response.headers["content-type"] == accept
    assert response.status_code == (400 if accept == GRAPHQL else 200)
    assert "data" not in response.json()
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"


async def test_failed_field_is_200_for_both(client: httpx2.AsyncClient) -> None:
    query = {"query": '{ products(after: "-") { totalCount } }'}
    for accept in (PLAIN, GRAPHQL):
        response = await client.post("/graphql", json=query, headers={"Accept": accept})

        assert (response.status_code, response.json()["data"]) == (200, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "the body is not JSON"),
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'"x"', "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b"{}", "query is missing"),
        (b'{"query": null}', "query is missing"),
        (b'{"query": ""}', "query is missing"),
        (b'{"query": 7}', "query is not a string"),
        (b'{"query": "{ __typename }", "variables": []}', "variables is not an object"),
        (b'{"query": "{ __typename }", "operationName": {}}', "operationName is not a string"),
        (b'{"query": "{ __typename }", "extensions": 1}', "extensions is not an object"),
        (b'[{"query": "{ categories { id } }"}]', "batches are not taken: send one operation a request"),
    ],
)
@pytest.mark.parametrize("accept", [PLAIN, GRAPHQL, "text/event-stream"])
async def test_body_that_is_no_request_is_400(
    client: httpx2.AsyncClient, resources: Resources, content: bytes, message: str, accept: str
) -> None:
    with recorded(resources.database.reader) as sent:
        response = await client.post(
            "/graphql", content=content, headers={"Content-Type": "application/json; charset=utf-8", "Accept": accept}
        )

    assert response.status_code == 400
    assert response.headers["content-type"] == (GRAPHQL if accept == GRAPHQL else PLAIN)
    assert error_of(response.json())["message"] == message
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"
    assert sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
    ],
)
async def test_other_bodies_are_415(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)

    assert response.status_code == 415
    assert error_of(response.json())["extensions"]["code"] == "unsupported_media_type"


async def test_nulls_beside_the_query_are_as_good_as_nothing(client: httpx2.AsyncClient) -> None:
    body = {"query": "{ __typename }", "variables": None, "operationName": None, "extensions": None, "other": 1}

    response = await client.post("/graphql", json=body)

    assert without_cost(response.json()) == {"data": {"__typename": "Query"}}


async def test_named_operation_runs(client: httpx2.AsyncClient) -> None:
    body = {"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}

    response = await client.post("/graphql", json=body)

    assert without_cost(response.json()) == {"data": {"b": "Query"}}


@pytest.mark.parametrize("query", ["", "?query={categories{id}}"])
@pytest.mark.parametrize("accept", ["application/json", "*/*"])
async def test_get_is_405(client: httpx2.AsyncClient, resources: Resources, query: str, accept: str) -> None:
    with recorded(resources.database.reader) as sent:
        response = await client.get(f"/graphql{query}", headers={"Accept": accept})

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert error_of(response.json())["extensions"]["code"] == "method_not_allowed"
    assert sent == []


async def test_query_by_get_is_405_also_for_a_browser(client: httpx2.AsyncClient) -> None:
    response = await client.get("/graphql?query={__typename}", headers={"Accept": "text/html"})

    assert response.status_code == 405


async def test_lone_surrogate_in_a_message_is_answered(client: httpx2.AsyncClient) -> None:
    content = (
        rb'{"query": "query($s: ProductSort) { products(sort: $s) { totalCount } }", "variables": {"s": "\ud800"}}'
    )

    response = await client.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 200
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"


async def test_query_may_be_answered_as_server_sent_events(client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": "text/event-stream"})

    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert "content-length" not in response.headers
    assert 'event: next\ndata: {"data":{"__typename":"Query"},"extensions":{"cost":' in response.text
    assert "event: complete" in response.text


async def test_gzip_body_is_read_and_a_bomb_is_413(client: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b'{"query": "{ __typename }", "padding": "' + b" " * (MAX_BODY_BYTES * 4) + b'"}')

    good = await client.post("/graphql", content=gzip.compress(b'{"query": "{ __typename }"}'), headers=headers)
    refused = await client.post("/graphql", content=bomb, headers=headers)

    assert without_cost(good.json()) == {"data": {"__typename": "Query"}}
    assert refused.status_code == 413
    assert refused.json()["errors"][0]["extensions"]["code"] == "content_too_large"
