"""Lists of orders: narrowed, newest first, in pages of two kinds, at a constant number of statements."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic_core import from_json

from commerce.orders.commands import CancelOrder, PayOrder
from commerce.orders.entities import Order
from commerce.orders.filters import OrderFilter
from commerce.orders.reading import OrderReader
from commerce.orders.repository import OrderRepository
from core.database import Database
from core.pagination import InvalidCursor
from core.projections.items import Item
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import NOON, FakeClock
from tests.factories.orders import SHOP_KEY, OrderDesk, only_variant
from tests.factories.statements import recorded


@pytest.fixture
async def placed(desk: OrderDesk, catalogue: Catalogue, clock: FakeClock) -> list[Order]:
    """Five orders, the third and fourth at one moment, the others an hour apart."""
    variant = only_variant(await catalogue.create())
    orders = []
    for number, hours in enumerate((0, 1, 1, 0, 1)):
        clock.advance(hours=hours)
        orders.append(await desk.place((variant, number + 1), email=f"{number}@example.com"))
    await desk.do(PayOrder(orders[1].id))
    await desk.do(CancelOrder(orders[4].id))
    return orders


async def numbers(database: Database, wanted: OrderFilter) -> list[int]:
    """The orders' numbers from 1, newest first."""
    page = await OrderReader(database, SHOP_KEY).page(wanted, page=1, size=100)
    async with database.read() as session:
        part = await OrderRepository(session).slice(wanted, SHOP_KEY, limit=100, after=None)
    found = [order.number - 1000 for order in part.items]
    assert (page.total, [number_of(item) for item in page.items]) == (len(found), found)
    return found


def number_of(item: Item) -> int:
    """From 1."""
    shown: int = from_json(item.json)["number"]
    return shown - 1000


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"state": "placed"}, [4, 3, 1]),
        ({"state": "shipped"}, []),
        ({"email": " 2@EXAMPLE.com"}, [3]),
        ({"email": "\0"}, []),
        ({"placed_after": NOON + timedelta(hours=1)}, [5, 4, 3, 2]),
        ({"placed_before": NOON + timedelta(hours=1)}, [1]),
        ({"placed_after": NOON + timedelta(hours=1), "placed_before": NOON + timedelta(hours=3)}, [4, 3, 2]),
        ({"placed_after": (NOON + timedelta(hours=2)).astimezone(timezone(timedelta(hours=9)))}, [5, 4, 3]),
        ({"placed_after": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, [5, 4, 3, 2, 1]),
        ({"placed_before": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))}, [5, 4, 3, 2, 1]),
        ({"placed_after": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))}, []),
        ({"state": "paid", "email": "0@example.com"}, []),
    ],
)
async def test_list_is_narrowed_and_newest_first(
    database: Database, placed: list[Order], wanted: dict[str, Any], expected: list[int]
) -> None:
    assert len(placed) == 5
    assert await numbers(database, OrderFilter(**wanted)) == expected


async def test_numbered_pages_cover_all_orders_once(database: Database, placed: list[Order]) -> None:
    orders = OrderReader(database, SHOP_KEY)
    pages = [await orders.page(OrderFilter(), page=page, size=2) for page in (1, 2, 3, 4)]

    assert [[number_of(item) for item in page.items] for page in pages] == [[5, 4], [3, 2], [1], []]
    assert {page.total for page in pages} == {len(placed)}


async def test_keyset_pages_cover_all_orders_once(database: Database, placed: list[Order]) -> None:
    seen: list[int] = []
    after = None
    async with database.read() as session:
        while True:
            part = await OrderRepository(session).slice(OrderFilter(), SHOP_KEY, limit=2, after=after)
            seen += [order.number - 1000 for order in part.items]
            after = part.next_cursor
            if after is None:
                break

    assert seen == [5, 4, 3, 2, 1]
    assert part.total is None
    assert placed[0].id == part.items[-1].id


async def test_cursor_that_is_none_is_refused(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(InvalidCursor):
            await OrderRepository(session).slice(OrderFilter(), SHOP_KEY, limit=2, after="nonsense")


async def test_orders_are_found_by_id_in_the_order_asked_for(database: Database, placed: list[Order]) -> None:
    ids = [placed[2].id, "ord_none", placed[0].id, "\0"]

    async with database.read() as session:
        found = await OrderRepository(session).orders(ids, SHOP_KEY)

    assert [order.id for order in found] == [placed[2].id, placed[0].id]


async def test_number_of_statements_does_not_depend_on_the_size_of_the_page(
    database: Database, placed: list[Order]
) -> None:
    async with database.read() as session:
        orders = OrderRepository(session)
        with recorded(database.reader) as of_one:
            await orders.slice(OrderFilter(), SHOP_KEY, limit=1, after=None)
        with recorded(database.reader) as of_all:
            page = await orders.slice(OrderFilter(), SHOP_KEY, limit=100, after=None)
    with recorded(database.reader) as of_reader:
        await OrderReader(database, SHOP_KEY).page(OrderFilter(), page=1, size=100)

    assert len(page.items) == len(placed)
    assert len(of_one) == len(of_all) == 4
    assert len(of_reader) == 1
    assert page.items[0].placed_at == datetime(2026, 3, 1, 15, 0, tzinfo=UTC)


async def test_part_that_was_not_read_is_not_taken_for_empty(database: Database, placed: list[Order]) -> None:
    paid, wanted = placed[1], OrderFilter(state="paid")

    async with database.read() as session:
        orders = OrderRepository(session)
        with recorded(database.reader) as statements:
            (listed,) = (await orders.slice(wanted, SHOP_KEY, limit=1, after=None, parts={"lines"})).items
        named = (await orders.visible([paid.id], SHOP_KEY, {"payments"}))[paid.id]

    assert len(statements) == 2
    assert (listed.lines, listed.total) == (paid.lines, paid.total)
    assert named.paid == paid.total
    for unread in (lambda: listed.due, lambda: listed.shipments, lambda: named.total):
        with pytest.raises(AttributeError):
            unread()
