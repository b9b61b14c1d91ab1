"""What operators see of webhooks and of how far readers of the log are behind."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2

from commerce.accounts.principal import Principal
from commerce.webhooks.commands import CreateEndpoint
from commerce.webhooks.feeder import Feeder
from commerce.webhooks.repository import SHOP
from commerce.webhooks.service import EndpointService
from core.eventlog import NewEvent, append
from core.resources import Resources
from core.tailer import Tailer
from tests.factories.people import a_user
from tests.fixtures.asgi import Served


async def add(resources: Resources, principal: Principal = SHOP) -> str:
    async with resources.database.write() as session:
        service = EndpointService(session, resources.clock, resources.keyring, principal=principal, public_only=False)
        return (await service.create(CreateEndpoint("https://example.com/hooks"))).endpoint.id


async def happen(resources: Resources, *subjects: str, ago: timedelta = timedelta()) -> None:
    async with resources.database.write() as session:
        events = [NewEvent("product.updated", each, {}, "everybody") for each in subjects]
        await append(session, events, resources.clock.now() - ago)


async def feed(resources: Resources) -> None:
    await Feeder(resources, Tailer(resources.database, resources.hub)).feed()


async def get(client: httpx2.AsyncClient, path: str, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    response = await client.get(f"/internal/{path}", params=params, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_endpoints_of_all_are_listed_with_their_queues(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    owner = await a_user(resources)
    shops = await add(resources)
    theirs = await add(resources, Principal("user", owner.id, frozenset(), owner.id, "customer"))
    await happen(resources, "prod_a", "prod_a", "prod_b")
    await feed(resources)

    found = await get(client, "webhooks", support)
    first = await get(client, "webhooks", support, limit=1)
    second = await get(client, "webhooks", support, limit=1, after=first["next"])

    assert [(each["id"], each["user_id"], each["queued"]) for each in found["items"]] == [
        (theirs, owner.id, 3),
        (shops, None, 3),
    ]
    assert all(0 <= each["oldest_seconds"] < 60 for each in found["items"])
    assert [each["id"] for each in (*first["items"], *second["items"])] == [theirs, shops]
    assert "secret" not in repr(found)


async def test_lag_says_how_far_the_tailer_and_webhooks_are_behind(
    client: httpx2.AsyncClient, served: Served, resources: Resources, support: dict[str, str]
) -> None:
    tailer: Tailer = served.state["tailer"]
    await feed(resources)  # of the support person's account
    await happen(resources, "prod_a", "prod_b", ago=timedelta(minutes=5))
    async with asyncio.timeout(5):
        while tailer.position != 3:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)

    lag = await get(client, "events/lag", support)
    assert lag["newest"] == 3
    assert lag["tailer"] == {"position": 3, "events": 0, "seconds": 0.0}
    assert (lag["webhooks"]["position"], lag["webhooks"]["events"]) == (1, 2)
    assert 300 <= lag["webhooks"]["seconds"] < 330

    await feed(resources)
    assert (await get(client, "events/lag", support))["webhooks"] == {"position": 3, "events": 0, "seconds": 0.0}


async def test_metrics_show_what_waits_and_how_far_webhooks_are_behind(
    client: httpx2.AsyncClient, resources: Resources, metrics_reader: dict[str, str]
) -> None:
    async def scraped() -> dict[str, float]:
        text = (await client.get("/internal/metrics", headers=metrics_reader)).text
        lines = [
            line.rpartition(" ") for line in text.splitlines() if line.startswith(("portico_webhook", "portico_e"))
        ]
        return {name: float(value) for name, _, value in lines}

    await feed(resources)
    await add(resources)
    await happen(resources, "prod_a", "prod_b", ago=timedelta(minutes=5))

    unfed = await scraped()
    await feed(resources)
    fed = await scraped()

    assert unfed["portico_webhook_feeder_events"] == 2
    assert 300 <= unfed["portico_webhook_feeder_seconds"] < 330
    assert unfed['portico_webhook_backlog{state="pending"}'] == 0
    assert fed["portico_webhook_feeder_events"] == fed["portico_webhook_feeder_seconds"] == 0
    assert fed['portico_webhook_backlog{state="pending"}'] == 2
    assert fed['portico_webhook_backlog{state="failed"}'] == 0
    assert 0 <= fed['portico_webhook_oldest_seconds{state="pending"}'] < 30
    assert fed["portico_event_log_newest"] == unfed["portico_event_log_newest"] >= 2
