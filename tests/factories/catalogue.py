"""The catalogue as tests drive it, and one product that has everything."""

from dataclasses import replace
from typing import Any

from commerce.catalog.commands import ProductData
from commerce.catalog.entities import Product
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService, Outcome
from core.database import Database
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, an_image

FULL = a_product(
    description="<p>Dry</p>",
    vendor="Ridge",
    category="Jackets",
    tags=("new", "rain"),
    options=("Size", "Color"),
    variants=(
        a_variant(
            price=4999,
            options={"Size": "S", "Color": "Red"},
            sku="R-S",
            compare_at_price=5999,
            stock=3,
            inventory_policy="continue",
            weight_grams=300,
            barcode="0042",
            extra={"Variant Tax Code": "P1"},
        ),
        a_variant(price=3999, options={"Size": "M", "Color": "Red"}, sku="R-M"),
    ),
    images=(
        an_image(alt="Front", width=800, height=600, extra={"Image Source": "studio"}),
        an_image(url="https://images.example.com/back.jpg"),
    ),
    extra={"Gift Card": "false", "SEO Title": "Rain"},
)


class Catalogue:
    """One transaction a call, as a request has it."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, **changes: Any) -> Product:
        return await self.add(a_product(**changes))

    async def add(self, data: ProductData) -> Product:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).create(data)

    async def update(self, product: Product, *, expected_version: int | None = None, **changes: Any) -> Product:
        async with self.database.write() as session:
            service = CatalogService(session, self.clock)
            return await service.update(
                product.head.id, lambda data: replace(data, **changes), expected_version=expected_version
            )

    async def delete(self, product_id: str, *, expected_version: int | None = None) -> None:
        async with self.database.write() as session:
            await CatalogService(session, self.clock).delete(product_id, expected_version=expected_version)

    async def upsert(self, *batch: ProductData, dry_run: bool = False) -> list[Outcome]:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).upsert(batch, dry_run=dry_run)

    async def free_handle(self, title: str) -> str:
        async with self.database.write() as session:
            return await CatalogService(session, self.clock).free_handle(title)

    async def everything(self) -> dict[str, Product]:
        async with self.database.read() as session:
            repository = ProductRepository(session)
            ids = await repository.ids_after("", 100, include_unpublished=True)
            return {product.head.handle: product for product in await repository.products(ids)}

    async def slugs(self) -> dict[str, str]:
        async with self.database.read() as session:
            return {category.name: category.slug for category in await ProductRepository(session).categories()}

    async def renamed(self, handle: str) -> str | None:
        return await CatalogReader(self.database).handle_after_rename(handle, include_unpublished=False)
