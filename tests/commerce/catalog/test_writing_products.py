"""What a caller says of a product, and what stays of what nobody can say."""

from collections.abc import AsyncIterator

import pytest

from commerce.catalog.commands import CreateProduct, GivenPrice, GivenVariant, ImageData, ProductChange, UpdateProduct
from commerce.catalog.entities import Product
from commerce.catalog.writing import changing, creation
from core.database import Database
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.catalogue import FULL, Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory


@pytest.fixture
async def shop(settings: Settings, sqlite_database: Database) -> AsyncIterator[Resources]:
    opened = assemble(settings, FakeClock(), sqlite_database, objects_in_memory(), {})
    yield opened
    await opened.jobs.close()


async def change(shop: Resources, product_id: str, change: ProductChange) -> Product:
    async with shop.database.write() as session:
        return await changing(UpdateProduct(product_id, change), shop, actor="test")(session)


async def test_kept_columns_stay_with_the_variants_and_images_that_stay(shop: Resources) -> None:
    before = await Catalogue(shop.database, FakeClock()).add(FULL)
    kept, new = {"Color": "Red", "Size": "S"}, {"Size": "L", "Color": "Red"}
    variants = (GivenVariant(GivenPrice(2), options=new), GivenVariant(GivenPrice(1, "USD"), options=kept))
    images = (ImageData("https://images.example.com/new.jpg"), ImageData(before.images[0].url))

    after = await change(shop, before.head.id, {"variants": variants, "images": images})

    assert [variant.extra for variant in after.variants] == [{}, {"Variant Tax Code": "P1"}]
    assert [image.extra for image in after.images] == [{}, {"Image Source": "studio"}]
    assert after.head.extra == before.head.extra
    assert after.variants[1].id == before.variants[0].id


async def test_options_are_in_the_order_of_the_first_variant(shop: Resources) -> None:
    options = ({"Size": "S", "Colour": "Red"}, {"Colour": "Red", "Size": "M"})
    variants = tuple(GivenVariant(GivenPrice(1), options=each) for each in options)

    async with shop.database.write() as session:
        made = await creation(CreateProduct("Cap", variants), shop, actor="test")(session)

    assert made.head.options == ["Size", "Colour"]
    assert [variant.title for variant in made.variants] == ["S / Red", "M / Red"]
