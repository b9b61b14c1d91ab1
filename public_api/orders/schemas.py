"""The JSON of orders: what is read, what is sent in, and the way from and to the domain's values."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, computed_field

from commerce.orders import commands, entities, pricing
from commerce.orders.rules import MAX_LINES, MAX_QUANTITY, MAX_TEXT
from core import money
from core.pagination import MAX_SIZE
from public_api.catalog.schemas import Money, MoneyInput


class OrderLine(BaseModel):
    variant_id: str = Field(examples=["var_01jd0a3v5te8zr9k1m2n3p4q5r"])
    sku: str | None = Field(examples=["JKT-RIDGE-S-MOSS"])
    title: str = Field(description="As it was when the order was placed.", examples=["Ridge Rain Jacket - S / Moss"])
    quantity: int = Field(examples=[2])
    unit_price: Money = Field(description="As it was when the order was placed.")

    @computed_field(description="unit_price times quantity.")  # type: ignore[prop-decorator]  # mypy knows no such one
    @property
    def total(self) -> Money:
        return _money(self.cost)

    @property
    def cost(self) -> money.Money:
        return _value(self.unit_price) * self.quantity


class AppliedPromotion(BaseModel):
    id: str = Field(examples=["promo_01jd0a3v5te8zr9k1m2n3p4q5r"])
    code: str | None = Field(description="null: it applied by itself.", examples=["SPRING"])
    title: str = Field(examples=["Spring sale"])


class Payment(BaseModel):
    id: str = Field(examples=["pay_01jd0a3v5te8zr9k1m2n3p4q5r"])
    amount: Money
    reference: str = Field(description="The payment provider's; our id, if none was given.", examples=["ch_3MmlLr"])
    created_at: datetime


class Shipment(BaseModel):
    id: str = Field(examples=["shp_01jd0a3v5te8zr9k1m2n3p4q5r"])
    carrier: str = Field(examples=["DHL"])
    tracking_number: str | None = Field(examples=["00340434161094042557"])
    tracking_url: str | None = Field(examples=["https://track.example.com/00340434161094042557"])
    created_at: datetime


class Order(BaseModel):
    id: str = Field(examples=["ord_01jd0a3v5te8zr9k1m2n3p4q5r"])
    number: int = Field(description="For people: it counts up, with gaps.", examples=[1001])
    state: entities.State = Field(description="placed, paid, shipped; or cancelled from one of the first two.")
    email: str = Field(examples=["ada@example.com"])
    lines: list[OrderLine]
    promotion: AppliedPromotion | None
    shipping: Money
    payments: list[Payment]
    shipments: list[Shipment]
    placed_at: datetime
    taken_off: int = Field(exclude=True)  # in minor units, when the order was placed: the promotion may have changed

    @computed_field(description="The sum of the lines.")  # type: ignore[prop-decorator]
    @property
    def subtotal(self) -> Money:
        return _money(pricing.subtotal((line.cost for line in self.lines), self.shipping.currency))

    @computed_field(description="What the promotion takes off, at most the subtotal.")  # type: ignore[prop-decorator]
    @property
    def discount(self) -> Money:
        return Money(amount=self.taken_off, currency=self.shipping.currency)

    @computed_field(description="subtotal minus discount plus shipping.")  # type: ignore[prop-decorator]
    @property
    def total(self) -> Money:
        return _money(pricing.total(_value(self.subtotal), _value(self.discount), _value(self.shipping)))


class OrderPage(BaseModel):
    items: list[Order]
    page: int
    size: int
    total: int


class OrderQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Annotated[entities.State | None, Field(description="Only orders in this state.")] = None
    email: Annotated[str | None, Field(max_length=MAX_TEXT, description="Only of this address, in any case.")] = None
    placed_after: Annotated[AwareDatetime | None, Field(description="At this time or later (RFC 3339).")] = None
    placed_before: Annotated[AwareDatetime | None, Field(description="Before this time (RFC 3339).")] = None
    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=MAX_SIZE)] = 20


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrderLineInput(_Input):
    """Names a variant by its id or by its SKU: exactly one of the two."""

    variant_id: str | None = Field(None, description="`var_...`")
    sku: str | None = Field(None, description="In the demo catalogue there is this one.", examples=["JKT-RIDGE-S-MOSS"])
    quantity: StrictInt = Field(json_schema_extra={"minimum": 1, "maximum": MAX_QUANTITY}, examples=[2])


class OrderCreate(_Input):
    # What is too little or too much is the domain's to say, the same at every door.
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"lines": [{"sku": "JKT-RIDGE-S-MOSS", "quantity": 2}], "email": "ada@example.com"}
        }
    )

    lines: list[OrderLineInput] = Field(
        json_schema_extra={"minItems": 1, "maxItems": MAX_LINES},
        description="Those of one variant become one line of the order.",
    )
    email: str | None = Field(
        None,
        description="Yours, if it is left out.",
        examples=["ada@example.com"],
        json_schema_extra={"format": "email"},
    )
    promotion_code: str | None = Field(
        None, description="In any case; without it the best promotion that needs no code.", examples=["SPRING"]
    )
    shipping: MoneyInput | None = Field(None, description="Nothing, if it is left out.")
    shipping_quote_id: str | None = Field(
        None,
        description="Instead of `shipping`: the id of an option of a shipping quote, or of the quote, which means its "
        "cheapest option. Good for one order of the quote's lines, until it expires.",
        examples=["quote_01jd0a3v5te8zr9k1m2n3p4q5r-1"],
    )


class PaymentAmount(_Input):
    amount: StrictInt = Field(ge=1, description="In minor units.", examples=[4999])
    currency: str | None = Field(None, description="The order's, if it is left out.", examples=["USD"])


class PaymentCreate(_Input):
    amount: PaymentAmount | None = Field(None, description="What is due, if it is left out.")
    reference: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        description="The payment provider's: the same one again is the same payment.",
        examples=["ch_3MmlLr"],
    )


class ShipmentCreate(_Input):
    carrier: str = Field(min_length=1, max_length=MAX_TEXT, examples=["DHL"])
    tracking_number: str | None = Field(None, min_length=1, max_length=MAX_TEXT, examples=["00340434161094042557"])
    tracking_url: str | None = Field(
        None,
        description="http or https.",
        examples=["https://track.example.com/00340434161094042557"],
        json_schema_extra={"format": "uri"},
    )


def order_schema(order: entities.Order) -> Order:
    promotion = order.promotion
    return Order(
        id=order.id,
        number=order.number,
        state=order.state,
        email=order.email,
        lines=[_line(line) for line in order.lines],
        promotion=AppliedPromotion(id=promotion.id, code=promotion.code, title=promotion.title) if promotion else None,
        shipping=_money(order.shipping),
        payments=[
            Payment(
                id=payment.id,
                amount=_money(payment.amount),
                reference=payment.reference,
                created_at=payment.created_at,
            )
            for payment in order.payments
        ],
        shipments=[
            Shipment(
                id=shipment.id,
                carrier=shipment.carrier,
                tracking_number=shipment.tracking_number,
                tracking_url=shipment.tracking_url,
                created_at=shipment.created_at,
            )
            for shipment in order.shipments
        ],
        placed_at=order.placed_at,
        taken_off=order.discount.amount,
    )


def place_command(body: OrderCreate, currency: str) -> commands.PlaceOrder:
    """The same as GraphQL's for the same request, or no key would be known on both. Raises Invalid."""
    shipping = body.shipping
    price = money.Money(shipping.amount, shipping.currency or currency) if shipping else None
    return commands.PlaceOrder(
        lines=tuple(commands.OrderLine(line.quantity, line.variant_id, line.sku) for line in body.lines),
        email=body.email,
        promotion_code=body.promotion_code,
        shipping=commands.shipping_asked(price, body.shipping_quote_id),
    )


def pay_command(order_id: str, body: PaymentCreate) -> commands.PayOrder:
    given = body.amount
    return commands.PayOrder(
        order_id=order_id,
        amount=given.amount if given else None,
        currency=given.currency if given else None,
        reference=body.reference,
    )


def ship_command(order_id: str, body: ShipmentCreate) -> commands.ShipOrder:
    return commands.ShipOrder(order_id, body.carrier, body.tracking_number, body.tracking_url)


def _line(line: entities.Line) -> OrderLine:
    return OrderLine(
        variant_id=line.variant_id,
        sku=line.sku,
        title=line.title,
        quantity=line.quantity,
        unit_price=_money(line.unit_price),
    )


def _money(value: money.Money) -> Money:
    return Money(amount=value.amount, currency=value.currency)


def _value(shown: Money) -> money.Money:
    return money.Money(shown.amount, shown.currency)
