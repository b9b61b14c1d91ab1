"""What was sold by product and day: the table that forecasts learn from."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, String, cast, func, literal_column, select

from commerce.catalog.models import ProductRow
from commerce.orders.models import OrderLineRow, OrderRow
from core.database import Database, ReadSession

WINDOW_DAYS = 182  # half a year: weekdays are seen 26 times, and what was sold before says little
MOST_PRODUCTS = 100_000  # those that sold most: 73 MB as numbers. The rest are forecast from their category
_AT_ONCE = 5_000
_UTC: ColumnElement[str] = literal_column("'UTC'")  # literal: a value bound twice is not the same expression


@dataclass(frozen=True)
class History:
    """`units` by product and day, the last column being `last_day`, a whole one in UTC. `born`: each product's first
    column. `categories`: places in `category_ids`, of which the first stands for the whole shop.
    """

    ids: list[str]
    category_ids: list[str]
    categories: NDArray[np.int32]
    born: NDArray[np.int32]
    units: NDArray[np.float32]
    last_day: date

    @property
    def days(self) -> int:
        return int(self.units.shape[1])

    @cached_property
    def weekdays(self) -> NDArray[np.int64]:
        """Of the columns, Monday being 0."""
        return (np.arange(self.days) - (self.days - 1) + self.last_day.weekday()) % 7

    @property
    def by_weekday(self) -> NDArray[np.float64]:
        """By column and weekday, 1 where it is one."""
        return np.eye(7)[self.weekdays]

    def until(self, days: int) -> "History":
        """As it was when only the first so many columns were known."""
        last_day = self.last_day - timedelta(days=self.days - days)
        return replace(self, units=self.units[:, :days], born=np.minimum(self.born, days - 1), last_day=last_day)

    def of(self, rows: NDArray[np.int64]) -> "History":
        ids = [self.ids[row] for row in rows.tolist()]
        return replace(self, ids=ids, categories=self.categories[rows], born=self.born[rows], units=self.units[rows])


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


async def read_history(
    database: Database, now: datetime, *, days: int = WINDOW_DAYS, only: Collection[str] | None = None
) -> History:
    """Up to yesterday; from the shop's first order on where that is fewer `days` ago. Not of cancelled orders, and of
    products that are there still: `only` these.
    """
    last_day = now.astimezone(UTC).date() - timedelta(days=1)
    since = midnight(last_day - timedelta(days=days - 1))
    async with database.read_report() as session:
        return await _read(session, since, last_day, only)


async def _read(session: ReadSession, since: datetime, last_day: date, only: Collection[str] | None) -> History:
    placed = (
        OrderRow.placed_at >= since,
        OrderRow.placed_at < midnight(last_day + timedelta(days=1)),
        OrderRow.state != "cancelled",
    )
    first = await session.scalar(select(func.min(OrderRow.placed_at)).where(*placed))
    first_day = first.date() if first is not None else last_day
    sold = placed if only is None else (*placed, OrderLineRow.product_id.in_(only))
    products = await _products(session, sold)
    ids = sorted(products)
    place = {product_id: number for number, product_id in enumerate(ids)}
    category_ids = ["", *sorted({category for category, _ in products.values() if category is not None})]
    number = {category: at for at, category in enumerate(category_ids)}
    units = np.zeros((len(ids), (last_day - first_day).days + 1), np.float32)
    day = _day(postgres=session.get_bind().dialect.name == "postgresql").label("day")
    daily = (
        select(OrderLineRow.product_id, day, func.sum(OrderLineRow.quantity))
        .join(OrderRow, OrderRow.id == OrderLineRow.order_id)
        .where(*sold)
        .group_by(OrderLineRow.product_id, day)
    )
    async for rows in (await session.stream(daily)).partitions(_AT_ONCE):
        for product_id, text, count in rows:
            if product_id in place:
                units[place[product_id], (date.fromisoformat(text) - first_day).days] = float(count)
    born = [max((products[each][1].date() - first_day).days, 0) for each in ids]
    # A product may be older than its row: what was imported had been sold before.
    sold_first = np.where(units.any(axis=1), (units > 0).argmax(axis=1), units.shape[1] - 1)
    return History(
        ids,
        category_ids,
        np.array([number[products[each][0] or ""] for each in ids], np.int32),
        np.minimum(np.array(born, np.int32), sold_first).astype(np.int32),
        units,
        last_day,
    )


async def _products(
    session: ReadSession, sold: tuple[ColumnElement[bool], ...]
) -> dict[str, tuple[str | None, datetime]]:
    """Those that sold most: category, and when they were made."""
    statement = (
        select(ProductRow.id, ProductRow.category_id, ProductRow.created_at)
        .join(OrderLineRow, OrderLineRow.product_id == ProductRow.id)
        .join(OrderRow, OrderRow.id == OrderLineRow.order_id)
        .where(*sold)
        .group_by(ProductRow.id, ProductRow.category_id, ProductRow.created_at)
        .order_by(func.sum(OrderLineRow.quantity).desc(), ProductRow.id)
        .limit(MOST_PRODUCTS)
    )
    found: dict[str, tuple[str | None, datetime]] = {}
    async for rows in (await session.stream(statement)).partitions(_AT_ONCE):
        found |= {row.id: (row.category_id, row.created_at) for row in rows}
    return found


def _day(*, postgres: bool) -> ColumnElement[Any]:
    if postgres:
        return cast(func.to_char(func.timezone(_UTC, OrderRow.placed_at), literal_column("'YYYY-MM-DD'")), String)
    return cast(func.strftime(literal_column("'%Y-%m-%d'"), OrderRow.placed_at), String)
