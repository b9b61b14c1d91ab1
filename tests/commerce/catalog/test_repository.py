"""Reads of one small catalogue, which the tests of this file share; those that write have a database of their own."""

from typing import Any

import pytest

from commerce.catalog.filters import SORT_NAMES, ProductFilter, SortName, keyset
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductKey, ProductRepository
from commerce.catalog.service import CatalogService
from core.database import Database
from core.pagination import InvalidCursor
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant
from tests.factories.shop import CATALOGUE, fill, found, handles, handles_of, shown


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["anorak", "boots", "cap", "cap-2", "storm-coat"]),
        ({"include_unpublished": True}, ["anorak", "archived", "boots", "cap", "cap-2", "draft", "storm-coat"]),
        ({"category": "Rain Jackets"}, ["anorak", "storm-coat"]),
        ({"category": "rain-jackets"}, ["anorak", "storm-coat"]),
        ({"category": "Rain"}, []),
        ({"vendor": "Ridge"}, ["anorak", "boots", "cap-2"]),
        ({"vendor": "ridge"}, []),
        ({"vendor": "Crème & Co"}, ["cap"]),
        ({"tag": "rain"}, ["anorak", "boots", "storm-coat"]),
        ({"tag": "ra"}, []),
        ({"min_price": 2001}, ["anorak", "storm-coat"]),
        ({"min_price": 3000}, ["anorak", "storm-coat"]),
        ({"max_price": 1000}, ["anorak", "cap-2"]),
        ({"max_price": 999}, ["cap-2"]),
        ({"min_price": 1001, "max_price": 2999}, ["boots", "cap"]),
        ({"min_price": 3000, "max_price": 1000}, []),
        *(({name: text}, []) for name in ("vendor", "tag", "category") for text in ("\0", "a\0b", "\ud800")),
        *(({"min_price": price}, []) for price in (2**63 - 1, 2**63, 10**30)),
        *(({"max_price": price}, ["anorak", "boots", "cap", "cap-2", "storm-coat"]) for price in (2**63, 10**30)),
        *(({"max_price": price}, []) for price in (-1, -(2**63) - 1)),
        ({"min_price": -(2**63) - 1}, ["anorak", "boots", "cap", "cap-2", "storm-coat"]),
        ({"in_stock": True}, ["anorak", "cap", "cap-2"]),
        ({"in_stock": False}, ["boots", "storm-coat"]),
        ({"q": "storm"}, ["anorak", "storm-coat"]),
        ({"q": "storm", "include_unpublished": True}, ["anorak", "draft", "storm-coat"]),
        ({"category": "rain-jackets", "vendor": "Ridge"}, ["anorak"]),
        ({"vendor": "Ridge", "tag": "rain", "in_stock": True}, ["anorak"]),
        ({"vendor": "Ridge", "max_price": 2000, "in_stock": False}, ["boots"]),
        ({"q": "rain", "tag": "rain", "min_price": 5000}, ["storm-coat"]),
        (
            {
                "q": "storm",
                "category": "Rain Jackets",
                "vendor": "Peak",
                "tag": "sale",
                "min_price": 9000,
                "max_price": 9000,
                "in_stock": False,
            },
            ["storm-coat"],
        ),
        ({"q": "storm", "vendor": "Peak", "tag": "new"}, []),
    ],
    ids=str,
)
async def test_filter_finds_exactly(
    products: ProductRepository, reader: CatalogReader, wanted: dict[str, Any], expected: list[str]
) -> None:
    assert await found(products, **wanted) == expected
    assert await shown(reader, **wanted) == expected


ASCENDING = {
    "title": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
    "price": ["cap-2", "anorak", "boots", "cap", "storm-coat"],
    "created_at": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
    "updated_at": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
}


@pytest.mark.parametrize("sort", SORT_NAMES)
async def test_sort_orders_both_kinds_of_page(
    products: ProductRepository, reader: CatalogReader, sort: SortName
) -> None:
    expected = ASCENDING[sort.removeprefix("-")]
    expected = expected[::-1] if sort.startswith("-") else expected

    keyset_page = await products.slice(ProductFilter(), sort, limit=100, after=None)

    assert await found(products, sort) == expected
    assert await shown(reader, sort) == expected
    assert await handles(products, keyset_page.items) == expected


async def test_newest_come_first_by_default(products: ProductRepository, reader: CatalogReader) -> None:
    newest = ["storm-coat", "cap-2", "cap", "boots", "anorak"]

    assert await found(products, None) == newest
    assert await shown(reader, None) == newest


async def test_updated_product_moves_in_the_order_of_updates_alone(database: Database) -> None:
    clock = FakeClock()
    await fill(database, CATALOGUE[:3], clock)
    async with database.write() as session:
        key = await ProductRepository(session).key_of("anorak", include_unpublished=False)
        assert key is not None
        await CatalogService(session, clock).update(key.id, lambda _: a_product(handle="anorak", title="Anorak"))

    async with database.read() as session:
        repository = ProductRepository(session)
        assert await found(repository, "updated_at") == ["boots", "cap", "anorak"]
        assert await found(repository, "created_at") == ["anorak", "boots", "cap"]


async def test_numbered_pages_hold_their_rows_and_the_total(reader: CatalogReader) -> None:
    pages = [await reader.page(ProductFilter(), "title", page=number, size=2) for number in (1, 2, 3, 4)]

    assert [handles_of(page.items) for page in pages] == [
        ["anorak", "boots"],
        ["cap", "cap-2"],
        ["storm-coat"],
        [],
    ]
    assert [(page.page, page.size, page.total) for page in pages] == [(1, 2, 5), (2, 2, 5), (3, 2, 5), (4, 2, 5)]


async def walked(
    repository: ProductRepository, reader: CatalogReader, sort: SortName, limit: int, **wanted: Any
) -> list[str]:
    """Through both, which give the same cursors for the same products."""
    keys: list[ProductKey] = []
    after = None
    for _ in range(20):  # more pages than there are products would be no end
        page = await repository.slice(ProductFilter(**wanted), sort, limit=limit, after=after)
        same = await reader.slice(ProductFilter(**wanted), sort, limit=limit, after=after)
        assert [(item.id, item.version) for item in same.items] == [(key.id, key.version) for key in page.items]
        assert same.next_cursor == page.next_cursor
        assert len(page.items) == len(page.cursors) <= limit
        keys += page.items
        after = page.next_cursor
        if after is None:
            break
    return await handles(repository, keys)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("sort", SORT_NAMES)
async def test_keyset_pages_visit_each_product_once_also_on_ties(
    products: ProductRepository, reader: CatalogReader, sort: SortName, limit: int
) -> None:
    expected = ASCENDING[sort.removeprefix("-")]

    assert await walked(products, reader, sort, limit) == (expected[::-1] if sort.startswith("-") else expected)


async def test_keyset_pages_of_a_search_are_narrowed(products: ProductRepository, reader: CatalogReader) -> None:
    assert await walked(products, reader, "-price", 1, q="rain", vendor="Ridge") == ["boots", "anorak"]


async def test_keyset_page_counts_only_on_demand(products: ProductRepository, reader: CatalogReader) -> None:
    for repository in (products, reader):
        first = await repository.slice(ProductFilter(), "title", limit=2, after=None, count=True)
        second = await repository.slice(ProductFilter(), "title", limit=2, after=first.next_cursor, count=True)
        silent = await repository.slice(ProductFilter(), "title", limit=2, after=None)

        assert (first.total, second.total, silent.total) == (5, 5, None)


async def test_keyset_page_behind_the_last_product_still_counts(reader: CatalogReader) -> None:
    last = keyset("title").encode("zzz", "prod_z")
    behind = await reader.slice(ProductFilter(), "title", limit=5, after=last, count=True)

    assert (behind.items, behind.next_cursor, behind.total) == ([], None, 5)


@pytest.mark.parametrize("name", ["\0", "cap\0", "prod_\0", "\ud800", "prod_\ud800"])
async def test_name_that_cannot_be_stored_names_nothing(
    products: ProductRepository, reader: CatalogReader, name: str
) -> None:
    assert await products.key_of(name, include_unpublished=True) is None
    assert await reader.one(name, include_unpublished=True) is None
    assert await reader.handle_after_rename(name, include_unpublished=True) is None
    assert list(await products.ids_by_handle([name, "cap"])) == ["cap"]


@pytest.mark.parametrize("name", ["\0", "prod_\0", "\ud800"])
async def test_name_that_cannot_be_stored_locks_nothing(database: Database, name: str) -> None:
    async with database.write() as session:
        products = ProductRepository(session)

        assert await products.lock(name) is None
        assert await products.lock_by_handle([name]) == {}


async def test_cursor_of_another_sort_is_refused(products: ProductRepository, reader: CatalogReader) -> None:
    page = await products.slice(ProductFilter(), "title", limit=1, after=None)

    for sort in SORT_NAMES[1:]:
        with pytest.raises(InvalidCursor):
            await products.slice(ProductFilter(), sort, limit=1, after=page.next_cursor)
        with pytest.raises(InvalidCursor):
            await reader.slice(ProductFilter(), sort, limit=1, after=page.next_cursor)


@pytest.mark.parametrize("sort", ["price", "-price", "-created_at"])
async def test_keyset_pages_visit_each_product_once_while_others_come_in(database: Database, sort: SortName) -> None:
    clock = FakeClock()
    old = [a_product(handle=f"old-{number}", variants=(a_variant(price=number % 3),)) for number in range(12)]
    await fill(database, old, clock)
    visited: list[str] = []
    after = None

    for turn in range(100):
        async with database.read() as session:
            repository = ProductRepository(session)
            page = await repository.slice(ProductFilter(), sort, limit=2, after=after)
            visited += await handles(repository, page.items)
        after = page.next_cursor
        if after is None:
            break
        if turn < 5:
            await fill(database, [a_product(handle=f"new-{turn}", variants=(a_variant(price=turn % 3),))], clock)

    assert len(visited) == len(set(visited))
    assert {handle for handle in visited if handle.startswith("old")} == {product.handle for product in old}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("anorak", ["anorak", "storm-coat"]),
        ("ANORAK", ["anorak", "storm-coat"]),
        ("ánorák", ["anorak", "storm-coat"]),
        ("ano", ["anorak", "storm-coat"]),
        ("norak", []),
        ("creme", ["cap"]),
        ("ano-l", ["anorak"]),
        ("default", []),
        ("large", ["anorak"]),
        ("hats", ["cap-2"]),
        ("sale", ["storm-coat"]),
        ("storm coat", ["storm-coat"]),
        ("coat storm", ["storm-coat"]),
        ("storm cap", []),
        ("shell storms", ["anorak"]),
        ("amp", []),
        ("b", ["boots", "storm-coat"]),
        ("storm " * 50, ["anorak", "storm-coat"]),
        *(
            (empty, [])
            for empty in ("", " ", "!?", '"', '""', "*", "'", "-", "()", "\\", "&", "|", ":*", "\0", "\ud800")
        ),
        ("NEAR(", []),
        ("a OR b", []),
        ("storm OR coat", []),
        ("storm NOT coat", ["storm-coat"]),
        ('"storm', ["anorak", "storm-coat"]),
        ("storm*", ["anorak", "storm-coat"]),
        ("title:storm", []),
        ("^storm", ["anorak", "storm-coat"]),
        ("{title}: storm", []),
        ("storm & !coat", ["storm-coat"]),
        ("storm <-> coat", ["storm-coat"]),
        ("'; drop table products; --", []),
        ("a" * 5_000, []),
    ],
)
async def test_search_finds_exactly(
    products: ProductRepository, reader: CatalogReader, q: str, expected: list[str]
) -> None:
    assert await found(products, q=q) == expected
    assert await shown(reader, q=q) == expected
    assert handles_of((await reader.slice(ProductFilter(q=q), None, limit=9, after=None)).items) == await found(
        products, None, q=q
    )


async def test_title_weighs_more_than_details_and_those_more_than_the_description(database: Database) -> None:
    filler = "wool felt cotton linen"
    await fill(
        database,
        [
            a_product(handle="in-title", title="Storm"),
            a_product(handle="in-tags", title="Cap", tags=("storm",)),
            a_product(handle="in-description", title="Hat", description="storm"),
            a_product(handle="nowhere", title="Boots", description=filler),
        ],
    )

    async with database.read() as session:
        repository = ProductRepository(session)
        assert await found(repository, None, q="storm") == ["in-title", "in-tags", "in-description"]
        assert await found(repository, "-title", q="storm") == ["in-title", "in-description", "in-tags"]


async def test_deleted_and_changed_products_are_found_by_their_present_words(database: Database) -> None:
    await fill(database, [a_product(handle="a", title="Storm"), a_product(handle="b", title="Storm")])
    async with database.write() as session:
        service = CatalogService(session, FakeClock())
        ids = await ProductRepository(session).ids_by_handle(["a", "b"])
        await service.delete(ids["a"])
        await service.update(ids["b"], lambda _: a_product(handle="b", title="Breeze"))

    async with database.read() as session:
        repository = ProductRepository(session)
        assert await found(repository, q="storm") == []
        assert await found(repository, q="breeze") == ["b"]


async def test_letters_of_other_scripts_are_found(database: Database) -> None:
    await fill(database, [a_product(handle="a", title="Куртка Ёлка 日本語")])

    async with database.read() as session:
        repository = ProductRepository(session)
        for q in ("КУРТ", "елка", "日本"):  # noqa: RUF001  another script is the point
            assert await found(repository, q=q) == ["a"]
