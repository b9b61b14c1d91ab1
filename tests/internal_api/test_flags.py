"""Kill switches over HTTP: who may switch, and what everybody else is told."""

from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from httpx2.websockets import WebSocketUpgradeError

from commerce.accounts.principal import Role
from commerce.audit.log import AuditRepository
from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.people import staff
from tests.factories.products import a_product
from tests.fixtures.asgi import Served, websocket
from tests.fixtures.probes import read_error

FLAGS = "/internal/flags"
PRODUCTS = "/public/v1/products"
READ = "GET /public/v1/products/{id_or_handle}"


async def switch_off(client: httpx2.AsyncClient, operator: dict[str, str], target: str, **body: Any) -> httpx2.Response:
    answer = await client.put(f"{FLAGS}/{quote(target)}", json={"reason": "a storm"} | body, headers=operator)
    assert answer.status_code == 200, answer.text
    return answer


async def flags(client: httpx2.AsyncClient, operator: dict[str, str]) -> list[str]:
    return [flag["target"] for flag in (await client.get(FLAGS, headers=operator)).json()["items"]]


async def test_mount_is_off_for_its_audience_alone_until_it_is_on(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    await switch_off(client, operator, "graphql", message="back at noon")

    refused = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": "https://shop.test"})

    assert refused.status_code == 503
    assert read_error("graphql", refused).code == "switched_off"
    assert refused.json()["errors"][0]["message"] == "back at noon"
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["access-control-allow-origin"] == "*"
    assert refused.headers["x-request-id"]
    assert (await client.get(PRODUCTS)).status_code == 200

    deleted = await client.delete(f"{FLAGS}/graphql?reason=over", headers=operator)

    assert deleted.status_code == 204
    assert (await client.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


@pytest.mark.parametrize(
    ("target", "audience", "path"),
    [
        ("public", "public", PRODUCTS),
        ("public", "public", "/public/nowhere"),
        ("static", "static", "/static/portico.css"),
        ("GET /", "pages", "/"),
        ("GET /internal/jobs", "internal", "/internal/jobs"),
        ("GET /graphql", "graphql", "/graphql"),
    ],
)
async def test_each_audience_is_refused_in_its_shape(
    client: httpx2.AsyncClient, operator: dict[str, str], target: str, audience: str, path: str
) -> None:
    await switch_off(client, operator, target)

    refused = await client.get(path, headers=operator)

    assert (refused.status_code, read_error(audience, refused).code) == (503, "switched_off")
    assert "retry-after" in refused.headers


async def test_operators_are_told_where_it_is_switched(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    await switch_off(client, operator, "GET /internal/jobs", reason="too slow")

    error = (await client.get("/internal/jobs", headers=operator)).json()["error"]

    assert "DELETE /internal/flags" in error["hint"]


async def test_route_is_off_for_its_method_alone_and_not_those_it_stands_beside(
    client: httpx2.AsyncClient, operator: dict[str, str], writer: dict[str, str], resources: Resources
) -> None:
    product = await Catalogue(resources.database, FakeClock()).add(a_product())
    await switch_off(client, operator, READ)

    for address in (f"{PRODUCTS}/rain-jacket", f"{PRODUCTS}/{product.head.id}", f"{PRODUCTS}/nothing"):
        assert (await client.get(address)).status_code == 503
    assert (await client.head(f"{PRODUCTS}/rain-jacket")).status_code == 503
    assert (await client.get(PRODUCTS)).status_code == 200
    assert (await client.get(f"{PRODUCTS}/export?format=jsonl")).status_code == 200  # not a handle
    changed = await client.patch(
        f"{PRODUCTS}/{product.head.id}", json={"title": "New"}, headers=writer | {"If-Match": 'W/"1"'}
    )
    assert changed.status_code == 200


async def test_answer_that_is_kept_is_not_given_while_its_route_is_off(
    client: httpx2.AsyncClient, operator: dict[str, str], served: Served
) -> None:
    await served.state["tailer"].looked.wait()
    await client.get(PRODUCTS)
    assert (await client.get(PRODUCTS)).headers["cache-status"].startswith("portico; hit")

    await switch_off(client, operator, f"GET {PRODUCTS}")

    assert (await client.get(PRODUCTS)).status_code == 503
    assert (await client.head(PRODUCTS)).status_code == 503

    await client.delete(f"{FLAGS}/{quote(f'GET {PRODUCTS}')}?reason=over", headers=operator)

    assert (await client.get(PRODUCTS)).headers["cache-status"].startswith("portico; hit")


@pytest.mark.parametrize("target", ["graphql", "WEBSOCKET /graphql"])
async def test_handshake_is_denied(client: httpx2.AsyncClient, operator: dict[str, str], target: str) -> None:
    await switch_off(client, operator, target)

    with pytest.raises(WebSocketUpgradeError) as denied:
        async with websocket(client, "/graphql"):
            pass

    assert denied.value.response.status_code == 503
    assert read_error("graphql", denied.value.response).code == "switched_off"
    assert "retry-after" in denied.value.response.headers


async def test_socket_that_is_open_stays_open(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    async with websocket(client, "/internal/ws/echo", operator) as socket:
        await switch_off(client, operator, "WEBSOCKET /internal/ws/echo")
        assert (await socket.receive_json())["type"] == "welcome"
        await socket.send_json({"type": "ping"})
        assert (await socket.receive_json())["type"] == "pong"


async def test_refusals_are_counted_under_their_route(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    await switch_off(client, operator, READ)
    await client.get(f"{PRODUCTS}/nothing", headers={"X-Request-ID": "off"})

    (receipt,) = (await client.get("/internal/receipts/off", headers=operator)).json()["items"]

    assert (receipt["route"], receipt["status"], receipt["code"]) == (READ.split()[1], 503, "switched_off")


async def test_whole_public_door_off_leaves_what_explains_it(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    await switch_off(client, operator, "/public")

    refused = await client.get(PRODUCTS)

    assert (await client.get(refused.json()["type"])).status_code == 200
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/internal/health", headers=operator)).status_code == 200


async def test_what_is_off_is_listed_and_audited(
    client: httpx2.AsyncClient, operator: dict[str, str], support: dict[str, str], resources: Resources
) -> None:
    body = {"reason": "migration", "message": "back soon", "expires_at": "2099-01-01T00:00:00Z"}
    answer = await client.put(f"{FLAGS}/graphql", json=body, headers=operator)

    (flag,) = (await client.get(FLAGS, headers=support)).json()["items"]

    assert flag == answer.json()
    assert flag | body == flag
    assert (flag["target"], flag["actor"].startswith("user:usr_")) == ("graphql", True)
    async with resources.database.read() as session:
        (entry, *_), _ = await AuditRepository(session).newest()
    assert (entry.action, entry.subject, entry.actor) == ("flag.switch_off", "graphql", flag["actor"])
    assert entry.after is not None
    assert entry.after["message"] == "back soon"


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("GET /public/v1/product", "unknown_target", "did you mean 'GET /public/v1/products'"),
        ("grapql", "unknown_target", "did you mean 'graphql'"),
        ("internal", "not_switchable", "could not be reached any more"),
        ("PUT /internal/flags/{target}", "not_switchable", "switched on again"),
        ("GET /internal/flags", "not_switchable", "switched on again"),
        ("POST /internal/auth/token", "not_switchable", "sign in"),
        ("GET /internal/health", "not_switchable", "what is wrong"),
        ("GET /readyz", "not_switchable", "balancers"),
        ("GET /healthz", "not_switchable", "start it again"),
    ],
)
async def test_what_cannot_be_switched_off_is_422_with_why(
    client: httpx2.AsyncClient, operator: dict[str, str], target: str, code: str, said: str
) -> None:
    refused = await client.put(f"{FLAGS}/{quote(target)}", json={"reason": "x"}, headers=operator)

    assert (refused.status_code, read_error("internal", refused).code) == (422, code)
    assert said in refused.json()["error"]["message"]
    assert await flags(client, operator) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 501},
        {"reason": "x\x00"},
        {"reason": "x", "message": ""},
        {"reason": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"reason": "x", "expires_at": "2099-01-01T00:00:00"},
        {"reason": "x", "until": "noon"},
    ],
)
async def test_bad_body_is_422(client: httpx2.AsyncClient, operator: dict[str, str], body: dict[str, Any]) -> None:
    refused = await client.put(f"{FLAGS}/graphql", json=body, headers=operator)

    assert refused.status_code == 422
    assert await flags(client, operator) == []


async def test_switching_on_needs_a_reason_and_a_flag(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    absent = await client.delete(f"{FLAGS}/graphql?reason=over", headers=operator)
    await switch_off(client, operator, "graphql")
    silent = await client.delete(f"{FLAGS}/graphql", headers=operator)

    assert (absent.status_code, read_error("internal", absent).code) == (404, "flag_not_found")
    assert silent.status_code == 422
    assert await flags(client, operator) == ["graphql"]


@pytest.mark.parametrize("role", ["support", "editor"])
async def test_only_admins_switch(
    client: httpx2.AsyncClient, operator: dict[str, str], resources: Resources, role: Role
) -> None:
    headers = await staff(resources, role)
    await switch_off(client, operator, "graphql")

    put = await client.put(f"{FLAGS}/public", json={"reason": "x"}, headers=headers)
    deleted = await client.delete(f"{FLAGS}/graphql?reason=x", headers=headers)

    assert (put.status_code, deleted.status_code) == (403, 403)
    assert await flags(client, operator) == ["graphql"]
