"""Staff can ask whether sockets get through to this server."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from core.resources import Resources
from tests.factories.people import a_user, signed_in, staff
from tests.fixtures.application import LogEntries
from tests.fixtures.listening import Listening, listen
from tests.fixtures.sockets import Schemas, connected, denial


@pytest.fixture
async def listening(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    async with listen(app) as listening:
        yield listening


@pytest.fixture
def resources(listening: Listening) -> Resources:
    found: Resources = listening.state["resources"]
    return found


@pytest.fixture
def address(listening: Listening) -> str:
    return f"ws://{listening.address}/internal/ws/echo"


async def test_staff_hear_what_they_say(address: str, resources: Resources, schemas: Schemas) -> None:
    headers = await staff(resources, "support")
    token = headers["Authorization"].removeprefix("Bearer ")

    async with (
        connected(address, schemas, headers) as one,
        connected(address, schemas, subprotocols=["portico.v1", f"bearer.{token}"]) as other,
    ):
        for peer in (one, other):
            assert await peer.ask("echo", data={"a": 1}) == {"type": "echo", "data": {"a": 1}}
            assert await peer.ask("ping") == {"type": "pong"}
            assert (await peer.ask("subscribe", channel="catalog"))["code"] == "invalid_frame"


async def test_nobody_else_does(address: str, resources: Resources) -> None:
    customer = await signed_in(resources, await a_user(resources))
    public = await signed_in(resources, await a_user(resources, "admin"))

    for headers in ({}, customer, public):
        status, answered, body = await denial(address, headers)
        assert (status, body["error"]["code"]) == (401, "unauthenticated")
        assert answered["www-authenticate"].startswith("Bearer")


async def test_page_of_a_foreign_origin_is_refused(address: str, resources: Resources) -> None:
    headers = {**await staff(resources), "Origin": "https://evil.example"}

    status, _, body = await denial(address, headers)

    assert (status, body["error"]["code"]) == (403, "origin_not_allowed")


async def test_it_is_told_that_the_server_stops(
    address: str, listening: Listening, resources: Resources, schemas: Schemas
) -> None:
    async with connected(address, schemas, await staff(resources)) as peer:
        listening.stop()

        assert (await peer.hear())["type"] == "reconnect"
        assert await peer.closed() == (1012, "server_restarts")


async def test_it_ends_with_its_sign_in(
    address: str, listening: Listening, resources: Resources, schemas: Schemas
) -> None:
    async with connected(address, schemas, await staff(resources)) as peer:
        (followed,) = listening.state["watch"]._followed
        listening.state["watch"]._end(followed, "revoked")

        assert await peer.closed() == (4401, "credential_revoked")
