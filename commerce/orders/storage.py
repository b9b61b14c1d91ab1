"""Writes of whole orders. The statements are prepared: placing orders is what must stay fast under load."""

from dataclasses import replace
from typing import Any

from sqlalchemy import insert

from commerce.orders.entities import Line, Order
from commerce.orders.models import OrderLineRow, OrderRow
from core.bulk import insert_rows
from core.database import WriteSession, table_of
from core.prepared import Prepared

_LINES, _ORDERS = table_of(OrderLineRow), table_of(OrderRow)
_INSERT = Prepared(
    insert(_ORDERS).returning(_ORDERS.c.number), [column.key for column in _ORDERS.c if column.key != "number"]
)


async def add_order(session: WriteSession, order: Order) -> Order:
    """Writes a new order with its lines, and gives it the next number."""
    ((number,),) = await _INSERT.run(session, _head(order))
    await insert_rows(session, _LINES, [_line(order.id, position, line) for position, line in enumerate(order.lines)])
    return replace(order, number=number)


def _head(order: Order) -> dict[str, Any]:
    promotion = order.promotion
    return {
        "id": order.id,
        "user_id": order.user_id,
        "email": order.email,
        "state": order.state,
        "currency": order.currency,
        "promotion_id": promotion.id if promotion else None,
        "promotion_code": promotion.code if promotion else None,
        "promotion_title": promotion.title if promotion else None,
        "discount": order.discount.amount,
        "shipping": order.shipping.amount,
        "version": order.version,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
    }


def _line(order_id: str, position: int, line: Line) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "position": position,
        "variant_id": line.variant_id,
        "product_id": line.product_id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price": line.unit_price.amount,
        "stock_taken": line.stock_taken,
    }
