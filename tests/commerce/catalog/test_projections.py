"""What the database writes of the catalogue is what the schemas would have written of its entities."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import Select, insert, select

from commerce.catalog.filters import ProductFilter, keyset
from commerce.catalog.models import CategoryRow, ImageRow, ProductRow, TagRow, VariantRow
from commerce.catalog.projections import CATEGORY, PRODUCT, VARIANT
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from core.database import Database
from core.direct import compiled
from core.projections.fields import Constant, Field, Pick, Projection, Shape, many, one, value, values
from public_api.catalog.schemas import Category, Product, Variant, product_schema
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product
from tests.factories.shop import CATALOGUE, fill
from tests.factories.statements import recorded

ODD = "\"'\\/\b\f\n\r\t\x01\x1f\x7f\u2028\u2029é日本\U0001f600 {} [] , : null ' || x || '"


def odd_rows() -> list[tuple[Any, list[dict[str, Any]]]]:
    """Rows as no rule would let them in: nothing of what they hold may break the JSON around it."""
    product: dict[str, Any] = {"handle": "", "title": "", "title_order": "", "description": "", "vendor": ""}
    product |= {"category_id": None, "status": "active", "options": [], "currency": "", "extra": {}, "version": 1}
    product |= {"price_min": 0, "price_max": 2**53}
    first, last = datetime(1, 1, 1, 0, 0, 0, 1, UTC), datetime(9999, 12, 31, 23, 59, 59, 999_998, UTC)
    variant: dict[str, Any] = {"product_id": "prod_odd", "sku": None, "options": {}, "price": 0, "stock": None}
    variant |= {"compare_at_price": None, "inventory_policy": "deny", "weight_grams": None, "barcode": None}
    image: dict[str, Any] = {"product_id": "prod_odd", "url": "", "alt": "", "width": None, "height": None}
    odd = dict.fromkeys(("handle", "title", "title_order", "description", "vendor"), ODD)
    tag: dict[str, Any] = {"product_id": "prod_odd", "created_at": first, "title_order": "", "price_min": 0}
    return [
        (CategoryRow, [{"id": "cat_odd", "name": ODD, "slug": ODD}]),
        (
            ProductRow,
            [
                product | {"id": "prod_empty", "created_at": first, "updated_at": last},
                product | {"id": "prod_odd", "category_id": "cat_odd", **odd, "created_at": last, "updated_at": first},
            ],
        ),
        (
            VariantRow,
            [
                variant | {"id": "var_empty", "position": 0, "extra": {}},
                variant
                | {"id": "var_odd", "position": 1, "sku": ODD, "options": {ODD: ODD, "": "", "b": "2"}, "price": 2**53}
                | {"compare_at_price": 2**63 - 1, "stock": -5, "weight_grams": 2**31 - 1, "barcode": ODD, "extra": {}},
            ],
        ),
        (
            ImageRow,
            [
                image | {"id": "img_2", "position": 1, "extra": {}},
                image | {"id": "img_1", "position": 0, "url": ODD, "alt": ODD, "width": 1, "height": 2, "extra": {}},
            ],
        ),
        (TagRow, [tag | {"position": place, "tag": text} for place, text in enumerate((ODD, "", "z", "a"))]),
    ]


@pytest.fixture(scope="module")
async def odd_shop(module_database: Database) -> Database:
    await fill(module_database, CATALOGUE)
    async with module_database.write() as session:
        for row, values in odd_rows():
            await session.execute(insert(row), values)
    return module_database


async def test_products_are_written_as_the_schema_writes_them(odd_shop: Database) -> None:
    statement = select(PRODUCT.json(None, odd_shop.dialect), ProductRow.id)
    rows = await odd_shop.fetch(compiled(statement, odd_shop.dialect), {})
    async with odd_shop.read() as session:
        whole = await ProductRepository(session).products([row[1] for row in rows])

    assert [row[0] for row in rows] == [product_schema(product).model_dump_json() for product in whole]
    assert len(rows) == len(CATALOGUE) + 2
    for row in rows:
        assert Product.model_validate_json(row[0], strict=True).model_dump_json() == row[0]


async def test_categories_are_written_as_the_schema_writes_them(odd_shop: Database) -> None:
    found = await CatalogReader(odd_shop).categories()
    async with odd_shop.read() as session:
        categories = await ProductRepository(session).categories()

    assert found == [Category(id=row.id, name=row.name, slug=row.slug).model_dump_json() for row in categories]


async def answers(database: Database, projection: Projection, shape: Shape, statement: Select[Any]) -> list[Any]:
    """By whatever the statement orders by."""
    shaped = statement.with_only_columns(projection.json(shape, database.dialect))
    return [from_json(row[0]) for row in await database.fetch(compiled(shaped, database.dialect), {})]


async def test_shape_names_and_orders_the_fields(odd_shop: Database) -> None:
    shape = (
        Constant("__typename", "Product"),
        Pick("b", "title"),
        Pick("a", "title"),
        Pick("price", "price_range", (Pick("low", "min", (Pick("amount", "amount"),)), Constant("t", "a \"b\" 'c'"))),
        Pick("kind", "category", (Pick("name", "name"),)),
        Pick("tags", "tags"),
        Pick("nothing", "images", ()),
    )

    (cap, *_) = await answers(odd_shop, PRODUCT, shape, select(ProductRow.id).where(ProductRow.handle == "boots"))

    assert list(cap) == ["__typename", "b", "a", "price", "kind", "tags", "nothing"]
    assert cap == {
        "__typename": "Product",
        "b": "boots",
        "a": "boots",
        "price": {"low": {"amount": 2000}, "t": "a \"b\" 'c'"},
        "kind": {"name": "Shoes"},
        "tags": ["rain"],
        "nothing": [],
    }


async def test_product_of_a_variant_has_its_own_variants(odd_shop: Database) -> None:
    """The same table twice in one statement, each time under a name of its own."""
    of_variants = (Pick("sku", "sku"), Pick("price", "price"))
    shape = (
        Pick("sku", "sku"),
        Pick("options", "option_list", (Pick("name", "name"), Pick("value", "value"))),
        Pick("product", "product", (Pick("handle", "handle"), Pick("variants", "variants", of_variants))),
    )
    statement = select(VariantRow.id).join(ProductRow).where(VariantRow.sku == "ANO-L")

    found = await answers(odd_shop, VARIANT, shape, statement)

    assert found == [
        {
            "sku": "ANO-L",
            "options": [{"name": "Size", "value": "Large"}],
            "product": {
                "handle": "anorak",
                "variants": [
                    {"sku": "ANO-S", "price": {"amount": 1000, "currency": "USD"}},
                    {"sku": "ANO-L", "price": {"amount": 3000, "currency": "USD"}},
                ],
            },
        }
    ]


async def test_each_level_stands_on_the_row_above_it(odd_shop: Database) -> None:
    """And not on that of the same table further out."""
    of_product = VariantRow.product_id == ProductRow.id
    products = Projection(
        ProductRow,
        {
            "handle": value(ProductRow.handle),
            "prices": values(VariantRow, VariantRow.price, of_product, order_by=VariantRow.id),
        },
    )
    beside = Projection(
        CategoryRow,
        {"products": many(products, ProductRow.category_id == CategoryRow.id, order_by=ProductRow.handle)},
    )
    siblings = Projection(ProductRow, {"kind": one(lambda: beside, CategoryRow.id == ProductRow.category_id)})
    statement = select(ProductRow.id).where(ProductRow.handle == "storm-coat")

    found = await answers(odd_shop, siblings, (Pick("kind", "kind"),), statement)

    assert found[0]["kind"]["products"] == [
        {"handle": "anorak", "prices": [1000, 3000]},
        {"handle": "storm-coat", "prices": [9000]},
    ]


async def test_children_come_in_their_order_and_not_in_that_of_their_making(database: Database) -> None:
    texts = tuple(f"t{number:02}" for number in range(30))
    await fill(database, [a_product(handle="many", tags=texts)])
    async with database.write() as session:
        key = await ProductRepository(session).key_of("many", include_unpublished=False)
        assert key is not None
        again = a_product(handle="many", tags=texts[::-1])
        await CatalogService(session, FakeClock()).update(key.id, lambda _: again)

    item = await CatalogReader(database).one("many", include_unpublished=False)

    assert item is not None
    assert tuple(from_json(item.json)["tags"]) == texts[::-1]


@pytest.mark.parametrize("projection", [PRODUCT, VARIANT, CATEGORY])
def test_every_member_says_what_is_below_it(projection: Projection) -> None:
    def depth(field: Field, left: int) -> None:
        for member in field.members.values() if left else ():
            depth(member, left - 1)

    depth(projection, 4)
    assert set(Variant.model_fields) <= set(VARIANT.members)
    assert set(Product.model_fields) == set(PRODUCT.members)


async def test_each_read_is_one_statement(odd_shop: Database) -> None:
    reader = CatalogReader(odd_shop)
    with recorded(odd_shop.reader) as sent:
        item = await reader.one("cap", include_unpublished=False)
        assert await reader.one("draft", include_unpublished=False) is None
        assert await reader.categories() != []

    assert len(sent) == 3
    assert item is not None
    key = await reader.one("cap", include_unpublished=False, only_keys=True)
    assert key == item._replace(json="")


HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE products; --",
    'cap" OR ""="',
    "cap' --",
    "\\",
    "%",
    "_",
    "?",
    ":named",
    "$1",
    "{}",
    "cap\ufeff",
    "prod_' OR 1=1 --",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
async def test_no_text_is_taken_for_sql(odd_shop: Database, text: str) -> None:
    reader = CatalogReader(odd_shop)
    tables = (ProductRow, VariantRow)

    async def count() -> list[int]:
        async with odd_shop.read() as session:
            return [len((await session.scalars(select(table.id))).all()) for table in tables]

    before = await count()
    found = [
        await reader.one(text, include_unpublished=True),
        await reader.handle_after_rename(text, include_unpublished=True),
    ]
    filters = (ProductFilter(vendor=text), ProductFilter(tag=text), ProductFilter(category=text))
    lists = [await reader.page(wanted, None, page=1, size=9) for wanted in filters]
    after = keyset("title").encode(text, text)
    whole = await reader.slice(ProductFilter(), "title", limit=9, after=after)

    assert found == [None, None]
    assert [page.items for page in lists] == [[], [], []]
    assert all(from_json(item.json)["title"] > "" for item in whole.items)
    assert await count() == before


async def test_name_of_the_past_of_a_draft_leads_only_those_on_who_may_see_it(database: Database) -> None:
    await fill(database, [a_product(handle="old")])
    async with database.write() as session:
        key = await ProductRepository(session).key_of("old", include_unpublished=False)
        assert key is not None
        draft = a_product(handle="new", status="draft")
        await CatalogService(session, FakeClock()).update(key.id, lambda _: draft)
    reader = CatalogReader(database)

    found = [await reader.handle_after_rename("old", include_unpublished=unpublished) for unpublished in (False, True)]

    assert found == [None, "new"]
