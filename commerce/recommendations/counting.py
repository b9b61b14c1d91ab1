"""Counts what was ordered lately, of orders that are not cancelled."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Table, delete, func, select

from commerce.catalog.models import ProductRow
from commerce.orders.models import OrderLineRow, OrderRow
from commerce.recommendations.models import ProductSalesRow
from core.bulk import insert_rows
from core.clock import Clock
from core.database import Database
from core.repository import parameter_chunks

WINDOW = timedelta(days=90)
_TABLE: Table = ProductSalesRow.__table__  # type: ignore[assignment]
_KEPT = (ProductSalesRow.product_id, ProductSalesRow.category_id, ProductSalesRow.units)


async def count_sales(database: Database, clock: Clock) -> int:
    """Returns how many products have other sales than when they were last counted. Those alone are written: while the
    lines of orders are read, no writer waits.
    """
    since = clock.now() - WINDOW
    units = func.sum(OrderLineRow.quantity).label("units")
    sold = (
        select(OrderLineRow.product_id, units)
        .join(OrderRow, OrderRow.id == OrderLineRow.order_id)
        .where(OrderRow.placed_at >= since, OrderRow.state != "cancelled")
        .group_by(OrderLineRow.product_id)
        .subquery()
    )
    counted = select(sold.c.product_id, ProductRow.category_id, sold.c.units).join(
        ProductRow, ProductRow.id == sold.c.product_id
    )
    async with database.read() as session:
        now = _by_product((await session.execute(counted)).all())
        before = _by_product((await session.execute(select(*_KEPT))).all())
    other = sorted(
        product_id for product_id in now.keys() | before.keys() if now.get(product_id) != before.get(product_id)
    )
    async with database.write() as session:
        for some in parameter_chunks(other):
            await session.execute(delete(ProductSalesRow).where(ProductSalesRow.product_id.in_(some)))
        rows = [
            {"product_id": each, "category_id": now[each][0], "units": now[each][1]} for each in other if each in now
        ]
        await insert_rows(session, _TABLE, rows)
    return len(other)


def _by_product(rows: Sequence[Row[Any]]) -> dict[str, tuple[str | None, int]]:
    return {row.product_id: (row.category_id, int(row.units)) for row in rows}
