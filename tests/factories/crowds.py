"""Shops of more products than are counted at each look."""

from sqlalchemy import select

from commerce.catalog.models import ProductRow
from core.bulk import insert_rows
from core.database import Database, table_of
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product


async def crowd(database: Database, count: int) -> None:
    """So many products, all alike and without variants but for the first. No events tell of them."""
    first = await Catalogue(database, FakeClock()).add(a_product(handle="first"))
    products = table_of(ProductRow)
    async with database.write() as session:
        row = dict((await session.execute(select(products).where(products.c.id == first.head.id))).mappings().one())
        rows = [{**row, "id": f"prod_{number:026}", "handle": f"copy-{number}"} for number in range(count - 1)]
        await insert_rows(session, products, rows)
