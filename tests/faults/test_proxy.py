"""The proxy itself: what it lets through, and what not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.faults.proxy import Proxy, proxy, to_address

DELAY = 0.2


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def through(led: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*led.address)
    yield reader, writer
    writer.close()


@pytest.fixture
async def led() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    with proxy(to_address(*server.sockets[0].getsockname())) as led:
        yield led
    server.close()


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    return await reader.readexactly(len(text))


async def test_passes_bytes_on(led: Proxy) -> None:
    async with through(led) as streams:
        assert await said(*streams, b"hello") == b"hello"


async def test_silence_holds_back_what_is_sent_and_who_comes_until_it_ends(led: Proxy) -> None:
    async with through(led) as (reader, writer):
        assert await said(reader, writer, b"before") == b"before"

        led.set("silent")
        writer.write(b"meanwhile")
        async with through(led) as (other, its_writer):
            its_writer.write(b"new")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.gather(reader.read(1), other.read(1)), 0.3)
            led.set("pass")

            assert await reader.readexactly(9) == b"meanwhile"
            assert await other.readexactly(3) == b"new"


async def test_refusal_breaks_connections_and_new_ones(led: Proxy) -> None:
    async with through(led) as (reader, writer):
        assert await said(reader, writer, b"before") == b"before"

        led.set("refuse")

        assert await ended(reader)
    async with through(led) as (reader, _):
        assert await ended(reader)
    led.set("pass")
    async with through(led) as streams:
        assert await said(*streams, b"again") == b"again"


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def test_delay_holds_each_piece_back(led: Proxy) -> None:
    led.set("pass", delay_seconds=DELAY)

    async with through(led) as streams:
        began = monotonic()
        assert await said(*streams, b"slow") == b"slow"

    assert monotonic() - began >= 2 * DELAY  # there and back
