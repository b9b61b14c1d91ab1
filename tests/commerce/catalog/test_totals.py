"""Totals of lists: counted with the page up to ten thousand, and once for everybody beyond that."""

from hashlib import sha256

import pytest

from commerce.catalog.filters import ProductFilter
from commerce.catalog.reading import COUNT_TO, CatalogReader
from commerce.catalog.sharing import object_tags_of
from core.cache.objects import ObjectCache
from core.cache.store import Store
from core.database import Database
from core.eventlog import newest_position
from core.single_flight import SingleFlight
from tests.factories.crowds import crowd
from tests.factories.statements import recorded

ALL = ProductFilter()
IN_STOCK = ProductFilter(in_stock=False)  # copies have no variants, and so nothing to buy


def a_cache(database: Database) -> ObjectCache:
    cache = ObjectCache(
        Store(None), lambda key: sha256(key).digest(), lambda: newest_position(database), SingleFlight()
    )
    cache.heard = lambda: 1
    return cache


def whole(statements: list[str]) -> int:
    """How many of them counted to the end."""
    return sum("count(" in each and str(COUNT_TO) not in each for each in statements)


@pytest.mark.parametrize(("products", "counts"), [(COUNT_TO - 1, 0), (COUNT_TO, 1), (COUNT_TO + 2, 1)])
async def test_total_is_exact_on_both_sides_of_the_bound(sqlite_database: Database, products: int, counts: int) -> None:
    await crowd(sqlite_database, products)
    reader = CatalogReader(sqlite_database, a_cache(sqlite_database))

    with recorded(sqlite_database.reader) as sent:
        numbered = [await reader.page(ALL, None, page=page, size=2) for page in (1, 2)]
        found = await reader.slice(ALL, "title", limit=3, after=None, count=True)
        total = await reader.total(ALL)

    assert [*(page.total for page in numbered), found.total, total] == [products] * 4
    assert whole(sent) == counts


async def test_total_of_many_is_exact_and_counted_once(database: Database) -> None:
    await crowd(database, COUNT_TO + 1)
    reader = CatalogReader(database, a_cache(database))

    with recorded(database.reader) as sent:
        totals = [(await reader.page(ALL, None, page=page, size=10)).total for page in (1, 2, 1_001)]
        behind = await reader.page(ALL, None, page=1_002, size=10)

    assert (totals, behind.total, behind.items) == ([COUNT_TO + 1] * 3, COUNT_TO + 1, [])
    assert whole(sent) == 1


async def test_without_a_cache_it_is_counted_each_time(sqlite_database: Database) -> None:
    await crowd(sqlite_database, COUNT_TO + 1)
    reader = CatalogReader(sqlite_database)

    with recorded(sqlite_database.reader) as sent:
        totals = [await reader.total(ALL) for _ in range(2)]

    assert (totals, whole(sent)) == ([COUNT_TO + 1] * 2, 2)


async def test_each_filter_and_each_sight_has_its_own(sqlite_database: Database) -> None:
    await crowd(sqlite_database, COUNT_TO + 1)
    async with sqlite_database.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE products SET status = 'draft' WHERE handle = 'copy-7'")
    reader = CatalogReader(sqlite_database, a_cache(sqlite_database))

    filters = [ALL, ProductFilter(include_unpublished=True), IN_STOCK]
    totals = [await reader.total(each) for each in filters]

    assert totals == [COUNT_TO, COUNT_TO + 1, COUNT_TO - 1]


@pytest.mark.parametrize(
    ("event", "counted"), [("stock.changed", (0, 1)), ("product.updated", (1, 1)), ("order.placed", (0, 0))]
)
async def test_sale_ends_totals_of_what_is_in_stock_alone(
    sqlite_database: Database, event: str, counted: tuple[int, int]
) -> None:
    await crowd(sqlite_database, COUNT_TO + 1)
    cache = a_cache(sqlite_database)
    reader = CatalogReader(sqlite_database, cache)
    for each in (ALL, IN_STOCK):
        await reader.total(each)

    cache.end(object_tags_of(event), 10)
    again = []
    for each in (ALL, IN_STOCK):
        with recorded(sqlite_database.reader) as sent:
            await reader.total(each)
        again.append(whole(sent))

    assert tuple(again) == counted
