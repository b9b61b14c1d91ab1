"""How orders become JSON: REST and GraphQL have each field from here.

What follows from the rest is computed as `pricing` and `entities` compute it: the subtotal is the sum of the lines, the
total the subtotal without the discount and with the shipping, in whole minor units. The greatest sum that the rules
allow, of 100 lines of 10,000 at the highest price each, is 10^18: it fits 64 bits.
"""

from sqlalchemy import BigInteger, cast, func, select

from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.projections.fields import Projection, many, money, obj, time, value

_LINE_TOTAL = OrderLineRow.unit_price * OrderLineRow.quantity
_SUBTOTAL = (
    select(cast(func.coalesce(func.sum(_LINE_TOTAL), 0), BigInteger))
    .where(OrderLineRow.order_id == OrderRow.id)
    .correlate_except(OrderLineRow)
    .scalar_subquery()
)

# Its prices are in the currency of the order, from whose table a statement must select too.
ORDER_LINE = Projection(
    OrderLineRow,
    {
        "variant_id": value(OrderLineRow.variant_id),
        "sku": value(OrderLineRow.sku),
        "title": value(OrderLineRow.title),
        "quantity": value(OrderLineRow.quantity),
        "unit_price": money(OrderLineRow.unit_price, OrderRow.currency),
        "total": money(_LINE_TOTAL, OrderRow.currency),
    },
)

PAYMENT = Projection(
    PaymentRow,
    {
        "id": value(PaymentRow.id),
        "amount": money(PaymentRow.amount, PaymentRow.currency),
        "reference": value(PaymentRow.reference),
        "created_at": time(PaymentRow.created_at),
    },
)

SHIPMENT = Projection(
    ShipmentRow,
    {
        "id": value(ShipmentRow.id),
        "carrier": value(ShipmentRow.carrier),
        "tracking_number": value(ShipmentRow.tracking_number),
        "tracking_url": value(ShipmentRow.tracking_url),
        "created_at": time(ShipmentRow.created_at),
    },
)

# Payments and shipments in the order of their ids, which is that of their making.
ORDER = Projection(
    OrderRow,
    {
        "id": value(OrderRow.id),
        "number": value(OrderRow.number),
        "state": value(OrderRow.state),
        "email": value(OrderRow.email),
        "lines": many(ORDER_LINE, OrderLineRow.order_id == OrderRow.id, order_by=OrderLineRow.position),
        "promotion": obj(
            present=OrderRow.promotion_id.is_not(None),
            id=value(OrderRow.promotion_id),
            code=value(OrderRow.promotion_code),
            title=value(OrderRow.promotion_title),
        ),
        "shipping": money(OrderRow.shipping, OrderRow.currency),
        "payments": many(PAYMENT, PaymentRow.order_id == OrderRow.id, order_by=PaymentRow.id),
        "shipments": many(SHIPMENT, ShipmentRow.order_id == OrderRow.id, order_by=ShipmentRow.id),
        "placed_at": time(OrderRow.placed_at),
        "subtotal": money(_SUBTOTAL, OrderRow.currency),
        "discount": money(OrderRow.discount, OrderRow.currency),
        "total": money(_SUBTOTAL - OrderRow.discount + OrderRow.shipping, OrderRow.currency),
    },
)
