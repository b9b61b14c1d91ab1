import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.accounts.models import ApiKeyRow
from commerce.accounts.principal import SCOPES
from core.resources import Resources
from core.settings import Settings
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries
from tests.fixtures.probes import read_error
from tests.public_api.accounts.people import V1, bearing, written

KEYS = f"{V1}/api-keys"
SYNC = {"name": "sync", "scopes": ["orders:write", "orders:read"]}


@pytest.fixture
async def customer(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources))


async def make(client: httpx2.AsyncClient, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    response = await client.post(KEYS, json={**SYNC, **fields}, headers=headers)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def count(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(ApiKeyRow)))


async def status(client: httpx2.AsyncClient, secret: str) -> int:
    return (await client.get(f"{V1}/products", headers=bearing(secret))).status_code


async def test_key_is_made_with_its_secret_shown_once(client: httpx2.AsyncClient, customer: dict[str, str]) -> None:
    response = await client.post(KEYS, json={**SYNC, "expires_in_days": 30}, headers=customer)

    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    made = response.json()
    assert made.keys() == {"id", "name", "scopes", "created_at", "expires_at", "last_used_at", "secret"}
    assert (made["name"], made["scopes"], made["last_used_at"]) == ("sync", ["orders:read", "orders:write"], None)
    life = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert life == timedelta(days=30)
    assert re.fullmatch(rf"ptk_{made['id']}_\w{{38}}", made["secret"])
    assert await status(client, made["secret"]) == 200
    listed = (await client.get(KEYS, headers=customer)).json()
    assert listed["next"] is None
    (key,) = listed["items"]
    assert key == {name: value for name, value in made.items() if name != "secret"} | {
        "last_used_at": key["last_used_at"]
    }


async def test_keys_are_listed_newest_first_page_by_page(client: httpx2.AsyncClient, customer: dict[str, str]) -> None:
    made = [(await make(client, customer, name=f"key {number}"))["id"] for number in range(5)]

    first = (await client.get(f"{KEYS}?limit=3", headers=customer)).json()
    rest = (await client.get(KEYS, params={"limit": 3, "after": first["next"]}, headers=customer)).json()

    assert [key["id"] for key in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert "ptk_" not in str(first)


async def test_people_see_and_change_their_own_keys_alone(
    client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    made = await make(client, customer)
    other = await signed_in(resources, await a_user(resources, "admin"))

    listed = await client.get(KEYS, headers=other)
    rotated = await client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=other)
    revoked = await client.delete(f"{KEYS}/{made['id']}", headers=other)

    assert listed.json() == {"items": [], "next": None}
    for response in (rotated, revoked):
        assert (response.status_code, read_error("v1", response).code) == (404, "api_key_not_found")
    assert await status(client, made["secret"]) == 200


async def test_key_manages_no_keys(client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources) -> None:
    made = await make(client, customer)
    headers = bearing(made["secret"])

    refused = [
        await client.get(KEYS, headers=headers),
        await client.post(KEYS, json=SYNC, headers=headers),
        await client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=headers),
        await client.delete(f"{KEYS}/{made['id']}", headers=headers),
    ]

    assert [(each.status_code, read_error("v1", each).code) for each in refused] == [(403, "user_required")] * 4
    assert await count(resources) == 1
    assert await status(client, made["secret"]) == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scopes": ["catalog:write"]}, (403, "scope_not_allowed")),
        ({"scopes": list(SCOPES)}, (403, "scope_not_allowed")),
        ({"scopes": ["orders:delete"]}, (422, "invalid_request")),
        ({"scopes": []}, (422, "invalid_request")),
        ({"name": ""}, (422, "invalid_request")),
        ({"name": "a\0b"}, (422, "invalid_account")),
        ({"expires_in_days": 0}, (422, "invalid_request")),
        ({"expires_in_days": 3651}, (422, "invalid_request")),
        ({"expires_in_days": "1"}, (422, "invalid_request")),
        ({"user_id": "usr_boss"}, (422, "invalid_request")),
    ],
)
async def test_key_that_cannot_be_is_refused_and_not_made(
    client: httpx2.AsyncClient,
    customer: dict[str, str],
    resources: Resources,
    fields: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    response = await client.post(KEYS, json={**SYNC, **fields}, headers=customer)

    assert (response.status_code, read_error("v1", response).code) == expected
    assert await count(resources) == 0


async def test_retry_with_the_same_key_gets_the_same_secret(
    client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources
) -> None:
    once = {**customer, "Idempotency-Key": "k-1"}

    first = await client.post(KEYS, json=SYNC, headers=once)
    reordered = {"name": "sync", "scopes": ["orders:read", "orders:write", "orders:read"]}
    retried = await client.post(KEYS, json=reordered, headers=once)
    other = await client.post(KEYS, json={**SYNC, "name": "other"}, headers=once)

    assert (first.status_code, retried.status_code) == (201, 201)
    assert retried.content == first.content
    assert retried.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, read_error("v1", other).code) == (422, "idempotency_key_reused")
    assert await count(resources) == 1


async def test_rotated_key_gets_a_new_secret_and_the_old_one_goes_on_for_a_while(
    client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    made = await make(client, customer)

    response = await client.post(f"{KEYS}/{made['id']}/rotate", headers=customer)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    rotated = response.json()
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    assert [await status(client, secret) for secret in (made["secret"], rotated["secret"])] == [200, 200]


async def test_rotating_without_overlap_ends_the_old_secret_at_once(
    client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    made = await make(client, customer)

    rotated = await client.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 0}, headers=customer)

    secrets = (made["secret"], rotated.json()["secret"])
    assert [await status(client, secret) for secret in secrets] == [401, 200]


async def test_rotation_is_done_once_for_a_key(client: httpx2.AsyncClient, customer: dict[str, str]) -> None:
    made = await make(client, customer)
    once = {**customer, "Idempotency-Key": "r-1"}

    first = await client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=once)
    retried = await client.post(f"{KEYS}/{made['id']}/rotate", headers=once)
    longer = await client.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 1}, headers=once)

    assert retried.content == first.content
    assert retried.headers["Idempotency-Replayed"] == "true"
    assert longer.status_code == 422
    assert await status(client, made["secret"]) == 200


@pytest.mark.parametrize("seconds", [-1, 7 * 86400 + 1, "1", 1.5])
async def test_overlap_is_seven_days_at_most(
    client: httpx2.AsyncClient, customer: dict[str, str], seconds: object
) -> None:
    made = await make(client, customer)

    response = await client.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": seconds}, headers=customer)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/overlap_seconds"]
    assert await status(client, made["secret"]) == 200


async def test_revoked_key_is_out_at_once_and_listed_no_more(
    client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    made = await make(client, customer)
    assert await status(client, made["secret"]) == 200

    response = await client.delete(f"{KEYS}/{made['id']}", headers=customer)

    assert (response.status_code, response.content) == (204, b"")
    refused = await client.get(f"{V1}/products", headers=bearing(made["secret"]))
    assert (refused.status_code, read_error("v1", refused).code) == (401, "invalid_api_key")
    assert (await client.get(KEYS, headers=customer)).json()["items"] == []
    assert (await client.delete(f"{KEYS}/{made['id']}", headers=customer)).status_code == 404


@pytest.mark.parametrize("key_id", ["000000000000", "%00", "a%ed%a0%80", "x" * 300])
async def test_key_that_is_none_is_not_found(client: httpx2.AsyncClient, customer: dict[str, str], key_id: str) -> None:
    revoked = await client.delete(f"{KEYS}/{key_id}", headers=customer)
    rotated = await client.post(f"{KEYS}/{key_id}/rotate", json={}, headers=customer)

    assert (revoked.status_code, rotated.status_code) == (404, 404)


async def test_eight_rotations_at_once_leave_two_good_secrets(
    client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    made = await make(client, customer)

    responses = await asyncio.gather(
        *(client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=customer) for _ in range(8))
    )

    secrets = [made["secret"], *(response.json()["secret"] for response in responses)]
    assert sorted([await status(client, secret) for secret in secrets]) == [200] * 2 + [401] * 7


async def test_secret_is_written_nowhere_in_plain(
    client: httpx2.AsyncClient, customer: dict[str, str], settings: Settings, log_entries: LogEntries
) -> None:
    once = {**customer, "Idempotency-Key": "k-1"}
    made = (await client.post(KEYS, json=SYNC, headers=once)).json()
    again = {**customer, "Idempotency-Key": "k-2"}
    rotated = (await client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=again)).json()
    assert await status(client, made["secret"]) == 200

    stored, said = written(settings), repr(log_entries)
    assert made["id"].encode() in stored
    for secret in (made["secret"], rotated["secret"]):
        hidden = secret.removeprefix(f"ptk_{made['id']}_")
        assert hidden.encode() not in stored
        assert hidden not in said


async def test_last_use_is_shown(client: httpx2.AsyncClient, customer: dict[str, str], resources: Resources) -> None:
    made = await make(client, customer)

    await status(client, made["secret"])
    await resources.background.settle()

    (key,) = (await client.get(KEYS, headers=customer)).json()["items"]
    assert datetime.fromisoformat(key["last_used_at"]) >= datetime.fromisoformat(made["created_at"])
