"""GET /public/v1/events: pages, what they are narrowed by, who sees what, and cursors that are no good any more."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import HttpUrl

from commerce.catalog.entities import Product
from commerce.events.envelope import EVENT_TYPES
from core.eventlog import NewEvent, append, event_id, position_of, trim
from core.resources import Resources
from core.settings import ServerSettings, Settings
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with, new_app
from tests.fixtures.asgi import client_of, serve
from tests.fixtures.probes import read_error
from tests.public_api.conftest import ON_SALE, SHOP

EVENTS = "/public/v1/events"


@pytest.fixture
async def reader(resources: Resources) -> dict[str, str]:
    """The headers of a key that may read events and nothing else."""
    return await key_with(resources, "events:read")


@pytest.fixture
async def editor(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "events:read", "catalog:write")


async def page(client: httpx2.AsyncClient, headers: dict[str, str], **query: Any) -> dict[str, Any]:
    response = await client.get(EVENTS, params=query, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def handles(client: httpx2.AsyncClient, headers: dict[str, str], **query: Any) -> list[str]:
    return [event["data"]["handle"] for event in (await page(client, headers, **query))["items"]]


async def happen(resources: Resources, *events: NewEvent) -> None:
    async with resources.database.write() as session:
        await append(session, events, resources.clock.now())


async def test_change_is_read_as_a_cloud_event(
    client: httpx2.AsyncClient, writer: dict[str, str], reader: dict[str, str], shop: dict[str, Product]
) -> None:
    tent = shop["tent"].head
    last = (await page(client, reader))["items"][-1]["id"]
    changed = await client.patch(f"/public/v1/products/{tent.id}", json={"title": "Big Tent"}, headers=writer)

    response = await client.get(EVENTS, params={"after": last}, headers=reader)

    (event,) = response.json()["items"]
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "source": "urn:portico",
        "type": "product.updated",
        "subject": tent.id,
        "time": event["time"],
        "data": {"id": tent.id, "handle": "tent", "title": "Big Tent", "status": "active", "version": 2},
    }
    assert event["id"] > last
    assert event["time"].endswith("Z")
    assert event["time"] >= changed.json()["updated_at"]
    assert response.json()["next"] is None
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["content-type"] == "application/json"


async def test_pages_lead_through_the_log(client: httpx2.AsyncClient, editor: dict[str, str]) -> None:
    first = await page(client, editor, limit=4)
    second = await page(client, editor, limit=4, after=first["next"])
    nothing = await page(client, editor, after=second["items"][-1]["id"])

    assert [event["data"]["handle"] for event in [*first["items"], *second["items"]]] == list(SHOP)
    assert first["next"] == first["items"][-1]["id"]
    assert (second["next"], nothing) == (None, {"items": [], "next": None})


async def test_hundred_events_are_a_page_and_a_thousand_the_most(
    client: httpx2.AsyncClient, reader: dict[str, str], resources: Resources
) -> None:
    await happen(resources, *(NewEvent("job.updated", f"job_{n}", {}, "everybody") for n in range(1_100)))

    usual = await page(client, reader)
    most = await page(client, reader, limit=1000)

    assert (len(usual["items"]), len(most["items"])) == (100, 1000)
    assert most["next"] == most["items"][-1]["id"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", ""])
async def test_limit_out_of_bounds_is_refused(client: httpx2.AsyncClient, reader: dict[str, str], limit: str) -> None:
    response = await client.get(EVENTS, params={"limit": limit}, headers=reader)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/query/limit"]


@pytest.mark.parametrize("types", [["product.deleted", "stock.changed"], ["product.deleted,stock.changed"]])
async def test_types_are_repeated_or_separated_by_commas(
    client: httpx2.AsyncClient, reader: dict[str, str], resources: Resources, types: list[str]
) -> None:
    for kind in EVENT_TYPES:
        await happen(resources, NewEvent(kind, "x", {}, "everybody"))

    found = await page(client, reader, types=types)

    assert [event["type"] for event in found["items"]] == ["product.deleted", "stock.changed"]


@pytest.mark.parametrize("types", ["product.painted", "product.created,nothing", "", "product.created, stock.changed"])
async def test_unknown_type_is_refused(client: httpx2.AsyncClient, reader: dict[str, str], types: str) -> None:
    response = await client.get(EVENTS, params={"types": types}, headers=reader)

    assert response.status_code == 422
    assert read_error("v1", response).code == "invalid_request"
    assert {fault["pointer"].rpartition("/")[0] for fault in response.json()["errors"]} == {"/query/types"}


async def test_unknown_parameter_is_refused(client: httpx2.AsyncClient, reader: dict[str, str]) -> None:
    response = await client.get(EVENTS, params={"type": "stock.changed"}, headers=reader)

    assert response.status_code == 422


@pytest.mark.parametrize("cursor", ["", "7", "evt_7", "evt_" + "z" * 13, "prod_01jd0a3v5te8zr9k1m2n3p4q5r", "\0"])
async def test_malformed_cursor_is_refused(client: httpx2.AsyncClient, reader: dict[str, str], cursor: str) -> None:
    response = await client.get(EVENTS, params={"after": cursor}, headers=reader)

    assert response.status_code == 422
    assert read_error("v1", response).code == "invalid_cursor"
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/query/after"]


async def test_trimmed_cursor_is_told_to_start_anew_and_the_edge_is_good(
    client: httpx2.AsyncClient, editor: dict[str, str], resources: Resources
) -> None:
    items = (await page(client, editor))["items"]
    async with resources.database.write() as session:
        await trim(session, resources.clock.now() + timedelta(days=1))
    await happen(resources, NewEvent("job.updated", "job_1", {}, "everybody"))

    refused = await client.get(EVENTS, params={"after": items[-2]["id"]}, headers=editor)
    found = await page(client, editor, after=items[-1]["id"])

    assert refused.status_code == 410
    assert read_error("v1", refused).code == "reset"
    assert refused.headers["cache-control"] == "no-store"
    assert [event["subject"] for event in found["items"]] == ["job_1"]


async def test_cursor_beyond_the_end_is_told_to_start_anew(client: httpx2.AsyncClient, reader: dict[str, str]) -> None:
    last = (await page(client, reader))["items"][-1]["id"]
    beyond = event_id(position_of(last) + 1_000)

    response = await client.get(EVENTS, params={"after": beyond}, headers=reader)

    assert response.status_code == 410
    assert read_error("v1", response).code == "reset"


async def test_anonymous_caller_is_asked_who_they_are(client: httpx2.AsyncClient) -> None:
    response = await client.get(EVENTS)

    assert response.status_code == 401
    assert read_error("v1", response).code == "unauthenticated"
    assert "evt_" not in response.text


async def test_key_without_the_scope_is_refused(client: httpx2.AsyncClient, writer: dict[str, str]) -> None:
    response = await client.get(EVENTS, headers=writer)

    assert response.status_code == 403
    assert read_error("v1", response).code == "missing_scope"


async def test_who_may_not_see_a_draft_does_not_see_its_events(
    client: httpx2.AsyncClient, reader: dict[str, str], editor: dict[str, str], resources: Resources
) -> None:
    customer = await signed_in(resources, await a_user(resources))
    created = {"types": "product.created"}

    assert await handles(client, reader, **created) == ON_SALE
    assert await handles(client, customer, **created) == ON_SALE
    assert await handles(client, editor, **created) == list(SHOP)


async def test_customers_see_the_events_of_their_own_orders_and_staff_those_of_all(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    ada, bob = [await a_user(resources) for _ in range(2)]
    support = await a_user(resources, "support")
    for owner, order in ((ada, "ord_ada"), (bob, "ord_bob")):
        await happen(resources, NewEvent("order.placed", order, {}, "owner", owner.id))

    async def subjects(headers: dict[str, str]) -> list[str]:
        found = await page(client, headers, types="order.placed,user.registered")
        return [event["subject"] for event in found["items"]]

    assert await subjects(await signed_in(resources, ada)) == ["ord_ada"]
    assert await subjects(await signed_in(resources, bob)) == ["ord_bob"]
    registered = [ada.id, bob.id, support.id]
    assert await subjects(await signed_in(resources, support)) == [*registered, "ord_ada", "ord_bob"]
    assert await subjects(await key_with(resources, "events:read", "orders:read")) == [
        *registered,
        "ord_ada",
        "ord_bob",
    ]
    assert await subjects(await key_with(resources, "events:read")) == registered


async def test_what_is_not_visible_is_not_counted_as_more(client: httpx2.AsyncClient, resources: Resources) -> None:
    customer = await signed_in(resources, await a_user(resources))

    found = await page(client, customer, limit=len(ON_SALE))

    assert len(found["items"]) == len(ON_SALE)
    assert found["next"] is None


@pytest.fixture
async def named_shop(gateway_template: Path, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A shop that knows its public address."""
    server = settings.server.model_copy(update={"public_url": HttpUrl("https://shop.example.com/")})
    assert isinstance(server, ServerSettings)
    async with serve(new_app(settings.model_copy(update={"server": server}), gateway_template)) as served:
        headers = await key_with(served.state["resources"], "events:read")
        async with client_of(served, headers=headers) as client:
            yield client


async def test_source_is_the_shops_public_address(named_shop: httpx2.AsyncClient) -> None:
    found = await page(named_shop, {}, limit=1)

    assert [event["source"] for event in found["items"]] == ["https://shop.example.com"]


async def test_document_says_all_that_can_be_answered(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/public/v1/openapi.json")).json()

    operation = document["paths"]["/events"]["get"]
    parameters = {each["name"]: each["schema"] for each in operation["parameters"]}
    assert {"200", "401", "403", "410", "422", "429", "503"} <= set(operation["responses"])
    assert operation["responses"]["410"]["description"] == "`reset`: Cursor too old"
    assert parameters["types"]["items"]["enum"] == list(EVENT_TYPES)
    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 1000)
    assert document["components"]["schemas"]["CloudEvent"]["properties"]["id"]["type"] == "string"
