"""The registry of operations as staff see it, and what admins may change."""

import httpx2
import pytest

from commerce.audit.log import AuditRepository
from commerce.usage.repository import Count, Used, add_uses
from core.resources import Resources
from tests.factories.operations import register, sha
from tests.fixtures.asgi import Served
from tests.fixtures.probes import read_error

OPERATIONS, CLIENTS = "/internal/operations", "/internal/operations/clients"
SHOP, CART = "query Shop { __typename }", "mutation Cart { __typename }"


@pytest.fixture
async def client(client: httpx2.AsyncClient, resources: Resources, operator: dict[str, str]) -> httpx2.AsyncClient:
    client.headers.update(operator)
    await register(resources.database, resources.clock, SHOP, CART)
    await register(resources.database, resources.clock, SHOP, client="ios", version="7")
    now = resources.clock.now()
    async with resources.database.write() as session:
        await add_uses(session, {Used("operation", sha(SHOP), "web", "1.0"): Count(3, now, now)})
    return client


async def test_operations_are_listed_with_their_uses(client: httpx2.AsyncClient, support: dict[str, str]) -> None:
    found = (await client.get(OPERATIONS, headers=support)).json()

    assert (found["page"], found["size"], found["total"]) == (1, 100, 2)
    cart, shop = found["items"]
    assert (cart["sha256"], cart["name"], cart["kind"], cart["uses"], cart["last_used_at"]) == (
        sha(CART),
        "Cart",
        "mutation",
        0,
        None,
    )
    assert (shop["uses"], shop["last_used_at"] is not None) == (3, True)
    assert [(each["client"], each["version"]) for each in shop["registrations"]] == [("ios", "7"), ("web", "1.0")]
    assert shop["registered_at"] == max(each["registered_at"] for each in shop["registrations"])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?unused_days=1", ["Cart"]),
        ("?client=ios", ["Shop"]),
        ("?client=ios&unused_days=1", ["Shop"]),
        ("?client=nobody", []),
        ("?page=2&size=1", ["Shop"]),
    ],
)
async def test_operations_are_filtered(client: httpx2.AsyncClient, query: str, names: list[str]) -> None:
    assert [each["name"] for each in (await client.get(OPERATIONS + query)).json()["items"]] == names


@pytest.mark.parametrize("query", ["?unused_days=-1", "?size=0", "?size=501", "?client=%00", "?nope=1"])
async def test_filters_that_are_none_are_422(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.get(OPERATIONS + query)).status_code == 422


async def test_clients_are_listed(client: httpx2.AsyncClient, support: dict[str, str]) -> None:
    found = (await client.get(CLIENTS, headers=support)).json()["items"]

    assert found == [
        {"name": "*", "mode": "off", "automatic": False, "versions": [], "operations": 0},
        {"name": "ios", "mode": "off", "automatic": False, "versions": ["7"], "operations": 1},
        {"name": "web", "mode": "off", "automatic": False, "versions": ["1.0"], "operations": 2},
    ]


async def test_mode_that_an_admin_sets_holds_at_once(
    client: httpx2.AsyncClient, resources: Resources, served: Served
) -> None:
    response = await client.patch(f"{CLIENTS}/web", json={"mode": "enforce"})

    assert response.json() == {
        "name": "web",
        "mode": "enforce",
        "automatic": False,
        "versions": ["1.0"],
        "operations": 2,
    }
    assert (await served.state["operations"].policy("web")).mode == "enforce"
    async with resources.database.read() as session:
        (entry, *_), _ = await AuditRepository(session).newest()
    assert (entry.action, entry.subject, entry.before, entry.after) == (
        "operations.client",
        "web",
        {"mode": "off"},
        {"mode": "enforce"},
    )
    assert entry.actor.startswith("user:")


@pytest.mark.parametrize("name", ["*", "@shop/web", "new one"])
async def test_client_of_any_name_may_be_told_of(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.patch(f"{CLIENTS}/{name}", json={"automatic": True})

    assert (response.status_code, response.json()["name"], response.json()["automatic"]) == (200, name, True)


@pytest.mark.parametrize("body", [{"mode": "strict"}, {"automatic": 1}, {"name": "x"}, []])
async def test_change_that_is_none_is_422(client: httpx2.AsyncClient, body: object) -> None:
    before = (await client.get(CLIENTS)).json()

    assert (await client.patch(f"{CLIENTS}/web", json=body)).status_code == 422

    assert (await client.get(CLIENTS)).json() == before


async def test_name_that_no_header_says_is_422(client: httpx2.AsyncClient) -> None:
    response = await client.patch(f"{CLIENTS}/it's", json={"mode": "log"})

    assert (response.status_code, read_error("internal", response).code) == (422, "invalid_client_name")
    assert len((await client.get(CLIENTS)).json()["items"]) == 3


async def test_support_may_look_and_change_nothing(client: httpx2.AsyncClient, support: dict[str, str]) -> None:
    before = (await client.get(CLIENTS)).json()

    assert (await client.patch(f"{CLIENTS}/web", json={"mode": "log"}, headers=support)).status_code == 403

    assert (await client.get(CLIENTS)).json() == before
