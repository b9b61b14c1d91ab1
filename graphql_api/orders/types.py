"""The orders' types: REST's shapes in camelCase. What hangs on an order comes with it, where it is asked for."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from commerce.orders import entities
from graphql_api.cost_directives import sized
from graphql_api.fields import column, field
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
    row: strawberry.Private[entities.Order]
    number: int = column("For people: it counts up, with gaps.")
    email: str = column("Where its news go.")
    placed_at: datetime = column("When it was placed.")

    @field("What became of it.", reads=("state",))
    def state(self) -> OrderState:
        return OrderState(self.row.state)

    @field("All of them; at least one.", sized(5), reads=("lines",))
    def lines(self) -> list[OrderLine]:
        return [_line(line) for line in self.row.lines]

    @field("null: none applied.", reads=("promotion",))
    def promotion(self) -> AppliedPromotion | None:
        return _promotion(self.row.promotion) if self.row.promotion else None

    @field("Of all lines.", reads=("lines",))
    def subtotal(self) -> Money:
        return money_type(self.row.subtotal)

    @field("What the promotion takes off, at most the subtotal.", reads=("discount",))
    def discount(self) -> Money:
        return money_type(self.row.discount)

    @field("For sending it.", reads=("shipping",))
    def shipping(self) -> Money:
        return money_type(self.row.shipping)

    @field("Subtotal minus discount plus shipping.", reads=("lines", "discount", "shipping"))
    def total(self) -> Money:
        return money_type(self.row.total)

    @field("All of them, oldest first.", sized(2), reads=("payments",))
    def payments(self) -> list[Payment]:
        return [_payment(payment) for payment in self.row.payments]

    @field("All of them, oldest first.", sized(2), reads=("shipments",))
    def shipments(self) -> list[Shipment]:
        return [_shipment(shipment) for shipment in self.row.shipments]


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
    return Order(id=strawberry.ID(order.id), row=order)


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
