"""All orders as a file, piece by piece: read in bounded batches, so that neither their number nor their size counts."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import Row, Select, func, select

from commerce.accounts.principal import Principal
from commerce.orders.export_formats import CSV_HEADER, OrderHead, Segment, csv_rows, json_lines
from commerce.orders.filters import OrderFilter, narrow
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.database import Database
from core.pagination import Keyset
from core.repository import Repository
from core.threads import in_thread

Format = Literal["csv", "jsonl"]
# Of orders and of lines, read, written and held at once: a few milliseconds of the event loop's time.
ORDERS = 250
LINES = 1_250

# The tables themselves: the mapper's way of loading costs as much as the database.
_orders = OrderRow.__table__.c
_lines = OrderLineRow.__table__.c
_HEAD = (
    _orders.id,
    _orders.number,
    _orders.state,
    _orders.email,
    _orders.currency,
    _orders.promotion_id,
    _orders.promotion_code,
    _orders.promotion_title,
    _orders.discount,
    _orders.shipping,
    _orders.placed_at,
)
_OLDEST_FIRST = Keyset("placed_at", _orders.placed_at, _orders.id)


async def export_orders(
    database: Database, kind: Format, wanted: OrderFilter, principal: Principal
) -> AsyncGenerator[bytes, None]:
    """What the principal may see, oldest order first, in pieces: a row an order line, or an object an order as in REST.

    The first piece comes after the first read. No session is open between pieces. Raises DatabaseUnavailable.
    """
    heading, render = (CSV_HEADER, csv_rows) if kind == "csv" else (b"", json_lines)
    statement = _statement(wanted, principal)
    async for orders in _batches(database, statement, whole=kind == "jsonl"):
        for run in _runs(orders):
            async for segments in _segments(database, run):
                yield heading + await in_thread(render, segments)
                heading = b""
    if heading:
        yield heading


def _statement(wanted: OrderFilter, principal: Principal) -> Select[*tuple[Any, ...]]:
    return narrow(select(*_HEAD), wanted, principal).order_by(*_OLDEST_FIRST.order())


async def _batches(
    database: Database, statement: Select[*tuple[Any, ...]], *, whole: bool
) -> AsyncIterator[list[OrderHead]]:
    after: str | None = None
    while True:
        page = _OLDEST_FIRST.after(statement, after) if after is not None else statement
        async with database.read_report() as session:
            orders, more = await _Queries(session).orders(page, whole=whole)
        yield orders
        if not more:
            return
        after = _OLDEST_FIRST.encode(orders[-1].placed_at, orders[-1].id)


def _runs(orders: Sequence[OrderHead]) -> Iterator[list[OrderHead]]:
    """The orders in their order, together as long as their lines can be read at once."""
    run: list[OrderHead] = []
    lines = 0
    for order in orders:
        if run and lines + order.line_count > LINES:
            yield run
            run, lines = [], 0
        run.append(order)
        lines += order.line_count
    if run:
        yield run


async def _segments(database: Database, run: Sequence[OrderHead]) -> AsyncIterator[list[Segment]]:
    """The orders of a run at once; an order that alone has too many lines, in several segments."""
    starts, ends, last = True, False, -1
    while not ends:
        async with database.read_report() as session:
            lines = await _Queries(session).lines([order.id for order in run], after=last)
        ends = len(run) > 1 or len(lines) < LINES
        by_order: dict[str, list[Row[Any]]] = defaultdict(list)
        for line in lines:
            by_order[line.order_id].append(line)
        yield [Segment(order, by_order[order.id], starts, ends) for order in run]
        starts = False
        if lines:
            last = lines[-1].position


class _Queries(Repository):
    async def orders(self, page: Select[*tuple[Any, ...]], *, whole: bool) -> tuple[list[OrderHead], bool]:
        """The next batch, and whether more follow. Two statements; four for `whole` orders."""
        found = (await self._session.execute(page.limit(ORDERS + 1))).all()
        rows = found[:ORDERS]
        ids = [row.id for row in rows]
        totals = await self._totals(ids)
        payments = await self._children(PaymentRow, ids) if whole else {}
        shipments = await self._children(ShipmentRow, ids) if whole else {}
        orders = []
        for row in rows:
            joined = (*totals.get(row.id, (0, 0)), payments.get(row.id, ()), shipments.get(row.id, ()))
            values: list[Any] = [*row, *joined]
            orders.append(OrderHead(*values))
        return orders, len(found) > ORDERS

    async def lines(self, order_ids: Sequence[str], *, after: int) -> Sequence[Row[Any]]:
        """Up to `LINES` of them by order and position, of each order those after the position `after`."""
        statement = (
            select(
                _lines.order_id,
                _lines.position,
                _lines.variant_id,
                _lines.sku,
                _lines.title,
                _lines.quantity,
                _lines.unit_price,
            )
            .where(_lines.order_id.in_(order_ids), _lines.position > after)
            .order_by(_lines.order_id, _lines.position)
            .limit(LINES)
        )
        return (await self._session.execute(statement)).all()

    async def _totals(self, order_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """How many lines each order has, and their sum."""
        amount = func.sum(_lines.quantity * _lines.unit_price)
        statement = select(_lines.order_id, func.count(), amount).where(_lines.order_id.in_(order_ids))
        rows = await self._session.execute(statement.group_by(_lines.order_id))
        return {order_id: (count, int(total)) for order_id, count, total in rows}

    async def _children(
        self, table: type[PaymentRow | ShipmentRow], order_ids: Sequence[str]
    ) -> dict[str, list[Row[Any]]]:
        columns = table.__table__.columns
        statement = select(*columns).where(columns.order_id.in_(order_ids)).order_by(columns.id)
        found: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in await self._session.execute(statement):
            found[row.order_id].append(row)
        return found
