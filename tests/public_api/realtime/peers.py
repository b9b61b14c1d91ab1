"""A client of the sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.eventlog import NewEvent, append
from core.resources import Resources

Schemas = dict[str, Any]
PATIENCE = 30


class Peer:
    def __init__(self, websocket: ClientConnection, schemas: Schemas) -> None:
        self.websocket = websocket
        self._schemas = schemas

    async def hear(self) -> dict[str, Any]:
        """The next frame, whole and as the document says."""
        async with asyncio.timeout(PATIENCE):
            frame: dict[str, Any] = json.loads(await self.websocket.recv())
        self._schemas[frame["type"]].validate(frame)
        return frame

    async def say(self, kind: str, **fields: Any) -> None:
        frame = {"type": kind, **fields}
        self._schemas[kind].validate(frame)
        await self.websocket.send(json.dumps(frame))

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        await self.say(kind, **fields)
        return await self.hear()

    async def follow(self, channel: str, **fields: Any) -> str:
        """The cursor that it begins with."""
        frame = await self.ask("subscribe", channel=channel, **fields)
        assert (frame["type"], frame["channel"]) == ("subscribed", channel), frame
        cursor: str = frame["cursor"]
        return cursor

    async def subjects(self, count: int) -> list[str]:
        """Of the next events."""
        return [(await self.hear())["event"]["subject"] for _ in range(count)]

    async def quiet(self) -> None:
        """Nothing was sent before the answer to this."""
        assert await self.ask("echo", data="is there more?") == {"type": "echo", "data": "is there more?"}

    async def closed(self) -> tuple[int | None, str | None]:
        """How the server closed it, once all that it sent before is read."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.websocket.recv()
            except ConnectionClosed:
                return self.websocket.close_code, self.websocket.close_reason


@asynccontextmanager
async def connected(
    address: str, schemas: Schemas, headers: dict[str, str] | None = None, *, welcomed: bool = True, **options: Any
) -> AsyncIterator[Peer]:
    settings: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1, **options}
    async with connect_websocket(address, additional_headers=headers or {}, proxy=None, **settings) as websocket:
        peer = Peer(websocket, schemas)
        if welcomed:
            assert (await peer.hear())["type"] == "welcome"
        yield peer


async def denial(address: str, headers: dict[str, str] | None = None, **options: Any) -> tuple[int, Any, Any]:
    """The status, headers and problem that a handshake was answered with."""
    try:
        async with connect_websocket(address, additional_headers=headers or {}, proxy=None, **options):
            raise AssertionError("it was let in")
    except InvalidStatus as denied:
        response = denied.response
        return response.status_code, response.headers, json.loads(response.body)


async def happen(resources: Resources, *events: NewEvent) -> None:
    async with resources.database.write() as session:
        await append(session, events, resources.clock.now())


def product(subject: str, visibility: str = "everybody") -> NewEvent:
    return NewEvent("product.updated", subject, {"id": subject}, visibility)


def order(subject: str, owner: str | None, kind: str = "order.placed") -> NewEvent:
    return NewEvent(kind, subject, {"id": subject}, "owner", owner)
