"""What a peer can do to a socket, and what the socket does then. Afterwards nothing of it is left."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.accounts.principal import PROGRAM
from commerce.accounts.service import AccountService
from core.resources import Resources
from core.streams.broadcast import QUEUE_LIMIT
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.listening import Listening
from tests.fixtures.sockets import happen, product
from tests.public_api.realtime.conftest import Connect

Limit = Callable[..., None]


@pytest.fixture
async def headers(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "events:read")


@pytest.fixture(autouse=True)
async def nothing_is_left(listening: Listening) -> AsyncIterator[None]:
    yield
    async with asyncio.timeout(30):
        while listening.tasks or listening.connections:  # noqa: ASYNC110  nobody but a test waits for it
            await asyncio.sleep(0.01)
    state = listening.state
    assert not state["sockets"].places._taken
    assert state["broadcast"]._subscriptions == state["broadcast"]._at_drain == state["watch"]._followed == {}


FAULTY: list[str | bytes] = [
    "",
    "nonsense",
    "[]",
    "null",
    '{"channel":"catalog"}',
    '{"type":"subscribe"}',
    '{"type":"welcome"}',
    '{"type":"ping","more":1}',
    '{"type":"subscribe","channel":"' + "a" * 129 + '"}',
    '{"type":"echo","data":' + "[" * 5000,
    '{"type":"echo","data":"\\ud800"}',
    b'{"type":"ping"}',
]


async def test_frame_that_is_none_is_told_and_the_socket_stays(
    connect: Connect, headers: dict[str, str], limit: Limit
) -> None:
    limit(faults=len(FAULTY))

    async with connect(headers) as peer:
        for sent in FAULTY:
            await peer.websocket.send(sent)
            error = await peer.hear()

            assert (error["type"], error["code"], error["channel"]) == ("error", "invalid_frame", None), sent
            await peer.quiet()


async def test_error_does_not_repeat_what_was_sent(connect: Connect, headers: dict[str, str]) -> None:
    async with connect(headers) as peer:
        await peer.websocket.send('{"type":"subscribe","channel":{"secret":"hunter2"}}')

        assert "hunter2" not in json.dumps(await peer.hear())


async def test_after_ten_faulty_frames_the_socket_is_closed(connect: Connect, headers: dict[str, str]) -> None:
    async with connect(headers) as peer:
        for _ in range(11):
            await peer.websocket.send("nonsense")
        codes = [(await peer.hear())["code"] for _ in range(11)]

        assert codes == ["invalid_frame"] * 11
        assert await peer.closed() == (1008, "too_many_faults")


async def test_echo_comes_back_as_it_was(connect: Connect, headers: dict[str, str]) -> None:
    async with connect(headers) as peer:
        for data in (None, 1.5, "text", [1, {"a": []}], {"n": 12345678901234567890}):
            assert await peer.ask("echo", data=data) == {"type": "echo", "data": data}


async def test_largest_frame_is_read(connect: Connect, headers: dict[str, str]) -> None:
    frame = '{"type":"echo","data":"' + "x" * (64 * 1024 - 25) + '"}'
    assert len(frame) == 64 * 1024

    async with connect(headers) as peer:
        await peer.websocket.send(frame)

        assert len((await peer.hear())["data"]) == 64 * 1024 - 25


@pytest.mark.parametrize("size", [64 * 1024 + 1, 2 * 1024 * 1024])
async def test_larger_frame_closes_the_socket(connect: Connect, headers: dict[str, str], size: int) -> None:
    async with connect(headers) as peer:
        with suppress(ConnectionClosed):  # the server answers before it is all sent
            await peer.websocket.send("x" * size)

        assert (await peer.closed())[0] == 1009


async def test_large_message_in_small_fragments_closes_the_socket_too(
    connect: Connect, headers: dict[str, str]
) -> None:
    async with connect(headers) as peer:
        with suppress(ConnectionClosed):
            await peer.websocket.send("x" * 1024 for _ in range(65))

        assert (await peer.closed())[0] == 1009


async def test_frame_is_bounded_on_a_server_that_is_not_ours(
    connect: Connect, headers: dict[str, str], limit: Limit
) -> None:
    limit(frame_bytes=20)

    async with connect(headers) as peer:
        await peer.websocket.send('{"type":"ping"}')
        assert await peer.hear() == {"type": "pong"}
        await peer.websocket.send('{"type":"echo","data":""}')

        assert await peer.closed() == (1009, "frame_too_big")


async def test_burst_of_ten_thousand_frames_is_refused_and_then_ended(
    connect: Connect, headers: dict[str, str]
) -> None:
    heard: list[str] = []
    async with connect(headers, max_queue=None) as peer:
        with suppress(ConnectionClosed):
            for _ in range(10_000):
                await peer.websocket.send('{"type":"ping"}')
        async with asyncio.timeout(30):
            with suppress(ConnectionClosed):
                while True:
                    frame = json.loads(await peer.websocket.recv())
                    heard.append(frame.get("code", frame["type"]))

        assert (peer.websocket.close_code, peer.websocket.close_reason) == (4429, "too_fast")
    assert set(heard) == {"pong", "too_many_messages"}
    assert heard[:100] == ["pong"] * 100
    assert len(heard) < 1000


async def test_messages_above_the_pace_are_not_carried_out(
    connect: Connect, headers: dict[str, str], limit: Limit
) -> None:
    limit(burst=2, messages_per_second=1)

    async with connect(headers) as peer:
        answers = [await peer.ask("ping") for _ in range(3)]

    assert [each["type"] for each in answers] == ["pong", "pong", "error"]
    assert answers[2]["code"] == "too_many_messages"


async def test_peer_that_answers_pings_stays(connect: Connect, headers: dict[str, str], limit: Limit) -> None:
    limit(heartbeat_seconds=0.2)

    async with connect(headers) as peer:
        for _ in range(5):
            assert await peer.hear() == {"type": "ping"}
            await peer.say("pong")


async def test_peer_that_is_silent_for_two_heartbeats_is_let_go(
    connect: Connect, headers: dict[str, str], limit: Limit
) -> None:
    limit(heartbeat_seconds=0.2)

    async with connect(headers) as peer:
        assert await peer.hear() == {"type": "ping"}
        assert await peer.closed() == (4408, "heartbeat_lost")


async def test_connection_whose_peer_is_gone_without_a_word_is_let_go(
    connect: Connect, headers: dict[str, str], limit: Limit, listening: Listening
) -> None:
    """As a half-open connection is: what is sent is not acknowledged by anybody who reads."""
    limit(heartbeat_seconds=0.2)
    async with connect(headers) as peer:
        await peer.follow("catalog")
        peer.websocket.transport.pause_reading()
        while listening.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        assert not listening.state["sockets"].places._taken
        peer.websocket.transport.abort()


async def test_reader_that_is_stuck_is_cut_off_and_holds_nobody_back(
    connect: Connect, headers: dict[str, str], limit: Limit, listening: Listening, resources: Resources
) -> None:
    limit(send_seconds=1.0, goodbye_seconds=0.1)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", listening.port))
    small.setblocking(False)
    text = "x" * 20_000
    async with connect(headers) as quick, connect(headers, sock=small) as stuck:
        await quick.follow("catalog")
        await stuck.follow("catalog")
        stuck.websocket.transport.pause_reading()
        places = listening.state["sockets"].places._taken
        assert list(places.values()) == [2]
        for batch in range(30):
            numbers = [f"{batch}-{number}-" for number in range(10)]
            await happen(resources, *(product(number + text) for number in numbers))
            assert await quick.subjects(10) == [number + text for number in numbers]
        while listening.tasks > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        assert list(places.values()) == [1]
        await quick.quiet()


async def test_reader_that_pauses_gets_every_event_once_and_in_order(
    connect: Connect, headers: dict[str, str], resources: Resources
) -> None:
    text = "x" * 20_000
    numbers = [f"{number}-" for number in range(200)]
    async with connect(headers, max_queue=None) as peer:
        await peer.follow("catalog")
        for start in range(0, len(numbers), 10):
            if start == 50:
                peer.websocket.transport.pause_reading()
            if start == 150:
                peer.websocket.transport.resume_reading()
            await happen(resources, *(product(number + text) for number in numbers[start : start + 10]))

        assert await peer.subjects(len(numbers)) == [number + text for number in numbers]
        await peer.quiet()


async def test_reader_that_was_too_slow_finds_the_reason_behind_what_it_had_not_read(
    connect: Connect, headers: dict[str, str], limit: Limit, listening: Listening, resources: Resources
) -> None:
    limit(send_seconds=0.3, goodbye_seconds=0.1)
    async with connect(headers) as slow:
        await slow.follow("catalog")
        slow.websocket.transport.pause_reading()
        for _ in range(30):
            await happen(resources, *(product("x" * 20_000) for _ in range(10)))
        while listening.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        slow.websocket.transport.resume_reading()

        assert await slow.closed() == (4429, "too_slow")


async def test_subscriber_whose_room_is_full_is_told_that_it_is_too_slow(
    connect: Connect, headers: dict[str, str], resources: Resources, listening: Listening
) -> None:
    async with connect(headers) as peer:
        await peer.follow("catalog")
        (subscription,) = next(iter(listening.state["broadcast"]._subscriptions.values()))
        subscription._limit = 5
        await happen(resources, *(product(f"p{number}") for number in range(6)))

        assert await peer.closed() == (4429, "too_slow")
    assert QUEUE_LIMIT == 5_000


async def test_socket_ends_with_its_token(connect: Connect, listening: Listening, resources: Resources) -> None:
    customer = await signed_in(resources, await a_user(resources))
    async with connect(customer) as peer:
        (followed,) = listening.state["watch"]._followed
        listening.state["watch"]._end(followed, "expired")

        assert await peer.closed() == (4401, "token_expired")


async def test_socket_ends_when_its_key_is_revoked(connect: Connect, resources: Resources) -> None:
    async with resources.database.write() as session:
        keys = ApiKeyService(session, resources.clock, actor="test")
        key = await keys.create(CreateKey("test", ("events:read",)))
    async with connect({"Authorization": f"Bearer {key.secret}"}) as peer:
        async with resources.database.write() as session:
            await ApiKeyService(session, resources.clock, actor="test").revoke(key.key.id, owner=PROGRAM)

        assert await peer.closed() == (4401, "credential_revoked")


async def test_socket_ends_when_its_person_is_disabled(connect: Connect, resources: Resources) -> None:
    user = await a_user(resources)
    async with connect(await signed_in(resources, user)) as peer:
        async with resources.database.write() as session:
            await AccountService(session, resources.clock, actor="test").disable(user.id)

        assert await peer.closed() == (4401, "credential_revoked")


async def test_bug_in_a_channel_closes_the_socket_and_is_logged_once(
    connect: Connect, headers: dict[str, str], resources: Resources, log_entries: LogEntries
) -> None:
    async with connect(headers) as peer:
        await peer.follow("catalog")
        await happen(resources, product("a", "everybody"))
        await peer.hear()
        object.__setattr__(resources.database, "read", _broken)
        await peer.say("subscribe", channel="catalog")

        assert await peer.closed() == (1011, "internal_error")
    assert [entry["event"] for entry in log_entries.application if entry["level"] == "error"] == ["internal_error"]


def _broken() -> Any:
    raise ZeroDivisionError
