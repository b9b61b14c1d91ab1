"""Peers that take their time: what waits for them, and for how long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from gateway.http import BODY_RATE, BODY_SECONDS, HEAD_SECONDS, HttpProtocol
from tests.fixtures.application import LogEntries
from tests.fixtures.listening import Listening, listen
from tests.gateway.hostile.conftest import connected, head, request, rest, status

BODY = b'{"query": "{ __typename }"}'


class Hurried(HttpProtocol):
    head_seconds = body_seconds = 1.5
    hang_up_seconds = 1.5


@pytest.fixture
async def listening(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    async with listen(app, http=Hurried) as listening:
        yield listening


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """A byte now and then, until the server has enough of it."""
    for byte in data:
        writer.write(bytes((byte,)))
        try:
            await writer.drain()
        except ConnectionError:
            return
        await asyncio.sleep(0.05)


async def test_head_that_comes_byte_by_byte_is_408(listening: Listening) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        dripping = asyncio.create_task(drip(writer, request(b"/healthz", b"X-A: " + b"a" * 10_000)))
        answer = await rest(reader)
        await dripping

    assert status(answer) == 408
    assert listening.connections == 0


async def test_body_that_comes_byte_by_byte_is_408(listening: Listening, log_entries: LogEntries) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        writer.write(request(b"/graphql", b"Content-Type: application/json", b"Content-Length: 10000", method=b"POST"))
        dripping = asyncio.create_task(drip(writer, b" " * 10_000))
        answer = await rest(reader)
        await dripping

    assert status(answer) == 408
    assert [entry["status"] for entry in log_entries.access] == [499]
    assert listening.tasks == 0


async def test_body_that_is_slow_enough_is_taken(listening: Listening) -> None:
    """Four pieces in three seconds: twice the time that there is for silence, at the rate that is asked for."""
    padding = b" " * BODY_RATE
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        writer.write(
            request(
                b"/graphql",
                b"Content-Type: application/json",
                b"Content-Length: %d" % (len(BODY) + 4 * len(padding)),
                method=b"POST",
            )
        )
        for _ in range(4):
            await asyncio.sleep(0.75)
            writer.write(padding)
        writer.write(BODY)
        answer = await head(reader)

    assert status(answer) == 200


async def test_connection_that_says_nothing_is_closed(listening: Listening) -> None:
    async with connected(listening.port) as (reader, _), asyncio.timeout(60):
        assert await reader.read() == b""

    assert listening.connections == 0


async def test_blank_lines_keep_no_connection_open(listening: Listening) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        dripping = asyncio.create_task(drip(writer, b"\r\n" * 10_000))
        assert await rest(reader) == b""
        await dripping


async def test_second_head_has_as_long_as_the_first(listening: Listening) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        writer.write(request(b"/healthz"))
        assert status(await head(reader)) == 200
        dripping = asyncio.create_task(drip(writer, request(b"/healthz", b"X-A: " + b"a" * 10_000)))
        answer = await rest(reader)
        await dripping

    assert status(answer) == 408


async def test_connection_that_is_used_again_and_again_stays(listening: Listening) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        for _ in range(8):
            writer.write(request(b"/healthz"))
            assert status(await head(reader)) == 200
            await asyncio.sleep(0.5)


async def test_half_closed_connection_is_one_that_left(listening: Listening) -> None:
    async with connected(listening.port) as (reader, writer), asyncio.timeout(60):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost:")
        writer.write_eof()
        assert await reader.read() == b""

    assert listening.connections == 0


def test_times_are_as_documented() -> None:
    assert (HEAD_SECONDS, BODY_SECONDS, BODY_RATE) == (20, 20, 500)
    assert (HttpProtocol.head_seconds, HttpProtocol.body_seconds) == (HEAD_SECONDS, BODY_SECONDS)
