"""GET /public/v1/events/stream: what comes over it, how it ends, and that nothing is left behind."""

import asyncio
import socket
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from commerce.events.envelope import EventEncoder
from core import eventlog
from core.eventlog import Event, event_id
from core.streams.broadcast import TooSlow
from public_api.events.stream import PLACES, Timing
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.fixtures.sse import SentEvent
from tests.public_api.event_stream.streaming import NOW, SILENT, STREAM, Shop, name_of, opened, subjects

pytestmark = pytest.mark.usefixtures("log_entries")  # no log on stderr


async def test_events_come_as_they_happen_as_cloud_events(shop: Shop) -> None:
    async with shop.follow() as source:
        hello = await source.comment()
        headers = source.response.headers
        await shop.happens("prod_1")
        (event,) = await source.take(1)

    logged = (await shop.client.get("/public/v1/events", headers=shop.reader)).json()["items"]
    assert hello == "hello"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-encoding" not in headers
    assert 1000 <= (source.retry_ms or 0) <= 3000
    assert (event.type, event.id, event.data) == ("product.updated", logged[-1]["id"], logged[-1])


@pytest.mark.parametrize(
    ("query", "last_event_id", "expected"),
    [
        ("", "", ["new"]),
        (f"?after={event_id(1)}", "", ["b", "c", "new"]),
        (f"?after={event_id(1)}", event_id(2), ["c", "new"]),
        ("", event_id(2), ["c", "new"]),
        ("", event_id(0), ["a", "b", "c", "new"]),
    ],
)
async def test_stream_begins_after_the_last_event_that_the_client_has_seen(
    shop: Shop, query: str, last_event_id: str, expected: list[str]
) -> None:
    await shop.happens("a", "b", "c")

    async with shop.follow(query, last_event_id=last_event_id) as source:
        await source.comment()
        await shop.happens("new")

        assert subjects(await source.take(len(expected))) == expected


async def test_client_gets_the_types_that_it_wants_of_what_it_may_see(shop: Shop) -> None:
    anna = await a_user(shop.resources)
    headers = await signed_in(shop.resources, anna)

    async with shop.follow("?types=order.placed,stock.changed", headers) as source:
        await source.comment()
        await shop.happens("prod_1")
        await shop.happens("ord_1", kind="order.placed", owner="usr_other")
        await shop.happens("ord_2", kind="order.placed", owner=anna.id)
        await shop.happens("prod_2", kind="stock.changed")

        assert subjects(await source.take(2)) == ["ord_2", "prod_2"]


async def test_client_that_is_cut_off_again_and_again_misses_nothing_and_gets_nothing_twice(shop: Shop) -> None:
    expected = [f"p{number}" for number in range(200)]
    found: list[SentEvent] = []
    last, begun = "", asyncio.Event()

    async def write() -> None:
        await begun.wait()
        for each in expected:
            await shop.happens(each)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(write())
        while len(found) < len(expected):
            async with shop.follow(last_event_id=last) as source:
                await source.comment()  # and its id: cut off here, it would miss nothing either
                begun.set()
                found += await source.take(min(30, len(expected) - len(found)))
                last = found[-1].id

    assert subjects(found) == expected
    assert [event.id for event in found] == sorted({event.id for event in found})


async def test_cursor_comes_before_the_first_event_and_moves_with_what_is_not_wanted(app: FastAPI) -> None:
    async with opened(app, Timing(ping=0.05)) as shop:
        await shop.happens("before")
        async with shop.follow("?types=order.placed") as source:
            await source.comment()
            first = source.last_event_id
            await shop.happens("unwanted")
            while source.last_event_id == first:
                assert await source.comment() == "ping"

        assert (first, source.last_event_id) == (event_id(1), event_id(2))


async def test_idle_stream_holds_no_connection_to_the_database(app: FastAPI) -> None:
    async with opened(app, SILENT) as shop:
        pools: list[Any] = [engine.pool for engine in (shop.resources.database.reader, shop.resources.database.writer)]
        async with shop.follow() as source, shop.follow(f"?after={event_id(0)}") as other:
            await source.comment()
            await other.comment()

            async with asyncio.timeout(30):
                while any(pool.checkedout() for pool in pools):  # noqa: ASYNC110  jobs and looks have one now and then
                    await asyncio.sleep(0.001)


async def test_event_is_encoded_once_for_fifty_streams(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encode = EventEncoder.json

    def count(self: EventEncoder, event: Event) -> bytes:
        encoded.append(event.position)
        return encode(self, event)

    monkeypatch.setattr(EventEncoder, "json", count)
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        hellos, go = asyncio.Barrier(51), asyncio.Event()

        async def follow() -> list[str]:
            async with shop.follow() as source:
                await source.comment()
                await hellos.wait()
                await go.wait()
                return subjects(await source.take(3))

        tasks = [group.create_task(follow()) for _ in range(50)]
        await hellos.wait()
        await shop.happens("a", "b", "c")
        go.set()

    assert [task.result() for task in tasks] == [["a", "b", "c"]] * 50
    assert encoded == [1, 2, 3]


async def test_client_that_leaves_is_noticed_though_nothing_happens(app: FastAPI) -> None:
    async with opened(app, SILENT) as shop:
        async with shop.follow() as source:
            await source.comment()
            assert PLACES._taken == {name_of(shop.reader): 1}
            assert REGISTRY.get_sample_value("portico_streams", {"kind": "sse"}) == 1

        await shop.has_no_stream()
        assert REGISTRY.get_sample_value("portico_streams", {"kind": "sse"}) == 0


async def test_draining_server_says_goodbye_with_the_cursor_and_takes_no_new_streams(shop: Shop) -> None:
    async with shop.follow() as source:
        await source.comment()
        await shop.happens("a")
        await source.take(1)

        shop.running.state["draining"].set()

        (goodbye,) = await source.rest()
    assert (goodbye.type, goodbye.id, goodbye.data["after"]) == ("reconnect", event_id(1), event_id(1))
    assert source.retry_ms == goodbye.data["retry_ms"]
    assert 500 <= goodbye.data["retry_ms"] <= 5000
    assert await shop.ask() == (503, "unavailable", "")
    await shop.has_no_stream()


async def test_stream_that_is_old_says_goodbye(app: FastAPI) -> None:
    async with opened(app, Timing(lifetime=0.2)) as shop, shop.follow() as source:
        assert [(event.type, event.data["after"]) for event in await source.rest()] == [("reconnect", event_id(0))]


async def test_reader_that_is_too_slow_is_cut_off_and_goes_on_where_it_was(shop: Shop) -> None:
    async with shop.follow() as source:
        await source.comment()
        await shop.happens("a")
        await source.take(1)
        (subscription,) = shop.running.state["broadcast"]._subscriptions["product.updated"]
        subscription.close(TooSlow())

        assert await source.rest() == []
    await shop.happens("b")
    async with shop.follow(last_event_id=source.last_event_id) as source:
        assert subjects(await source.take(1)) == ["b"]


async def test_cursor_that_is_too_old_is_reset_to_where_the_log_ends(shop: Shop) -> None:
    await shop.happens("a", "b", "c")
    async with shop.resources.database.write() as session:
        await eventlog.trim(session, NOW + timedelta(days=1))

    async with shop.follow(f"?after={event_id(1)}") as source:
        (reset,) = await source.rest()

    assert (reset.type, reset.id) == ("reset", event_id(3))
    assert (reset.data["code"], reset.data["status"], reset.data["instance"]) == ("reset", 410, STREAM)
    await shop.happens("d")
    async with shop.follow(f"?after={event_id(1)}", last_event_id=source.last_event_id) as source:
        assert subjects(await source.take(1)) == ["d"]


@pytest.mark.parametrize("cursor", ["7", "evt_7", event_id(1).upper()])
async def test_malformed_cursor_is_refused_with_its_place(shop: Shop, cursor: str) -> None:
    header = {**shop.reader, "Last-Event-ID": cursor}

    assert await shop.ask(f"?after={cursor}") == (422, "invalid_cursor", "/query/after")
    assert await shop.ask(headers=header) == (422, "invalid_cursor", "/header/Last-Event-ID")
    assert not PLACES._taken


async def test_who_may_not_read_events_gets_no_stream(shop: Shop) -> None:
    other = await key_with(shop.resources, "catalog:read")

    assert await shop.ask(headers={}) == (401, "unauthenticated", "")
    assert await shop.ask(headers=other) == (403, "missing_scope", "")
    assert await shop.ask(f"?ticket={await shop.ticket(other, **{'for': 'events'})}", {}) == (403, "missing_scope", "")
    assert not PLACES._taken


async def test_caller_may_have_so_many_streams_and_no_more(shop: Shop) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(PLACES.take(name_of(shop.reader)))

        assert await shop.ask() == (429, "too_many_streams", "")
        async with shop.follow(headers=await key_with(shop.resources, "events:read")) as source:
            assert await source.comment() == "hello"


async def test_head_answers_with_the_headers_and_opens_nothing(shop: Shop) -> None:
    response = await shop.client.head(STREAM, headers=shop.reader)

    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert not PLACES._taken


async def test_peer_that_never_reads_holds_little_memory_and_not_for_long(app: FastAPI) -> None:
    async with opened(app, Timing(ping=3600, send=0.5), dead_seconds=1) as shop:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", shop.running.port))
        credential = f"Authorization: {shop.reader['Authorization']}"
        peer.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: x\r\n{credential}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            while not PLACES._taken:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        connections = shop.running.server.server_state.connections
        (stuck,) = (each for each in connections if each.transport.get_extra_info("peername") == peer.getsockname())
        kept = 0

        while PLACES._taken:
            await shop.happens(*(f"p{number}" for number in range(20)), size=20_000)
            kept = max(kept, stuck.transport.get_write_buffer_size())

        await shop.has_no_stream()
        assert 0 < kept <= 4 * 64 * 1024
        async with asyncio.timeout(30):
            while stuck in connections:  # noqa: ASYNC110  the kernel breaks it off
                await asyncio.sleep(0.05)
        peer.close()


async def test_accepted_connections_have_the_options_of_the_listening_socket(shop: Shop) -> None:
    async with shop.follow() as source:
        await source.comment()
        (connection, *_) = shop.running.server.server_state.connections
        accepted: socket.socket = connection.transport.get_extra_info("socket")

        alive = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        options = [
            accepted.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        ]

    assert (alive, options) == (1, [10, 10, 5, 60_000])
