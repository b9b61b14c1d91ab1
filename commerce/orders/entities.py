"""Orders as they are read: plain values, free of any session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pydantic import TypeAdapter

from commerce.orders import pricing
from core import money
from core.money import Money

State = Literal["placed", "paid", "shipped", "cancelled"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Line:
    """`title` and `unit_price` are those of the moment of placing. `stock_taken`: the variant's stock was tracked."""

    variant_id: str
    product_id: str
    sku: str | None
    title: str
    quantity: int
    unit_price: Money
    stock_taken: bool

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class AppliedPromotion:
    """`code` is None for one that applied by itself."""

    id: str
    code: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Payment:
    id: str
    amount: Money
    reference: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Shipment:
    id: str
    carrier: str
    tracking_number: str | None
    tracking_url: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """`user_id` is None for one that was placed with a key of the shop's own."""

    id: str
    number: int
    user_id: str | None
    email: str
    state: State
    currency: str
    lines: tuple[Line, ...]
    promotion: AppliedPromotion | None
    discount: Money
    shipping: Money
    payments: tuple[Payment, ...]
    shipments: tuple[Shipment, ...]
    version: int
    placed_at: datetime
    updated_at: datetime

    @property
    def subtotal(self) -> Money:
        return pricing.subtotal((line.total for line in self.lines), self.currency)

    @property
    def total(self) -> Money:
        return pricing.total(self.subtotal, self.discount, self.shipping)

    @property
    def paid(self) -> Money:
        return money.total((payment.amount for payment in self.payments), self.currency)

    @property
    def due(self) -> Money:
        return self.total - self.paid


# How an order is kept under an idempotency key; the same for every door.
ORDER = TypeAdapter(Order)
