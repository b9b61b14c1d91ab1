"""Answers that go out as they are, over real sockets: byte for byte what uvicorn makes of the messages."""

import asyncio
import re

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from core.web.finished import EXTENSION, finish, finished, head_of
from tests.fixtures.listening import Listening, listen
from tests.gateway.response_cache.shop import LIST

_OWN = re.compile(
    rb"(date|x-request-id|server-timing|x-process-time-ms|traceparent|age|cache-status|ratelimit): [^\r]*\r\n"
)


def request(listening: Listening, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    head = (f"{method} {LIST} HTTP/{version}", f"Host: {listening.address}", *lines, "", "")
    return "\r\n".join(head).encode()


async def exchange(listening: Listening, *requests: bytes, answers: int = 1) -> list[bytes]:
    """Sends all of it at once, and reads that many answers."""
    host, port = listening.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"".join(requests))
    found = []
    async with asyncio.timeout(20):
        for number in range(answers):
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            bodiless = requests[min(number, len(requests) - 1)].startswith(b"HEAD") or b" 304 " in head
            found.append(head + (await reader.readexactly(int(size[1])) if size and not bodiless else b""))
    writer.close()
    return found


async def test_hit_is_the_same_bytes_as_what_was_made(listening: Listening) -> None:
    (made,) = await exchange(listening, request(listening))
    (hit,) = await exchange(listening, request(listening))

    assert b"cache-status: portico; hit" in hit
    for name in (b"date", b"x-request-id", b"server-timing", b"traceparent", b"ratelimit", b"age"):
        assert hit.count(b"\r\n" + name + b": ") == 1
    lines = [sorted(_OWN.sub(b"", answer).split(b"\r\n\r\n")[0].split(b"\r\n")) for answer in (made, hit)]
    assert lines[0] == lines[1]
    assert made.split(b"\r\n\r\n")[1] == hit.split(b"\r\n\r\n")[1]


async def test_hits_that_are_asked_for_in_one_piece_are_answered_in_order(listening: Listening) -> None:
    await exchange(listening, request(listening))
    ids = [f"X-Request-ID: number-{number}" for number in range(5)]
    heads = [request(listening, each, method="HEAD" if number == 2 else "GET") for number, each in enumerate(ids)]

    answers = await exchange(listening, *heads, answers=5)

    assert [re.findall(rb"x-request-id: (\S+)", answer) for answer in answers] == [
        [f"number-{number}".encode()] for number in range(5)
    ]
    assert answers[2].endswith(b"\r\n\r\n")
    assert all(answer.split(b"\r\n\r\n")[1] for place, answer in enumerate(answers) if place != 2)


@pytest.mark.parametrize(("line", "version"), [("Connection: close", "1.1"), ("Connection: keep-alive", "1.0")])
async def test_connection_that_ends_with_its_answer_is_closed(listening: Listening, line: str, version: str) -> None:
    await exchange(listening, request(listening))
    host, port = listening.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(listening, line, version=version))

    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()

    assert b"cache-status: portico; hit" in answer
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"}")


async def test_copy_that_is_current_is_a_304_on_the_wire(listening: Listening) -> None:
    (made,) = await exchange(listening, request(listening))
    tag = re.search(rb"etag: ([^\r]+)", made)
    assert tag is not None

    first, second = await exchange(
        listening, request(listening, f"If-None-Match: {tag[1].decode()}"), request(listening), answers=2
    )

    assert first.startswith(b"HTTP/1.1 304 ")
    assert first.endswith(b"\r\n\r\n")
    assert second.startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("log_entries")
async def test_our_server_is_sent_no_messages_for_a_hit(app: FastAPI) -> None:
    sent: list[str] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if scope["type"] == "http":
                sent.append(message["type"])
            await send(message)

        await app(scope, receive, watch)

    async with listen(watched) as listening:
        await listening.state["tailer"].looked.wait()
        for _ in range(3):
            await exchange(listening, request(listening))

    assert sent == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("writes", [True, False])
async def test_messages_say_it_where_the_server_does_not_write(*, writes: bool) -> None:
    sent: list[Message] = []
    written: list[tuple[int, bytes, bytes]] = []

    def write(status: int, head: bytes, body: bytes) -> bool:
        written.append((status, head, body))
        return writes

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"etag", b'"1: 2"'), (b"vary", b""), (b"age", b"3"), (b"x-request-id", b"a")]
    head, own = head_of(headers[:3]), head_of(headers[3:])
    scope: Scope = {"type": "http", "extensions": {EXTENSION: {"write": write}}}
    await finish(finished(200, head, b"{}"), own, scope, send)

    assert written == [(200, b'etag: "1: 2"\r\nvary: \r\nage: 3\r\nx-request-id: a\r\n', b"{}")]
    messages = [
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": b"{}"},
    ]
    assert sent == ([] if writes else messages)
