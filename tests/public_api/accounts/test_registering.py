import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.accounts.models import UserRow
from commerce.limits.zones import REGISTER_ADDRESS
from core.resources import Resources
from core.settings import Settings
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, client_of
from tests.fixtures.probes import read_error
from tests.public_api.accounts.people import ADA, PASSWORD, V1, register, written


async def count(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(UserRow)))


async def test_registering_makes_a_customer(client: httpx2.AsyncClient, resources: Resources) -> None:
    response = await register(client, email="Ada@EXAMPLE.com")

    assert response.status_code == 201
    body = response.json()
    assert body == {"id": body["id"], "email": "ada@example.com", "name": "Ada Lovelace", "role": "customer"}
    assert body["id"].startswith("usr_")
    assert await count(resources) == 1


async def test_address_that_is_taken_is_refused(client: httpx2.AsyncClient, resources: Resources) -> None:
    await register(client)

    response = await register(client, email="ADA@example.com", name="Eve")

    assert response.status_code == 409
    assert read_error("v1", response).code == "email_taken"
    assert await count(resources) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"email": "ada"}, "/email"),
        ({"email": "ada@exam\0ple.com"}, "/email"),
        ({"email": 1}, "/email"),
        ({"password": "1234567"}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"password": "1234567\0"}, "/password"),
        ({"password": None}, "/password"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"role": "admin"}, "/role"),
    ],
)
async def test_account_that_cannot_be_is_refused_with_its_place(
    client: httpx2.AsyncClient, resources: Resources, fields: dict[str, Any], pointer: str
) -> None:
    response = await register(client, **fields)

    assert response.status_code == 422
    read_error("v1", response)
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert PASSWORD not in response.text
    assert await count(resources) == 0


@pytest.mark.parametrize("field", ["email", "password", "name"])
async def test_lone_surrogate_is_refused(client: httpx2.AsyncClient, resources: Resources, field: str) -> None:
    body = '{"email":"ada@example.com","password":"12345678","name":"Ada"}'.replace(
        f'"{field}":"', f'"{field}":"\\ud800'
    )

    response = await client.post(f"{V1}/auth/register", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [f"/{field}"]
    assert await count(resources) == 0


async def test_retry_with_the_same_key_gets_the_same_answer(client: httpx2.AsyncClient, resources: Resources) -> None:
    key = {"Idempotency-Key": "k-1"}

    first = await register(client, key)
    retried = await register(client, key)

    assert (first.status_code, retried.status_code) == (201, 201)
    assert retried.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert retried.headers["Idempotency-Replayed"] == "true"
    assert await count(resources) == 1


async def test_key_with_another_password_is_refused(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    await register(client, key)

    response = await register(client, key, password="another password")

    assert response.status_code == 422
    assert read_error("v1", response).code == "idempotency_key_reused"


async def test_keys_of_strangers_have_nothing_to_do_with_each_other(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    key = {"Idempotency-Key": "1"}
    first = await register(client, key)

    second = await register(client, key, email="eve@example.com", name="Eve")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["email"] == "eve@example.com"
    assert await count(resources) == 2


async def test_refusal_is_replayed_too(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-2"}
    await register(client)

    first = await register(client, key)
    retried = await register(client, key)

    assert (first.status_code, retried.status_code) == (409, 409)
    assert retried.headers["Idempotency-Replayed"] == "true"


async def test_eight_at_once_with_one_key_register_once(client: httpx2.AsyncClient, resources: Resources) -> None:
    responses = await asyncio.gather(*(register(client, {"Idempotency-Key": "k-1"}) for _ in range(8)))

    assert {response.status_code for response in responses} <= {201, 409}
    created = [response for response in responses if response.status_code == 201]
    assert len({response.content for response in created}) == 1
    assert {read_error("v1", each).code for each in responses if each.status_code == 409} <= {"idempotency_in_progress"}
    assert await count(resources) == 1


async def test_one_address_registers_sixty_a_minute(
    client: httpx2.AsyncClient, served: Served, resources: Resources
) -> None:
    for _ in range(60):
        await resources.limiter.hit(REGISTER_ADDRESS, "127.0.0.1")

    refused = await register(client)

    assert refused.status_code == 429
    assert read_error("v1", refused).code == "quota_exceeded"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == '"register:address";q=60;w=60'  # and not what paid for the request
    assert await count(resources) == 0
    async with client_of(served, client=("192.0.2.7", 1)) as other:
        assert (await register(other)).status_code == 201


async def test_password_is_written_nowhere(
    client: httpx2.AsyncClient, settings: Settings, log_entries: LogEntries
) -> None:
    await register(client, {"Idempotency-Key": "k-1"})

    stored = written(settings)
    assert b"$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert PASSWORD.encode() not in stored
    assert PASSWORD not in repr(log_entries)


async def test_registering_needs_a_good_credential_or_none(client: httpx2.AsyncClient, resources: Resources) -> None:
    response = await client.post(f"{V1}/auth/register", json=ADA, headers={"Authorization": "Bearer nonsense"})

    assert response.status_code == 401
    assert await count(resources) == 0
