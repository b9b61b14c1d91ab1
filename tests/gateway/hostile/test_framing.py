"""Requests whose end can be read in two ways: the connection ends with them, and nothing behind them is a request."""

import pytest

from tests.gateway.hostile.conftest import Server, ask, connected, head, request, status

CHUNKED = b"Transfer-Encoding: chunked"


def post(*headers: bytes) -> bytes:
    lines = (b"POST /graphql HTTP/1.1", b"Host: shop.test", b"Content-Type: application/json", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


SHAPES = {
    "content-length-and-chunked": post(b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
    "chunked-and-content-length": post(CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n",
    "two-lengths": post(b"Content-Length: 0", b"Content-Length: 44"),
    "same-length-twice": post(b"Content-Length: 0", b"Content-Length: 0"),
    "list-of-lengths": post(b"Content-Length: 0, 0"),
    "signed-length": post(b"Content-Length: +0"),
    "negative-length": post(b"Content-Length: -1"),
    "hexadecimal-length": post(b"Content-Length: 0x0"),
    "length-that-overflows": post(b"Content-Length: 18446744073709551616"),
    "unknown-coding": post(b"Transfer-Encoding: xchunked"),
    "chunked-not-last": post(b"Transfer-Encoding: chunked, identity"),
    "chunked-behind-a-tab": post(b"Transfer-Encoding:\x0bchunked"),
    "blank-before-the-colon": post(b"Transfer-Encoding : chunked"),
    "blank-before-the-name": post(b"X-A: 1\r\n Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "null-in-a-value": post(b"X-A: 1\x00" + CHUNKED),
    "bare-cr": post(b"X-A: 1\rTransfer-Encoding: chunked"),
    "line-feeds-alone": b"POST /graphql HTTP/1.1\nHost: shop.test\nContent-Length: 0\n\n",
    "chunk-size-that-overflows": post(CHUNKED) + b"10000000000000000\r\n",
    "chunk-size-with-a-sign": post(CHUNKED) + b"+0\r\n\r\n",
    "chunk-size-in-c": post(CHUNKED) + b"0x0\r\n\r\n",
    "chunk-size-with-blanks": post(CHUNKED) + b"0 \r\n\r\n",
    "chunk-without-its-end": post(CHUNKED) + b"1\r\n{0\r\n\r\n",
    "chunk-ended-by-a-line-feed": post(CHUNKED) + b"2\r\n{}\n0\r\n\r\n",
    "other-version": b"POST /graphql HTTP/3.0\r\n\r\n",
    "unknown-method": b"SMUGGLE /graphql HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "no-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_request_of_two_readings_is_400_and_nothing_behind_it_runs(server: Server, shape: str) -> None:
    behind = request(b"/public/v1/categories", b"X-Request-ID: behind-%b" % shape.encode())

    answer = await ask(server.port, SHAPES[shape] + behind + behind)

    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1
    assert not await server.has_logged(f"behind-{shape}")


async def test_what_comes_after_connection_close_does_not_run(server: Server) -> None:
    behind = request(b"/public/v1/categories", b"X-Request-ID: after-close")

    answer = await ask(server.port, request(b"/healthz", b"Connection: close") + behind)

    assert (status(answer), answer.count(b"HTTP/1.1")) == (200, 1)
    assert not await server.has_logged("after-close")


async def test_body_that_was_refused_is_no_request(server: Server) -> None:
    """413 is answered before the body came: what then comes is still the body."""
    hidden = request(b"/public/v1/categories", b"X-Request-ID: hidden-in-a-body")
    async with connected(server.port) as (reader, writer):
        writer.write(post(b"Content-Length: 99999999"))
        assert status(await head(reader)) == 413
        writer.write(hidden * 3)
        await writer.drain()
        assert await reader.read() == b""  # after some seconds in which the body could have ended

    assert not await server.has_logged("hidden-in-a-body")


async def test_trailers_are_no_headers(server: Server) -> None:
    """What a proxy has checked in the head cannot be said again behind the body."""
    trailers = b"Authorization: Bearer nothing\r\nX-Client-Name: trailer\r\n"
    body = b'{"query": "{ __typename }"}'
    chunk = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)

    answer = await ask(server.port, post(CHUNKED, b"X-Request-ID: trailers", b"Connection: close") + chunk)

    assert status(answer) == 200  # and not 401 for the credentials
    assert await server.has_logged("trailers")
    assert '"client_name":"trailer"' not in server.process.stdout + server.process.stderr


async def test_pipelined_requests_are_answered_one_by_one_in_their_order(server: Server) -> None:
    many = 500
    requests = b"".join(request(b"/healthz", b"X-Request-ID: pipelined-%d" % number) for number in range(many))

    answer = await ask(server.port, requests + request(b"/nowhere", b"Connection: close"))

    ids = [line.split(b": ")[1] for line in answer.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert ids[:-1] == [b"pipelined-%d" % number for number in range(many)]
    assert answer.count(b"HTTP/1.1 200") == many
    assert answer.count(b"HTTP/1.1 404") == 1


async def test_request_before_garbage_is_not_answered_twice(server: Server) -> None:
    answer = await ask(server.port, request(b"/healthz") + b"\x00\x01garbage\r\n\r\n")

    assert answer.count(b"HTTP/1.1") == 1
