"""Channels carry the events that their subscriber may see, once and in order, from the cursor that it names."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from commerce.accounts.entities import User
from commerce.events.envelope import EVENT_TYPES
from core import eventlog
from core.eventlog import NewEvent, event_id
from core.resources import Resources
from core.streams.broadcast import KNOWN
from public_api.realtime.subscriptions import _frames_of
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import only_variant
from tests.factories.people import a_user, signed_in
from tests.factories.products import a_variant
from tests.fixtures.application import key_with
from tests.fixtures.listening import Listening
from tests.fixtures.sockets import Peer, happen, order, product
from tests.public_api.orders.calls import change, place
from tests.public_api.realtime.conftest import Connect


@pytest.fixture
async def ada(resources: Resources) -> User:
    return await a_user(resources)


@pytest.fixture
async def ada_headers(resources: Resources, ada: User) -> dict[str, str]:
    return await signed_in(resources, ada)


@pytest.fixture
async def staff_headers(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources, "support"))


async def newest(resources: Resources) -> str:
    async with resources.database.read() as session:
        return event_id(await eventlog.EventLog(session).newest())


async def refused(peer: Peer, channel: str, **fields: Any) -> str:
    frame = await peer.ask("subscribe", channel=channel, **fields)
    assert (frame["type"], frame["channel"]) == ("error", channel)
    code: str = frame["code"]
    return code


async def test_order_is_followed_through_its_life(
    connect: Connect, listening: Listening, resources: Resources, ada_headers: dict[str, str]
) -> None:
    variants = (a_variant(price=1999, stock=10, sku="JKT"),)
    catalogue = Catalogue(resources.database, FakeClock())
    variant = only_variant(await catalogue.create(handle="jacket-2", title="Jacket", variants=variants))
    async with (
        httpx2.AsyncClient(base_url=f"http://{listening.address}") as client,
        connect(ada_headers) as peer,
    ):
        await peer.follow("orders")
        placed = await place(client, ada_headers, variant)
        first = await peer.hear()
        await peer.follow(f"order:{placed['id']}")
        await change(client, ada_headers, placed, "cancel")
        rest = [await peer.hear(), await peer.hear()]

    assert (first["channel"], first["event"]["type"]) == ("orders", "order.placed")
    assert first["event"]["data"] == {
        "id": placed["id"],
        "number": placed["number"],
        "state": "placed",
        "total": {"amount": 1999, "currency": "USD"},
    }
    assert {each["channel"] for each in rest} == {"orders", f"order:{placed['id']}"}
    assert rest[0]["event"] == rest[1]["event"]
    assert rest[0]["event"]["type"] == "order.cancelled"


async def test_catalogue_has_what_its_reader_may_see(connect: Connect, resources: Resources, ada: User) -> None:
    everything = [NewEvent(kind, f"{kind}-1", {}, "everybody") for kind in EVENT_TYPES]
    shown = [each for each in EVENT_TYPES if each.startswith(("product.", "stock.", "promotion."))]

    async with (
        connect(await signed_in(resources, ada)) as customer,
        connect(await signed_in(resources, await a_user(resources, "editor"))) as editor,
    ):
        await customer.follow("catalog")
        await editor.follow("catalog")
        await happen(resources, product("draft", "editors"), *everything)

        assert await customer.subjects(len(shown)) == [f"{kind}-1" for kind in shown]
        assert await editor.subjects(len(shown) + 1) == ["draft", *(f"{kind}-1" for kind in shown)]
        await customer.quiet()


async def test_orders_are_ones_own_and_for_staff_everybodys(
    connect: Connect,
    resources: Resources,
    ada: User,
    ada_headers: dict[str, str],
    staff_headers: dict[str, str],
) -> None:
    shop_key = await key_with(resources, "events:read", "orders:read")
    async with connect(ada_headers) as customer, connect(staff_headers) as staff, connect(shop_key) as shop:
        for peer in (customer, staff, shop):
            await peer.follow("orders")
        await happen(resources, order("ord_1", "usr_other"), order("ord_2", ada.id), product("prod_1"))

        assert await customer.subjects(1) == ["ord_2"]
        assert await staff.subjects(2) == ["ord_1", "ord_2"]
        assert await shop.subjects(2) == ["ord_1", "ord_2"]
        for peer in (customer, staff, shop):
            await peer.quiet()


async def test_somebody_elses_order_is_not_found(
    connect: Connect, listening: Listening, resources: Resources, ada_headers: dict[str, str]
) -> None:
    catalogue = Catalogue(resources.database, FakeClock())
    variant = only_variant(await catalogue.create(handle="hat", title="Hat", variants=(a_variant(price=1),)))
    other = await signed_in(resources, await a_user(resources))
    async with httpx2.AsyncClient(base_url=f"http://{listening.address}") as client, connect(ada_headers) as peer:
        placed = await place(client, other, variant)

        assert await refused(peer, f"order:{placed['id']}") == "order_not_found"
        assert await refused(peer, "order:ord_none") == "order_not_found"
        await change(client, other, placed, "cancel")
        await peer.quiet()


async def test_orders_need_their_scope(connect: Connect, resources: Resources) -> None:
    async with connect(await key_with(resources, "events:read")) as peer:
        assert await refused(peer, "orders") == "missing_scope"
        assert await refused(peer, "order:ord_1") == "missing_scope"
        assert await peer.follow("catalog")


@pytest.mark.parametrize("name", ["", "nothing", "catalog:", "catalog:x", "order", "orders:x", "ORDERS", "support"])
async def test_unknown_channel_is_refused(connect: Connect, ada_headers: dict[str, str], name: str) -> None:
    async with connect(ada_headers) as peer:
        assert await refused(peer, name) == "channel_not_found"


@pytest.mark.parametrize("cursor", ["evt_1", "", "yesterday"])
async def test_cursor_that_is_none_is_refused_and_the_channel_can_be_had_without(
    connect: Connect, ada_headers: dict[str, str], cursor: str
) -> None:
    async with connect(ada_headers) as peer:
        assert await refused(peer, "catalog", after=cursor) == "invalid_cursor"
        assert await peer.follow("catalog")


async def test_subscriber_goes_on_where_it_was(
    connect: Connect, resources: Resources, ada_headers: dict[str, str]
) -> None:
    async with connect(ada_headers) as peer:
        begin = await peer.follow("catalog")
        await happen(resources, product("a"), product("b"))
        last = [(await peer.hear())["event"]["id"] for _ in range(2)][-1]
    await happen(resources, product("c"), product("d"))

    async with connect(ada_headers) as peer:
        assert await peer.follow("catalog", after=last) == last
        assert await peer.subjects(2) == ["c", "d"]
        await happen(resources, product("e"))
        assert await peer.subjects(1) == ["e"]
        assert await peer.follow("catalog", after=begin) == begin
        assert await peer.subjects(5) == ["a", "b", "c", "d", "e"]
        await peer.quiet()


async def test_cursor_before_what_is_kept_is_reset_and_followed_from_now_on(
    connect: Connect, resources: Resources, ada_headers: dict[str, str]
) -> None:
    async with connect(ada_headers) as peer:
        await peer.follow("catalog")
        more_than_is_remembered = 2 * KNOWN + 1
        await happen(resources, *(product("a") for _ in range(more_than_is_remembered)))
        await peer.subjects(more_than_is_remembered)
        async with resources.database.write() as session:
            await eventlog.trim(session, datetime(2100, 1, 1, tzinfo=UTC))

        reset = await peer.ask("subscribe", channel="catalog", after=event_id(1))
        subscribed = await peer.hear()
        await happen(resources, product("c"))

        assert reset == {"type": "reset", "channel": "catalog"}
        assert subscribed == {"type": "subscribed", "channel": "catalog", "cursor": subscribed["cursor"]}
        assert await peer.subjects(1) == ["c"]


async def test_channel_that_is_left_is_silent(
    connect: Connect, listening: Listening, resources: Resources, ada_headers: dict[str, str]
) -> None:
    async with connect(ada_headers) as peer:
        await peer.follow("catalog")
        await peer.say("unsubscribe", channel="catalog")
        await peer.say("unsubscribe", channel="catalog")
        await peer.quiet()
        await happen(resources, product("a"))
        await peer.quiet()

        assert listening.state["broadcast"]._subscriptions == {}


async def test_socket_follows_so_many_channels(connect: Connect, limit: Any, ada_headers: dict[str, str]) -> None:
    limit(channels=1)

    async with connect(ada_headers) as peer:
        await peer.follow("catalog")
        assert await refused(peer, "orders") == "too_many_channels"
        await peer.follow("catalog")
        await peer.say("unsubscribe", channel="catalog")
        await peer.follow("orders")


async def test_who_sends_without_a_room_is_told(connect: Connect, ada_headers: dict[str, str]) -> None:
    async with connect(ada_headers) as peer:
        frame = await peer.ask("send", text="hello")

    assert (frame["type"], frame["code"]) == ("error", "not_in_room")


def test_event_is_encoded_once_for_all_who_get_it() -> None:
    assert _frames_of("catalog", "urn:portico") is _frames_of("catalog", "urn:portico")
    assert _frames_of("catalog", "urn:portico") is not _frames_of("orders", "urn:portico")


async def test_nothing_is_left_of_a_socket_that_was_closed(
    connect: Connect, listening: Listening, ada_headers: dict[str, str]
) -> None:
    state = listening.state
    async with connect(ada_headers) as peer:
        await peer.follow("catalog")
        await peer.follow("orders")
        assert (len(state["sockets"].places._taken), len(state["watch"]._followed)) == (1, 1)

    while listening.tasks:  # noqa: ASYNC110  nobody but a test waits for it
        await asyncio.sleep(0.01)
    assert listening.connections == 0
    assert state["broadcast"]._subscriptions == state["broadcast"]._at_drain == {}
    assert state["watch"]._followed == {}
    assert not state["sockets"].places._taken
    assert [each for each in asyncio.all_tasks() if each.get_name() == "portico-channel"] == []
