"""The WebSocket of a room: messages in the order of the log, who is there, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from httpx2.websockets import AsyncWebSocketSession, WebSocketDisconnect, WebSocketUpgradeError
from sqlalchemy import func, select, update

from commerce.accounts.entities import User
from commerce.accounts.models import UserRow
from commerce.accounts.principal import Role
from commerce.support.models import PresenceRow, RoomRow
from core.resources import Resources
from public_api.realtime.frames import FROM_SERVER
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, websocket

ROOMS = "/public/v1/support/rooms"
Headers = dict[str, str]


class Client:
    """One socket in a room, and what it was sent."""

    def __init__(self, session: AsyncWebSocketSession) -> None:
        self._session = session

    async def next(self, kind: str) -> dict[str, Any]:
        """The next frame, which is of this type."""
        frame: dict[str, Any] = await self._session.receive_json(timeout=30)
        FROM_SERVER.validate_python(frame)
        assert frame["type"] == kind, frame
        return frame

    async def messages(self, count: int) -> list[str]:
        return [(await self.next("message"))["text"] for _ in range(count)]

    async def presence(self) -> tuple[str, str]:
        frame = await self.next("presence")
        return frame["person"]["name"], frame["state"]

    async def send(self, **frame: Any) -> None:
        await self._session.send_json({"type": "send"} | frame)

    async def closed(self) -> tuple[int, str | None]:
        with pytest.raises(WebSocketDisconnect) as end:
            await self._session.receive_json(timeout=30)
        return end.value.code, end.value.reason


class Desk:
    """People, and their sockets."""

    def __init__(self, client: httpx2.AsyncClient, resources: Resources, people: dict[str, User]) -> None:
        self.client = client
        self.resources = resources
        self.people = people
        self.ids = {name: user.id for name, user in people.items()}

    async def headers(self, who: str) -> Headers:
        return await signed_in(self.resources, self.people[who])

    @asynccontextmanager
    async def socket(self, who: str, path: str) -> AsyncIterator[Client]:
        async with websocket(self.client, path, await self.headers(who)) as session:
            yield Client(session)

    @asynccontextmanager
    async def enter(self, who: str, *there: str, room: str = "r1", after: str | None = None) -> AsyncIterator[Client]:
        """In the room, with so many that were there, by name, itself the last."""
        query = f"?after={after}" if after is not None else ""
        async with self.socket(who, f"{ROOMS}/{room}/ws{query}") as client:
            await client.next("welcome")
            assert [await client.presence() for _ in (*there, who)] == [
                (name.title(), "joined") for name in (*there, who)
            ]
            assert (await client.next("subscribed"))["channel"] == f"support:{room}"
            yield client

    async def post(self, who: str, text: str, room: str = "r1") -> dict[str, Any]:
        response = await self.client.post(
            f"{ROOMS}/{room}/messages", json={"text": text}, headers=await self.headers(who)
        )
        assert response.status_code == 201, response.text
        message: dict[str, Any] = response.json()
        return message

    async def rows(self) -> tuple[int, int]:
        """Rooms, and connections in them."""
        async with self.resources.database.read() as session:
            rooms = await session.scalar(select(func.count()).select_from(RoomRow))
            return rooms, await session.scalar(select(func.count()).select_from(PresenceRow))


@pytest.fixture
async def desk(client: httpx2.AsyncClient, resources: Resources) -> Desk:
    roles: dict[str, Role] = {"ada": "customer", "bob": "customer", "sue": "support", "sam": "editor"}
    people = {}
    for name, role in roles.items():
        people[name] = await a_user(resources, role)
        async with resources.database.write() as session:
            await session.execute(update(UserRow).where(UserRow.id == people[name].id).values(name=name.title()))
    return Desk(client, resources, people)


async def test_what_is_said_comes_to_everybody_in_the_room_as_it_is_kept(desk: Desk) -> None:
    async with desk.enter("ada") as ada, desk.enter("sue", "ada") as sue:
        assert await ada.presence() == ("Sue", "joined")
        await ada.send(text="hello")

        heard = [await ada.next("message"), await sue.next("message")]
        await desk.post("sue", "by REST")
        assert [await ada.messages(1), await sue.messages(1)] == [["by REST"], ["by REST"]]

    history = await desk.client.get(f"{ROOMS}/r1/messages", headers=await desk.headers("ada"))
    kept = history.json()["items"][0]
    assert heard == [{"type": "message", **kept}] * 2
    assert kept["author"] == {"id": desk.ids["ada"], "name": "Ada", "staff": False}


async def test_who_comes_and_goes_is_told_once_a_person(desk: Desk) -> None:
    async with desk.enter("ada") as ada:
        async with desk.enter("sue", "ada"):
            assert await ada.presence() == ("Sue", "joined")
            async with desk.socket("sue", f"{ROOMS}/r1/ws") as second:
                await second.next("welcome")
                assert {await second.presence(), await second.presence()} == {("Ada", "joined"), ("Sue", "joined")}
            await ada.send(text="still here?")
            assert await ada.messages(1) == ["still here?"]
        assert await ada.presence() == ("Sue", "left")
        assert await desk.rows() == (1, 1)


async def test_socket_goes_on_after_its_cursor(desk: Desk) -> None:
    sent = [await desk.post("ada", f"{n}") for n in range(5)]
    await desk.post("bob", "elsewhere", room="r2")

    async with desk.enter("ada", after=sent[1]["cursor"]) as ada:
        assert await ada.messages(3) == ["2", "3", "4"]
        await desk.post("sue", "now")
        assert await ada.messages(1) == ["now"]


async def test_customer_reads_what_staff_wrote_before_by_the_cursor_of_the_beginning(desk: Desk) -> None:
    await desk.post("sue", "about your order")

    async with desk.enter("ada", after="evt_0000000000000") as ada:
        assert await ada.messages(1) == ["about your order"]


async def test_personal_message_comes_to_two_sockets_and_no_third(desk: Desk) -> None:
    async with AsyncExitStack() as stack:
        sam = await stack.enter_async_context(desk.enter("sam"))
        ada = await stack.enter_async_context(desk.enter("ada", "sam"))
        sue = await stack.enter_async_context(desk.enter("sue", "sam", "ada"))
        assert [await sam.presence(), await sam.presence(), await ada.presence()] == [
            ("Ada", "joined"),
            ("Sue", "joined"),
            ("Sue", "joined"),
        ]
        await sue.send(text="psst", to=desk.ids["ada"])
        await ada.send(text="for all")

        assert await ada.messages(2) == await sue.messages(2) == ["psst", "for all"]
        assert await sam.messages(1) == ["for all"]


async def test_refusals_are_told_with_the_codes_of_rest_and_the_socket_stays(desk: Desk) -> None:
    async with desk.enter("ada") as ada:
        codes = []
        for frame in ({"text": " "}, {"text": "x" * 4001}, {"text": "x", "to": desk.ids["bob"]}):
            await ada.send(**frame)
            codes.append((await ada.next("error"))["code"])
        await ada.send(type="subscribe", channel="catalog")
        codes.append((await ada.next("error"))["code"])
        await ada.send(text="good")

        assert await ada.messages(1) == ["good"]
    assert codes == ["invalid_message", "invalid_message", "unknown_recipient", "channel_not_found"]


async def test_sockets_that_are_refused_get_a_problem_and_change_nothing(desk: Desk) -> None:
    await desk.post("ada", "hello")
    before = await desk.rows()
    asked: list[tuple[Headers, str]] = [
        ({}, "r1/ws"),
        (await key_with(desk.resources, "events:read"), "r1/ws"),
        (await desk.headers("bob"), "r1/ws"),
        (await desk.headers("sue"), "-/ws"),
        (await desk.headers("sue"), "r2/ws?after=nothing"),
    ]

    answers = []
    for headers, path in asked:
        with pytest.raises(WebSocketUpgradeError) as denied:
            async with websocket(desk.client, f"{ROOMS}/{path}", headers):
                pass
        response = denied.value.response
        answers.append((response.status_code, response.json()["code"]))

    assert answers == [
        (401, "unauthenticated"),
        (403, "missing_scope"),
        (404, "room_not_found"),
        (422, "invalid_room_name"),
        (422, "invalid_cursor"),
    ]
    assert await desk.rows() == before


async def test_room_is_a_channel_of_the_common_socket_too(desk: Desk) -> None:
    await desk.post("ada", "before")

    async with desk.socket("ada", "/public/v1/ws") as ada, desk.socket("bob", "/public/v1/ws") as bob:
        for client in (ada, bob):
            await client.next("welcome")
            await client.send(type="subscribe", channel="support:r1")
        await ada.next("subscribed")
        refused = await bob.next("error")
        sent = await desk.post("sue", "hello")
        event = (await ada.next("event"))["event"]

    assert (refused["code"], refused["channel"]) == ("room_not_found", "support:r1")
    assert (event["id"], event["subject"], event["data"]["text"]) == (sent["cursor"], "r1", "hello")


async def test_server_that_stops_says_where_to_go_on(desk: Desk, served: Served) -> None:
    async with desk.enter("ada") as ada:
        await ada.send(text="hello")
        cursor = (await ada.next("message"))["cursor"]

        served.state["draining"].set()

        farewell = await ada.next("reconnect")
        assert (farewell["after"], farewell["cursors"]) == (cursor, {"support:r1": cursor})
        assert await ada.closed() == (1012, "server_restarts")
