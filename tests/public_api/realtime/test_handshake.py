"""Who may open a socket: decided before it is accepted, and answered as any request is."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.accounts.principal import PROGRAM
from commerce.accounts.tickets import WEBSOCKET_LIFETIME
from core.resources import Resources
from core.settings import ServerSettings, Settings
from core.streams.places import Places
from core.web.sockets.sockets import Sockets
from gateway.app import create_app
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.listening import Listening, listen
from tests.fixtures.sockets import Peer, Schemas, connected, denial
from tests.public_api.realtime.conftest import Connect

PATH = "/public/v1/ws"


@pytest.fixture
async def customer(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources))


@pytest.fixture
def address(listening: Listening) -> str:
    return f"ws://{listening.address}{PATH}"


def token_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


async def ticket_for(listening: Listening, headers: dict[str, str]) -> str:
    async with httpx2.AsyncClient(base_url=f"http://{listening.address}") as client:
        response = await client.post("/public/v1/tickets", headers=headers)
    assert response.status_code == 201
    return str(response.json()["ticket"])


async def answers(peer: Peer) -> bool:
    return await peer.ask("ping") == {"type": "pong"}


async def test_welcome_says_what_the_socket_may_do(
    connect: Connect, customer: dict[str, str], resources: Resources
) -> None:
    async with connect(customer, welcomed=False) as peer:
        welcome = await peer.hear()

    assert welcome.pop("connection_id").startswith("con_")
    ends = welcome.pop("expires_at")
    assert str(resources.clock.now().date())[:7] == ends[:7]
    assert ends.endswith("Z")
    assert welcome == {
        "type": "welcome",
        "heartbeat_seconds": 30.0,
        "limits": {"frame_bytes": 65536, "messages_per_second": 50, "burst": 100, "channels": 50},
    }


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["portico.v1", "bearer.{}"], "portico.v1"),
        (["bearer.{}", "portico.v1"], "portico.v1"),
        (["chat", "bearer.{}"], "bearer.{}"),
    ],
)
async def test_token_may_come_as_a_subprotocol(
    connect: Connect, customer: dict[str, str], offered: list[str], chosen: str
) -> None:
    token = token_of(customer)

    async with connect({}, subprotocols=[each.format(token) for each in offered]) as peer:
        assert peer.websocket.subprotocol == chosen.format(token)
        assert await answers(peer)


async def test_key_opens_a_socket_as_a_sign_in_does(connect: Connect, resources: Resources) -> None:
    async with connect(await key_with(resources, "events:read")) as peer:
        assert await answers(peer)


async def test_ticket_opens_one_socket(
    connect: Connect, listening: Listening, customer: dict[str, str], address: str
) -> None:
    ticket = await ticket_for(listening, customer)

    async with connect({}, f"{PATH}?ticket={ticket}") as peer:
        assert await answers(peer)
    status, _, problem = await denial(f"{address}?ticket={ticket}")

    assert (status, problem["code"]) == (401, "invalid_ticket")


async def test_ticket_is_not_written_down(
    connect: Connect, listening: Listening, customer: dict[str, str], log_entries: LogEntries, address: str
) -> None:
    ticket = await ticket_for(listening, customer)

    async with connect({}, f"{PATH}?ticket={ticket}"):
        pass
    await denial(f"{address}?ticket={ticket}")

    assert len(log_entries.access) == 3
    assert ticket not in str(log_entries)


async def test_ticket_is_good_for_half_a_minute(
    listening: Listening, customer: dict[str, str], resources: Resources, address: str
) -> None:
    ticket = await ticket_for(listening, customer)
    later = resources.clock.now() + WEBSOCKET_LIFETIME
    object.__setattr__(resources, "clock", _Stopped(later))

    status, _, problem = await denial(f"{address}?ticket={ticket}")

    assert timedelta(seconds=30) == WEBSOCKET_LIFETIME
    assert (status, problem["code"]) == (401, "invalid_ticket")


class _Stopped:
    def __init__(self, now: Any) -> None:
        self._now = now

    def now(self) -> Any:
        return self._now


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, "", "unauthenticated"),
        ({"Authorization": "Bearer nonsense"}, "", "unauthenticated"),
        ({"Authorization": "Bearer ptk_no_key"}, "", "invalid_api_key"),
        ({}, "?ticket=tkt_forged", "invalid_ticket"),
        ({}, f"?ticket=tkt_{'a' * 43}", "invalid_ticket"),
        ({"Authorization": "Bearer nonsense"}, "?ticket=tkt_forged", "unauthenticated"),
    ],
)
async def test_without_good_credentials_the_answer_is_a_problem(
    address: str, headers: dict[str, str], query: str, code: str, log_entries: LogEntries
) -> None:
    status, answered, problem = await denial(f"{address}{query}", {**headers, "X-Request-ID": "ws-1"})

    assert (status, problem["status"], problem["code"], problem["request_id"]) == (401, 401, code, "ws-1")
    assert answered["content-type"] == "application/problem+json"
    assert answered["www-authenticate"].startswith("Bearer")
    assert answered["x-request-id"] == "ws-1"
    assert [(entry["route"], entry["status"], entry["code"]) for entry in log_entries.access] == [(PATH, 401, code)]


async def test_revoked_key_opens_nothing(address: str, resources: Resources) -> None:
    async with resources.database.write() as session:
        keys = ApiKeyService(session, resources.clock, actor="test")
        key = await keys.create(CreateKey("test", ("events:read",)))
        await keys.revoke(key.key.id, owner=PROGRAM)

    status, _, problem = await denial(address, {"Authorization": f"Bearer {key.secret}"})

    assert (status, problem["code"]) == (401, "invalid_api_key")


async def test_scope_is_asked_for(address: str, resources: Resources) -> None:
    status, _, problem = await denial(address, await key_with(resources, "catalog:read"))

    assert (status, problem["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://", "https://portico.test.evil.example"])
async def test_page_of_a_foreign_origin_is_refused(address: str, customer: dict[str, str], origin: str) -> None:
    status, _, problem = await denial(address, {**customer, "Origin": origin})

    assert (status, problem["code"]) == (403, "origin_not_allowed")


async def test_page_of_this_server_may_open_a_socket(
    connect: Connect, listening: Listening, customer: dict[str, str]
) -> None:
    async with connect({**customer, "Origin": f"http://{listening.address}"}) as peer:
        assert await answers(peer)


@pytest.mark.parametrize(
    ("server", "origin", "allowed"),
    [
        ({"cors_origins": ("https://shop.example",)}, "https://shop.example", True),
        ({"cors_origins": ("https://shop.example",)}, "http://shop.example", False),
        ({"cors_origins": ("*",)}, "https://any.example", True),
        ({"public_url": "https://api.example/shop"}, "https://API.example", True),
        ({"public_url": "https://api.example/shop"}, "https://other.example", False),
    ],
)
async def test_operator_says_which_origins_may(
    settings: Settings, schemas: Schemas, log_entries: LogEntries, server: dict[str, Any], origin: str, allowed: bool
) -> None:
    changed = ServerSettings(**{**settings.server.model_dump(exclude_unset=True), **server})
    assert log_entries == []

    async with listen(create_app(settings.model_copy(update={"server": changed}))) as listening:
        key = await key_with(listening.state["resources"], "events:read")
        address, headers = f"ws://{listening.address}{PATH}", {**key, "Origin": origin}
        if allowed:
            async with connected(address, schemas, headers) as peer:
                assert await answers(peer)
        else:
            assert (await denial(address, headers))[0] == 403


async def test_sockets_of_one_key_are_counted(
    connect: Connect, listening: Listening, resources: Resources, customer: dict[str, str], address: str
) -> None:
    listening.state["sockets"] = Sockets(listening.state["broadcast"], places=Places(3, 100, kind="websocket"))
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(connect(customer))
        status, headers, problem = await denial(address, customer)
        async with connect(await key_with(resources, "events:read")) as other:
            assert await answers(other)

    assert (status, headers["retry-after"], problem["code"]) == (429, "10", "too_many_streams")
    async with connect(customer) as again:
        assert await answers(again)


async def test_server_that_stops_takes_no_more(listening: Listening, customer: dict[str, str], address: str) -> None:
    listening.state["draining"].set()

    status, headers, problem = await denial(address, customer)

    assert (status, headers["retry-after"], problem["code"]) == (503, "1", "server_stopping")
