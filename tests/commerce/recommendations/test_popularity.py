"""What is ordered most: what is counted, when it is written, and in which order it is recommended."""

from typing import Any

import pytest
from sqlalchemy import select

from commerce.catalog.entities import Product
from commerce.recommendations.counting import count_sales
from commerce.recommendations.entities import Recommendation
from commerce.recommendations.jobs import count_sales_anew
from commerce.recommendations.models import ProductSalesRow
from commerce.recommendations.popularity import PopularityRepository, provenance
from core.database import Database
from core.jobs.registry import REGISTRY
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.order_rows import OrderRows, line
from tests.factories.statements import recorded


class Shop:
    """Products by their handle, and orders of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.catalogue = Catalogue(database, self.clock)
        self.orders = OrderRows(database)
        self.products: dict[str, Product] = {}

    async def sell(self, handle: str, units: int = 0, category: str | None = None, **order: Any) -> str:
        """The product's id."""
        if handle not in self.products:
            self.products[handle] = await self.catalogue.create(handle=handle, category=category)
        product_id = self.products[handle].head.id
        if units:
            await self.orders.add(line(product_id=product_id, quantity=units), **order)
        return product_id

    async def count(self) -> int:
        return await count_sales(self.database, self.clock)

    async def counted(self) -> dict[str, int]:
        handles = {product.head.id: handle for handle, product in self.products.items()}
        async with self.database.read() as session:
            rows = await session.execute(select(ProductSalesRow.product_id, ProductSalesRow.units))
            return {handles[row.product_id]: row.units for row in rows}

    async def recommended(self, handle: str, limit: int = 10) -> list[Recommendation]:
        async with self.database.read() as session:
            return await PopularityRepository(session).like(self.products[handle].head, limit=limit)

    async def like(self, handle: str, limit: int = 10) -> list[tuple[str, str]]:
        handles = {product.head.id: handle for handle, product in self.products.items()}
        found = await self.recommended(handle, limit)
        return [(handles[item.product_id], item.reason) for item in found]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


async def test_units_of_the_window_are_counted_but_of_cancelled_orders(shop: Shop) -> None:
    await shop.sell("tent", 2)
    await shop.sell("tent", 3, state="shipped")
    await shop.sell("tent", 100, state="cancelled")
    boots = await shop.sell("boots", 7, state="paid")
    await shop.orders.add(line(product_id=boots), line(product_id="prod_gone"))
    await shop.sell("unsold")

    assert await shop.count() == 2
    assert await shop.counted() == {"tent": 5, "boots": 8}


async def test_order_counts_for_ninety_days(shop: Shop) -> None:
    await shop.sell("tent", 2, placed_at=shop.clock.now())
    shop.clock.advance(days=90)
    assert (await shop.count(), await shop.counted()) == (1, {"tent": 2})

    shop.clock.advance(seconds=1)
    assert (await shop.count(), await shop.counted()) == (1, {})


async def test_only_what_changed_is_written(shop: Shop) -> None:
    for handle in ("tent", "boots", "cap", "hat"):
        await shop.sell(handle, 2, category="Wear")
    assert await shop.count() == 4

    with recorded(shop.database.writer) as sent:
        assert await shop.count() == 0
    assert sent == []

    await shop.sell("tent", 1)
    await shop.catalogue.delete(await shop.sell("boots"))
    await shop.catalogue.update(shop.products["cap"], category="Caps")
    assert await shop.count() == 3
    assert await shop.counted() == {"tent": 3, "cap": 2, "hat": 2}


async def test_same_category_comes_first_then_the_whole_shop(shop: Shop) -> None:
    for handle, units, category in (
        ("anorak", 1, "Jackets"),
        ("best", 90, "Tents"),
        ("coat", 5, "Jackets"),
        ("parka", 8, "Jackets"),
        ("plain", 9, None),
        ("unsold", 0, "Jackets"),
    ):
        await shop.sell(handle, units, category)
    await shop.count()

    alike, popular = "same_category", "popular"
    expected = [("parka", alike), ("coat", alike), ("best", popular), ("plain", popular), ("unsold", "new")]
    assert await shop.like("anorak") == expected
    assert await shop.like("unsold", 3) == [("parka", alike), ("coat", alike), ("anorak", alike)]
    assert await shop.like("anorak", 3) == expected[:3]
    assert await shop.like("plain", 2) == [("best", popular), ("parka", popular)]
    assert await shop.like("best", 2) == [("plain", popular), ("parka", popular)]


async def test_equally_popular_ones_come_newest_first(shop: Shop) -> None:
    for handle in ("first", "second", "third", "asked"):
        await shop.sell(handle, 4)
    await shop.count()

    assert [handle for handle, _ in await shop.like("asked")] == ["third", "second", "first"]


async def test_newest_follow_where_too_few_were_ordered_those_of_the_category_first(shop: Shop) -> None:
    for handle, units, category in (
        ("old-tent", 0, "Tents"),
        ("asked", 0, "Tents"),
        ("new-tent", 0, "Tents"),
        ("sold", 1, "Boots"),
        ("hidden", 0, "Tents"),
        ("cap", 0, None),
    ):
        await shop.sell(handle, units, category)
        shop.clock.advance(seconds=1)
    await shop.catalogue.update(shop.products["hidden"], status="draft")
    await shop.count()

    new = [("new-tent", "new"), ("old-tent", "new"), ("cap", "new")]
    assert await shop.like("asked") == [("sold", "popular"), *new]
    assert await shop.like("asked", 2) == [("sold", "popular"), ("new-tent", "new")]
    assert await shop.like("cap", 3) == [("sold", "popular"), ("new-tent", "new"), ("asked", "new")]


async def test_what_is_not_on_sale_any_more_is_not_recommended_though_it_was_counted(shop: Shop) -> None:
    for handle in ("asked", "draft", "gone", "kept"):
        await shop.sell(handle, 4, "Tents")
    await shop.count()
    await shop.catalogue.update(shop.products["draft"], status="draft")
    await shop.catalogue.delete(shop.products["gone"].head.id)

    assert await shop.like("asked") == [("kept", "same_category")]


async def test_answer_takes_one_statement_or_two(shop: Shop) -> None:
    for handle in ("asked", "other"):
        await shop.sell(handle, 1, "Tents")
    await shop.count()

    with recorded(shop.database.reader) as enough:
        found = await shop.recommended("asked", 1)
    with recorded(shop.database.reader) as too_few:
        await shop.recommended("asked", 2)

    assert len(found) == 1
    assert (len(enough), len(too_few)) == (1, 2)
    assert "order_lines" not in "".join(too_few)


def test_rule_names_itself_and_why_it_answers() -> None:
    by = provenance("no_model")

    assert (by.model, by.version, by.fallback, by.fallback_reason) == ("popularity", "1", True, "no_model")
    assert by.content_hash.startswith("sha256:")
    assert (by.trained_at, by.features_as_of) == (None, None)


def test_sales_are_counted_each_hour() -> None:
    assert REGISTRY.schedules[count_sales_anew.name].cron == "7 * * * *"
