"""Limits of callers as operators see and set them, and what callers are answered then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from commerce.audit.log import AuditRepository
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, client_of

LIMITS, PRODUCTS = "/internal/rate-limits", "/public/v1/products"
NETWORK = "address:127.0.0.1"
BODY = {"points": 50, "reason": "a crawler"}


@pytest.fixture
async def client(client: httpx2.AsyncClient, operator: dict[str, str]) -> httpx2.AsyncClient:
    client.headers.update(operator)
    return client


async def put(client: httpx2.AsyncClient, subject: str, **body: Any) -> httpx2.Response:
    return await client.put(f"{LIMITS}/{subject}", json=body)


async def test_caller_is_told_its_own_limit_at_once_on_every_door(client: httpx2.AsyncClient, served: Served) -> None:
    response = await put(client, NETWORK, **BODY)

    async with client_of(served) as stranger:
        rest = await stranger.get(PRODUCTS)
        cached = await stranger.get(PRODUCTS)
        graphql = await stranger.post("/graphql", json={"query": "{ __typename }"})
        again = await stranger.post("/graphql", json={"query": "{ products(first: 5) { nodes { id } } }"})
        kept = await stranger.post("/graphql", json={"query": "{ products(first: 5) { nodes { id } } }"})
        costly = await stranger.post("/graphql", json={"query": "{ categories { id } }"})
    assert response.status_code == 200
    assert "hit" in cached.headers["cache-status"]
    assert [answer.headers["ratelimit-policy"] for answer in (rest, cached, graphql, again, kept)] == [
        '"points";q=50;w=60'
    ] * 5
    assert [answer.headers["ratelimit"] for answer in (rest, cached, graphql, again, kept)] == [
        f'"points";r={left};t=60' for left in (49, 48, 47, 41, 35)
    ]
    assert "hit" in kept.headers["cache-status"]
    assert kept.json()["extensions"]["cost"] == {"requested": 6, "limit": 50, "remaining": 35}
    assert costly.status_code == 429
    assert costly.json()["extensions"]["cost"]["limit"] == 50


async def test_limit_is_read_with_what_is_left_of_it(client: httpx2.AsyncClient, served: Served) -> None:
    await put(client, NETWORK, **BODY)
    async with client_of(served) as stranger:
        await stranger.get(PRODUCTS)

    own = (await client.get(f"{LIMITS}/{NETWORK}")).json()
    everybodys = (await client.get(f"{LIMITS}/address:10.9.9.9")).json()

    changed_at = own["override"].pop("changed_at")
    assert datetime.now(UTC) - datetime.fromisoformat(changed_at) < timedelta(minutes=1)
    assert own == {
        "subject": NETWORK,
        "points": 50,
        "remaining": 49,
        "override": {"plan": None, "points": 50, "reason": "a crawler", "expires_at": None},
    }
    assert everybodys == {"subject": "address:10.9.9.9", "points": 10**6, "remaining": 10**6, "override": None}


async def test_all_are_listed_by_name_with_plans_and_zones(client: httpx2.AsyncClient, support: dict[str, str]) -> None:
    for subject in (NETWORK, "address:2001:db8::7", "address:10.0.0.1"):
        await put(client, subject, plan="trial", reason="new here")

    found = (await client.get(f"{LIMITS}?size=2", headers=support)).json()
    rest = (await client.get(f"{LIMITS}?size=2&page=2", headers=support)).json()

    assert (found["page"], found["size"], found["total"]) == (1, 2, 3)
    assert [(each["subject"], each["points"]) for each in (*found["items"], *rest["items"])] == [
        ("address:10.0.0.1", 6000),
        (NETWORK, 6000),
        ("address:2001:db8::/64", 6000),
    ]
    assert found["plans"] == {"standard": 10**6, "trial": 6000, "partner": 10**7}
    assert {zone["name"]: zone["fails_closed"] for zone in found["zones"]} == {
        "sign-in:account": True,
        "sign-in:address": True,
        "register:address": True,
        "assistant": False,
        "tickets": False,
    }


async def test_keys_users_and_networks_have_limits_of_their_own(
    client: httpx2.AsyncClient, served: Served, resources: Resources
) -> None:
    user = await a_user(resources)
    headers = [await key_with(resources, "catalog:read"), await signed_in(resources, user), {}]
    key_id = headers[0]["Authorization"].split("_")[1]
    for subject, points in ((f"api_key:{key_id}", 11), (f"user:{user.id}", 12), ("address:2001:db8::1", 13)):
        assert (await put(client, subject, points=points, reason="x")).status_code == 200

    async with client_of(served, client=("2001:db8::ffff", 1)) as caller:
        told = [(await caller.get(PRODUCTS, headers=each)).headers["ratelimit-policy"] for each in headers]
    async with client_of(served, client=("2001:db8:0:1::1", 1)) as neighbour:
        other = (await neighbour.get(PRODUCTS)).headers["ratelimit-policy"]

    assert told == [f'"points";q={points};w=60' for points in (11, 12, 13)]
    assert other == '"points";q=1000000;w=60'


async def test_deleted_limit_is_everybodys_again_at_once(client: httpx2.AsyncClient, served: Served) -> None:
    await put(client, NETWORK, points=1, reason="x")
    async with client_of(served) as stranger:
        statuses = [(await stranger.get(PRODUCTS)).status_code for _ in range(2)]
        response = await client.delete(f"{LIMITS}/{NETWORK}")
        after = await stranger.get(PRODUCTS)

    assert (statuses, response.status_code) == ([200, 429], 204)
    assert (after.status_code, after.headers["ratelimit-policy"]) == (200, '"points";q=1000000;w=60')
    assert (await client.get(LIMITS)).json()["total"] == 0


async def test_change_is_audited_with_who_made_it(client: httpx2.AsyncClient, resources: Resources) -> None:
    await put(client, NETWORK, **BODY)

    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(action="rate_limit.set")
    assert [(entry.actor.partition(":")[0], entry.subject, entry.before, entry.after) for entry in entries] == [
        ("user", NETWORK, None, {"plan": None, "points": 50, "reason": "a crawler", "expires_at": None})
    ]


@pytest.mark.parametrize(
    ("subject", "body", "status", "code"),
    [
        ("nobody", BODY, 422, "invalid_limit_subject"),
        ("address:10.0.0.0/8", BODY, 422, "invalid_limit_subject"),
        ("user:usr_nobody", BODY, 404, "limit_subject_not_found"),
        ("api_key:nothing", BODY, 404, "limit_subject_not_found"),
        (NETWORK, {"reason": "x"}, 422, "invalid_request"),
        (NETWORK, {"reason": "x", "points": 1, "plan": "trial"}, 422, "invalid_request"),
        (NETWORK, {"reason": "x", "plan": "gold"}, 422, "invalid_request"),
        (NETWORK, {"reason": "", "points": 1}, 422, "invalid_request"),
        (NETWORK, {"points": 1}, 422, "invalid_request"),
        (NETWORK, {"reason": "x", "points": 0}, 422, "invalid_request"),
        (NETWORK, {"reason": "x", "points": 10**9 + 1}, 422, "invalid_request"),
        (NETWORK, {"reason": "x", "points": "7"}, 422, "invalid_request"),
        (NETWORK, BODY | {"expires_at": "2026-01-01T00:00:00"}, 422, "invalid_request"),
        (NETWORK, BODY | {"expires_at": "2020-01-01T00:00:00Z"}, 422, "expiry_in_the_past"),
        (NETWORK, BODY | {"more": 1}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_set_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, subject: str, body: dict[str, Any], status: int, code: str
) -> None:
    refused = await put(client, subject, **body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert (await client.get(LIMITS)).json()["total"] == 0


async def test_limit_that_nobody_set_cannot_be_deleted(client: httpx2.AsyncClient) -> None:
    refused = await client.delete(f"{LIMITS}/{NETWORK}")

    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "rate_limit_not_found")


async def test_credential_that_is_shown_too_often_is_refused_before_it_is_looked_for(
    client: httpx2.AsyncClient, support: dict[str, str]
) -> None:
    """Here too, where nothing is spent: what staff may ask for is counted by their looks alone."""
    user = (await client.get("/internal/users?role=support", headers=support)).json()["items"][0]["id"]
    await put(client, f"user:{user}", points=1, reason="x")

    answers = [await client.get("/internal/health", headers=support) for _ in range(3)]

    assert [answer.status_code for answer in answers][-1] == 429
    assert answers[-1].headers["ratelimit-policy"] == '"credentials";q=2;w=60'
    assert (await client.get("/internal/health")).status_code == 200
