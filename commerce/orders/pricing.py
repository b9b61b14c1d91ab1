"""What an order costs. Pure: no I/O, whole minor units, one currency.

The one place where a price is rounded is a percentage off (`Promotion.discount_on`): half to even, of the subtotal.
"""

from collections.abc import Iterable

from commerce.promotions.entities import Promotion
from core import money
from core.money import Money


def subtotal(line_totals: Iterable[Money], currency: str) -> Money:
    return money.total(line_totals, currency)


def discount(promotion: Promotion | None, subtotal: Money) -> Money:
    """At most the subtotal: shipping is not discounted, and nobody is paid for ordering."""
    return promotion.discount_on(subtotal) if promotion is not None else subtotal * 0


def total(subtotal: Money, discount: Money, shipping: Money) -> Money:
    return subtotal - discount + shipping
