"""Subscribing as a client does: over graphql-transport-ws, and over server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx2
from httpx2.websockets import AsyncWebSocketSession

from core.streams.broadcast import Subscription
from tests.fixtures.asgi import Exchange, Served, exchange, websocket

PROTOCOL = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}


@asynccontextmanager
async def connected(
    client: httpx2.AsyncClient, path: str = "/graphql", headers: dict[str, str] | None = None, **payload: Any
) -> AsyncIterator[AsyncWebSocketSession]:
    async with websocket(client, path, PROTOCOL | (headers or {})) as socket:
        await socket.send_json({"type": "connection_init", "payload": payload})
        assert await socket.receive_json() == {"type": "connection_ack"}
        yield socket


async def run(
    socket: AsyncWebSocketSession, query: str, operation_name: str | None = None, **variables: Any
) -> dict[str, Any]:
    """The first message that answers the operation."""
    payload = {"query": query, "operationName": operation_name, "variables": variables}
    await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
    answer: dict[str, Any] = await socket.receive_json()
    if answer["type"] == "next":
        assert await socket.receive_json() == {"id": "1", "type": "complete"}
    return answer


ORDERS = """subscription($after: String, $orderId: ID) {
  orderUpdates(after: $after, orderId: $orderId) { id type time order { id state } }
}"""
PRODUCTS = """subscription($after: String, $productId: ID) {
  productUpdates(after: $after, productId: $productId) { id type productId product { title } }
}"""
ROOM = """subscription($room: String!, $after: String) {
  supportMessages(room: $room, after: $after) { id cursor room author { id name staff } to text createdAt }
}"""


async def subscribe(socket: AsyncWebSocketSession, query: str, operation: str = "1", **variables: Any) -> None:
    payload = {"query": query, "variables": variables}
    await socket.send_json({"id": operation, "type": "subscribe", "payload": payload})


async def updates(socket: AsyncWebSocketSession, number: int) -> list[dict[str, Any]]:
    """So many of the only root field, without errors."""
    found = []
    for _ in range(number):
        message = await socket.receive_json()
        assert (message["type"], "errors" in message["payload"]) == ("next", False), message
        found.extend(message["payload"]["data"].values())
    return found


def feeds(served: Served) -> list[Subscription]:
    """What subscribes to the broadcast now."""
    topics = served.state["broadcast"]._subscriptions.values()
    return list({each: None for subscriptions in topics for each in subscriptions if each.kind == "graphql"})


async def retitle(client: httpx2.AsyncClient, product_id: str, title: str, headers: dict[str, str]) -> None:
    changed = await client.patch(f"/public/v1/products/{product_id}", json={"title": title}, headers=headers)
    assert changed.status_code == 200


async def product_named(client: httpx2.AsyncClient, handle: str) -> str:
    """Its id."""
    found: str = (await client.get(f"/public/v1/products/{handle}")).json()["id"]
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  nobody but a test waits for it
            await asyncio.sleep(0.01)


class Stream:
    """An answer of server-sent events, while it comes."""

    def __init__(self) -> None:
        self.answer = Exchange()
        self.left = asyncio.Event()
        self._events: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()

    async def event(self) -> tuple[str, Any] | None:
        """The next one: its name and its data; None when the answer has ended."""
        async with asyncio.timeout(20):
            return await self._events.get()

    async def updates(self, number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while len(found) < number:
                event = await self.event()
                assert event is not None
                name, data = event
                if name == "next":
                    found.extend(data["data"].values())
        return found

    def receive(self, answer: Exchange) -> None:
        self.answer = answer
        for text in answer.chunks[-1].decode().strip("\n").split("\n\n"):
            if text.startswith(":"):
                self._events.put_nowait((text, None))
                continue
            fields = {name: value.strip() for name, _, value in (line.partition(":") for line in text.split("\n"))}
            self._events.put_nowait((fields["event"], json.loads(fields["data"]) if fields["data"] else None))

    def end(self, answer: Exchange) -> None:
        self.answer = answer
        self._events.put_nowait(None)


@asynccontextmanager
async def streamed(
    served: Served,
    query: str,
    headers: dict[str, str] | None = None,
    path: str = "/graphql",
    method: str = "POST",
    **variables: Any,
) -> AsyncIterator[Stream]:
    """Leaves at the end of the block."""
    stream = Stream()
    given = {"Content-Type": "application/json", "Accept": "text/event-stream", "Accept-Encoding": "gzip"}
    body = json.dumps({"query": query, "variables": variables}).encode() if method == "POST" else b""
    address = urlencode({"query": query, "variables": json.dumps(variables)}) if method == "GET" else ""

    async def ask() -> None:
        answer = await exchange(
            served,
            method,
            path,
            list((given | (headers or {})).items()),
            chunks=[body],
            on_chunk=stream.receive,
            left=stream.left,
            query_string=address.encode(),
        )
        stream.end(answer)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        yield stream
        stream.left.set()
