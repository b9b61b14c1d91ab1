"""What was sold, in rows: by day, by product or by category. Read as a stream, so that their number does not count.

Sales are the lines of all orders that are not cancelled, in the currency of each order. A day is one in UTC. Discounts
and shipping belong to an order and not to its lines, and so to days alone.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func, literal_column, select

from commerce.catalog.models import CategoryRow, ProductRow
from commerce.orders.models import OrderLineRow, OrderRow
from commerce.reports.commands import GroupBy, SalesReport
from core.database import ReadSession

COLUMNS: dict[GroupBy, tuple[str, ...]] = {
    "day": ("day", "currency", "orders", "units", "gross", "discount", "shipping", "total"),
    "product": ("product_id", "title", "currency", "orders", "units", "gross"),
    "category": ("category", "currency", "orders", "units", "gross"),
}
# Of these the values are amounts, in minor units of the row's currency.
AMOUNTS = frozenset(("gross", "discount", "shipping", "total"))
_AT_ONCE = 500
# Literal, for a value that is bound twice is not the same expression to PostgreSQL.
_utc: ColumnElement[str] = literal_column("'UTC'")
_gross = OrderLineRow.quantity * OrderLineRow.unit_price


async def sales(session: ReadSession, report: SalesReport) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    """Batches of rows with the report's columns, in the order of their first ones."""
    postgres = session.get_bind().dialect.name == "postgresql"
    statement = _by_day(report, postgres=postgres) if report.group_by == "day" else _by_line(report)
    result = await session.stream(statement)
    async for rows in result.partitions(_AT_ONCE):
        yield [tuple(map(_plain, row)) for row in rows]


def _plain(value: Any) -> Any:
    """PostgreSQL adds up to decimals."""
    return value if value is None or isinstance(value, str) else int(value)


def _sold(report: SalesReport) -> tuple[ColumnElement[bool], ...]:
    return OrderRow.placed_at >= report.start, OrderRow.placed_at < report.end, OrderRow.state != "cancelled"


def _by_day(report: SalesReport, *, postgres: bool) -> Select[*tuple[Any, ...]]:
    lines = (
        select(OrderLineRow.order_id, func.sum(OrderLineRow.quantity).label("units"), func.sum(_gross).label("gross"))
        .join(OrderRow, OrderRow.id == OrderLineRow.order_id)
        .where(*_sold(report))
        .group_by(OrderLineRow.order_id)
        .subquery()
    )
    day: ColumnElement[str] = (
        func.to_char(func.timezone(_utc, OrderRow.placed_at), literal_column("'YYYY-MM-DD'"))
        if postgres
        else func.strftime(literal_column("'%Y-%m-%d'"), OrderRow.placed_at)
    )
    day = cast(day, String).label("day")
    gross, discount, shipping = (func.sum(each) for each in (lines.c.gross, OrderRow.discount, OrderRow.shipping))
    return (
        select(
            day,
            OrderRow.currency,
            func.count(),
            func.sum(lines.c.units),
            gross,
            discount,
            shipping,
            gross - discount + shipping,
        )
        .join(lines, lines.c.order_id == OrderRow.id)
        .where(*_sold(report))
        .group_by(day, OrderRow.currency)
        .order_by(day, OrderRow.currency)
    )


def _by_line(report: SalesReport) -> Select[*tuple[Any, ...]]:
    sums = func.count(func.distinct(OrderRow.id)), func.sum(OrderLineRow.quantity), func.sum(_gross)
    joined = OrderRow.id == OrderLineRow.order_id
    product = ProductRow.id == OrderLineRow.product_id
    if report.group_by == "product":
        # Its title now; of one that is gone, as it was sold.
        keys: tuple[Any, ...] = (OrderLineRow.product_id, OrderRow.currency)
        title = func.coalesce(func.max(ProductRow.title), func.max(OrderLineRow.title))
        selected = select(OrderLineRow.product_id, title, OrderRow.currency, *sums)
        statement = selected.select_from(OrderLineRow).join(OrderRow, joined).outerjoin(ProductRow, product)
    else:
        keys = (func.coalesce(CategoryRow.name, literal_column("''")), OrderRow.currency)
        statement = (
            select(*keys, *sums)
            .select_from(OrderLineRow)
            .join(OrderRow, joined)
            .outerjoin(ProductRow, product)
            .outerjoin(CategoryRow, CategoryRow.id == ProductRow.category_id)
        )
    return statement.where(*_sold(report)).group_by(*keys).order_by(*keys)
