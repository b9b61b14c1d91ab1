"""What orders tell the event log."""

from commerce.events.envelope import EventType
from commerce.orders.entities import Order
from commerce.orders.stock import Level
from core.eventlog import NewEvent


def order_event(kind: EventType, order: Order) -> NewEvent:
    """For whose order it is, and for who sees everybody's."""
    total = {"amount": order.total.amount, "currency": order.currency}
    data = {"id": order.id, "number": order.number, "state": order.state, "total": total}
    return NewEvent(kind, order.id, data, "owner", order.user_id)


def stock_changed(level: Level) -> NewEvent:
    data = {"product_id": level.product_id, "variant_id": level.variant_id, "sku": level.sku, "stock": level.stock}
    return NewEvent("stock.changed", level.product_id, data, "everybody" if level.on_sale else "editors")
