"""How WebSockets are spoken, whatever the application: beside what the Autobahn cases ask (`make autobahn`)."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.web.sockets.prepared import EXTENSION, Prepared
from gateway.websockets import SocketProtocol
from tests.conformance.autobahn import echo
from tests.fixtures.application import LogEntries
from tests.fixtures.listening import Listening, listen


class Hasty(SocketProtocol):
    goodbye_seconds = 0.2
    close_seconds = 0.2


@pytest.fixture
async def listening(log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    async with listen(echo, ws=Hasty) as listening:
        yield listening


def dial(listening: Listening, **options: object) -> connect:
    return connect(f"ws://{listening.address}/?ticket=s3cret", proxy=None, **{"close_timeout": 1, **options})  # type: ignore[arg-type]


async def closing(peer: ClientConnection) -> int | None:
    async with asyncio.timeout(30):
        try:
            while True:
                await peer.recv()
        except ConnectionClosed:
            return peer.close_code


async def none_left(listening: Listening) -> None:
    async with asyncio.timeout(30):
        while listening.connections:  # noqa: ASYNC110  nobody but a test waits for it
            await asyncio.sleep(0.01)


def masked(first: int, payload: bytes) -> bytes:
    """A frame as a client sends it (RFC 6455, 5.2), its mask being zero."""
    return struct.pack("!BBI", first, 0x80 | len(payload), 0) + payload


async def test_compression_is_not_offered(listening: Listening) -> None:
    async with dial(listening, compression="deflate") as peer:
        assert peer.protocol.extensions == []


async def test_message_in_very_many_fragments_is_one_message(listening: Listening) -> None:
    async with dial(listening) as peer:
        await peer.send(character for character in "x" * 5000)

        assert await peer.recv() == "x" * 5000


async def test_empty_fragments_are_not_kept(listening: Listening) -> None:
    async with dial(listening) as peer:
        peer.transport.write(masked(0x01, b"a") + masked(0x00, b"") * 10_000)
        await (await peer.ping())
        (protocol,) = listening.server.server_state.connections

        assert len(protocol.frames) <= 64  # type: ignore[union-attr]
        peer.transport.write(masked(0x80, b"b"))
        assert await peer.recv() == "ab"


async def test_close_between_fragments_is_a_close(listening: Listening) -> None:
    async with dial(listening) as peer:
        peer.transport.write(masked(0x01, b"a") + masked(0x88, struct.pack("!H", 1000)))

        assert await closing(peer) == 1000


async def test_what_is_not_utf8_is_the_peers_fault_and_not_in_the_log(
    listening: Listening, log_entries: LogEntries
) -> None:
    async with dial(listening) as peer:
        await peer.send(b"\xff", text=True)

        assert await closing(peer) == 1007
    await none_left(listening)
    assert [entry for entry in log_entries if entry["level"] in ("warning", "error")] == []


async def test_address_is_not_written_down(listening: Listening, log_entries: LogEntries) -> None:
    async with dial(listening):
        pass
    await none_left(listening)

    assert "s3cret" not in str(log_entries)


async def test_peer_that_sent_too_much_learns_why_though_it_reads_late(listening: Listening) -> None:
    async with dial(listening) as peer:
        peer.transport.pause_reading()
        peer.transport.write(struct.pack("!BBQI", 0x81, 0xFF, 2**21, 0) + bytes(2**21))
        await none_left(listening)
        peer.transport.resume_reading()

        assert await closing(peer) == 1009


async def test_peer_that_sends_too_much_and_never_stops_is_cut_off(listening: Listening) -> None:
    async with dial(listening) as peer:
        endless = asyncio.create_task(_send_without_end(peer))
        await none_left(listening)
        endless.cancel()
        peer.transport.abort()


async def _send_without_end(peer: ClientConnection) -> None:
    while True:
        peer.transport.write(masked(0x01, b"x") + struct.pack("!BBQI", 0x80, 0xFF, 2**20, 0) + bytes(2**16))
        await asyncio.sleep(0.001)


async def test_peer_that_reads_nothing_is_cut_off_when_its_socket_is_closed(log_entries: LogEntries) -> None:
    async def shout(_scope: Scope, receive: Receive, send: Send) -> None:
        """Until nobody takes it, then closes."""
        message: Message = await receive()
        if message["type"].startswith("lifespan"):
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "websocket.accept"})
        try:
            while True:
                async with asyncio.timeout(0.2):
                    await send({"type": "websocket.send", "text": "x" * 100_000})
        except TimeoutError:
            await send({"type": "websocket.close", "code": 4429})

    assert log_entries == []
    async with listen(shout, ws=Hasty) as listening:
        small = socket.create_connection(("127.0.0.1", listening.port))
        small.setblocking(False)
        async with dial(listening, sock=small) as peer:
            peer.transport.pause_reading()
            await none_left(listening)
            peer.transport.abort()


async def test_application_that_does_not_say_goodbye_has_its_sockets_closed(listening: Listening) -> None:
    async with dial(listening) as peer:
        listening.stop()

        assert await closing(peer) == 1012
    await listening.served


class Writing:
    """An application that writes frames at once, for as long as its socket is open."""

    def __init__(self) -> None:
        self.write: Callable[[bytes], bool] | None = None
        self.send: Send | None = None
        self._opened = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await echo(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        self.write, self.send = scope["extensions"][EXTENSION]["write"], send
        self._opened.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def opened(self) -> tuple[Callable[[bytes], bool], Send]:
        await self._opened.wait()
        assert self.write is not None
        assert self.send is not None
        return self.write, self.send


@asynccontextmanager
async def written_to() -> AsyncIterator[tuple[ClientConnection, Callable[[bytes], bool], Send]]:
    app = Writing()
    async with listen(app, ws=Hasty) as listening, dial(listening, max_queue=None) as peer:
        yield peer, *await app.opened()


async def test_frames_are_written_at_once_behind_what_was_sent() -> None:
    async with written_to() as (peer, write, send):
        await send({"type": "websocket.send", "text": "first"})
        assert write(Prepared("second").frame)
        await send({"type": "websocket.send", "text": "third"})

        assert [await peer.recv() for _ in range(3)] == ["first", "second", "third"]


async def test_nothing_is_written_at_once_to_a_peer_that_has_to_read_first() -> None:
    frame = Prepared("x" * 60_000).frame
    async with written_to() as (peer, write, send):
        peer.transport.pause_reading()
        written = 0
        while write(frame):
            written += 1
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(send({"type": "websocket.send", "text": "last"}))
        assert not write(frame)
        peer.transport.resume_reading()
        await waiting

        assert [len(await peer.recv()) for _ in range(written)] == [60_000] * written
        assert await peer.recv() == "last"
        assert write(frame)


@pytest.mark.parametrize("closer", ["server", "peer"])
async def test_nothing_is_written_at_once_after_the_close_of_either_side(closer: str) -> None:
    async with written_to() as (peer, write, send):
        if closer == "server":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await peer.close()

        assert not write(Prepared("late").frame)
        assert await closing(peer) == 1000
