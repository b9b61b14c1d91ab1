from commerce.catalog.commands import ProductData, VariantData
from commerce.catalog.service import CatalogService
from core.clock import SystemClock
from core.database import Database


async def test_created_product_is_read_back(database: Database) -> None:
    async with database.write() as session:
        made = await CatalogService(session, SystemClock()).create(
            ProductData(handle="a", title="A", currency="USD", variants=(VariantData(price=1),))
        )
    assert made.head.handle == "a"
