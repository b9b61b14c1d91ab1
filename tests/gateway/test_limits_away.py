"""The whole shop while Redis is away: who is answered, who is not, and how soon all is as before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import redis.asyncio
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from commerce.accounts.models import UserRow
from core.resources import Resources
from core.settings import DataSettings, Settings, with_embedded_secrets
from tests.factories.people import PASSWORD, a_user, signed_in, staff
from tests.fixtures.application import LogEntries, key_with, new_app
from tests.fixtures.valkey import ValkeyProcess

PRODUCTS = "/public/v1/products"
SIGN_IN = 'mutation { signIn(email: "a@example.com", password: "12345678") { __typename } }'


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyProcess) -> Settings:
    return with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path / "var", redis_url=valkey.url)))


@pytest.fixture
def app(settings: Settings, gateway_template: Path) -> FastAPI:
    return new_app(settings, gateway_template)


@pytest.fixture
async def back(valkey: ValkeyProcess) -> AsyncIterator[None]:
    yield
    valkey.thaw()


def degraded() -> float | None:
    return REGISTRY.get_sample_value("portico_ratelimit_degraded")


async def tries(client: httpx2.AsyncClient) -> list[httpx2.Response]:
    """Of every way to sign in or to register."""
    form = {"username": "nobody@example.com", "password": PASSWORD}
    new = {"email": "new@example.com", "password": PASSWORD, "name": "New"}
    return [
        await client.post("/public/v1/auth/token", data=form),
        await client.post("/internal/auth/token", data=form),
        await client.post("/public/v1/auth/register", json=new),
        await client.post("/graphql", json={"query": SIGN_IN}),
    ]


def code_of(answer: httpx2.Response) -> str:
    body = answer.json()
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    return str(body.get("code") or body["error"]["code"])


@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.usefixtures("back")
async def test_reads_go_on_and_nobody_signs_in_until_redis_is_back(
    client: httpx2.AsyncClient, resources: Resources, valkey: ValkeyProcess, how: str
) -> None:
    reader = await key_with(resources, "catalog:read")
    together = await client.get(PRODUCTS, headers=reader)
    getattr(valkey, how)()

    reads = [await client.get(PRODUCTS, headers=headers) for headers in (reader, {}, reader)]
    graphql = await client.post("/graphql", json={"query": "{ __typename }"}, headers=reader)
    refused = await tries(client)
    was_degraded = degraded()
    async with resources.database.read() as session:
        users = await session.scalar(select(func.count()).select_from(UserRow))

    if how == "kill":
        valkey.restart()
    else:
        valkey.thaw()
    async with asyncio.timeout(30):
        while degraded():  # noqa: ASYNC110  the task that ends it tells nobody but the metric
            await asyncio.sleep(0.02)
    later = await tries(client)

    assert together.headers["ratelimit"] == '"points";r=999999;t=60'
    assert [answer.status_code for answer in (*reads, graphql)] == [200] * 4
    # Counted in this process, up to a fourth; the policy is the caller's own all the same.
    assert {answer.headers["ratelimit-policy"] for answer in reads} == {'"points";q=1000000;w=60'}
    assert [answer.headers["ratelimit"] for answer in reads] == [
        f'"points";r={left};t=60' for left in (249_999, 249_999, 249_998)
    ]
    assert [(answer.status_code, code_of(answer)) for answer in refused] == [
        *[(503, "limits_unavailable")] * 3,
        (200, "limits_unavailable"),
    ]
    assert [answer.headers.get("retry-after") for answer in refused] == ["5", "5", "5", None]
    assert refused[3].json()["errors"][0]["extensions"]["retry_after_seconds"] == 5
    assert (was_degraded, users) == (1, 0)
    assert [answer.status_code for answer in later] == [401, 401, 201, 200]


async def test_staff_who_are_in_see_the_shop_while_redis_is_away(
    client: httpx2.AsyncClient, resources: Resources, valkey: ValkeyProcess
) -> None:
    operator = await staff(resources)
    valkey.kill()

    limits = await client.get("/internal/rate-limits/address:127.0.0.1", headers=operator)
    ready = await client.get("/readyz")
    valkey.restart()  # for the fixture, which stops it

    assert (limits.status_code, limits.json()["points"]) == (200, 1_000_000)
    assert ready.status_code == 503


async def test_no_credential_is_kept_or_logged_in_clear(
    client: httpx2.AsyncClient,
    resources: Resources,
    valkey: ValkeyProcess,
    log_entries: LogEntries,
) -> None:
    key = await key_with(resources, "catalog:read", "events:read")
    user = await a_user(resources)
    token = await signed_in(resources, user)
    ticket = (await client.post("/public/v1/tickets", headers=token, json={"for": "events"})).json()["ticket"]
    form = {"username": "ada@example.com", "password": "a wrong password"}
    for headers in (key, token, {"Authorization": "Bearer nonsense-that-is-none"}):
        await client.get(PRODUCTS, headers=headers)
    await client.get(f"/public/v1/events/stream?types=nope&ticket={ticket}")
    await client.post("/public/v1/auth/token", data=form)

    async with redis.asyncio.from_url(valkey.url) as server:
        names = [name.decode() async for name in server.scan_iter("*")]
    kept = " ".join(names) + str(list(log_entries))
    secrets = [key["Authorization"], token["Authorization"], ticket, "nonsense-that-is-none", *form.values()]
    assert [secret for secret in secrets if secret.removeprefix("Bearer ") in kept] == []
    zones = {name.removeprefix("portico:limit:").rpartition(":")[0] for name in names}
    assert {"points", "points:user", "points:api_key", "credentials", "credentials:address"} <= {
        zone for zone in zones if zone.startswith(("points", "credentials"))
    }
