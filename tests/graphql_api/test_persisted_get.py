"""Registered queries by GET: cacheable, conditional, and nothing that changes anything."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from commerce.operations.entities import EVERYBODY
from commerce.orders.models import OrderRow
from core.resources import Resources
from tests.factories.operations import sha
from tests.graphql_api.asking import error_of
from tests.graphql_api.ordering import count
from tests.graphql_api.persisting import (
    CANCEL,
    GRAPHQL,
    IOS,
    MENU,
    PLAIN,
    STRANGE,
    UPDATES,
    WEB,
    allow,
    apq,
    post,
    registered,
)

VARY = "Authorization, Accept, X-Client-Name, Apollographql-Client-Name"


def address(text: str, **more: Any) -> str:
    """Of an operation, by its documentId."""
    named = {"documentId": sha(text)} | {name: json.dumps(value) for name, value in more.items()}
    return f"/graphql?{urlencode(named)}"


@pytest.mark.parametrize(
    "query",
    [
        {"documentId": sha(PLAIN)},
        {"documentId": f"sha256:{sha(PLAIN)}"},
        {"id": sha(PLAIN)},
        {"extensions": json.dumps(apq(PLAIN)["extensions"])},
    ],
)
async def test_registered_query_is_read_by_get(
    client: httpx2.AsyncClient, resources: Resources, query: dict[str, str]
) -> None:
    await registered(resources, PLAIN)

    response = await client.get(
        f"/graphql?{urlencode({**query, 'variables': json.dumps({'handle': 'plain'})})}", headers=WEB | GRAPHQL
    )

    assert response.status_code == 200
    assert response.headers["content-type"] == GRAPHQL["Accept"]
    assert response.json() == {"data": {"product": {"title": "Plain"}}}
    assert response.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert response.headers["etag"].startswith('W/"')
    assert set(VARY.split(", ")) <= set(response.headers["vary"].split(", "))


async def test_copy_that_is_current_is_not_sent_again(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, PLAIN, client=EVERYBODY)
    url = address(PLAIN, variables={"handle": "plain"})
    first = await client.get(url)

    again = await client.get(url, headers={"If-None-Match": first.headers["etag"]})
    other = await client.get(
        address(PLAIN, variables={"handle": "atlas-coat"}), headers={"If-None-Match": first.headers["etag"]}
    )

    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["etag"], again.headers["cache-control"]) == (
        first.headers["etag"],
        "public, max-age=0, must-revalidate",
    )
    assert set(VARY.split(", ")) <= set(again.headers["vary"].split(", "))
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


async def test_copy_is_old_once_something_changed(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    await registered(resources, PLAIN, client=EVERYBODY)
    url = address(PLAIN, variables={"handle": "plain"})
    tag = (await client.get(url)).headers["etag"]
    await client.patch(
        f"/public/v1/products/{(await client.get('/public/v1/products/plain')).json()['id']}",
        json={"title": "Changed"},
        headers=writer,
    )

    response = await client.get(url, headers={"If-None-Match": tag})

    assert (response.status_code, response.json()) == (200, {"data": {"product": {"title": "Changed"}}})


async def test_answer_to_somebody_is_private(
    client: httpx2.AsyncClient, resources: Resources, customer: dict[str, str]
) -> None:
    text = "query Me { me { role } }"
    await registered(resources, text)

    response = await client.get(address(text), headers=WEB | customer)

    assert response.json() == {"data": {"me": {"role": "customer"}}}
    assert response.headers["cache-control"] == "private, no-cache"


async def test_head_is_get_without_the_body(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, MENU, client=EVERYBODY)

    got, head = await client.get(address(MENU)), await client.head(address(MENU))

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize("text", [CANCEL, UPDATES])
async def test_what_is_no_query_is_405(client: httpx2.AsyncClient, resources: Resources, text: str) -> None:
    await registered(resources, text)

    response = await client.get(address(text), headers=WEB)

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert error_of(response.json())["extensions"]["code"] == "method_not_allowed"
    assert await count(resources.database, OrderRow) == 0


@pytest.mark.parametrize("more", [{}, {"documentId": sha(MENU)}])
async def test_text_by_get_is_405_though_it_is_registered(
    client: httpx2.AsyncClient, resources: Resources, more: dict[str, str]
) -> None:
    await registered(resources, MENU, client=EVERYBODY)

    response = await client.get(f"/graphql?{urlencode({'query': MENU, **more})}")

    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_hash_that_is_not_registered_is_not_found_so_that_apollo_sends_the_text(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await allow(resources, "web", automatic=True)
    await post(client, apq(STRANGE, query=STRANGE))
    await registered(resources, MENU)

    automatic = await client.get(address(STRANGE), headers=WEB | GRAPHQL)
    foreign = await client.get(address(MENU), headers=IOS | GRAPHQL)
    plain = await client.get(address("query Unheard { x }"))

    for response, status in ((automatic, 404), (foreign, 404), (plain, 200)):
        assert response.status_code == status
        assert error_of(response.json())["message"] == "PersistedQueryNotFound"
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers


@pytest.mark.parametrize(
    ("text", "variables", "status"),
    [
        ("query Orders { orders { nodes { id } } }", {}, 200),
        (PLAIN, {}, 400),
    ],
)
async def test_answer_with_errors_is_kept_nowhere(
    client: httpx2.AsyncClient, resources: Resources, text: str, variables: dict[str, Any], status: int
) -> None:
    await registered(resources, text)

    response = await client.get(address(text, variables=variables), headers=WEB | GRAPHQL)

    assert response.status_code == status
    assert error_of(response.json())
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("documentId=x&variables=%7B", "variables is not JSON"),
        ("documentId=x&variables=7", "variables is not an object"),
        ("extensions=%5B%5D", "extensions is not an object"),
        ("extensions=%7B%7D", "query is missing"),
    ],
)
async def test_query_string_that_is_no_request_is_400(client: httpx2.AsyncClient, query: str, message: str) -> None:
    response = await client.get(f"/graphql?{query}")

    assert (response.status_code, error_of(response.json())["message"]) == (400, message)


async def test_answer_by_get_has_nothing_of_the_caller_in_it(
    client: httpx2.AsyncClient, resources: Resources, customer: dict[str, str]
) -> None:
    await registered(resources, MENU, client=EVERYBODY)

    answers = [await client.get(address(MENU), headers=headers) for headers in ({}, customer)]

    assert answers[0].content == answers[1].content
    assert set(answers[0].json()) == {"data"}
