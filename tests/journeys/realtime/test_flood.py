"""A thousand sockets and two hundred event streams on one process, and some more that never read."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.frames import Frame, Opcode

from tests.fixtures.followers import (
    PATIENCE,
    Follower,
    Headers,
    SocketFollower,
    StreamFollower,
    following,
    shortfalls,
    stream_request,
    until,
)
from tests.fixtures.processes import StartProcess
from tests.journeys.realtime.log import embedded, open_log
from tests.journeys.shop import serve

SOCKETS, STREAMS, STUCK = 1_000, 200, 50
EVENTS, AT_ONCE = 1_000, 50
PER_KEY = 100


class Metrics:
    def __init__(self, address: str, folder: Path) -> None:
        token = (folder / "var" / "metrics_token").read_text().strip()
        self._client = httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def read(self, name: str) -> int:
        """0 where it was never counted."""
        lines = (await self._client.get("/internal/metrics")).text.splitlines()
        return next((int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(f"{name} ")), 0)

    async def streams(self) -> tuple[int, int]:
        """Open sockets, and event streams."""
        return await self.read('portico_streams{kind="websocket"}'), await self.read('portico_streams{kind="sse"}')

    async def until_there_are(self, sockets: int, streams: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.streams() != (sockets, streams):  # noqa: ASYNC110  it is in another process
                await asyncio.sleep(0.5)

    async def too_slow(self) -> tuple[int, int]:
        name = "portico_streams_too_slow_total"
        return await self.read(f'{name}{{kind="websocket"}}'), await self.read(f'{name}{{kind="sse"}}')


async def ask(address: str, request: bytes) -> socket.socket:
    """A connection that has room for next to nothing, where the answer to the request has begun."""
    place = urlsplit(address)
    loop = asyncio.get_running_loop()
    opened = socket.socket()
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # by which the server's kernel measures its own room
    await loop.sock_connect(opened, (place.hostname, place.port))
    await loop.sock_sendall(opened, request)
    assert (await loop.sock_recv(opened, 64)).startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 200 "))
    return opened


async def stuck_socket(address: str, headers: Headers) -> socket.socket:
    own = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    own |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", **headers}
    lines = ["GET /public/v1/ws HTTP/1.1", *(f"{name}: {value}" for name, value in own.items()), "", ""]
    opened = await ask(address, "\r\n".join(lines).encode())
    subscribe = json.dumps({"type": "subscribe", "channel": "catalog"}).encode()
    await asyncio.get_running_loop().sock_sendall(opened, Frame(Opcode.TEXT, subscribe).serialize(mask=True))
    return opened


@asynccontextmanager
async def stuck(address: str, headers: Headers) -> AsyncIterator[None]:
    """Half of them sockets, half of them event streams."""
    opened = []
    try:
        for _ in range(STUCK // 2):
            opened.append(await stuck_socket(address, headers))
            opened.append(await ask(address, stream_request("?types=product.updated", headers, None)))
        yield
    finally:
        for each in opened:
            each.close()


@pytest.mark.usefixtures("many_files")
async def test_burst_comes_whole_and_in_order_to_everybody_but_those_that_never_read(
    start: StartProcess, tmp_path: Path
) -> None:
    process, address = await asyncio.to_thread(serve, start)
    async with open_log(embedded(tmp_path)) as log, Metrics(address, tmp_path) as metrics:
        keys = await log.keys(SOCKETS // PER_KEY + 1, "events:read")
        followers: list[Follower] = [SocketFollower(address, keys[n // PER_KEY]) for n in range(SOCKETS)]
        followers += [StreamFollower(address, keys[n // PER_KEY]) for n in range(STREAMS)]
        async with following(followers), stuck(address, keys[-1]):
            assert await metrics.streams() == (SOCKETS + STUCK // 2, STREAMS + STUCK // 2)
            for _ in range(EVENTS // AT_ONCE):
                await log.write(AT_ONCE)
            expected = await log.ids()
            await until(lambda: all(len(each.ids) >= EVENTS for each in followers))
            await metrics.until_there_are(SOCKETS, STREAMS)

            assert len(expected) == EVENTS
            assert shortfalls(followers, expected) == {}
            assert Counter((each.told, each.broken) for each in followers) == {(0, 0): len(followers)}
            assert await metrics.too_slow() == (STUCK // 2, STUCK // 2)
    assert process.running, process.story
