"""Every read of orders. The number of statements never depends on the number of rows."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, select

from commerce.accounts.principal import Principal
from commerce.catalog.text import is_storable
from commerce.orders.entities import AppliedPromotion, Line, Order, Payment, Shipment
from commerce.orders.filters import NEWEST, OrderFilter, narrow, visible_to
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.money import Money
from core.pagination import Slice
from core.repository import Repository

_HEAD = (
    OrderRow.id,
    OrderRow.number,
    OrderRow.user_id,
    OrderRow.email,
    OrderRow.state,
    OrderRow.currency,
    OrderRow.promotion_id,
    OrderRow.promotion_code,
    OrderRow.promotion_title,
    OrderRow.discount,
    OrderRow.shipping,
    OrderRow.version,
    OrderRow.placed_at,
    OrderRow.updated_at,
)
_Children = dict[str, list[Any]]
PARTS = frozenset({"lines", "payments", "shipments"})  # the fields of an order that are tables of their own


class OrderRepository(Repository):
    async def get(self, order_id: str, principal: Principal) -> Order | None:
        """None for an order that the principal may not see."""
        return next(iter(await self.orders([order_id], principal)), None)

    async def numbered(self, number: int, principal: Principal) -> Order | None:
        """As `get`, by the number that people know it by."""
        order_id: str | None = await self._session.scalar(select(OrderRow.id).where(OrderRow.number == number))
        return await self.get(order_id, principal) if order_id is not None else None

    async def lock(self, order_id: str, principal: Principal) -> Order | None:
        """As `get`, held against other writers until the transaction ends."""
        if is_storable(order_id):
            await self._session.execute(select(OrderRow.id).where(OrderRow.id == order_id).with_for_update())
        return await self.get(order_id, principal)

    async def orders(self, ids: Sequence[str], principal: Principal) -> list[Order]:
        """In the order of `ids`, without those that the principal may not see. Four statements."""
        found = await self.visible(ids, principal)
        return [found[order_id] for order_id in ids if order_id in found]

    async def visible(
        self, ids: Sequence[str], principal: Principal, parts: Collection[str] = PARTS
    ) -> dict[str, Order]:
        """Those that the principal may see, by id. One statement, and one for each part."""
        named = OrderRow.id.in_(filter(is_storable, ids))
        rows = (await self._session.execute(select(*_HEAD).where(named, visible_to(principal)))).all()
        return {order.id: order for order in await self._with(rows, parts)}

    async def slice(
        self,
        wanted: OrderFilter,
        principal: Principal,
        *,
        limit: int,
        after: str | None,
        count: bool = False,
        parts: Collection[str] = PARTS,
    ) -> Slice[Order]:
        """A keyset page, newest first. One statement, and one for each part. Raises InvalidCursor."""
        statement = narrow(select(*_HEAD, OrderRow.placed_at.label("sort_value")), wanted, principal)
        found = await self.keyset_page(statement, NEWEST, limit=limit, after=after, count=count)
        return Slice(await self._with(found.items, parts), found.cursors, found.has_next, found.total)

    async def _with(self, heads: Sequence[Row[Any]], parts: Collection[str]) -> list[Order]:
        """The orders of these rows, with these parts. To ask an order for another part raises AttributeError: it is
        not known to have none.
        """
        ids = {part: [head.id for head in heads] if part in parts else [] for part in PARTS}
        lines = await self._children(OrderLineRow, OrderLineRow.position, ids["lines"])
        payments = await self._children(PaymentRow, PaymentRow.id, ids["payments"])
        shipments = await self._children(ShipmentRow, ShipmentRow.id, ids["shipments"])
        found = [_order(head, lines[head.id], payments[head.id], shipments[head.id]) for head in heads]
        for order in found:
            for part in PARTS.difference(parts):
                object.__delattr__(order, part)
        return found

    async def _children(self, table: Any, order: Any, order_ids: Sequence[str]) -> _Children:
        """Ids sort by the time of their making."""
        found: _Children = defaultdict(list)
        if order_ids:
            columns = table.__table__.columns
            statement = select(*columns).where(table.order_id.in_(order_ids)).order_by(table.order_id, order)
            for row in await self._session.execute(statement):
                found[row.order_id].append(row)
        return found


def _order(head: Row[Any], lines: Sequence[Any], payments: Sequence[Any], shipments: Sequence[Any]) -> Order:
    currency = head.currency
    promotion = AppliedPromotion(head.promotion_id, head.promotion_code, head.promotion_title)
    return Order(
        id=head.id,
        number=head.number,
        user_id=head.user_id,
        email=head.email,
        state=head.state,
        currency=currency,
        lines=tuple(_line(row, currency) for row in lines),
        promotion=promotion if head.promotion_id is not None else None,
        discount=Money(head.discount, currency),
        shipping=Money(head.shipping, currency),
        payments=tuple(
            Payment(row.id, Money(row.amount, row.currency), row.reference, row.created_at) for row in payments
        ),
        shipments=tuple(
            Shipment(row.id, row.carrier, row.tracking_number, row.tracking_url, row.created_at) for row in shipments
        ),
        version=head.version,
        placed_at=head.placed_at,
        updated_at=head.updated_at,
    )


def _line(row: Any, currency: str) -> Line:
    return Line(
        variant_id=row.variant_id,
        product_id=row.product_id,
        sku=row.sku,
        title=row.title,
        quantity=row.quantity,
        unit_price=Money(row.unit_price, currency),
        stock_taken=row.stock_taken,
    )
