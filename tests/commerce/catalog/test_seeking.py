"""Lists whose condition few products meet, or many: two ways to one page, which have to come to the same."""

from typing import Any

import pytest

from benchmarks import big_rows, big_shop
from commerce.catalog import seeking
from commerce.catalog.filters import SORT_NAMES, ProductFilter, SortName
from commerce.catalog.reading import CatalogReader
from core.database import Database
from core.pagination import MAX_SIZE
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_variant

PRODUCTS = 2_100
FEW = [
    ProductFilter(min_price=50_000, max_price=51_000),
    ProductFilter(max_price=900),
    ProductFilter(in_stock=False),
    ProductFilter(min_price=99_000, in_stock=False),
    ProductFilter(q="99"),
    ProductFilter(q="none has it"),
]
MANY = [ProductFilter(min_price=20_000), ProductFilter(min_price=1_000, max_price=90_000, include_unpublished=True)]
MANY += [ProductFilter(q="cloth"), ProductFilter(q="cl go", vendor="Vendor 7", in_stock=True)]
OTHERS = [
    ProductFilter(tag="tag-7"),
    ProductFilter(tag="tag-7", max_price=40_000, in_stock=True),
    ProductFilter(category="category-7", min_price=30_000),
    ProductFilter(vendor="Vendor 7", in_stock=False),
]


@pytest.fixture(scope="module")
async def shop(module_database: Database) -> Database:
    await big_shop.fill(module_database, products=PRODUCTS, orders=0)
    return module_database


def expected(wanted: ProductFilter, sort: SortName) -> list[str]:
    """As the filter's own words have it, one product after the other."""
    found = [big_rows.product(number) for number in range(PRODUCTS) if _fits(number, wanted)]
    column = {"title": "title_order", "price": "price_min"}.get(sort.removeprefix("-"), sort.removeprefix("-"))
    found.sort(key=lambda row: (row[column], row["id"]), reverse=sort.startswith("-"))
    return [row["id"] for row in found]


def _fits(number: int, wanted: ProductFilter) -> bool:
    row, variants = big_rows.product(number), list(big_rows.variants(number))
    lowest, highest = wanted.min_price or 0, wanted.max_price or 2**53
    in_stock = any(variant["stock"] > 0 for variant in variants)
    return (
        (row["status"] == "active" or wanted.include_unpublished)
        and _has_words(number, wanted.q)
        and wanted.tag in (None, *(tag["tag"] for tag in big_rows.tags(number)))
        and wanted.vendor in (None, row["vendor"])
        and (wanted.category is None or row["category_id"] == big_rows.new_id("cat", 7))
        and any(lowest <= variant["price"] <= highest for variant in variants)
        and wanted.in_stock in (None, in_stock)
    )


def _has_words(number: int, query: str | None) -> bool:
    document = big_rows.document(number)
    said = " ".join(("", document["title"], document["details"], document["description"]))
    return all(f" {word}" in said for word in (query or "").split())


@pytest.mark.parametrize("sort", SORT_NAMES)
@pytest.mark.parametrize("wanted", [*FEW, *MANY, *OTHERS], ids=str)
async def test_list_has_what_fits_in_its_order_page_by_page(
    shop: Database, wanted: ProductFilter, sort: SortName
) -> None:
    reader = CatalogReader(shop)
    found: list[str] = []
    after: str | None = None

    while True:
        page = await reader.slice(wanted, sort, limit=MAX_SIZE, after=after, only_keys=True)
        found += [item.id for item in page.items]
        after = page.next_cursor
        if after is None:
            break

    assert found == expected(wanted, sort)


@pytest.mark.parametrize("wanted", [*FEW, *MANY], ids=str)
async def test_numbered_page_begins_where_the_one_before_ends(shop: Database, wanted: ProductFilter) -> None:
    reader = CatalogReader(shop)

    pages = [await reader.page(wanted, "title", page=page, size=7, only_keys=True) for page in (1, 2, 3)]

    assert [item.id for page in pages for item in page.items] == expected(wanted, "title")[:21]
    assert {page.total for page in pages} == {len(expected(wanted, "title"))}


def test_cases_above_go_both_ways() -> None:
    """Or the cases above prove one of them alone."""
    assert all(len(expected(wanted, "title")) < seeking.FEW // 4 for wanted in FEW)
    assert all(len(expected(wanted, "title")) * 2 > seeking.FEW for wanted in MANY if not wanted.q)
    assert all(sum(_has_words(number, wanted.q) for number in range(PRODUCTS)) > seeking.FEW for wanted in MANY)


async def test_product_that_reaches_into_a_range_from_far_below_is_found(
    sqlite_database: Database, clock: FakeClock
) -> None:
    catalogue = Catalogue(sqlite_database, clock)
    sizes = {"options": ("Size",)}
    wide = (a_variant(price=1, options={"Size": "S"}), a_variant(price=90_000, options={"Size": "L"}))
    made = await catalogue.create(handle="wide", variants=wide, **sizes)
    await catalogue.create(handle="cheap", variants=(a_variant(price=5),))
    dear = await catalogue.create(handle="dear", variants=(a_variant(price=90_001),))
    reader = CatalogReader(sqlite_database)

    found = await reader.slice(ProductFilter(min_price=80_000), "price", limit=9, after=None)

    assert [item.id for item in found.items] == [made.head.id, dear.head.id]


@pytest.mark.parametrize("change", [{"title": "Zebra"}, {"variants": (a_variant(price=9_999),)}, {"tags": ("b", "a")}])
async def test_list_of_a_tag_follows_its_products(database: Database, clock: FakeClock, change: dict[str, Any]) -> None:
    catalogue = Catalogue(database, clock)
    first, second = [
        await catalogue.create(handle=title.lower(), title=title, tags=("a",), variants=(a_variant(price=price),))
        for title, price in (("Apple", 100), ("Mango", 200))
    ]
    clock.advance(minutes=1)
    reader = CatalogReader(database)

    await catalogue.update(first, **change)

    for sort in SORT_NAMES:
        of_tag = await reader.slice(ProductFilter(tag="a"), sort, limit=9, after=None)
        of_all = await reader.slice(ProductFilter(), sort, limit=9, after=None)
        assert [item.id for item in of_tag.items] == [item.id for item in of_all.items]
        assert {item.id for item in of_tag.items} == {first.head.id, second.head.id}


async def test_slug_of_a_category_goes_before_the_name_of_another(database: Database, clock: FakeClock) -> None:
    catalogue = Catalogue(database, clock)
    upper = await catalogue.create(handle="upper", category="Hats")
    lower = await catalogue.create(handle="lower", category="hats")
    reader = CatalogReader(database)

    found = {
        name: [item.id for item in (await reader.slice(ProductFilter(category=name), None, limit=9, after=None)).items]
        for name in ("Hats", "hats", "hats-2", "nothing")
    }

    assert found == {"Hats": [upper.head.id], "hats": [upper.head.id], "hats-2": [lower.head.id], "nothing": []}
