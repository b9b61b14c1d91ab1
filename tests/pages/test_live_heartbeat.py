"""The chat's socket when nothing is said: both ends know that the other is there, or notice that it is not."""

import asyncio
import json
from collections.abc import Callable

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.pages.conftest import Visit
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor


class Wire:
    """Between the page and the server."""

    def __init__(self) -> None:
        self.cut = False  # nothing comes through, and nobody is told
        self.said: asyncio.Queue[str] = asyncio.Queue()  # types of frames from the page
        self.opened = 0

    def carry(self, page: WebSocketRoute) -> None:
        self.opened += 1
        self.cut = False
        server = page.connect_to_server()
        page.on_message(self._passing(lambda text: self._hear(text, server)))
        server.on_message(self._passing(page.send))
        self.page = page

    def _passing(self, send: Callable[[str], None]) -> Callable[[str | bytes], None]:
        return lambda text: None if self.cut else send(str(text))

    def _hear(self, text: str, server: WebSocketRoute) -> None:
        self.said.put_nowait(json.loads(text)["type"])
        server.send(text)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def visitor(open_shop: Shop, visit: Visit, wire: Wire) -> Visitor:
    visitor = await visit(open_shop)
    await visitor.page.route_web_socket("**/support/rooms/*/ws?*", wire.carry)
    await visitor.page.clock.install()
    await visitor.sign_in(open_shop.customer("Ada"))
    await visitor.chat_is("live")
    return visitor


@pytest.mark.usefixtures("visitor")
async def test_ping_is_answered(wire: Wire) -> None:
    wire.page.send('{"type": "ping"}')

    async with asyncio.timeout(20):
        assert await wire.said.get() == "pong"


async def test_socket_that_died_in_silence_is_replaced(open_shop: Shop, visitor: Visitor, wire: Wire) -> None:
    room = await visitor.room()

    wire.cut = True
    open_shop.say(room, "Do you hear me?")
    await visitor.page.clock.fast_forward(60_000)

    await expect(visitor.texts).to_have_text(["Do you hear me?"])
    await visitor.chat_is("live")
    assert wire.opened == 2
    assert visitor.complaints == []
