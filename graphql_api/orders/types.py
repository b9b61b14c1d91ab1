"""The orders' types: REST's shapes in camelCase. An order is read whole, so that nothing below it asks again."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from commerce.orders import entities
from graphql_api.cost_directives import sized
from graphql_api.money import Money, money_type
from graphql_api.node import Node
from graphql_api.pagination import Edge
from graphql_api.refusals import Refused, UserError


@strawberry.enum(name="OrderState", description="In lower case, as on REST.")
class OrderState(Enum):
    placed = strawberry.enum_value("placed", description="Its stock is taken, and it waits for payment.")
    paid = strawberry.enum_value("paid", description="Nothing is due any more.")
    shipped = strawberry.enum_value("shipped", description="At least one parcel is on its way.")
    cancelled = strawberry.enum_value("cancelled", description="Its stock is back, and it stays so.")


@strawberry.type(description="So many of one variant, as it was when the order was placed.")
class OrderLine:
    variant_id: strawberry.ID = strawberry.field(description="`var_...`; the variant may be gone since.")
    sku: str | None = strawberry.field(description="As it was.")
    title: str = strawberry.field(description="As it was.")
    quantity: int = strawberry.field(description="How many.")
    unit_price: Money = strawberry.field(description="Of one.")
    total: Money = strawberry.field(description="Of all.")


@strawberry.type(description="What took something off an order.")
class AppliedPromotion:
    id: strawberry.ID = strawberry.field(description="`promo_...`; the promotion may be over since.")
    code: str | None = strawberry.field(description="null: it applied by itself.")
    title: str = strawberry.field(description="As it was.")


@strawberry.type(description="Money that was received for an order.")
class Payment:
    id: strawberry.ID = strawberry.field(description="`pay_...`")
    amount: Money = strawberry.field(description="How much.")
    reference: str = strawberry.field(description="The payment provider's; our id, if none was given.")
    created_at: datetime = strawberry.field(description="When it was recorded.")


@strawberry.type(description="A parcel of an order.")
class Shipment:
    id: strawberry.ID = strawberry.field(description="`shp_...`")
    carrier: str = strawberry.field(description="Who carries it.")
    tracking_number: str | None = strawberry.field(description="The carrier's.")
    tracking_url: str | None = strawberry.field(description="Where it can be followed.")
    created_at: datetime = strawberry.field(description="When it was recorded.")


@strawberry.type(description="What was bought, at which price, and what became of it.")
class Order(Node):
    number: int = strawberry.field(description="For people: it counts up, with gaps.")
    state: OrderState = strawberry.field(description="What became of it.")
    email: str = strawberry.field(description="Where its news go.")
    lines: list[OrderLine] = strawberry.field(description="All of them; at least one.", directives=[sized(5)])
    promotion: AppliedPromotion | None = strawberry.field(description="null: none applied.")
    subtotal: Money = strawberry.field(description="Of all lines.")
    discount: Money = strawberry.field(description="What the promotion takes off, at most the subtotal.")
    shipping: Money = strawberry.field(description="For sending it.")
    total: Money = strawberry.field(description="Subtotal minus discount plus shipping.")
    payments: list[Payment] = strawberry.field(description="All of them, oldest first.", directives=[sized(2)])
    shipments: list[Shipment] = strawberry.field(description="All of them, oldest first.", directives=[sized(2)])
    placed_at: datetime = strawberry.field(description="When it was placed.")


@strawberry.type(description="An order and its place in the list.")
class OrderEdge(Edge[Order]):
    pass


@strawberry.type(description="There is less in stock than was ordered; `errors` names each line that is short.")
class OutOfStock(UserError):
    variant_id: strawberry.ID = strawberry.field(description="Of the first line that is short.")
    sku: str | None = strawberry.field(description="The variant's.")
    requested: int = strawberry.field(description="How many were ordered of it.")
    available: int = strawberry.field(description="How many there are.")


@strawberry.type(description="No promotion has this code, or it does not apply now. Order without it.")
class PromotionNotApplicable(UserError):
    pass


@strawberry.type(description="The order is in a state in which this cannot be done.")
class InvalidOrderState(UserError):
    state: OrderState = strawberry.field(description="The state that it is in.")


PlaceOrderResult = Annotated[
    Order | OutOfStock | PromotionNotApplicable | Refused,
    strawberry.union(name="PlaceOrderResult", description="The order, or why there is none."),
]
CancelOrderResult = Annotated[
    Order | InvalidOrderState | Refused,
    strawberry.union(name="CancelOrderResult", description="The order as it is now, or why it stays as it was."),
]


def order_type(order: entities.Order) -> Order:
    return Order(
        id=strawberry.ID(order.id),
        number=order.number,
        state=OrderState(order.state),
        email=order.email,
        lines=[_line(line) for line in order.lines],
        promotion=_promotion(order.promotion) if order.promotion else None,
        subtotal=money_type(order.subtotal),
        discount=money_type(order.discount),
        shipping=money_type(order.shipping),
        total=money_type(order.total),
        payments=[_payment(payment) for payment in order.payments],
        shipments=[_shipment(shipment) for shipment in order.shipments],
        placed_at=order.placed_at,
    )


def _line(line: entities.Line) -> OrderLine:
    return OrderLine(
        variant_id=strawberry.ID(line.variant_id),
        sku=line.sku,
        title=line.title,
        quantity=line.quantity,
        unit_price=money_type(line.unit_price),
        total=money_type(line.total),
    )


def _promotion(promotion: entities.AppliedPromotion) -> AppliedPromotion:
    return AppliedPromotion(id=strawberry.ID(promotion.id), code=promotion.code, title=promotion.title)


def _payment(payment: entities.Payment) -> Payment:
    return Payment(
        id=strawberry.ID(payment.id),
        amount=money_type(payment.amount),
        reference=payment.reference,
        created_at=payment.created_at,
    )


def _shipment(shipment: entities.Shipment) -> Shipment:
    return Shipment(
        id=strawberry.ID(shipment.id),
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        created_at=shipment.created_at,
    )
