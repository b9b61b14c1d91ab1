"""Reads of one small catalogue, which the tests of this file share; those that write have a database of their own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from commerce.catalog.commands import ProductData
from commerce.catalog.entities import Product
from commerce.catalog.filters import SORT_NAMES, ProductFilter, SortName
from commerce.catalog.repository import ProductKey, ProductRepository, walk
from commerce.catalog.service import CatalogService
from core.database import Database
from core.pagination import InvalidCursor
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, an_image, sized
from tests.factories.statements import recorded

# Made a minute after another, in this order; `boots` and `cap` tie on the price, `cap` and `cap-2` on the title.
CATALOGUE = [
    a_product(
        handle="anorak",
        title="Ánorak",
        vendor="Ridge",
        category="Rain Jackets",
        tags=("new", "rain"),
        description="<p>A shell for <b>storms</b></p>",
        options=("Size",),
        variants=(
            a_variant(options={"Size": "Small"}, price=1000, stock=0, sku="ANO-S"),
            a_variant(options={"Size": "Large"}, price=3000, stock=2, sku="ANO-L"),
        ),
    ),
    a_product(
        handle="boots",
        title="boots",
        vendor="Ridge",
        category="Shoes",
        tags=("rain",),
        variants=(a_variant(price=2000, stock=0),),
    ),
    a_product(handle="cap", title="Cap", vendor="Crème & Co", tags=("new",), variants=(a_variant(price=2000),)),
    a_product(
        handle="cap-2",
        title="Cap",
        vendor="Ridge",
        category="Hats",
        variants=(a_variant(price=500, stock=0, inventory_policy="continue"),),
    ),
    a_product(handle="draft", title="Draft Storm", vendor="Ridge", status="draft", variants=(a_variant(price=2000),)),
    a_product(
        handle="storm-coat",
        title="Storm Coat",
        vendor="Peak",
        category="Rain Jackets",
        tags=("rain", "sale"),
        description="<p>Not an anorak &amp; no boots</p>",
        variants=(a_variant(price=9000, stock=-1),),
    ),
    a_product(handle="archived", title="Archived", vendor="Peak", status="archived"),
]


async def fill(database: Database, products: list[ProductData], clock: FakeClock | None = None) -> None:
    clock = clock or FakeClock()
    async with database.write() as session:
        for product in products:
            await CatalogService(session, clock).create(product)
            clock.advance(minutes=1)


@pytest.fixture(scope="module")
async def catalogue(module_database: Database) -> Database:
    await fill(module_database, CATALOGUE)
    return module_database


@pytest.fixture
async def products(catalogue: Database) -> AsyncIterator[ProductRepository]:
    async with catalogue.read() as session:
        yield ProductRepository(session)


async def handles(repository: ProductRepository, keys: Any) -> list[str]:
    heads = await repository.heads([key.id for key in keys])
    return [heads[key.id].handle for key in keys]


async def found(repository: ProductRepository, sort: SortName | None = "title", **wanted: Any) -> list[str]:
    page = await repository.page(ProductFilter(**wanted), sort, page=1, size=100)
    assert page.total == len(page.items)
    return await handles(repository, page.items)


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
async def test_filter_finds_exactly(products: ProductRepository, wanted: dict[str, Any], expected: list[str]) -> None:
    assert await found(products, **wanted) == expected


ASCENDING = {
    "title": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
    "price": ["cap-2", "anorak", "boots", "cap", "storm-coat"],
    "created_at": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
    "updated_at": ["anorak", "boots", "cap", "cap-2", "storm-coat"],
}


@pytest.mark.parametrize("sort", SORT_NAMES)
async def test_sort_orders_both_kinds_of_page(products: ProductRepository, sort: SortName) -> None:
    expected = ASCENDING[sort.removeprefix("-")]
    expected = expected[::-1] if sort.startswith("-") else expected

    keyset_page = await products.slice(ProductFilter(), sort, limit=100, after=None)

    assert await found(products, sort) == expected
    assert await handles(products, keyset_page.items) == expected


async def test_newest_come_first_by_default(products: ProductRepository) -> None:
    assert await found(products, None) == ["storm-coat", "cap-2", "cap", "boots", "anorak"]


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


async def test_numbered_pages_hold_their_rows_and_the_total(products: ProductRepository) -> None:
    pages = [await products.page(ProductFilter(), "title", page=number, size=2) for number in (1, 2, 3, 4)]

    assert [await handles(products, page.items) for page in pages] == [
        ["anorak", "boots"],
        ["cap", "cap-2"],
        ["storm-coat"],
        [],
    ]
    assert [(page.page, page.size, page.total) for page in pages] == [(1, 2, 5), (2, 2, 5), (3, 2, 5), (4, 2, 5)]


async def walked(repository: ProductRepository, sort: SortName, limit: int, **wanted: Any) -> list[str]:
    keys: list[ProductKey] = []
    after = None
    for _ in range(20):  # more pages than there are products would be no end
        page = await repository.slice(ProductFilter(**wanted), sort, limit=limit, after=after)
        assert len(page.items) == len(page.cursors) <= limit
        keys += page.items
        after = page.next_cursor
        if after is None:
            break
    return await handles(repository, keys)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("sort", SORT_NAMES)
async def test_keyset_pages_visit_each_product_once_also_on_ties(
    products: ProductRepository, sort: SortName, limit: int
) -> None:
    expected = ASCENDING[sort.removeprefix("-")]

    assert await walked(products, sort, limit) == (expected[::-1] if sort.startswith("-") else expected)


async def test_keyset_pages_of_a_search_are_narrowed(products: ProductRepository) -> None:
    assert await walked(products, "-price", 1, q="rain", vendor="Ridge") == ["boots", "anorak"]


async def test_keyset_page_counts_only_on_demand(products: ProductRepository) -> None:
    first = await products.slice(ProductFilter(), "title", limit=2, after=None, count=True)
    second = await products.slice(ProductFilter(), "title", limit=2, after=first.next_cursor, count=True)
    silent = await products.slice(ProductFilter(), "title", limit=2, after=None)

    assert (first.total, second.total, silent.total) == (5, 5, None)


@pytest.mark.parametrize("name", ["\0", "cap\0", "prod_\0", "\ud800", "prod_\ud800"])
async def test_name_that_cannot_be_stored_names_nothing(products: ProductRepository, name: str) -> None:
    assert await products.key_of(name, include_unpublished=True) is None
    assert await products.handle_after_rename(name, include_unpublished=True) is None
    assert list(await products.ids_by_handle([name, "cap"])) == ["cap"]


@pytest.mark.parametrize("name", ["\0", "prod_\0", "\ud800"])
async def test_name_that_cannot_be_stored_locks_nothing(database: Database, name: str) -> None:
    async with database.write() as session:
        products = ProductRepository(session)

        assert await products.lock(name) is None
        assert await products.lock_by_handle([name]) == {}


async def test_cursor_of_another_sort_is_refused(products: ProductRepository) -> None:
    page = await products.slice(ProductFilter(), "title", limit=1, after=None)

    for sort in SORT_NAMES[1:]:
        with pytest.raises(InvalidCursor):
            await products.slice(ProductFilter(), sort, limit=1, after=page.next_cursor)


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
async def test_search_finds_exactly(products: ProductRepository, q: str, expected: list[str]) -> None:
    assert await found(products, q=q) == expected


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


@pytest.mark.parametrize(
    ("handle", "include_unpublished", "is_found"),
    [
        ("cap", False, True),
        ("CAP", False, False),
        ("nobody", True, False),
        ("draft", False, False),
        ("archived", False, False),
        ("draft", True, True),
    ],
)
async def test_key_is_found_by_handle_and_by_id(
    products: ProductRepository, handle: str, include_unpublished: bool, is_found: bool
) -> None:
    key = await products.key_of(handle, include_unpublished=include_unpublished)

    assert (key is not None) == is_found
    if key is not None:
        assert await products.key_of(key.id, include_unpublished=include_unpublished) == key
        assert key.version == 1


async def test_draft_is_hidden_by_id_too(products: ProductRepository) -> None:
    key = await products.key_of("draft", include_unpublished=True)

    assert key is not None
    assert await products.key_of(key.id, include_unpublished=False) is None


async def test_products_come_in_the_order_asked_for_without_those_that_are_gone(products: ProductRepository) -> None:
    ids = await products.ids_by_handle(["cap", "anorak"])

    whole = await products.products([ids["cap"], "prod_gone", ids["anorak"]])

    assert [product.head.handle for product in whole] == ["cap", "anorak"]
    assert [variant.title for variant in whole[1].variants] == ["Small", "Large"]
    assert whole[1].tags == ("new", "rain")
    assert await products.products([]) == []


async def test_number_of_statements_does_not_depend_on_the_number_of_products(database: Database) -> None:
    batch = [
        a_product(handle=f"p{number}", category=f"C{number}", tags=("a", "b"), images=(an_image(),), **sized("S", "M"))
        for number in range(50)
    ]
    async with database.write() as session:
        await CatalogService(session, FakeClock()).upsert(batch)
    counts: dict[int, int] = {}

    for size in (1, 50):
        async with database.read() as session:
            repository = ProductRepository(session)
            with recorded(database.reader) as statements:
                page = await repository.slice(ProductFilter(), "title", limit=size, after=None)
                whole = await repository.products([key.id for key in page.items])
        assert len(whole) == size
        assert all(len(product.variants) == 2 and product.category for product in whole)
        counts[size] = len(statements)

    assert counts == {1: 5, 50: 5}


async def test_walk_visits_the_whole_catalogue_in_batches_oldest_first(catalogue: Database) -> None:
    async def batches(*, include_unpublished: bool) -> list[list[str]]:
        walking = walk(catalogue, include_unpublished=include_unpublished, batch=3)
        return [[product.head.handle for product in batch] async for batch in walking]

    assert await batches(include_unpublished=False) == [["anorak", "boots", "cap"], ["cap-2", "storm-coat"]]
    assert await batches(include_unpublished=True) == [
        ["anorak", "boots", "cap"],
        ["cap-2", "draft", "storm-coat"],
        ["archived"],
    ]


async def test_categories_come_by_name(products: ProductRepository) -> None:
    everything = await products.categories()
    hats = next(category for category in everything if category.name == "Hats")

    assert [category.name for category in everything] == ["Hats", "Rain Jackets", "Shoes"]
    assert await products.categories([hats.id]) == [hats]
    assert await products.categories([]) == []


async def test_products_are_counted_by_status(products: ProductRepository) -> None:
    assert await products.counts() == ({"active": 5, "draft": 1, "archived": 1}, 8)


async def test_names_of_kept_columns_are_collected_from_all_tables(database: Database) -> None:
    await fill(
        database,
        [
            a_product(handle="a", extra={"One": "1", "Both": "1"}, images=(an_image(extra={"Three": "3"}),)),
            a_product(handle="b", variants=(a_variant(extra={"Two": "2", "Both": "2"}),)),
        ],
    )

    async with database.read() as session:
        names = await ProductRepository(session).extra_names()

    assert names.product == {"One", "Both"}
    assert names.variant == {("Two", True, False), ("Both", True, False)}
    assert names.image == {"Three"}


@pytest.mark.parametrize(
    ("stock", "policy", "available"),
    [(None, "deny", True), (1, "deny", True), (0, "deny", False), (-1, "deny", False), (0, "continue", True)],
)
async def test_entity_and_filter_agree_on_what_is_available(
    sqlite_database: Database, stock: int | None, policy: str, available: bool
) -> None:
    await fill(sqlite_database, [a_product(variants=(a_variant(stock=stock, inventory_policy=policy),))])

    async with sqlite_database.read() as session:
        repository = ProductRepository(session)
        product: Product
        (product,) = await repository.products(list((await repository.ids_by_handle(["rain-jacket"])).values()))
        assert product.variants[0].available is available
        assert await found(repository, in_stock=available) == ["rain-jacket"]
        assert await found(repository, in_stock=not available) == []
