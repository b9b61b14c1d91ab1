"""A small shop: six products that differ in every way that a list can be narrowed or ordered by."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from commerce.catalog.entities import Product
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from core.database import Database
from core.resources import Resources
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product, a_variant, sized

# In the order of their making, a minute apart.
SHOP: dict[str, dict[str, Any]] = {
    "rain-jacket": {
        "title": "Rain Jacket", "vendor": "Alder", "category": "Jackets", "tags": ("new", "hiking"),
        **sized("S", "M", price=9900, stock=3),
    },
    "wool-cap": {
        "title": "wool cap", "vendor": "Birch", "category": "Hats & Caps", "tags": ("wool",),
        "variants": (a_variant(price=1500, stock=0, sku="CAP-1"),),
    },
    "tent": {
        "title": "Tent", "vendor": "Alder", "tags": ("hiking",),
        "variants": (a_variant(price=25000, stock=0, inventory_policy="continue"),),
    },
    "Émile-scarf".lower(): {
        "title": "Émile Scarf", "vendor": "Birch", "category": "Hats & Caps", "tags": ("wool", "new"),
        "variants": (a_variant(price=1500),),
    },
    "rain-poncho": {
        "title": "Rain Poncho", "vendor": "Cedar", "category": "Jackets", "status": "draft",
        "variants": (a_variant(price=4000, stock=9),),
    },
    "old-boots": {
        "title": "Old Boots", "vendor": "Cedar", "status": "archived", "variants": (a_variant(price=100, stock=1),),
    },
}  # fmt: skip
ON_SALE = ["rain-jacket", "wool-cap", "tent", "émile-scarf"]


@pytest.fixture(scope="session")
def gateway_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole shop, made once; each test gets a copy."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    shutil.copyfile(sqlite_template, path)
    asyncio.run(_stock(path))
    return path


async def _stock(path: Path) -> None:
    database, clock = Database(f"sqlite+aiosqlite:///{path}"), FakeClock()
    for handle, values in SHOP.items():
        async with database.write() as session:
            await CatalogService(session, clock).create(a_product(handle=handle, **values))
        clock.advance(minutes=1)
    await database.close()


@pytest.fixture
async def shop(resources: Resources) -> dict[str, Product]:
    """What is in it, by handle."""
    async with resources.database.read() as session:
        products = ProductRepository(session)
        ids = await products.ids_by_handle(list(SHOP))
        return {product.head.handle: product for product in await products.products(list(ids.values()))}
