"""GraphQL's answers are kept as REST's are; what a caller is told of the cost is its own each time."""

import gzip
import json
from typing import Any

import httpx2
import pytest

from commerce.operations.entities import EVERYBODY
from tests.factories.operations import allow, forget, register, sha
from tests.factories.uses import uses_of
from tests.fixtures.asgi import exchange
from tests.gateway.response_cache.shop import UNPACK, Shop, kept_of, told, was_made

LIST = "{products(first: 3) {nodes {id title category {name} variants {sku price {amount}}} totalCount}}"
ONE = "query One($handle: String) {product(handle: $handle) {id title}}"
MENU = "query Menu {categories {name slug}}"


async def ask(shop: Shop, text: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
    return await shop.client.post("/graphql", json={"query": text, **fields}, headers=headers)


async def test_second_answer_has_the_same_data_and_what_is_left_to_its_own_caller(shop: Shop) -> None:
    first = await ask(shop, LIST)
    with shop.statements() as sent:
        second = await ask(shop, LIST)

    assert (told(first), told(second)) == ("fwd=uri-miss; stored", "hit; ttl=60")
    assert second.json()["data"] == first.json()["data"]
    costs = [response.json()["extensions"]["cost"] for response in (first, second)]
    assert costs[0]["requested"] == costs[1]["requested"] > 1
    assert costs[1]["remaining"] == costs[0]["remaining"] - costs[1]["requested"]
    assert f"r={costs[1]['remaining']};" in second.headers["ratelimit"]
    assert kept_of(second) | {"content-length": ""} == kept_of(first) | {"content-length": ""}
    assert sent == []


@pytest.mark.parametrize("encoding", ["", "gzip", "br", "zstd"])
async def test_tail_is_put_on_in_every_encoding(shop: Shop, encoding: str) -> None:
    headers = [("content-type", "application/json"), ("accept-encoding", encoding)]
    body = json.dumps({"query": LIST}).encode()
    first = await exchange(shop.served, "POST", "/graphql", headers, chunks=[body])
    second = await exchange(shop.served, "POST", "/graphql", headers, chunks=[body])

    answers = [json.loads(UNPACK[encoding](b"".join(each.chunks))) for each in (first, second)]
    assert answers[1]["data"] == answers[0]["data"]
    assert answers[1]["extensions"]["cost"]["remaining"] < answers[0]["extensions"]["cost"]["remaining"]
    assert second.headers.get("content-encoding", "") == encoding
    assert second.headers["content-length"] == str(len(b"".join(second.chunks)))
    assert second.headers["cache-status"] == "portico; hit; ttl=60"


async def test_order_of_fields_and_variables_does_not_matter(shop: Shop) -> None:
    first = {"query": ONE, "variables": {"handle": "cap", "other": 1}, "operationName": "One"}
    second = {"operationName": "One", "variables": {"other": 1, "handle": "cap"}, "query": ONE}
    await shop.client.post("/graphql", json=first)
    response = await shop.client.post("/graphql", json=second)

    assert told(response) == "hit; ttl=60"


@pytest.mark.parametrize(
    "change",
    [
        {"variables": {"handle": "boots"}},
        {"query": ONE.replace("title", "handle"), "variables": {"handle": "cap"}},
        {"query": ONE + " query Two {__typename}", "operationName": "Two"},
    ],
)
async def test_whatever_decides_the_answer_is_told_apart(shop: Shop, change: dict[str, Any]) -> None:
    text = ONE + " query Two {__typename}" if "operationName" in change else ONE
    wish = {"query": text, "variables": {"handle": "cap"}, "operationName": "One"}
    first = await shop.client.post("/graphql", json=wish)
    other = await shop.client.post("/graphql", json=wish | change)

    assert told(other) == "fwd=uri-miss; stored"
    assert other.json()["data"] != first.json()["data"]


async def test_media_types_are_told_apart(shop: Shop) -> None:
    own = "application/graphql-response+json"
    for accept, given in ((own, own), ("application/json", "application/json")):
        for _ in range(2):
            response = await ask(shop, LIST, {"Accept": accept})

        assert told(response) == "hit; ttl=60"
        assert response.headers["content-type"] == given


@pytest.mark.parametrize(
    "text",
    [
        'mutation {signIn(email: "a@example.com", password: "x") {__typename}}',
        "{me {id}}",
        "{orders {nodes {id}}}",
        "{products(first: 0) {nodes {id}}}",
        "{nothing}",
        "{",
    ],
)
async def test_what_is_no_public_answer_is_not_kept(shop: Shop, text: str) -> None:
    for _ in range(2):
        response = await ask(shop, text)

        assert told(response) in ("fwd=uri-miss", "fwd=method")
    assert len(shop.cache) == 0


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[]", {"Content-Type": "application/json"}),
        (b"x", {"Content-Type": "application/json"}),
        (b'"' + b"x" * 100_000 + b'"', {"Content-Type": "application/json"}),
        (json.dumps({"query": LIST}).encode(), {"Content-Type": "text/plain"}),
        (json.dumps({"query": LIST}).encode(), {"Content-Type": "application/jsonx"}),
        (
            gzip.compress(json.dumps({"query": LIST}).encode()),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        ),
    ],
)
async def test_body_that_the_cache_cannot_read_reaches_the_application_whole(
    shop: Shop, body: bytes, headers: dict[str, str]
) -> None:
    through = await shop.client.post("/graphql", content=body, headers=headers)
    shop.served.state["responses"] = None
    direct = await shop.client.post("/graphql", content=body, headers=headers)

    assert told(through) == "fwd=method"
    assert through.status_code == direct.status_code
    assert through.json().keys() == direct.json().keys()


async def test_body_in_pieces_is_read_as_one(shop: Shop) -> None:
    body = json.dumps({"query": LIST}).encode()
    headers = [("content-type", "application/json")]
    await exchange(shop.served, "POST", "/graphql", headers, chunks=[body[:10], body[10:20], body[20:]])
    second = await exchange(shop.served, "POST", "/graphql", headers, chunks=[body])

    assert second.headers["cache-status"] == "portico; hit; ttl=60"


async def test_change_of_a_product_ends_every_answer(shop: Shop) -> None:
    await ask(shop, ONE, variables={"handle": "cap"})
    await shop.catalogue.update(shop.products["cap"], title="Hat")
    response = await ask(shop, ONE, variables={"handle": "cap"})

    assert was_made(response)
    assert response.json()["data"]["product"]["title"] == "Hat"


async def test_registered_operation_by_get_is_kept_with_its_tag(shop: Shop) -> None:
    resources = shop.resources
    (sha256,) = await register(resources.database, resources.clock, MENU)
    address = f"/graphql?documentId={sha256}"
    headers = {"X-Client-Name": "web"}
    await shop.served.state["operations"].policy("web")  # has looked at what is registered, which ends answers
    first = await shop.client.get(address, headers=headers)
    second = await shop.client.get(address, headers=headers)
    unchanged = await shop.client.get(address, headers={**headers, "If-None-Match": first.headers["etag"]})

    assert (told(first), told(second)) == ("fwd=uri-miss; stored", "hit; ttl=60")
    assert (second.content, kept_of(second)) == (first.content, kept_of(first))
    assert (unchanged.status_code, told(unchanged)) == (304, "hit; ttl=60")


async def test_uses_of_a_registered_operation_are_counted_on_every_hit(shop: Shop) -> None:
    resources = shop.resources
    (sha256,) = await register(resources.database, resources.clock, MENU)
    for _ in range(3):
        await shop.client.post("/graphql", json={"documentId": sha256}, headers={"X-Client-Name": "web"})

    assert await uses_of(shop.served.state["uses"], "operation") == {(sha256, "web", ""): 3}


async def test_operation_is_another_client_s_until_it_has_registered_it(shop: Shop) -> None:
    resources = shop.resources
    (sha256,) = await register(resources.database, resources.clock, MENU)
    for name, code in (("web", []), ("ios", ["persisted_query_not_found"]), ("web", [])):
        headers = {"X-Client-Name": name}
        answer = (await shop.client.post("/graphql", json={"documentId": sha256}, headers=headers)).json()

        assert [error["extensions"]["code"] for error in answer.get("errors", ())] == code


async def test_operation_that_is_forgotten_is_not_given_again(shop: Shop) -> None:
    resources, headers = shop.resources, {"X-Client-Name": "web"}
    (sha256,) = await register(resources.database, resources.clock, MENU)
    for _ in range(2):
        await shop.client.post("/graphql", json={"documentId": sha256}, headers=headers)
    await forget(resources.database, resources.clock)
    response = await shop.client.post("/graphql", json={"documentId": sha256}, headers=headers)

    assert response.json()["errors"][0]["extensions"]["code"] == "persisted_query_not_found"


async def test_answer_is_not_given_to_whom_a_policy_now_refuses_it(shop: Shop) -> None:
    resources = shop.resources
    for _ in range(2):
        assert "errors" not in (await ask(shop, LIST)).json()
    await allow(resources.database, resources.clock, EVERYBODY, mode="enforce")
    response = await ask(shop, LIST)

    assert response.json()["errors"][0]["extensions"]["code"] == "operation_not_registered"


async def test_operation_that_is_to_be_reported_is_not_kept(shop: Shop) -> None:
    resources = shop.resources
    await allow(resources.database, resources.clock, EVERYBODY, mode="log")
    for _ in range(2):
        assert told(await ask(shop, LIST)) == "fwd=uri-miss"


async def test_hash_that_is_to_be_remembered_is_not_kept(shop: Shop) -> None:
    resources = shop.resources
    await allow(resources.database, resources.clock, EVERYBODY, automatic=True)
    named = {"persistedQuery": {"version": 1, "sha256Hash": sha(LIST)}}
    for _ in range(2):
        assert told(await ask(shop, LIST, extensions=named)) == "fwd=uri-miss"
    by_hash = [await shop.client.post("/graphql", json={"extensions": named}) for _ in range(2)]

    assert [told(response) for response in by_hash] == ["fwd=uri-miss; stored", "hit; ttl=60"]
