"""Requests that are too much: refused at a bound, and the server's memory is as it was."""

import asyncio
import gzip
from contextlib import AsyncExitStack

import pytest

from gateway.http import HEAD_BYTES, HEADERS
from tests.gateway.hostile.conftest import Server, ask, connected, head, request, rest, status

# Python and its allocator keep pages that they had; ten times less than any one of these attacks sends.
FLAT_KILOBYTES = 24 * 1024
JSON = b"Content-Type: application/json"
PIECE = b"x" * 65536


@pytest.fixture
async def flat(server: Server) -> int:
    """What it has after a few ordinary requests."""
    for _ in range(20):
        await ask(server.port, request(b"/public/v1/products", b"Connection: close"))
    return server.resident_kilobytes


@pytest.mark.parametrize(
    "lines",
    [
        b"a: b\r\n" * 100_000,
        b"X-A: " + b"a" * 50 * 1024**2,
        b"X-A: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
        b"a: b\r\n" * HEADERS + b"\r\n",
        b"x" * 1024**2,
    ],
    ids=["hundred-thousand", "endless-line", "long-line", "too-many", "endless-name"],
)
async def test_head_that_is_too_large_is_431(server: Server, flat: int, lines: bytes) -> None:
    answer = await ask(server.port, b"GET /healthz HTTP/1.1\r\nHost: shop.test\r\n" + lines)

    assert answer == b"" or status(answer) == 431  # it may have closed before all was sent
    assert server.resident_kilobytes < flat + FLAT_KILOBYTES


async def test_head_just_below_the_bounds_is_taken(server: Server) -> None:
    lines = [b"X-A: " + b"a" * (HEAD_BYTES - 2048), *[b"a: b"] * (HEADERS - 10), b"Connection: close"]

    assert status(await ask(server.port, request(b"/healthz", *lines))) == 200


async def test_address_without_end_is_431(server: Server) -> None:
    answer = await ask(server.port, b"GET /" + b"a" * 1024**2)

    assert answer == b"" or status(answer) == 431


@pytest.mark.parametrize("path", [b"/graphql", b"/public/v1/auth/register", b"/internal/auth/token", b"/healthz"])
async def test_body_over_the_limit_is_refused_by_its_length(server: Server, path: bytes) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(request(path, JSON, b"Content-Length: 10000000000", method=b"POST"))
        assert status(await head(reader)) in (405, 413)


@pytest.mark.parametrize("path", [b"/graphql", b"/public/v1/auth/register", b"/internal/auth/token", b"/healthz"])
async def test_body_without_end_is_refused_and_then_not_read(server: Server, flat: int, path: bytes) -> None:
    sent = 0
    async with connected(server.port) as (reader, writer), asyncio.timeout(60):
        answer = asyncio.create_task(rest(reader))
        writer.write(request(path, JSON, b"Transfer-Encoding: chunked", method=b"POST"))
        try:
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
                await writer.drain()
                sent += len(PIECE)
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        refused = await answer

    assert refused == b"" or status(refused) in (405, 413, 422)
    assert server.resident_kilobytes < flat + FLAT_KILOBYTES
    assert sent > 0


@pytest.mark.parametrize(
    ("path", "media_type"),
    [(b"/graphql", JSON), (b"/public/v1/auth/register", JSON), (b"/internal/auth/token", JSON)],
)
async def test_gzip_bomb_is_not_inflated(server: Server, flat: int, path: bytes, media_type: bytes) -> None:
    bomb = gzip.compress(bytes(200 * 1024**2))
    assert len(bomb) < 256 * 1024

    answer = await ask(
        server.port,
        request(path, media_type, b"Content-Encoding: gzip", b"Connection: close", method=b"POST", body=bomb),
    )

    assert status(answer) in (413, 415, 422)  # 422: it was not read at all
    assert server.resident_kilobytes < flat + FLAT_KILOBYTES


async def test_thousand_idle_connections_are_little_and_do_not_stay(server: Server, flat: int) -> None:
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(server.port)) for _ in range(1_000)]
        assert status(await ask(server.port, request(b"/healthz", b"Connection: close"))) == 200
        assert server.resident_kilobytes < flat + FLAT_KILOBYTES
        async with asyncio.timeout(60):
            assert await asyncio.gather(*(reader.read() for reader, _ in silent)) == [b""] * 1_000
