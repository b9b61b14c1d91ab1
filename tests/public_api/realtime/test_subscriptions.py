"""A channel's cursor is never ahead of what its socket took, nor behind what it has no use for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from commerce.accounts.principal import SCOPES, Principal
from core.eventlog import EventLog, event_id
from core.resources import Resources
from core.web.sockets.connection import RESTART, FrameSocket, SocketLimits
from core.web.sockets.prepared import EXTENSION, Prepared
from public_api.realtime.frames import FROM_CLIENT, Subscribe
from public_api.realtime.subscriptions import Subscriptions
from tests.fixtures.listening import Listening
from tests.fixtures.sockets import happen, product

SHOP = Principal("api_key", "key_shop", frozenset(SCOPES))


class Taking(FrameSocket):
    """Takes so many events and then no more."""

    def __init__(self, most: int) -> None:
        super().__init__(_websocket([]), FROM_CLIENT, SocketLimits())
        self.left = most
        self.texts: list[str] = []

    async def send(self, frame: BaseModel) -> None: ...

    async def send_text(self, text: str) -> bool:
        if self.left == 0:
            return False
        self.left -= 1
        self.texts.append(text)
        return True


def _websocket(sent: list[Message]) -> WebSocket:
    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    websocket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    websocket.application_state = websocket.client_state = WebSocketState.CONNECTED
    return websocket


@pytest.fixture
async def begin(resources: Resources) -> AsyncIterator[int]:
    """The position of the newest event before the test."""
    async with resources.database.read() as session:
        yield await EventLog(session).newest()


async def test_cursor_stays_where_the_socket_took_no_more(
    listening: Listening, resources: Resources, begin: int
) -> None:
    await happen(resources, *(product(f"p{number}") for number in range(10)))
    for most in (3, 0):
        socket = Taking(most)
        subscriptions = Subscriptions(socket, SHOP, resources, listening.state["broadcast"], limit=1)
        await subscriptions.subscribe(Subscribe(channel="catalog", after=event_id(begin)))
        (followed,) = subscriptions._followed.values()
        await followed.task
        await subscriptions.stop()

        assert len(socket.texts) == most
        assert subscriptions.cursors == {"catalog": event_id(begin + most)}


async def test_cursor_moves_on_past_what_is_not_wanted(listening: Listening, resources: Resources, begin: int) -> None:
    broadcast = listening.state["broadcast"]
    subscriptions = Subscriptions(Taking(0), SHOP, resources, broadcast, limit=1)
    await subscriptions.subscribe(Subscribe(channel="orders"))
    while not broadcast._subscriptions:  # noqa: ASYNC110  nobody but a test waits for it
        await asyncio.sleep(0.01)
    await happen(resources, *(product(f"p{number}") for number in range(10)))
    while broadcast.position < begin + 10:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await subscriptions.stop()

    assert subscriptions.cursors == {"orders": event_id(begin + 10)}


async def test_socket_that_ends_sends_no_more() -> None:
    sent: list[Message] = []
    socket = FrameSocket(_websocket(sent), FROM_CLIENT, SocketLimits())

    assert await socket.send_text("a")
    socket.end(RESTART)

    assert not await socket.send_text("b")
    assert [message["text"] for message in sent] == ["a"]


async def test_socket_that_ends_gets_nothing_at_once_either() -> None:
    written: list[bytes] = []
    websocket = _websocket([])

    def write(data: bytes) -> bool:
        written.append(data)
        return True

    websocket.scope["extensions"] = {EXTENSION: {"write": write}}
    socket = FrameSocket(websocket, FROM_CLIENT, SocketLimits())

    assert socket.send_at_once([Prepared("a")])
    socket.end(RESTART)

    assert not socket.send_at_once([Prepared("b")])
    assert written == [Prepared("a").frame]
