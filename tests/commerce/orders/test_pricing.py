"""What orders cost: exact cases of rounding, and properties of every total."""

from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.orders import pricing
from commerce.orders.entities import Line, Order
from commerce.promotions.entities import Promotion
from core.money import MAX_AMOUNT, CurrencyMismatch, Money, total
from tests.factories.clocks import NOON

USD = st.integers(0, MAX_AMOUNT).map(lambda amount: Money(amount, "USD"))
LINES = st.lists(st.tuples(USD, st.integers(1, 10_000)), min_size=1, max_size=100)


def promotion(percent_off: int | None = None, amount_off: int | None = None, currency: str = "USD") -> Promotion:
    ends_at = NOON + timedelta(days=1)
    unit = currency if amount_off is not None else None
    return Promotion("promo_1", None, "Sale", percent_off, amount_off, unit, NOON, ends_at, 1, NOON, NOON)


PROMOTIONS = st.one_of(
    st.none(),
    st.integers(1, 100).map(lambda percent: promotion(percent_off=percent)),
    st.integers(1, MAX_AMOUNT).map(lambda amount: promotion(amount_off=amount)),
)


def order_of(lines: list[tuple[Money, int]], discount: Money, shipping: Money) -> Order:
    return Order(
        id="ord_1",
        number=1001,
        user_id=None,
        email="ada@example.com",
        state="placed",
        currency="USD",
        lines=tuple(
            Line(f"var_{index}", "prod_1", None, "Thing", quantity, price, stock_taken=False)
            for index, (price, quantity) in enumerate(lines)
        ),
        promotion=None,
        discount=discount,
        shipping=shipping,
        payments=(),
        shipments=(),
        version=1,
        placed_at=NOON,
        updated_at=NOON,
    )


@pytest.mark.parametrize(
    ("subtotal", "percent", "discount"),
    [(50, 1, 0), (150, 1, 2), (250, 1, 2), (49, 1, 0), (51, 1, 1), (999, 100, 999), (0, 50, 0), (105, 10, 10),
     (115, 10, 12), (10**18, 1, 10**16)],
)  # fmt: skip
def test_percentage_is_rounded_half_to_even(subtotal: int, percent: int, discount: int) -> None:
    assert pricing.discount(promotion(percent_off=percent), Money(subtotal, "USD")) == Money(discount, "USD")


@pytest.mark.parametrize(("subtotal", "amount", "discount"), [(1000, 300, 300), (300, 300, 300), (299, 300, 299)])
def test_amount_off_is_at_most_the_subtotal(subtotal: int, amount: int, discount: int) -> None:
    assert pricing.discount(promotion(amount_off=amount), Money(subtotal, "USD")) == Money(discount, "USD")


def test_nothing_is_taken_off_without_a_promotion() -> None:
    assert pricing.discount(None, Money(500, "USD")) == Money(0, "USD")


def test_currencies_do_not_mix() -> None:
    dollar, euro = Money(1, "USD"), Money(1, "EUR")

    wrong: list[Callable[[], Money]] = [
        lambda: dollar + euro,
        lambda: dollar - euro,
        lambda: total([euro], "USD"),
        lambda: pricing.total(dollar, dollar, euro),
        lambda: pricing.discount(promotion(amount_off=1, currency="EUR"), dollar),
    ]
    for sum_of in wrong:
        with pytest.raises(CurrencyMismatch):
            sum_of()


def test_nothing_adds_up_to_nothing_of_the_currency() -> None:
    assert total([], "JPY") == Money(0, "JPY")


@given(subtotal=USD, percent=st.integers(1, 100))
def test_percentage_is_what_decimal_arithmetic_says(subtotal: Money, percent: int) -> None:
    exact = Decimal(subtotal.amount) * percent / 100

    assert subtotal.percent(percent).amount == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


@given(lines=LINES, offer=PROMOTIONS, shipping=USD)
def test_total_is_the_sum_of_the_lines_less_a_discount_and_never_negative(
    lines: list[tuple[Money, int]], offer: Promotion | None, shipping: Money
) -> None:
    subtotal = total((price * quantity for price, quantity in lines), "USD")

    order = order_of(lines, pricing.discount(offer, subtotal), shipping)

    assert order.subtotal.amount == sum(price.amount * quantity for price, quantity in lines)
    assert order.subtotal == total((line.total for line in order.lines), "USD")
    assert 0 <= order.discount.amount <= order.subtotal.amount
    assert order.total.amount == order.subtotal.amount - order.discount.amount + shipping.amount >= shipping.amount
    assert order.due == order.total
    assert order.total.amount < 2**63


@given(subtotal=USD, less=st.integers(1, 99))
def test_higher_percentage_never_takes_less_off(subtotal: Money, less: int) -> None:
    assert subtotal.percent(less).amount <= subtotal.percent(less + 1).amount
