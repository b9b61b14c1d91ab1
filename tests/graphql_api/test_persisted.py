"""Persisted operations by POST: named in each way, unknown, automatic, and under each mode of a client."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from commerce.accounts.repository import AccountRepository
from commerce.operations.entities import EVERYBODY
from core.resources import Resources
from graphql_api import limits
from tests.factories.operations import sha
from tests.factories.statements import recorded
from tests.factories.uses import uses_of
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served
from tests.graphql_api.asking import error_of
from tests.graphql_api.persisting import (
    GRAPHQL,
    IOS,
    MENU,
    PLAIN,
    STRANGE,
    WEB,
    allow,
    apq,
    post,
    registered,
)

NOT_FOUND = (404, "persisted_query_not_found")
NOT_REGISTERED = (403, "operation_not_registered")
TYPENAME = (200, {"__typename": "Query"})


@pytest.mark.parametrize(
    "name",
    [
        lambda text: {"documentId": sha(text)},
        lambda text: {"documentId": f"sha256:{sha(text)}"},
        lambda text: {"documentId": sha(text).upper()},
        lambda text: {"id": sha(text)},
        apq,
        lambda text: apq(text, documentId=sha(text), query=text),
        lambda text: {"documentId": sha(text), "query": ""},
    ],
)
async def test_registered_operation_runs_by_its_hash(
    client: httpx2.AsyncClient, resources: Resources, name: Callable[[str], dict[str, Any]]
) -> None:
    await registered(resources, PLAIN)

    answer = await post(client, {**name(PLAIN), "variables": {"handle": "plain"}})

    assert answer == (200, {"product": {"title": "Plain"}})


async def test_unknown_hash_is_told_as_apollo_reads_it(client: httpx2.AsyncClient) -> None:
    new = await client.post("/graphql", json=apq(STRANGE), headers=GRAPHQL)
    old = await client.post("/graphql", json=apq(STRANGE))

    for response, status in ((new, 404), (old, 200)):
        error = error_of(response.json())
        assert (response.status_code, error["message"]) == (status, "PersistedQueryNotFound")
        assert error["extensions"]["code"] == "persisted_query_not_found"
        assert response.headers["cache-control"] == "no-store"
        assert "data" not in response.json()


@pytest.mark.parametrize("name", ["abc", "0" * 64, "sha256:" + "0" * 64, "md5:" + "0" * 32, "\0"])
async def test_id_that_is_none_of_ours_is_not_found(client: httpx2.AsyncClient, name: str) -> None:
    assert await post(client, {"documentId": name}) == NOT_FOUND


async def test_id_that_is_no_text_is_not_found(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/graphql", content=rb'{"documentId": "\ud800"}', headers={"Content-Type": "application/json"}
    )

    assert error_of(response.json())["extensions"]["code"] == "persisted_query_not_found"


@pytest.mark.parametrize("headers", [IOS, {}])
async def test_operation_of_another_client_is_not_found(
    client: httpx2.AsyncClient, resources: Resources, headers: dict[str, str]
) -> None:
    await registered(resources, STRANGE)

    assert await post(client, apq(STRANGE), headers) == NOT_FOUND
    assert await post(client, apq(STRANGE), WEB) == TYPENAME
    assert await post(client, apq(STRANGE), {"apollographql-client-name": "web"}) == TYPENAME


@pytest.mark.parametrize("headers", [IOS, {}, WEB])
async def test_operation_for_everybody_is_found_by_all(
    client: httpx2.AsyncClient, resources: Resources, headers: dict[str, str]
) -> None:
    await registered(resources, STRANGE, client=EVERYBODY)

    assert await post(client, apq(STRANGE), headers) == TYPENAME


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (apq(MENU, query=STRANGE), "provided sha does not match query"),
        ({"documentId": sha(MENU), "query": STRANGE}, "provided sha does not match query"),
        ({"documentId": "abc", "query": STRANGE}, "provided sha does not match query"),
        (apq(MENU, documentId=sha(STRANGE)), "the request names several operations"),
        ({"documentId": sha(MENU), "id": sha(STRANGE)}, "the request names several operations"),
        ({"extensions": {"persistedQuery": {"version": 2}}}, "extensions.persistedQuery is not of version 1"),
        ({"extensions": {"persistedQuery": 7}}, "extensions.persistedQuery is not of version 1"),
        (
            {"extensions": {"persistedQuery": {"version": 1}}},
            "extensions.persistedQuery.sha256Hash is not a string",
        ),
        ({"documentId": ""}, "extensions.persistedQuery.sha256Hash is not a string"),
        ({"extensions": {}}, "query is missing"),
        ({"documentId": 7}, "documentId is not a string"),
        ({"id": ["x"]}, "id is not a string"),
    ],
)
async def test_request_that_names_an_operation_wrongly_is_400(
    client: httpx2.AsyncClient, body: dict[str, Any], message: str
) -> None:
    response = await client.post("/graphql", json=body)

    assert response.status_code == 400
    assert error_of(response.json())["message"] == message
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"


async def test_hash_beside_a_text_that_nobody_registered_runs(client: httpx2.AsyncClient) -> None:
    assert await post(client, apq(STRANGE, query=STRANGE)) == TYPENAME
    assert await post(client, apq(STRANGE)) == NOT_FOUND


async def test_automatic_operation_is_known_by_its_hash_to_clients_that_opted_in(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    assert await post(client, apq(STRANGE, query=STRANGE), IOS) == TYPENAME
    await allow(resources, "web", automatic=True)
    assert await post(client, apq(STRANGE)) == NOT_FOUND
    assert await post(client, {"query": MENU}) != NOT_FOUND
    assert await post(client, apq(MENU)) == NOT_FOUND

    assert await post(client, apq(STRANGE, query=STRANGE)) == TYPENAME

    assert await post(client, apq(STRANGE)) == TYPENAME
    assert await post(client, apq(STRANGE), IOS) == NOT_FOUND
    await allow(resources, "web", automatic=False)
    assert await post(client, apq(STRANGE)) == NOT_FOUND


async def test_automatic_operation_stays_unregistered(
    client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries
) -> None:
    await allow(resources, "web", automatic=True)
    await post(client, apq(STRANGE, query=STRANGE))

    await allow(resources, "web", mode="log")
    assert await post(client, apq(STRANGE)) == TYPENAME
    assert [entry["sha256"] for entry in unregistered(log_entries)] == [sha(STRANGE)]

    await allow(resources, "web", mode="enforce")
    assert await post(client, apq(STRANGE)) == NOT_REGISTERED


def unregistered(entries: LogEntries) -> list[dict[str, Any]]:
    return [entry for entry in entries.application if entry["event"] == "operation_unregistered"]


def counted(client: str, mode: str) -> float:
    labels = {"client": client, "mode": mode}
    return REGISTRY.get_sample_value("portico_unregistered_operations_total", labels) or 0.0


async def test_unregistered_operation_runs_where_it_is_logged_alone(
    client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries
) -> None:
    await registered(resources, MENU)
    await allow(resources, "web", mode="log")
    before = counted("web", "log")

    assert await post(client, {"query": STRANGE, "operationName": "Strange"}) == TYPENAME
    assert (await post(client, {"query": MENU}))[0] == 200

    (entry,) = unregistered(log_entries)
    assert {name: entry[name] for name in ("sha256", "name", "client_name", "mode", "level")} == {
        "sha256": sha(STRANGE),
        "name": "Strange",
        "client_name": "web",
        "mode": "log",
        "level": "warning",
    }
    assert counted("web", "log") - before == 1


async def test_unregistered_operation_is_refused_before_it_is_parsed(
    client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries
) -> None:
    await registered(resources, MENU)
    await allow(resources, "web", mode="enforce")
    before, parsed = counted("web", "enforce"), limits.parsed.strangers.cache_info()
    await post(client, {"query": "{"})

    with recorded(resources.database.reader) as sent, recorded(resources.database.writer) as written:
        answers = [
            await post(client, {"query": text})
            for text in (STRANGE, "{", "{ categories { name } }", f"{MENU} ", "query { __schema { types { name } } }")
        ]

    assert answers == [NOT_REGISTERED] * 5
    assert (sent, written) == ([], [])
    assert limits.parsed.strangers.cache_info() == parsed
    assert counted("web", "enforce") - before == 6
    assert [entry["mode"] for entry in unregistered(log_entries)] == ["enforce"] * 6
    assert log_entries.access[-1]["code"] == "operation_not_registered"
    assert (await post(client, {"query": MENU}))[0] == 200
    assert (await post(client, apq(MENU)))[0] == 200


async def test_refusal_is_200_in_plain_json(client: httpx2.AsyncClient, resources: Resources) -> None:
    await allow(resources, "web", mode="enforce")

    response = await client.post("/graphql", json={"query": STRANGE}, headers=WEB)

    assert response.status_code == 200
    assert error_of(response.json())["extensions"]["code"] == "operation_not_registered"


async def test_unknown_hash_is_not_found_also_where_all_must_be_registered(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await allow(resources, "web", mode="enforce")

    assert await post(client, apq(STRANGE)) == NOT_FOUND


async def test_other_clients_are_free_where_one_is_not(client: httpx2.AsyncClient, resources: Resources) -> None:
    await allow(resources, "web", mode="enforce")

    assert await post(client, {"query": STRANGE}, IOS) == TYPENAME
    assert await post(client, {"query": STRANGE}, {}) == TYPENAME


async def test_what_everybody_is_held_to_holds_whatever_a_client_calls_itself(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await registered(resources, STRANGE)
    await allow(resources, "ios", mode="off")
    await allow(resources, EVERYBODY, mode="enforce")

    assert await post(client, {"query": STRANGE}, WEB) == TYPENAME
    for headers in (IOS, {}, {"X-Client-Name": "other"}, {"X-Client-Name": EVERYBODY}):
        assert await post(client, {"query": STRANGE}, headers) == NOT_REGISTERED


async def test_registered_operation_is_counted_by_client_and_others_are_not(
    client: httpx2.AsyncClient, resources: Resources, served: Served
) -> None:
    await registered(resources, STRANGE)
    for body in (apq(STRANGE), {"query": STRANGE}, {"query": MENU}):
        await post(client, body, WEB | {"X-Client-Version": "1.4.0"})

    assert await uses_of(served.state["uses"], "operation") == {(sha(STRANGE), "web", "1.4.0"): 2}


async def test_hot_path_asks_the_registry_no_sql(
    client: httpx2.AsyncClient, resources: Resources, served: Served
) -> None:
    await registered(resources, STRANGE)
    await allow(resources, "web", mode="enforce")
    await post(client, apq(STRANGE))

    with recorded(served.state["operations"]._database.reader) as sent:
        answers = [await post(client, body) for body in (apq(STRANGE), {"query": STRANGE})]

    assert answers == [TYPENAME] * 2
    assert [statement for statement in sent if "operations" in statement] == []


def misses() -> list[int]:
    """How many documents were parsed, and validated."""
    return [
        each.registered.cache_info().misses + each.strangers.cache_info().misses
        for each in (limits.parsed, limits.faults)
    ]


async def test_registered_documents_are_not_pushed_out_by_strangers(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    text = "query Kept { kept: __typename }"
    await registered(resources, text)
    await post(client, apq(text))
    for number in range(300):
        limits.parsed(f"query Stranger{number} {{ __typename }}")
    before = misses()

    await post(client, apq(text))

    assert misses() == before


async def test_persisted_operation_keeps_its_rules_of_access(client: httpx2.AsyncClient, resources: Resources) -> None:
    """Registering an operation gives nobody rights."""
    text = "query Mine { orders { nodes { id } } }"
    await registered(resources, text)

    response = await client.post("/graphql", json=apq(text), headers=WEB)

    assert error_of(response.json())["extensions"]["code"] == "unauthenticated"
    async with resources.database.read() as session:
        assert (await AccountRepository(session).users(limit=1)).items == []
