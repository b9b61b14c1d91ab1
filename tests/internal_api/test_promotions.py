"""Promotions as editors keep them: the rules of their dates and discounts, versions, and the audit log."""

import gzip
import json
from typing import Any

import httpx2
import pytest

from commerce.accounts.entities import User
from commerce.audit.log import AuditEntry, AuditRepository
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.fixtures.probes import read_error

PROMOTIONS = "/internal/promotions"
SPRING: dict[str, Any] = {
    "title": "Spring sale",
    "code": "spring",
    "percent_off": 20,
    "starts_at": "2026-03-01T00:00:00Z",
    "ends_at": "2026-04-01T02:00:00+02:00",
}


@pytest.fixture
async def staff_editor(resources: Resources) -> User:
    return await a_user(resources, "editor")


@pytest.fixture
async def client(client: httpx2.AsyncClient, resources: Resources, staff_editor: User) -> httpx2.AsyncClient:
    client.headers.update(await signed_in(resources, staff_editor, "internal"))
    client.headers["X-Request-ID"] = "staff-1"
    return client


async def audited(resources: Resources) -> list[AuditEntry]:
    """Changes of promotions, oldest first."""
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest()
    return [entry for entry in reversed(entries) if entry.subject.startswith("promo_")]


async def listed(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(PROMOTIONS)).json()["items"]
    return items


async def test_promotion_is_created_with_its_duration_and_audited(
    client: httpx2.AsyncClient, resources: Resources, staff_editor: User
) -> None:
    response = await client.post(PROMOTIONS, json=SPRING)

    assert response.status_code == 201
    made = response.json()
    assert {name: value for name, value in made.items() if name not in ("id", "created_at", "updated_at")} == {
        "title": "Spring sale",
        "code": "SPRING",
        "percent_off": 20,
        "amount_off": None,
        "starts_at": "2026-03-01T00:00:00Z",
        "ends_at": "2026-04-01T00:00:00Z",
        "duration": "P31D",
        "version": 1,
    }
    assert response.headers["location"] == f"http://portico.test{PROMOTIONS}/{made['id']}"
    assert response.headers["etag"] == 'W/"1"'
    read = await client.get(response.headers["location"])
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, 'W/"1"')
    assert await listed(client) == [made]
    (entry,) = await audited(resources)
    assert (entry.actor, entry.request_id, entry.action, entry.subject) == (
        f"user:{staff_editor.id}",
        "staff-1",
        "promotion.create",
        made["id"],
    )
    assert entry.before is None
    assert entry.after is not None
    assert (entry.after["code"], entry.after["percent_off"]) == ("SPRING", 20)


@pytest.mark.parametrize(
    ("ends_at", "duration"),
    [
        ("2028-03-01T00:00:00Z", "P731D"),
        ("2026-03-02T01:00:00Z", "P1DT3600S"),
        ("2026-03-01T00:00:00.25Z", "P0DT0.25S"),
        ("2026-03-01T23:59:59.999999Z", "P0DT86399.999999S"),
    ],
)
async def test_duration_is_exact(client: httpx2.AsyncClient, ends_at: str, duration: str) -> None:
    made = (await client.post(PROMOTIONS, json={**SPRING, "ends_at": ends_at})).json()

    assert made["duration"] == duration


async def test_amount_is_money(client: httpx2.AsyncClient) -> None:
    body = {**SPRING, "percent_off": None, "code": None, "amount_off": {"amount": 500, "currency": "USD"}}

    made = (await client.post(PROMOTIONS, json=body)).json()

    assert (made["code"], made["percent_off"], made["amount_off"]) == (None, None, {"amount": 500, "currency": "USD"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_at": SPRING["starts_at"]}, "invalid_promotion"),
        ({"ends_at": "2026-02-01T00:00:00Z"}, "invalid_promotion"),
        ({"ends_at": "2026-04-01T00:00:00"}, "invalid_request"),
        ({"ends_at": "soon"}, "invalid_request"),
        ({"percent_off": 0}, "invalid_promotion"),
        ({"percent_off": 101}, "invalid_promotion"),
        ({"percent_off": 12.5}, "invalid_request"),
        ({"percent_off": None}, "invalid_promotion"),
        ({"amount_off": {"amount": 500, "currency": "USD"}}, "invalid_promotion"),
        ({"percent_off": None, "amount_off": {"amount": 0, "currency": "USD"}}, "invalid_promotion"),
        ({"percent_off": None, "amount_off": {"amount": 5, "currency": "usd"}}, "invalid_promotion"),
        ({"percent_off": None, "amount_off": 500}, "invalid_request"),
        ({"code": "two words"}, "invalid_promotion"),
        ({"code": "\0"}, "invalid_promotion"),
        ({"title": " "}, "invalid_promotion"),
        ({"title": None}, "invalid_request"),
        ({"duration": "P1D"}, "invalid_request"),
    ],
)
async def test_promotion_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, resources: Resources, change: dict[str, Any], code: str
) -> None:
    kept = (await client.post(PROMOTIONS, json={**SPRING, "code": "KEPT"})).json()

    created = await client.post(PROMOTIONS, json={**SPRING, **change})
    changed = await client.patch(f"{PROMOTIONS}/{kept['id']}", json=change)

    for response in (created, changed):
        assert response.status_code == 422
        assert read_error("internal", response).code == code
        if code == "invalid_request":
            assert f"/{list(change)[-1]} " in response.json()["error"]["exception"]
    assert await listed(client) == [kept]
    assert len(await audited(resources)) == 1


async def test_end_before_the_start_says_so(client: httpx2.AsyncClient) -> None:
    response = await client.post(PROMOTIONS, json={**SPRING, "ends_at": "2026-02-01T00:00:00Z"})

    error = response.json()["error"]
    assert error["message"] == "ends_at must be after starts_at"
    assert error["exception"].startswith("InvalidPromotion: ends_at must be after starts_at")


async def test_change_keeps_what_it_does_not_name_and_is_audited(
    client: httpx2.AsyncClient, resources: Resources, staff_editor: User
) -> None:
    made = (await client.post(PROMOTIONS, json=SPRING)).json()

    response = await client.patch(
        f"{PROMOTIONS}/{made['id']}",
        json={"percent_off": None, "amount_off": {"amount": 500, "currency": "USD"}, "title": "Five off"},
        headers={"If-Match": 'W/"1"'},
    )

    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'
    after = {"percent_off": None, "amount_off": {"amount": 500, "currency": "USD"}, "title": "Five off", "version": 2}
    assert response.json() == {**made, **after, "updated_at": response.json()["updated_at"]}
    assert await listed(client) == [response.json()]
    entry = (await audited(resources))[-1]
    assert (entry.actor, entry.request_id, entry.action) == (f"user:{staff_editor.id}", "staff-1", "promotion.update")
    assert entry.before == {"title": "Spring sale", "percent_off": 20, "amount_off": None, "currency": None}
    assert entry.after == {"title": "Five off", "percent_off": None, "amount_off": 500, "currency": "USD"}


async def test_amount_is_taken_back_for_a_percentage(client: httpx2.AsyncClient) -> None:
    body = {**SPRING, "percent_off": None, "amount_off": {"amount": 500, "currency": "USD"}}
    made = (await client.post(PROMOTIONS, json=body)).json()

    response = await client.patch(f"{PROMOTIONS}/{made['id']}", json={"amount_off": None, "percent_off": 5})

    assert (response.status_code, response.json()["percent_off"], response.json()["amount_off"]) == (200, 5, None)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_change_of_a_stale_copy_is_refused(client: httpx2.AsyncClient, resources: Resources, method: str) -> None:
    made = (await client.post(PROMOTIONS, json=SPRING)).json()

    response = await client.request(
        method, f"{PROMOTIONS}/{made['id']}", json={"title": "Late"}, headers={"If-Match": 'W/"7"'}
    )

    assert response.status_code == 412
    assert read_error("internal", response).code == "stale_version"
    assert await listed(client) == [made]
    assert len(await audited(resources)) == 1


async def test_deleted_promotion_is_gone_and_its_code_is_free(
    client: httpx2.AsyncClient, resources: Resources, staff_editor: User
) -> None:
    made = (await client.post(PROMOTIONS, json=SPRING)).json()

    response = await client.delete(f"{PROMOTIONS}/{made['id']}", headers={"If-Match": 'W/"1"'})

    assert (response.status_code, response.content) == (204, b"")
    assert await listed(client) == []
    entry = (await audited(resources))[-1]
    assert (entry.actor, entry.request_id, entry.action) == (f"user:{staff_editor.id}", "staff-1", "promotion.delete")
    assert entry.before is not None
    assert (entry.before["code"], entry.after) == ("SPRING", None)
    assert (await client.post(PROMOTIONS, json=SPRING)).status_code == 201


async def test_code_that_is_taken_is_refused(client: httpx2.AsyncClient, resources: Resources) -> None:
    first = (await client.post(PROMOTIONS, json=SPRING)).json()
    other = (await client.post(PROMOTIONS, json={**SPRING, "code": "OTHER"})).json()

    created = await client.post(PROMOTIONS, json={**SPRING, "code": "Spring"})
    changed = await client.patch(f"{PROMOTIONS}/{other['id']}", json={"code": "sPRING"})

    for response in (created, changed):
        assert response.status_code == 409
        assert read_error("internal", response).code == "duplicate_code"
    assert {item["id"]: item for item in await listed(client)} == {first["id"]: first, other["id"]: other}
    assert len(await audited(resources)) == 2


async def test_list_is_paged_from_the_last_to_begin(client: httpx2.AsyncClient) -> None:
    made = [
        (await client.post(PROMOTIONS, json={**SPRING, "code": None, "starts_at": f"2026-03-0{day}T00:00:00Z"})).json()
        for day in (2, 1, 3)
    ]

    first = (await client.get(PROMOTIONS, params={"limit": 2})).json()
    second = (await client.get(PROMOTIONS, params={"limit": 2, "after": first["next"]})).json()
    refused = await client.get(PROMOTIONS, params={"after": "nonsense"})

    assert first["items"] + second["items"] == [made[2], made[0], made[1]]
    assert second["next"] is None
    assert (refused.status_code, read_error("internal", refused).code) == (422, "invalid_cursor")


async def test_support_reads_and_changes_nothing(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    made = (await client.post(PROMOTIONS, json=SPRING)).json()
    path = f"{PROMOTIONS}/{made['id']}"

    reads = [await client.get(each, headers=support) for each in (PROMOTIONS, path)]
    writes = [
        await client.post(PROMOTIONS, json={**SPRING, "code": "MORE"}, headers=support),
        await client.patch(path, json={"title": "Mine"}, headers=support),
        await client.delete(path, headers=support),
    ]

    assert [response.status_code for response in reads] == [200, 200]
    assert [(each.status_code, read_error("internal", each).code) for each in writes] == [(403, "missing_role")] * 3
    assert await listed(client) == [made]
    assert len(await audited(resources)) == 1


@pytest.mark.parametrize("promotion_id", ["promo_nothing", "%00"])
async def test_unknown_promotion_is_not_found(client: httpx2.AsyncClient, promotion_id: str) -> None:
    path = f"{PROMOTIONS}/{promotion_id}"

    answers = [await client.get(path), await client.patch(path, json={"title": "X"}), await client.delete(path)]

    assert [(each.status_code, read_error("internal", each).code) for each in answers] == [
        (404, "promotion_not_found")
    ] * 3


async def test_body_may_be_gzip_and_must_be_json(client: httpx2.AsyncClient) -> None:
    packed = gzip.compress(json.dumps(SPRING).encode())

    taken = await client.post(
        PROMOTIONS, content=packed, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )
    refused = await client.post(PROMOTIONS, content="title=Sale", headers={"Content-Type": "text/plain"})

    assert taken.status_code == 201
    assert (refused.status_code, read_error("internal", refused).code) == (415, "unsupported_media_type")
