"""What no product shows, and what was uploaded in vain, is removed after a day; what is shown stays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from commerce.catalog.commands import ProductData
from commerce.catalog.service import CatalogService
from commerce.media.entities import MediaImage
from commerce.media.models import MediaImageRow
from commerce.media.orphans import remove_orphans
from commerce.media.uploads import Placement, attach
from core.database import Database
from core.ids import new_id
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory
from tests.factories.products import a_product, an_image

ADDRESS = "https://shop.example.com/public/v1/images"
# The store's own clock says how old an object is.
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=2)


class Shop:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.objects = objects_in_memory()
        self.clock = FakeClock(NOW)

    async def product(self, handle: str = "tent") -> str:
        async with self.database.write() as session:
            made = await CatalogService(session, self.clock).create(a_product(handle=handle))
        return made.head.id

    async def image(self, product_id: str, *, attached: bool = True) -> str:
        image = MediaImage(new_id("img"), product_id, "0" * 64, "image/png", 1, 1, 1, False, self.clock.now())
        for name in ("original", "1x1-inside-1.webp"):
            await self.objects.put(f"media/{image.id}/{name}", b"x")
        if attached:
            async with self.database.write() as session:
                catalog = CatalogService(session, self.clock)
                await attach(catalog, session, image, Placement(f"{ADDRESS}/{image.id}", ""))
        return image.id

    async def show(self, product_id: str, *ids: str) -> None:
        def change(product: ProductData) -> ProductData:
            images = {image.url: image for image in product.images}
            return replace(product, images=tuple(images[f"{ADDRESS}/{each}"] for each in ids))

        async with self.database.write() as session:
            await CatalogService(session, self.clock).update(product_id, change)

    async def kept(self) -> tuple[set[str], set[str]]:
        """Images in the database and in the store."""
        async with self.database.read() as session:
            rows = set(await session.scalars(select(MediaImageRow.id)))
        return rows, {each.key.split("/")[1] async for each in self.objects.list("media")}

    async def clean(self, now: datetime) -> int:
        return await remove_orphans(self.database, self.objects, now)


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


async def test_image_that_is_shown_stays(shop: Shop) -> None:
    image = await shop.image(await shop.product())

    assert await shop.clean(LATER) == 0

    assert await shop.kept() == ({image}, {image})


async def test_upload_whose_transaction_failed_is_removed_after_a_day_and_no_sooner(shop: Shop) -> None:
    kept = await shop.image(await shop.product())
    lost = await shop.image("prod_nothing", attached=False)

    assert await shop.clean(NOW + timedelta(hours=23)) == 0
    assert await shop.kept() == ({kept}, {kept, lost})
    assert await shop.clean(LATER) == 2

    assert await shop.kept() == ({kept}, {kept})


async def test_image_that_was_taken_off_its_product_is_removed_with_its_derivatives(shop: Shop) -> None:
    product = await shop.product()
    await shop.image(product)
    second = await shop.image(product)
    await shop.show(product, second)

    assert await shop.clean(NOW) == 0
    assert await shop.clean(LATER) == 2

    assert await shop.kept() == ({second}, {second})


async def test_image_that_another_product_shows_too_outlives_its_own(shop: Shop) -> None:
    product = await shop.product()
    image = await shop.image(product)
    async with shop.database.write() as session:
        catalog = CatalogService(session, shop.clock)
        copy = await catalog.create(a_product(handle="copy"))
        (shown,) = (await catalog.update(product, lambda data: replace(data, title="Other"))).images
        await catalog.update(copy.head.id, lambda data: replace(data, images=(an_image(url=shown.url),)))
        await catalog.delete(product)

    assert await shop.clean(LATER) == 0
    assert await shop.kept() == ({image}, {image})
    async with shop.database.write() as session:
        await CatalogService(session, shop.clock).delete(copy.head.id)
    assert await shop.clean(LATER) == 2
    assert await shop.kept() == (set(), set())


async def test_objects_of_others_are_not_looked_at(shop: Shop) -> None:
    await shop.objects.put("reports/job_1", b"x")

    assert await shop.clean(LATER) == 0

    assert [each.key async for each in shop.objects.list()] == ["reports/job_1"]
