"""What was ordered together lately, as numbers: a pair of an order and a product for each that an order has."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from commerce.catalog.models import ProductRow
from commerce.orders.models import OrderLineRow, OrderRow
from core.database import Database

WINDOW = timedelta(days=180)  # tastes and catalogues change; a shop's seasons last about so long
MOST_LINES = 2_000_000  # the newest of the window: 16 MB as numbers
_AT_ONCE = 5_000
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Baskets:
    """`orders` and `products` are of one length; products count from 0 in the order of `ids`, which is sorted."""

    orders: Numbers
    products: Numbers
    ids: list[str]
    newest: datetime | None


async def read_baskets(database: Database, now: datetime, *, most: int = MOST_LINES) -> Baskets:
    """Of orders that are not cancelled, and of products that are still there."""
    statement = (
        select(OrderRow.number, OrderLineRow.product_id, OrderRow.placed_at)
        .join(OrderLineRow, OrderLineRow.order_id == OrderRow.id)
        .join(ProductRow, ProductRow.id == OrderLineRow.product_id)
        .where(OrderRow.placed_at >= now - WINDOW, OrderRow.state != "cancelled")
        .order_by(OrderRow.placed_at.desc(), OrderRow.id.desc())
        .limit(most)
    )
    numbers: dict[str, int] = {}  # of products, as they come
    parts: list[tuple[NDArray[Any], Numbers]] = []
    newest: datetime | None = None
    async with database.read_report() as session:
        async for rows in (await session.stream(statement)).partitions(_AT_ONCE):
            newest = newest or rows[0].placed_at
            found = [numbers.setdefault(row.product_id, len(numbers)) for row in rows]
            parts.append((np.array([row.number for row in rows], np.int64), np.array(found, np.int32)))
    orders = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    products = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
    ids = sorted(numbers)
    place = np.empty(len(ids), np.int32)
    place[[numbers[each] for each in ids]] = np.arange(len(ids), dtype=np.int32)
    return Baskets(np.unique(orders, return_inverse=True)[1].astype(np.int32), place[products], ids, newest)
