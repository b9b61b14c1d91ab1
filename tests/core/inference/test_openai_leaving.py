"""When the call of a model server ends: at bounds, at the deadline, and when nobody waits any more."""

import asyncio
import json
from contextlib import aclosing, suppress
from typing import Any

import pytest

from core.inference.chat import (
    Began,
    Ended,
    ModelMalformed,
    ModelTimeout,
    Text,
    Tool,
    Usage,
)
from core.inference.transport import MOST_BYTES
from tests.core.inference.conftest import HI, Case
from tests.factories.model_servers import DONE, HELLO, chunk, finish, text

SEARCH = Tool("search", "Finds products.", {"type": "object", "properties": {"q": {"type": "string"}}})


async def test_endless_answer_is_left_at_the_bound(case: Case) -> None:
    case.server.script = [case.server.babbling]

    failure, said = await case.refusal()

    assert type(failure) is ModelMalformed
    assert 0 < sum(len(piece.text) for piece in said if isinstance(piece, Text)) < MOST_BYTES
    await case.server.left.wait()


async def test_endless_refusal_is_left_at_the_bound(case: Case) -> None:
    async def refusing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                await writer.drain()
        case.server.left.set()

    case.server.script = [refusing]

    failure, _ = await case.refusal()

    assert type(failure) is ModelMalformed
    await case.server.left.wait()


@pytest.mark.parametrize("parts", [(), (text("Hi"),)], ids=["before", "midway"])
async def test_server_that_falls_silent_is_left(case: Case, parts: Any) -> None:
    case.model = case.client(silence_seconds=1)
    case.server.script = [case.server.streaming(*parts, then="hold")]

    failure, said = await case.refusal()

    assert type(failure) is ModelTimeout
    assert said[1:] == [Text("Hi")][: len(parts)]
    assert case.counted() == {"timeout": 1}
    await case.server.left.wait()


async def test_slow_answer_is_left_at_the_deadline_however_it_goes_on(case: Case) -> None:
    async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        line = b"data: " + json.dumps(text("x")).encode() + b"\n\n"
        with suppress(ConnectionError):
            while True:
                writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        case.server.left.set()

    case.server.script = [dripping]

    failure, said = await case.refusal(within=1)

    assert type(failure) is ModelTimeout
    assert Text("x") in said
    await case.server.left.wait()


async def test_answer_that_has_begun_may_take_all_of_its_time(case: Case) -> None:
    async def slowly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for part in (*[text("x")] * 15, finish()):
            writer.write(b"data: " + json.dumps(part).encode() + b"\n\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    case.model = case.client(silence_seconds=1)
    case.server.script = [slowly]

    assert (await case.ask())[1:-1] == [Text("x")] * 15


async def test_closing_the_stream_ends_the_call(case: Case) -> None:
    case.server.script = [case.server.streaming(text("Hi"), then="hold")]

    async with aclosing(case.model.stream(HI, (), deadline=asyncio.get_running_loop().time() + 60)) as pieces:
        assert isinstance(await anext(pieces), Began)
        assert await anext(pieces) == Text("Hi")

    await case.server.left.wait()
    assert case.counted() == {"cancelled": 1}


@pytest.mark.parametrize("parts", [None, (), (text("Hi"),)], ids=["before the head", "before the text", "midway"])
async def test_cancelling_the_task_ends_the_call(case: Case, parts: Any) -> None:
    server = case.server
    server.script = [server.holding if parts is None else server.streaming(*parts, then="hold")]
    said = asyncio.Event()

    async def consume() -> None:
        async for piece in case.model.stream(HI, (), deadline=asyncio.get_running_loop().time() + 60):
            if isinstance(piece, Text):
                said.set()

    task = asyncio.create_task(consume())
    await (said.wait() if parts else server.reached.wait())
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await server.left.wait()
    assert case.counted() == {"cancelled": 1}


async def test_malformed_chunk_ends_the_call(case: Case) -> None:
    case.server.script = [case.server.streaming(text("Hi"), chunk({"content": 7}), then="hold")]

    await case.refusal()

    await case.server.left.wait()


async def test_connection_of_a_whole_answer_is_let_go(case: Case) -> None:
    for _ in range(3):
        await case.ask()

    transport: Any = case.http._transport
    assert [each for each in transport._pool.connections if not each.is_idle()] == []


async def test_nothing_is_asked_before_the_first_piece_is(case: Case) -> None:
    pieces = case.model.stream(HI, (), deadline=asyncio.get_running_loop().time() + 60)

    await pieces.aclose()

    assert case.server.asked == []
    assert case.counted() == {}


async def test_done_ends_the_answer_though_the_connection_stays(case: Case) -> None:
    """What comes behind [DONE] is waited for no longer than a count of tokens."""
    case.server.script = [case.server.streaming(*HELLO, DONE, then="hold")]

    pieces = await case.ask()

    assert pieces[-1] == Ended("stop", Usage(5, 7))
    await case.server.left.wait()
