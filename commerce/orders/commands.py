"""What orders are told to do: everything that the outcome depends on, so that a retry is known by it."""

from dataclasses import dataclass

from core.errors import FieldError, Invalid
from core.money import Money


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many of the variant with this id, or with this SKU: exactly one of the two."""

    quantity: int
    variant_id: str | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class QuotedShipping:
    """At the price of this option of a quote, or of the quote's cheapest one where it is the quote's own id."""

    quote_id: str


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Several lines of one variant become one line, in the place of the first. `email` is the caller's where it is
    left out; `shipping` is nothing where it is left out.
    """

    lines: tuple[OrderLine, ...]
    email: str | None = None
    promotion_code: str | None = None
    shipping: Money | QuotedShipping | None = None


def shipping_asked(price: Money | None, quote_id: str | None) -> Money | QuotedShipping | None:
    """What an order says of its shipping. Raises Invalid where it says both."""
    if quote_id is None:
        return price
    if price is not None:
        fault = FieldError("/shipping_quote_id", "shipping", "is not taken together with a price for shipping")
        raise Invalid(f"shipping_quote_id {fault.message}", errors=(fault,))
    return QuotedShipping(quote_id)


@dataclass(frozen=True, slots=True)
class PayOrder:
    """`amount` (minor units) is what is due where it is left out, `currency` the order's. The same `reference` again is
    the same payment.
    """

    order_id: str
    amount: int | None = None
    currency: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class CancelOrder:
    order_id: str


@dataclass(frozen=True, slots=True)
class ShipOrder:
    order_id: str
    carrier: str
    tracking_number: str | None = None
    tracking_url: str | None = None
