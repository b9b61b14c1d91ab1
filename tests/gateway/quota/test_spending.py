"""One budget a caller over REST, GraphQL and WebSockets: who pays, how much, and what is told and refused."""

from pathlib import Path

import httpx2
import pytest
from httpx2.websockets import WebSocketUpgradeError

from commerce.limits.zones import TICKETS
from core import resources as opening
from core.resources import Resources
from core.settings import DataSettings, ServerSettings, Settings
from tests.factories.clocks import StillTime
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, client_of
from tests.gateway.quota.asking import POINTS, PRODUCTS, ask, items_of, left, spend_all, told
from tests.graphql_api.subscribing import connected, run, streamed


async def test_every_answer_tells_the_policy_and_what_is_left(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.get(PRODUCTS),
        await client.head(PRODUCTS),
        await client.get(f"{PRODUCTS}/nope"),
        await client.get(f"{PRODUCTS}?size=0"),
        await client.post(PRODUCTS, json={}),
        await client.get(PRODUCTS, headers={"Authorization": "Bearer nonsense"}),
        await ask(client, "{ categories { id } }"),
        await ask(client, "{ nope }"),
        await ask(client, "{ __typename }", Authorization="Bearer nonsense"),
        await client.post("/graphql", content=b"{", headers={"Content-Type": "application/json"}),
        await client.get("/graphql"),
    ]

    assert [(answer.status_code, *told(answer)) for answer in answers] == [
        (status, '"points";q=100;w=60', f'"points";r={remaining};t=60')
        for status, remaining in [
            (200, 99),
            (200, 98),
            (404, 97),
            (422, 96),
            (401, 86),
            (401, 85),
            (200, 35),
            (200, 34),
            (401, 33),
            (400, 32),
            (405, 31),
        ]
    ]


async def test_what_spends_nothing_tells_nothing(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    answers = [
        await client.get("/healthz"),
        await client.get("/public/v1/openapi.json"),
        await client.get("/internal/health", headers=operator),
        await client.post("/public/v1/auth/token", data={"username": "a@example.com", "password": "12345678"}),
    ]

    assert [told(answer) for answer in answers] == [(None, None)] * 4


async def test_all_points_may_be_spent_and_not_one_more(client: httpx2.AsyncClient, resources: Resources) -> None:
    reads = [await client.get(PRODUCTS) for _ in range(POINTS)]
    with recorded(resources.database.reader) as sent:
        refused = await client.get(PRODUCTS)

    assert {read.status_code for read in reads} == {200}
    assert [left(read) for read in reads] == list(range(POINTS - 1, -1, -1))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "61")
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["retryable"]) == ("quota_exceeded", True)
    assert problem["detail"] == "this costs 1 of the 100 points that you have in 60 seconds, and 0 are left"
    assert told(refused) == ('"points";q=100;w=60', '"points";r=0;t=61')
    assert sent == []


async def test_write_that_is_refused_changes_nothing(client: httpx2.AsyncClient, resources: Resources) -> None:
    editor = await signed_in(resources, await a_user(resources, "editor"))
    variant = {"price": {"amount": 1, "currency": "USD"}}
    body = {"handle": "one", "title": "One", "variants": [variant]}
    for _ in range(91):
        await client.get(PRODUCTS, headers=editor)

    refused = await client.post(PRODUCTS, json=body, headers=editor)
    fits = await client.get(PRODUCTS, headers=editor)

    assert (refused.status_code, left(refused)) == (429, 9)
    assert (fits.json()["total"], left(fits)) == (0, 8)


async def test_points_come_back_after_the_seconds_that_were_told(client: httpx2.AsyncClient, time: StillTime) -> None:
    await spend_all(client)
    refused = await client.get(PRODUCTS)

    time.now += int(refused.headers["retry-after"]) - 1
    early = await client.get(PRODUCTS)
    time.now += 1
    late = await client.get(PRODUCTS)

    assert [answer.status_code for answer in (early, late)] == [429, 200]


@pytest.mark.parametrize("kind", ["anonymous", "key", "user"])
async def test_rest_and_graphql_spend_from_one_budget(
    client: httpx2.AsyncClient, resources: Resources, kind: str
) -> None:
    rest = graphql = {}
    if kind == "key":
        rest = graphql = await key_with(resources, "catalog:read")
    elif kind == "user":
        user = await a_user(resources)
        rest, graphql = await signed_in(resources, user), await signed_in(resources, user, "graphql")

    first = await client.get(PRODUCTS, headers=rest)
    second = await ask(client, "{ categories { id } }", graphql)
    third = await client.get(PRODUCTS, headers=rest)

    assert [left(answer) for answer in (first, second, third)] == [99, 49, 48]
    assert second.json()["extensions"]["cost"] == {"requested": 50, "limit": 100, "remaining": 49}


async def test_callers_have_budgets_of_their_own(served: Served, client: httpx2.AsyncClient) -> None:
    resources: Resources = served.state["resources"]
    user = await a_user(resources)
    callers = [
        {},
        await key_with(resources, "catalog:read"),
        await key_with(resources, "catalog:read"),
        await signed_in(resources, user),
        await signed_in(resources, await a_user(resources)),
    ]
    again = await signed_in(resources, user)

    first = [left(await client.get(PRODUCTS, headers=each)) for each in callers]

    assert first == [99] * 5
    assert left(await client.get(PRODUCTS, headers=again)) == 98


async def test_networks_of_strangers_have_budgets_of_their_own(served: Served) -> None:
    addresses = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "10.0.0.1"]
    remaining = []
    for address in addresses:
        async with client_of(served, client=(address, 1)) as client:
            remaining.append(left(await client.get(PRODUCTS)))

    assert remaining == [99, 99, 99, 98, 99, 98]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_graphql_operation_that_the_budget_has_not_is_429(
    client: httpx2.AsyncClient, resources: Resources, accept: str
) -> None:
    await ask(client, "{ categories { id } }")
    await client.get(PRODUCTS)
    with recorded(resources.database.reader) as sent:
        refused = await ask(client, "{ categories { id } }", Accept=accept)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "61")
    assert refused.headers["content-type"] == accept
    error = refused.json()["errors"][0]
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("quota_exceeded", True)
    assert refused.json()["extensions"]["cost"] == {"requested": 50, "limit": 100, "remaining": 48}
    assert ("data" in refused.json(), sent) == (False, [])
    assert left(refused) == 48


async def test_graphql_is_429_before_the_document_is_read_where_nothing_is_left(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await spend_all(client)

    with recorded(resources.database.reader) as sent:
        refused = await ask(client, "{ nope")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "61")
    assert refused.json()["errors"][0]["extensions"]["code"] == "quota_exceeded"
    assert refused.json()["extensions"]["cost"] == {"requested": 1, "limit": 100, "remaining": 0}
    assert sent == []


async def test_operation_may_cost_the_whole_budget(client: httpx2.AsyncClient) -> None:
    answer = await ask(client, "{ products(first: 99) { nodes { id } } }")

    assert answer.json() == {
        "data": {"products": {"nodes": []}},
        "extensions": {"cost": {"requested": 100, "limit": 100, "remaining": 0}},
    }


async def test_operation_that_costs_more_than_there_ever_is_is_too_costly(client: httpx2.AsyncClient) -> None:
    refused = await ask(client, "{ products(first: 100) { nodes { id } } }")

    error = refused.json()["errors"][0]
    assert (error["message"], error["extensions"]["code"]) == (
        "the operation costs 101 points; at most 100 are allowed",
        "operation_too_costly",
    )
    assert refused.json()["extensions"]["cost"] == {"requested": 101, "limit": 100, "remaining": 99}


async def test_operations_over_a_websocket_are_refused_one_by_one(client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket:
        answers = [
            await run(socket, query) for query in ("{ categories { id } }", "{ categories { id } }", "{ __typename }")
        ]
        await client.get(PRODUCTS)
        last = await run(socket, "{ products(first: 46) { nodes { id } } }")
        none = await run(socket, "{ __typename }")

    assert [answer["type"] for answer in answers] == ["next", "error", "next"]
    assert answers[1]["payload"][0]["extensions"]["code"] == "quota_exceeded"
    assert answers[2]["payload"]["extensions"]["cost"]["remaining"] == 100 - 1 - 50 - 1 - 1
    assert last["payload"][0]["extensions"]["code"] == "quota_exceeded"
    assert none["payload"]["extensions"]["cost"]["remaining"] == 100 - 1 - 50 - 1 - 1 - 1 - 1 - 1


async def test_operation_as_server_sent_events_is_refused_in_its_stream(
    served: Served, client: httpx2.AsyncClient
) -> None:
    await ask(client, "{ categories { id } }")
    async with streamed(served, "{ products(first: 60) { nodes { id } } }") as stream:
        events = [await stream.event() for _ in range(3)]

    assert stream.answer.headers["ratelimit"] == '"points";r=49;t=60'
    assert events[1] is not None
    assert events[1][1]["errors"][0]["extensions"]["code"] == "quota_exceeded"
    assert events[1][1]["extensions"]["cost"] == {"requested": 61, "limit": 100, "remaining": 49}


@pytest.mark.parametrize("path", ["/graphql", "/public/v1/ws"])
async def test_websocket_is_not_opened_where_nothing_is_left(client: httpx2.AsyncClient, path: str) -> None:
    await spend_all(client)

    with pytest.raises(WebSocketUpgradeError) as refused:
        async with connected(client, path):
            pass

    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["retry-after"] == "61"
    assert told(refused.value.response) == ('"points";q=100;w=60', '"points";r=0;t=61')


async def test_event_stream_spends_a_point_of_who_opens_it(client: httpx2.AsyncClient, resources: Resources) -> None:
    reader = await key_with(resources, "events:read")
    for _ in range(POINTS):
        await client.get(PRODUCTS, headers=reader)

    refused = await client.get("/public/v1/events/stream", headers=reader)

    assert refused.status_code == 429


async def test_bad_credentials_are_paid_for_by_their_network(client: httpx2.AsyncClient) -> None:
    bad = {"Authorization": "Bearer ptk_x_y"}
    tries = [(await client.get(PRODUCTS, headers=bad)).status_code for _ in range(POINTS)]

    assert set(tries) == {401}
    assert (await client.get(PRODUCTS, headers=bad)).status_code == 429
    assert (await ask(client, "{ __typename }", bad)).status_code == 429


async def test_headers_are_structured_fields_as_the_draft_says(client: httpx2.AsyncClient) -> None:
    """Names, quota and window of the policy; what is left, and until when, of the same name."""
    answers = [await client.get(PRODUCTS) for _ in range(2)]
    await ask(client, "{ categories { id } }")
    answers.append(await client.get(PRODUCTS))

    for answer, (status, remaining, seconds) in zip(
        answers, [(200, 99, 60), (200, 98, 60), (200, 47, 60)], strict=True
    ):
        assert answer.status_code == status
        assert items_of(answer.headers["ratelimit-policy"]) == [("points", {"q": 100, "w": 60})]
        assert items_of(answer.headers["ratelimit"]) == [("points", {"r": remaining, "t": seconds})]


async def test_tickets_have_a_zone_of_their_own(client: httpx2.AsyncClient, resources: Resources) -> None:
    user = await a_user(resources)
    headers = await signed_in(resources, user)
    for _ in range(TICKETS.amount):
        await resources.limiter.hit(TICKETS, f"user:{user.id}")

    refused = await client.post("/public/v1/tickets", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert items_of(refused.headers["ratelimit-policy"]) == [("tickets", {"q": 300, "w": 60})]


async def test_setting_is_the_budget(tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(points_per_minute=7), data=DataSettings(data_dir=tmp_path / "other"))
    (tmp_path / "other").mkdir()

    async with opening.open_resources(settings) as resources:
        assert resources.budget.limit.amount == 7


def test_budget_of_nothing_is_no_setting() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        ServerSettings(points_per_minute=0)
