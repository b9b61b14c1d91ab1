"""Streams of one server: the memory of an idle socket, and what it costs to tell an event to a thousand sockets and to
two hundred event streams, beside what the library `websockets` alone needs for as many.
"""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.uri import parse_uri

from benchmarks.harness.processes import cores, ending, pin
from benchmarks.report import Row, at_most
from benchmarks.server import server
from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from core.clock import SystemClock
from core.database import Database
from core.eventlog import NewEvent, append

SOCKETS = 1_000
STREAMS = 200
ROUNDS = 3
BROADCASTS = 20  # in each
REQUIRED_TIMES = 3.0
_PER_KEY = 100
_OPENING = 50
_IDLE_SECONDS = 4
_SECONDS = 120  # that anything may take
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


@dataclass(frozen=True, slots=True)
class Found:
    memory_kb: float  # of each idle socket
    sockets: Cost
    bare: Cost
    streams: Cost


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
Tell = Callable[[], Awaitable[None]]
Started = tuple[psutil.Process, str]  # with its address


class Audience:
    """All who listen to one server, and how it is told something."""

    def __init__(self, process: psutil.Process, listeners: Sequence[Listener], heard: Heard, tell: Tell) -> None:
        self._process = process
        self._listeners = listeners
        self._heard = heard
        self._tell = tell
        self._told = 0
        self._idle = 0.0
        self._costs: list[Cost] = []

    async def settle(self) -> None:
        """What the server uses by the second while nothing is told is not a broadcast's: its timers, and its jobs."""
        await self._tell_all()
        before = _cpu_seconds(self._process)
        await asyncio.sleep(_IDLE_SECONDS)
        self._idle = (_cpu_seconds(self._process) - before) / _IDLE_SECONDS

    async def listen(self) -> None:
        """One round. Each event is told when all have heard the one before."""
        before, began = _cpu_seconds(self._process), time.monotonic()
        spread = sum([await self._tell_all() for _ in range(BROADCASTS)])
        cpu = _cpu_seconds(self._process) - before - self._idle * (time.monotonic() - began)
        self._costs.append(Cost(cpu * 1000 / BROADCASTS, spread * 1000 / BROADCASTS))

    async def _tell_all(self) -> float:
        await self._tell()
        self._told += 1
        return await self._heard.everybody(self._told, len(self._listeners))

    @property
    def size(self) -> int:
        """Of what they heard last."""
        return self._listeners[0].size

    @property
    def cost(self) -> Cost:
        return Cost(median(each.cpu_ms for each in self._costs), median(each.spread_ms for each in self._costs))


def run() -> list[Row]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))  # the servers inherit it
    with TemporaryDirectory() as folder, server(folder) as ours, _bare_server() as bare:
        for process in (ours[0], bare[0]):
            pin(process, cores()[0])
        found = asyncio.run(_measure(ours, bare, Path(folder) / "portico.db"))
    times = found.sockets.cpu_ms / found.bare.cpu_ms
    return [
        Row(f"memory of an idle socket, of {SOCKETS:,}", found.memory_kb, "kB"),
        Row(f"event to {SOCKETS:,} sockets, processor", found.sockets.cpu_ms, "ms"),
        Row(f"event to {SOCKETS:,} sockets, first to last", found.sockets.spread_ms, "ms"),
        Row(f"`websockets` broadcasts to {SOCKETS:,}, processor", found.bare.cpu_ms, "ms"),
        Row(f"`websockets` broadcasts to {SOCKETS:,}, first to last", found.bare.spread_ms, "ms"),
        at_most("processor, times that of `websockets`", times, "x", REQUIRED_TIMES),
        Row(f"event to {STREAMS:,} event streams, processor", found.streams.cpu_ms, "ms"),
        Row(f"event to {STREAMS:,} event streams, first to last", found.streams.spread_ms, "ms"),
    ]


async def _measure(ours: Started, bare: Started, path: Path) -> Found:
    """Rounds with sockets of both in turn, then with event streams."""
    process, address = ours
    database = Database(f"sqlite+aiosqlite:///{path}")
    keys = await _keys(database, SOCKETS // _PER_KEY)
    url = f"{address.replace('http', 'ws')}/public/v1/ws"

    async def tell() -> None:
        async with database.write() as session:
            event = NewEvent("product.updated", "prod_bench", {"id": "prod_bench"}, "everybody")
            await append(session, [event], SystemClock().now())

    async with _listening([SocketListener(url, keys[0], Heard()) for _ in range(_PER_KEY)], address):
        pass  # what is loaded with the first ones is not the others'
    before = process.memory_info().rss
    heard = Heard()
    async with _listening([SocketListener(url, keys[n // _PER_KEY], heard) for n in range(SOCKETS)], address) as found:
        memory_kb = (process.memory_info().rss - before) / 1000 / SOCKETS
        sockets = Audience(process, found, heard, tell)
        await sockets.settle()
        async with _listening_to(bare, sockets.size) as others:
            await others.settle()
            for _ in range(ROUNDS):
                await sockets.listen()
                await others.listen()
    heard = Heard()
    async with _listening([StreamListener(keys[n // _PER_KEY], heard) for n in range(STREAMS)], address) as found:
        streams = Audience(process, found, heard, tell)
        await streams.settle()
        await streams.listen()
    await database.close()
    return Found(memory_kb, sockets.cost, others.cost, streams.cost)


@asynccontextmanager
async def _listening_to(bare: Started, size: int) -> AsyncIterator[Audience]:
    """The yardstick, which sends as much."""
    process, address = bare
    text = '{"type":"event"'.ljust(size)
    heard = Heard()
    listeners = [SocketListener(address.replace("http", "ws"), None, heard) for _ in range(SOCKETS)]

    async def tell() -> None:
        listeners[0].say(text)

    async with _listening(listeners, address):
        yield Audience(process, listeners, heard, tell)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@asynccontextmanager
async def _listening(listeners: Sequence[Listener], address: str) -> AsyncIterator[Sequence[Listener]]:
    place = urlsplit(address)
    assert place.hostname is not None
    assert place.port is not None
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
    command = [sys.executable, "-c", _BARE]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started,
        ending(started) as process,
    ):
        assert started.stdout is not None
        yield process, f"http://127.0.0.1:{started.stdout.readline().strip()}"
