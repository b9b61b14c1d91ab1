"""What gunicorn's signals do to requests, streams and WebSockets that are open."""

import asyncio
import os
import signal
import time
from socket import create_connection

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.http import LAST_REQUEST_SECONDS
from tests.fixtures.processes import Process
from tests.gateway.processes.conftest import StartGunicorn

HEARTBEAT_SECONDS = "5"  # gunicorn's --timeout: longer than a worker takes to start, shorter than the slow requests
STREAM_ENDS = b"event: reconnect\ndata: {}\n\n"


async def read_stream(address: str, begun: asyncio.Event) -> bytes:
    """All of it; raises where it breaks off instead of ending."""
    body = b""
    async with httpx2.AsyncClient(timeout=30) as client, client.stream("GET", f"{address}/public/stream") as response:
        assert response.headers["transfer-encoding"] == "chunked"
        async for piece in response.aiter_bytes():
            body += piece
            begun.set()
    return body


async def slow_request(address: str, seconds: float) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        return await client.get(f"{address}/public/slow", params={"seconds": seconds})


async def pid_that_answers(address: str) -> int:
    """Over a new connection."""
    async with httpx2.AsyncClient(timeout=10) as client:
        return int((await client.get(f"{address}/public/pid")).text)


async def until(process: Process, pattern: str, *, count: int = 1) -> None:
    await asyncio.to_thread(process.until, pattern, count=count)


async def wait(process: Process, seconds: float) -> int:
    return await asyncio.to_thread(process.wait, seconds)


async def test_sigterm_finishes_requests_and_ends_streams_and_websockets(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn()
    begun = asyncio.Event()
    stream = asyncio.create_task(read_stream(address, begun))
    slow = asyncio.create_task(slow_request(address, 2))
    async with connect(f"{address.replace('http', 'ws')}/public/ws") as socket:
        await socket.send("before")
        assert await socket.recv() == "before"
        await asyncio.wait_for(begun.wait(), 10)
        await until(process, "slow request of 2.0 s began")

        process.send(signal.SIGTERM)
        signalled = time.monotonic()
        received = await asyncio.wait_for(stream, 10)
        stream_took = time.monotonic() - signalled
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 10)
        response = await asyncio.wait_for(slow, 10)
        code = await wait(process, 10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012, process.story
    assert received.count(STREAM_ENDS) == 1
    assert received.endswith(STREAM_ENDS)
    assert stream_took < 1.5  # it did not wait for the slow request
    assert (response.status_code, response.json()) == (200, "finished")
    assert code == 0, process.story
    assert process.stderr.count("Application shutdown complete.") == 1, process.story
    assert "was sent SIGTERM" not in process.stderr, process.story  # which may cost the last log lines
    assert "Traceback" not in process.stderr, process.story


async def test_request_on_a_connection_that_is_open_when_the_draining_begins_is_answered_as_its_last(
    gunicorn: StartGunicorn, free_port: int
) -> None:
    process = gunicorn()
    reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
    request = b"GET /public/pid HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    writer.write(request)
    first = await reader.readuntil(b"\r\n\r\n")

    process.send(signal.SIGTERM)
    await until(process, "Shutting down")
    writer.write(request)
    rest = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    code = await wait(process, 10)

    assert first.startswith(b"HTTP/1.1 200 ")
    assert rest.count(b"HTTP/1.1 200 ") == 1
    assert b"connection: close" in rest
    assert code == 0, process.story


async def test_connection_that_becomes_a_websocket_while_the_server_drains_is_left_to_the_application(
    gunicorn: StartGunicorn, address: str, free_port: int
) -> None:
    process = gunicorn()
    before = create_connection(("127.0.0.1", free_port))
    await pid_that_answers(address)  # so that the worker has taken the one before, too

    process.send(signal.SIGTERM)
    await until(process, "Shutting down")
    async with connect(f"{address.replace('http', 'ws')}/public/ws", sock=before) as opened:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opened.recv(), LAST_REQUEST_SECONDS + 0.5)
        await opened.send("still")
        echoed = await opened.recv()
    code = await wait(process, 10)

    assert echoed == "still"
    assert code == 0, process.story


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
async def test_sigint_and_sigquit_do_not_wait_for_requests(
    gunicorn: StartGunicorn, address: str, number: signal.Signals
) -> None:
    process = gunicorn()
    slow = asyncio.create_task(slow_request(address, 30))
    await until(process, "slow request of 30.0 s began")

    process.send(number)
    code = await wait(process, 5)
    (outcome,) = await asyncio.gather(slow, return_exceptions=True)

    assert code == 0, process.story
    assert process.stderr.count("Application shutdown complete.") == 1, process.story
    assert isinstance(outcome, httpx2.TransportError) or outcome.status_code >= 500  # type: ignore[union-attr]


async def test_sighup_lets_a_successor_in_while_the_old_worker_drains(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn("--timeout", HEARTBEAT_SECONDS)
    old = await pid_that_answers(address)
    slow = asyncio.create_task(slow_request(address, 8))
    await until(process, "slow request of 8.0 s began")

    process.send(signal.SIGHUP)
    await until(process, "Application startup complete", count=2)
    new = await pid_that_answers(address)
    still_draining = not slow.done()
    response = await asyncio.wait_for(slow, 20)
    await until(process, "Application shutdown complete.")

    assert new != old
    assert still_draining
    assert (response.status_code, response.json()) == (200, "finished")
    assert await pid_that_answers(address) == new
    assert "WORKER TIMEOUT" not in process.stderr, process.story
    process.send(signal.SIGTERM)
    assert await wait(process, 10) == 0
    assert process.stderr.count("Application shutdown complete.") == 2, process.story


async def test_worker_that_drains_longer_than_the_heartbeat_timeout_is_not_killed(
    gunicorn: StartGunicorn, address: str
) -> None:
    process = gunicorn("--timeout", HEARTBEAT_SECONDS)
    old = await pid_that_answers(address)
    slow = asyncio.create_task(slow_request(address, 8))
    await until(process, "slow request of 8.0 s began")

    os.kill(old, signal.SIGTERM)
    response = await asyncio.wait_for(slow, 20)
    await until(process, "Application startup complete", count=2)

    assert response.status_code == 200
    assert "WORKER TIMEOUT" not in process.stderr, process.story
    assert await pid_that_answers(address) != old


async def test_sigquit_after_sigterm_ends_the_draining_at_once(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn()
    slow = asyncio.create_task(slow_request(address, 30))
    await until(process, "slow request of 30.0 s began")
    process.send(signal.SIGTERM)
    await until(process, "Waiting for connections to close")

    process.send(signal.SIGQUIT)
    code = await wait(process, 5)
    await asyncio.gather(slow, return_exceptions=True)

    assert code == 0, process.story
    assert process.stderr.count("Application shutdown complete.") == 1, process.story


async def test_second_worker_is_refused_while_running_without_redis(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn()
    quiet = "one worker is the most" not in process.stderr

    process.send(signal.SIGTTIN)
    await until(process, "one worker is the most without PORTICO_REDIS_URL")

    assert quiet
    assert len({await pid_that_answers(address) for _ in range(5)}) == 1
    assert process.stderr.count("Booting worker") == 1, process.story
