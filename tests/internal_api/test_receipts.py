"""Where a request's time went, as staff see it."""

from typing import Any

import httpx2
import pytest

from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.people import a_user, signed_in
from tests.factories.products import a_product
from tests.fixtures.asgi import Served, websocket
from tests.fixtures.probes import read_error

RECEIPTS = "/internal/receipts"
PRODUCTS = "/public/v1/products"


async def receipts_of(client: httpx2.AsyncClient, operator: dict[str, str], request_id: str) -> list[dict[str, Any]]:
    response = await client.get(f"{RECEIPTS}/{request_id}", headers=operator)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def test_receipt_says_where_the_time_of_a_read_went(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    user = await a_user(resources)
    headers = {**await signed_in(resources, user), "X-Request-ID": "read-1"}
    await client.get("/public/v1/me", headers=headers)

    (receipt,) = await receipts_of(client, support, "read-1")

    assert receipt["request_id"] == "read-1"
    assert (receipt["audience"], receipt["method"], receipt["route"]) == ("public", "GET", "/public/v1/me")
    assert (receipt["status"], receipt["code"]) == (200, None)
    assert receipt["principal"] == f"user:{user.id}"
    assert receipt["cache"] == "portico; fwd=bypass"
    assert receipt["auth"]["count"] == 1
    assert receipt["sql"]["count"] >= 1
    assert 0 < receipt["sql"]["ms"] < receipt["total_ms"]
    assert 0 < receipt["answered_ms"] <= receipt["total_ms"]
    assert receipt["queue"] == receipt["commit"] == {"count": 0, "ms": 0.0}
    assert (receipt["upstreams"], receipt["cost"]) == ([], None)
    assert len(receipt["trace_id"]) == 32
    assert user.email not in str(receipt)


async def test_receipt_of_a_write_has_its_commit(
    client: httpx2.AsyncClient, operator: dict[str, str], writer: dict[str, str]
) -> None:
    body = {"title": "Kettle", "variants": [{"price": {"amount": 100, "currency": "USD"}}]}
    response = await client.post(PRODUCTS, json=body, headers={**writer, "X-Request-ID": "write-1"})
    assert response.status_code == 201, response.text

    (receipt,) = await receipts_of(client, operator, "write-1")

    assert receipt["commit"]["count"] == 1
    assert receipt["commit"]["ms"] > 0
    assert receipt["principal"].startswith("api_key:")


async def test_read_past_sqlalchemy_is_counted_too(
    client: httpx2.AsyncClient, operator: dict[str, str], resources: Resources
) -> None:
    await Catalogue(resources.database, FakeClock()).add(a_product())
    await client.get(f"{PRODUCTS}/rain-jacket", headers={"X-Request-ID": "direct"})

    (receipt,) = await receipts_of(client, operator, "direct")

    assert receipt["sql"]["count"] == 1
    assert receipt["sql"]["ms"] > 0
    assert receipt["principal"] is None
    assert receipt["route"] == "/public/v1/products/{id_or_handle}"


async def test_receipt_of_a_graphql_operation_has_its_cost(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    query = {"query": "{ products(first: 5) { nodes { id } } }"}
    answer = await client.post("/graphql", json=query, headers={"X-Request-ID": "graphql"})

    (receipt,) = await receipts_of(client, operator, "graphql")

    assert receipt["cost"] == answer.json()["extensions"]["cost"]["requested"]
    assert receipt["audience"] == "graphql"


async def test_refused_request_has_its_code(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    refused = {"X-Request-ID": "refused", "Authorization": "Bearer nothing"}
    await client.get(PRODUCTS, headers=refused)

    (receipt,) = await receipts_of(client, operator, "refused")

    assert (receipt["status"], receipt["code"], receipt["principal"]) == (401, "unauthenticated", None)


async def test_all_requests_of_an_id_are_shown_newest_first(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    for path in ("/public/v1/categories", "/graphql", "/nowhere"):
        await client.get(path, headers={"X-Request-ID": "shared"})

    found = await receipts_of(client, operator, "shared")

    assert [each["route"] for each in found] == ["unmatched", "/graphql/", "/public/v1/categories"]


async def test_handshake_has_a_receipt_while_its_socket_is_open(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    async with websocket(client, "/internal/ws/echo", {**operator, "X-Request-ID": "socket"}):
        (receipt,) = await receipts_of(client, operator, "socket")

    assert (receipt["method"], receipt["route"], receipt["status"]) == ("WEBSOCKET", "/internal/ws/echo", 101)
    assert receipt["auth"]["count"] == 1
    assert len(await receipts_of(client, operator, "socket")) == 1  # closing it is no request


async def test_hit_of_the_response_cache_costs_no_receipt(
    client: httpx2.AsyncClient, operator: dict[str, str], served: Served
) -> None:
    await served.state["tailer"].looked.wait()
    await client.get(PRODUCTS, headers={"X-Request-ID": "warm"})
    before = await client.get(PRODUCTS, headers={"X-Request-ID": "warm"})

    assert before.headers["cache-status"].startswith("portico; hit")
    found = await receipts_of(client, operator, "warm")
    assert [each["cache"] for each in found if each["cache"] != "hit"] == ["portico; fwd=uri-miss; stored"]


@pytest.mark.parametrize("request_id", ["nobody", "%00", "x" * 201])
async def test_unknown_id_is_404_or_422(client: httpx2.AsyncClient, operator: dict[str, str], request_id: str) -> None:
    response = await client.get(f"{RECEIPTS}/{request_id}", headers=operator)

    expected = (404, "not_found") if request_id == "nobody" else (422, "invalid_request")
    assert (response.status_code, read_error("internal", response).code) == expected


async def test_hit_whose_span_is_sampled_has_a_receipt(
    client: httpx2.AsyncClient, operator: dict[str, str], served: Served
) -> None:
    await served.state["tailer"].looked.wait()
    await client.get(PRODUCTS)
    span = "?"
    while not span.startswith("00"):  # one in 256
        answer = await client.get(PRODUCTS, headers={"X-Request-ID": "hit"})
        span = answer.headers["traceparent"].split("-")[2]

    (receipt,) = await receipts_of(client, operator, "hit")

    assert (receipt["cache"], receipt["route"], receipt["status"]) == ("hit", PRODUCTS, 200)
    assert receipt["trace_id"] == answer.headers["traceparent"].split("-")[1]
