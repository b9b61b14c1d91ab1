"""Streams of one server: the memory of an idle socket, and what it costs to tell an event to a thousand sockets and to
two hundred event streams, beside what the library `websockets` alone needs for as many.
"""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.uri import parse_uri

from benchmarks.server import server
from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from core.clock import SystemClock
from core.database import Database
from core.eventlog import NewEvent, append

SOCKETS = 1_000
STREAMS = 200
BROADCASTS = 50
REQUIRED_TIMES = 3.0
_PER_KEY = 100
_OPENING = 50
_SECONDS = 60  # that anything may take
# It broadcasts each message that it gets.
_BARE = """
import asyncio
from websockets.asyncio.server import broadcast, serve

peers = set()

async def serve_one(peer):
    peers.add(peer)
    async for message in peer:
        broadcast(peers, message)

async def main():
    async with serve(serve_one, "127.0.0.1", 0, compression=None, backlog=1000) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one event to all who listen, in milliseconds: of the server's processor, and from the first to the last."""

    cpu_ms: float
    spread_ms: float
    size: int


class Heard:
    """How many of all have heard so many events."""

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._changed = asyncio.Event()
        self.times: list[float] = []

    def note(self, count: int) -> None:
        """One more of them has got its `count`-th."""
        while len(self._counts) <= count:
            self._counts.append(0)
        self._counts[count] += 1
        self.times.append(asyncio.get_running_loop().time())
        self._changed.set()

    async def everybody(self, count: int, listeners: int) -> float:
        """The seconds that lie between the first who got the `count`-th and the last."""
        async with asyncio.timeout(_SECONDS):
            while len(self._counts) <= count or self._counts[count] < listeners:
                self._changed.clear()
                await self._changed.wait()
        spread = self.times[-1] - self.times[0]
        self.times.clear()
        return spread


class SocketListener(asyncio.Protocol):
    def __init__(self, url: str, key: str | None, heard: Heard) -> None:
        self._protocol = ClientProtocol(parse_uri(url))
        self._key = key
        self._heard = heard
        self._count = 0
        self.size = 0
        self.open = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request: Request = self._protocol.connect()
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        self._protocol.send_request(request)
        self._flush()

    def say(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                assert event.status_code == HTTPStatus.SWITCHING_PROTOCOLS, event
                if self._key is None:
                    self.open.set()
                else:
                    self.say('{"type":"subscribe","channel":"catalog"}')
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._hear(bytes(event.data))

    def _hear(self, text: bytes) -> None:
        if text.startswith(b'{"type":"event"'):
            self.size = len(text)
            self._count += 1
            self._heard.note(self._count)
        elif text.startswith(b'{"type":"subscribed"'):
            self.open.set()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._transport.write(data)


class StreamListener(asyncio.Protocol):
    def __init__(self, key: str, heard: Heard) -> None:
        self._key = key
        self._heard = heard
        self._count = 0
        self.size = 0
        self.open = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        request = f"GET /public/v1/events/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._key}\r\n\r\n"
        transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        if b": hello" in data:
            self.open.set()
        for _ in range(data.count(b"event: product.updated\n")):
            self.size = len(data)
            self._count += 1
            self._heard.note(self._count)


Listener = SocketListener | StreamListener


def run() -> list[tuple[str, str, str]]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))  # the servers inherit it
    with TemporaryDirectory() as folder, server(folder) as (process, address):
        memory, sockets, streams = asyncio.run(_measure(process, address, folder))
    with _bare_server() as (process, address):
        bare = asyncio.run(_measure_bare(process, address, sockets.size))
    times = sockets.cpu_ms / bare.cpu_ms
    return [
        (f"memory of an idle socket, of {SOCKETS:,}", f"{memory:.0f} kB", ""),
        (f"event to {SOCKETS:,} sockets, processor", f"{sockets.cpu_ms:.1f} ms", ""),
        (f"event to {SOCKETS:,} sockets, first to last", f"{sockets.spread_ms:.1f} ms", ""),
        (f"`websockets` broadcasts to {SOCKETS:,}, processor", f"{bare.cpu_ms:.1f} ms", ""),
        (f"`websockets` broadcasts to {SOCKETS:,}, first to last", f"{bare.spread_ms:.1f} ms", ""),
        ("processor, times that of `websockets`", f"{times:.2f}", f"at most {REQUIRED_TIMES:.0f}"),
        (f"event to {STREAMS:,} event streams, processor", f"{streams.cpu_ms:.1f} ms", ""),
        (f"event to {STREAMS:,} event streams, first to last", f"{streams.spread_ms:.1f} ms", ""),
    ]


async def _measure(process: psutil.Process, address: str, folder: str) -> tuple[float, Cost, Cost]:
    """Kilobytes for each idle socket; what an event costs for sockets, and for event streams."""
    database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'portico.db'}")
    keys = await _keys(database, SOCKETS // _PER_KEY)
    url = f"{address.replace('http', 'ws')}/public/v1/ws"

    async def tell(_listeners: Sequence[Listener]) -> None:
        async with database.write() as session:
            event = NewEvent("product.updated", "prod_bench", {"id": "prod_bench"}, "everybody")
            await append(session, [event], SystemClock().now())

    async with _listening([SocketListener(url, keys[0], Heard()) for _ in range(_PER_KEY)], address):
        pass  # what is loaded with the first ones is not the others'
    before = process.memory_info().rss
    heard = Heard()
    async with _listening([SocketListener(url, keys[n // _PER_KEY], heard) for n in range(SOCKETS)], address) as found:
        memory = (process.memory_info().rss - before) / 1024 / SOCKETS
        sockets = await _cost(process, found, heard, tell)
    heard = Heard()
    async with _listening([StreamListener(keys[n // _PER_KEY], heard) for n in range(STREAMS)], address) as found:
        streams = await _cost(process, found, heard, tell)
    await database.close()
    return memory, sockets, streams


async def _measure_bare(process: psutil.Process, address: str, size: int) -> Cost:
    url = address.replace("http", "ws")
    text = '{"type":"event"'.ljust(size)

    async def tell(listeners: Sequence[Listener]) -> None:
        first = listeners[0]
        assert isinstance(first, SocketListener)
        first.say(text)

    heard = Heard()
    async with _listening([SocketListener(url, None, heard) for _ in range(SOCKETS)], address) as found:
        return await _cost(process, found, heard, tell)


async def _cost(
    process: psutil.Process,
    listeners: Sequence[Listener],
    heard: Heard,
    tell: Callable[[Sequence[Listener]], Awaitable[None]],
) -> Cost:
    """Each event is told when all have heard the one before."""
    await tell(listeners)
    await heard.everybody(1, len(listeners))
    before = _cpu_seconds(process)
    spread = 0.0
    for count in range(2, BROADCASTS + 2):
        await tell(listeners)
        spread += await heard.everybody(count, len(listeners))
    cpu = _cpu_seconds(process) - before
    return Cost(cpu * 1000 / BROADCASTS, spread * 1000 / BROADCASTS, listeners[0].size)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@asynccontextmanager
async def _listening(listeners: Sequence[Listener], address: str) -> AsyncIterator[Sequence[Listener]]:
    place = urlsplit(address)
    loop = asyncio.get_running_loop()
    transports = []
    for start in range(0, len(listeners), _OPENING):
        some = listeners[start : start + _OPENING]
        for each in some:
            transport, _ = await loop.create_connection(lambda each=each: each, place.hostname, place.port)  # type: ignore[misc]
            transports.append(transport)
        async with asyncio.timeout(_SECONDS):
            await asyncio.gather(*(each.open.wait() for each in some))
    yield listeners
    for transport in transports:
        transport.close()


async def _keys(database: Database, count: int) -> list[str]:
    async with database.write() as session:
        keys = ApiKeyService(session, SystemClock(), actor="bench")
        return [(await keys.create(CreateKey("bench", ("events:read",)))).secret for _ in range(count)]


@contextmanager
def _bare_server() -> Iterator[tuple[psutil.Process, str]]:
    with subprocess.Popen([sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield psutil.Process(process.pid), f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()
