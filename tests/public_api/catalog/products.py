"""What the tests of writing products share."""

from sqlalchemy import select

from commerce.catalog.models import ProductRow
from core.database import Database

PRODUCTS = "/public/v1/products"
SMALLEST = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}


async def stored(database: Database) -> list[tuple[str, int]]:
    """Every product with its version: what a refused call must leave as it was."""
    async with database.read() as session:
        rows = await session.execute(select(ProductRow.handle, ProductRow.version).order_by(ProductRow.id))
        return [(row.handle, row.version) for row in rows]
