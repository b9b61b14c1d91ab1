"""Reads of whole products, of keys and of counts."""

import pytest

from commerce.catalog.entities import Product
from commerce.catalog.filters import ProductFilter
from commerce.catalog.repository import ProductRepository, walk
from commerce.catalog.service import CatalogService
from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, an_image, sized
from tests.factories.shop import fill, found
from tests.factories.statements import recorded


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


async def test_product_has_the_columns_that_were_asked_for_and_no_other(products: ProductRepository) -> None:
    page = await products.slice_of_heads(ProductFilter(), "title", limit=1, after=None, columns={"vendor"})
    whole = await products.slice_of_heads(ProductFilter(), "title", limit=1, after=None)
    (head,), (complete,) = page.items, whole.items
    variants = (await products.variants_of([head.id], {"options", "sku"}))[head.id]

    assert (head.id, head.vendor, page.has_next, page.cursors) == (complete.id, "Ridge", True, whole.cursors)
    assert await products.heads([head.id]) == {head.id: complete}
    assert [(variant.title, variant.sku) for variant in variants] == [("Small", "ANO-S"), ("Large", "ANO-L")]
    for unread in (lambda: head.title, lambda: variants[0].price, lambda: variants[0].available):
        with pytest.raises(AttributeError):
            unread()


async def test_products_are_found_by_handles_of_now_and_of_the_past(catalogue: Catalogue) -> None:
    renamed = await catalogue.create(handle="old")
    await catalogue.update(renamed, handle="new")
    other = await catalogue.create(handle="other", status="draft")

    async with catalogue.database.read() as session:
        repository = ProductRepository(session)
        found = await repository.heads_named(["old", "new", "other", "none", "\0"], {"handle"})
        with recorded(catalogue.database.reader) as statements:
            await repository.heads_named(["new", "other"])

    assert {name: head.id for name, head in found.items()} == {
        "old": renamed.head.id,
        "new": renamed.head.id,
        "other": other.head.id,
    }
    assert found["old"].handle == "new"
    assert len(statements) == 1  # the past is not asked for what is there now


async def test_walk_visits_the_whole_catalogue_in_batches_oldest_first(shop: Database) -> None:
    async def batches(*, include_unpublished: bool) -> list[list[str]]:
        walking = walk(shop, include_unpublished=include_unpublished, batch=3)
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
    assert await products.categories_of([hats.id]) == {hats.id: hats}
    assert await products.categories_of([]) == {}


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
