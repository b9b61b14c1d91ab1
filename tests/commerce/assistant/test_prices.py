"""Amounts of money as people write them."""

from decimal import Decimal

import pytest

from commerce.assistant.prices import amounts_in, shown
from core.money import Money


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$79", ["79"]),
        ("79.00 USD", ["79.00"]),
        ("79 dollars", ["79"]),
        ("USD 79", ["79"]),
        ("US$79", ["79"]),
        ("79 US dollars", ["79"]),
        ("79-dollar", ["79"]),
        ("1,299.00 dollars", ["1299.00"]),
        ("\u20ac1.299,00", ["1299.00"]),
        ("79,50 \u20ac", ["79.50"]),
        ("$1.2k", ["1200"]),
        ("**$**79 and $**80**", ["79", "80"]),
        ("seventy-nine dollars", ["79"]),
        ("two hundred and five bucks", ["205"]),
        ("fifty cents", ["0.5"]),
        ("$59-79", ["59", "79"]),
        ("$59 to $79", ["59", "79"]),
        ("priced at just 79", ["79"]),
        ("it costs 79", ["79"]),
        ("the price of the jacket is 79", ["79"]),
        ("priced between 59 and 79", ["59", "79"]),
        ("instead of 99", ["99"]),
        ("a bare 79.99", ["79.99"]),
        ("costs 3 kg less", []),
        ("only 3 left, in size 10", []),
        ("a 22 L rucksack of 2.75 kg", []),
        ("4.50 stars in 2 days, 50%", []),
        ("version 1.2.34 of 10:30", []),
        ("for only 3 pockets", []),
    ],
)
def test_amounts_are_found(text: str, found: list[str]) -> None:
    assert [each.value for each in amounts_in(text)] == [Decimal(value) for value in found]


@pytest.mark.parametrize(
    ("text", "money", "same"),
    [
        ("$79", Money(7900, "USD"), True),
        ("$79", Money(7900, "CAD"), True),
        ("$79", Money(7900, "EUR"), False),
        ("79 CHF", Money(7900, "USD"), False),
        ("79.001 USD", Money(7900, "USD"), False),
        ("$7,900", Money(7900, "USD"), False),
        ("7900 yen", Money(7900, "JPY"), True),
        ("price 79", Money(7900, "EUR"), True),
    ],
)
def test_amount_is_money_of_its_currency(text: str, money: Money, same: bool) -> None:
    (amount,) = amounts_in(text)

    assert amount.equals(money) == same


def test_money_is_shown_as_it_is_found() -> None:
    for money in (Money(7900, "USD"), Money(5, "EUR"), Money(7900, "JPY"), Money(7900, "CHF"), Money(1, "KWD")):
        (amount,) = amounts_in(shown(money))
        assert amount.equals(money), money
