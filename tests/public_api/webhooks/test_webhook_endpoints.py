"""Webhook endpoints over REST: who may do what with whose, what is shown, and what is written down of it."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.accounts.principal import Role
from commerce.audit.models import AuditRow
from commerce.webhooks.feeder import Feeder
from commerce.webhooks.models import DeliveryRow, EndpointRow
from core.eventlog import EventLog, NewEvent, append, event_id
from core.idempotency import IdempotencyRow
from core.resources import Resources
from core.settings import Settings
from core.tailer import Tailer
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with, new_app
from tests.fixtures.asgi import Served, client_of, serve
from tests.fixtures.probes import read_error

ENDPOINTS = "/public/v1/webhook-endpoints"
URL = "https://example.com/hooks"


@pytest.fixture
async def shop(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "webhooks:write")


@pytest.fixture
async def ada(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources))


async def add(client: httpx2.AsyncClient, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    response = await client.post(ENDPOINTS, json={"url": URL, **body}, headers=headers)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def happen(resources: Resources, *subjects: str) -> int:
    """The position of the last."""
    async with resources.database.write() as session:
        events = [NewEvent("product.updated", each, {"id": each}, "everybody") for each in subjects]
        await append(session, events, resources.clock.now())
    await Feeder(resources, Tailer(resources.database, resources.hub)).feed()
    async with resources.database.read() as session:
        return await EventLog(session).newest()


async def actions(resources: Resources, subject: str) -> list[tuple[str, Any]]:
    statement = select(AuditRow.action, AuditRow.after).where(AuditRow.subject == subject).order_by(AuditRow.position)
    async with resources.database.read() as session:
        return [(row[0], row[1]) for row in await session.execute(statement)]


async def test_endpoint_is_made_with_a_secret_that_is_shown_once(
    client: httpx2.AsyncClient, shop: dict[str, str], resources: Resources
) -> None:
    response = await client.post(
        ENDPOINTS, json={"url": URL, "description": "stock", "types": ["order.paid", "order.paid"]}, headers=shop
    )

    made = response.json()
    assert response.status_code == 201
    assert response.headers["location"].endswith(f"{ENDPOINTS}/{made['id']}")
    assert response.headers["cache-control"] == "no-store"
    assert made["secret"].startswith("whsec_")
    read = await client.get(response.headers["location"], headers=shop)
    assert read.json() == {name: value for name, value in made.items() if name != "secret"}
    assert read.json() == {
        "id": made["id"],
        "user_id": None,
        "scopes": ["webhooks:write"],
        "url": URL,
        "description": "stock",
        "types": ["order.paid"],
        "state": "enabled",
        "reason": None,
        "failures": 0,
        "paused_until": None,
        "last_success_at": None,
        "previous_secret_ends_at": None,
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    listed = await client.get(ENDPOINTS, headers=shop)
    assert listed.json() == {"items": [read.json()], "next": None}
    after = {
        "url": URL,
        "description": "stock",
        "types": ["order.paid"],
        "state": "enabled",
        "user_id": None,
        "scopes": ["webhooks:write"],
    }
    assert await actions(resources, made["id"]) == [("webhook_endpoint.create", after)]


async def test_repeated_key_shows_the_same_secret_which_is_kept_sealed(
    client: httpx2.AsyncClient, shop: dict[str, str], resources: Resources
) -> None:
    headers = {**shop, "Idempotency-Key": "once"}

    first, second = [await client.post(ENDPOINTS, json={"url": URL}, headers=headers) for _ in range(2)]

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    async with resources.database.read() as session:
        outcome = await session.scalar(select(IdempotencyRow.outcome))
        assert await session.scalar(select(func.count()).select_from(EndpointRow)) == 1
    assert first.json()["secret"].encode() not in outcome
    assert b"secret" not in outcome


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "example.com"}, "/url"),
        ({"url": "https://"}, "/url"),
        ({"url": "https://user:pass@example.com/"}, "/url"),
        ({"url": "https://example.com/#part"}, "/url"),
        ({"url": "https://example.com/a b"}, "/url"),
        ({"url": "https://example.com:99999/"}, "/url"),
        ({"url": "https://example.com/\n"}, "/url"),
        ({"url": "https://exämple.com/"}, "/url"),
        ({"url": "https://[::1/"}, "/url"),
        ({"url": "https://example.com/" + "x" * 2000}, "/url"),
        ({"url": URL, "types": ["order.painted"]}, "/types/0"),
        ({"url": URL, "description": "\0"}, "/description"),
        ({"url": URL, "description": "x" * 501}, "/description"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
        ({"url": URL, "state": "broken"}, "/state"),
    ],
)
async def test_endpoint_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, shop: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    response = await client.post(ENDPOINTS, json=body, headers=shop)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert (await client.get(ENDPOINTS, headers=shop)).json()["items"] == []


async def test_endpoint_of_somebody_else_is_not_found_but_by_the_shop(
    client: httpx2.AsyncClient, shop: dict[str, str], ada: dict[str, str], resources: Resources
) -> None:
    bob = await signed_in(resources, await a_user(resources, "support"))
    made = await add(client, ada)
    one = f"{ENDPOINTS}/{made['id']}"
    await happen(resources, "prod_a")
    (delivery,) = (await client.get(f"{one}/deliveries", headers=ada)).json()["items"]
    again = f"/public/v1/webhook-deliveries/{delivery['id']}/redeliver"

    refused = [
        await client.get(one, headers=bob),
        await client.patch(one, json={"description": "bob's"}, headers=bob),
        await client.delete(one, headers=bob),
        await client.post(f"{one}/rotate-secret", headers=bob),
        await client.post(f"{one}/test", headers=bob),
        await client.get(f"{one}/deliveries", headers=bob),
        await client.post(f"{one}/redeliver", json={"after": event_id(1)}, headers=bob),
        await client.post(again, headers=bob),
    ]

    assert [response.status_code for response in refused] == [404] * 8
    codes = [read_error("v1", response).code for response in refused]
    assert codes == ["webhook_endpoint_not_found"] * 7 + ["webhook_delivery_not_found"]
    assert (await client.get(ENDPOINTS, headers=bob)).json()["items"] == []
    assert (await client.get(one, headers=ada)).json() == {k: v for k, v in made.items() if k != "secret"}
    admin = await signed_in(resources, await a_user(resources, "admin"))
    for everybody in (shop, admin):
        assert (await client.get(one, headers=everybody)).status_code == 200
        assert len((await client.get(ENDPOINTS, headers=everybody)).json()["items"]) == 1
    assert [name for name, _ in await actions(resources, made["id"])] == ["webhook_endpoint.create"]


async def test_change_keeps_what_is_left_out_and_is_written_down(
    client: httpx2.AsyncClient, ada: dict[str, str], resources: Resources
) -> None:
    made = await add(client, ada, types=["order.paid"])
    one = f"{ENDPOINTS}/{made['id']}"

    changed = await client.patch(
        one, json={"description": "new", "state": "disabled"}, headers={**ada, "If-Match": 'W/"1"'}
    )
    stale = await client.patch(one, json={"description": "late"}, headers={**ada, "If-Match": 'W/"1"'})
    same = await client.patch(one, json={"description": "new"}, headers=ada)

    assert changed.status_code == 200
    assert changed.json()["types"] == ["order.paid"]
    assert (changed.json()["description"], changed.json()["state"], changed.json()["version"]) == ("new", "disabled", 2)
    assert changed.headers["etag"] == 'W/"2"'
    assert stale.status_code == 412
    assert same.json() == changed.json()
    recorded = await actions(resources, made["id"])
    assert recorded[1:] == [("webhook_endpoint.update", {"description": "new", "state": "disabled"})]


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("customer", (), 403),
        ("customer", ("orders:read",), 403),  # nor may it chat, as its owner may
        ("support", ("orders:read", "reports:read"), 403),
        ("support", ("orders:read", "reports:read", "support:write"), 200),
    ],
)
async def test_key_gives_no_address_to_an_endpoint_that_sees_more_than_it(
    client: httpx2.AsyncClient, resources: Resources, role: Role, scopes: tuple[str, ...], status: int
) -> None:
    owner = await signed_in(resources, await a_user(resources, role))
    made = await add(client, owner)
    one = f"{ENDPOINTS}/{made['id']}"
    asked = {"name": "narrow", "scopes": ["webhooks:write", *scopes]}
    secret = (await client.post("/public/v1/api-keys", json=asked, headers=owner)).json()["secret"]
    key = {"Authorization": f"Bearer {secret}"}

    described = await client.patch(one, json={"url": URL, "description": "by the key"}, headers=key)
    moved = await client.patch(one, json={"url": "https://example.com/elsewhere"}, headers=key)

    assert made["scopes"] is None
    assert (described.status_code, moved.status_code) == (200, status)
    if status == 403:
        assert read_error("v1", moved).code == "missing_scope"


async def test_secret_is_rotated_with_an_overlap_of_a_day(
    client: httpx2.AsyncClient, ada: dict[str, str], resources: Resources
) -> None:
    made = await add(client, ada)

    rotated = await client.post(f"{ENDPOINTS}/{made['id']}/rotate-secret", headers=ada)

    assert rotated.status_code == 200
    assert rotated.json()["secret"] != made["secret"]
    assert rotated.json()["previous_secret_ends_at"] is not None
    assert rotated.headers["cache-control"] == "no-store"
    recorded = await actions(resources, made["id"])
    assert [name for name, _ in recorded] == ["webhook_endpoint.create", "webhook_endpoint.rotate"]
    assert rotated.json()["secret"] not in repr(recorded)
    assert made["secret"] not in repr(recorded)


async def test_deleted_endpoint_is_gone_with_its_deliveries(
    client: httpx2.AsyncClient, ada: dict[str, str], resources: Resources
) -> None:
    made = await add(client, ada)
    await happen(resources, "prod_a")

    deleted = await client.delete(f"{ENDPOINTS}/{made['id']}", headers=ada)

    assert deleted.status_code == 204
    assert (await client.get(f"{ENDPOINTS}/{made['id']}", headers=ada)).status_code == 404
    async with resources.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeliveryRow)) == 0


async def test_person_has_twenty_endpoints_at_most(client: httpx2.AsyncClient, ada: dict[str, str]) -> None:
    for _ in range(20):
        await add(client, ada)

    refused = await client.post(ENDPOINTS, json={"url": URL}, headers=ada)

    assert refused.status_code == 409
    assert read_error("v1", refused).code == "too_many_webhook_endpoints"


async def test_lists_are_paged_newest_first(
    client: httpx2.AsyncClient, shop: dict[str, str], resources: Resources
) -> None:
    made = [await add(client, shop) for _ in range(3)]
    deliveries = f"{ENDPOINTS}/{made[0]['id']}/deliveries"
    await happen(resources, "prod_a", "prod_b", "prod_c")

    for path, ids in ((ENDPOINTS, [each["id"] for each in reversed(made)]), (deliveries, None)):
        first = (await client.get(path, params={"limit": 2}, headers=shop)).json()
        second = (await client.get(path, params={"limit": 2, "after": first["next"]}, headers=shop)).json()
        found = [each["id"] for each in [*first["items"], *second["items"]]]
        assert len(set(found)) == 3
        assert found == (ids or sorted(found, reverse=True))
        assert second["next"] is None
    assert (await client.get(deliveries, params={"state": "delivered"}, headers=shop)).json()["items"] == []
    wrong = await client.get(deliveries, params={"after": "nonsense"}, headers=shop)
    assert read_error("v1", wrong).code == "invalid_cursor"


async def test_test_event_and_redelivery_answer_the_delivery(
    client: httpx2.AsyncClient, ada: dict[str, str], resources: Resources
) -> None:
    made = await add(client, ada)
    one = f"{ENDPOINTS}/{made['id']}"
    keyed = {**ada, "Idempotency-Key": "a-test"}

    sent, replayed = [await client.post(f"{one}/test", headers=keyed) for _ in range(2)]
    again = await client.post(f"/public/v1/webhook-deliveries/{sent.json()['id']}/redeliver", headers=ada)

    assert (sent.status_code, again.status_code) == (202, 202)
    assert replayed.json() == sent.json()
    assert again.json()["id"] == sent.json()["id"]
    assert sent.json() | {"created_at": 0, "updated_at": 0, "next_attempt_at": 0} == {
        "id": sent.json()["id"],
        "endpoint_id": made["id"],
        "event_id": sent.json()["id"],
        "type": "webhook.test",
        "subject": made["id"],
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": 0,
        "last_status": None,
        "last_error": None,
        "response": None,
        "duration_ms": None,
        "created_at": 0,
        "updated_at": 0,
    }
    listed = (await client.get(f"{one}/deliveries", headers=ada)).json()["items"]
    assert [each["id"] for each in listed] == [sent.json()["id"]]
    recorded = [name for name, _ in await actions(resources, made["id"])]
    assert recorded == ["webhook_endpoint.create", "webhook_endpoint.test"]


async def test_range_is_asked_for_by_the_ids_of_events(
    client: httpx2.AsyncClient, shop: dict[str, str], resources: Resources
) -> None:
    last = await happen(resources, "prod_a", "prod_b", "prod_c")
    one = f"{ENDPOINTS}/{(await add(client, shop))['id']}"

    done = await client.post(
        f"{one}/redeliver", json={"after": event_id(last - 2), "until": event_id(last - 1)}, headers=shop
    )
    wrong = await client.post(f"{one}/redeliver", json={"after": "evt_1"}, headers=shop)
    await client.patch(one, json={"state": "disabled"}, headers=shop)
    disabled = await client.post(f"{one}/redeliver", json={"after": event_id(last)}, headers=shop)

    assert (done.status_code, done.json()) == (202, {"count": 1, "next": None})
    assert read_error("v1", wrong).code == "invalid_cursor"
    assert (disabled.status_code, read_error("v1", disabled).code) == (409, "webhook_endpoint_disabled")
    listed = (await client.get(f"{one}/deliveries", headers=shop)).json()["items"]
    assert [(each["subject"], each["state"]) for each in listed] == [("prod_b", "abandoned")]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (URL, 201),
        ("https://93.184.216.34/", 201),
        ("http://example.com/hooks", 422),
        ("https://127.0.0.1/", 422),
        ("https://[::1]:8443/", 422),
        ("https://169.254.169.254/latest", 422),
        ("https://localhost/", 422),
    ],
)
async def test_address_in_production_is_https_and_public(
    settings: Settings,
    gateway_template: Path,
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
    url: str,
    status: int,
) -> None:
    server = settings.server.model_copy(update={"environment": "production"})
    app = new_app(settings.model_copy(update={"server": server}), gateway_template)

    async with serve(app) as served, client_of(served) as client:
        headers = await key_with(served.state["resources"], "webhooks:write")
        response = await client.post(ENDPOINTS, json={"url": url}, headers=headers)
        listed = (await client.get(ENDPOINTS, headers=headers)).json()["items"]

    assert response.status_code == status
    assert len(listed) == int(status == 201)


async def test_gateway_has_a_tailer_that_follows_its_own_commits(served: Served, resources: Resources) -> None:
    tailer: Tailer = served.state["tailer"]
    seen: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(10):
        while tailer.position is None:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)
        tailer.follow(lambda events: seen.put_nowait(events[0].subject))

        last = await happen(resources, "prod_a")

        assert await seen.get() == "prod_a"
    assert tailer.position == last
