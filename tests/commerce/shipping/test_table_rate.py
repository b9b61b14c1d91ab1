"""The built-in carrier's prices."""

import pytest

from commerce.shipping.entities import Option, Parcel, Part
from commerce.shipping.table_rate import table_part
from core.money import MAX_AMOUNT, Money


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def test_it_always_has_a_standard_and_an_express_way() -> None:
    assert table_part(Parcel("USD", "US", "94105", 400), "US") == Part(
        "table",
        "ok",
        (Option("standard", "Standard", usd(495), 3, 5), Option("express", "Express", usd(1495), 1, 2)),
    )


@pytest.mark.parametrize(
    ("grams", "amount"),
    [
        (0, 495),
        (500, 495),
        (501, 795),
        (2_000, 795),
        (10_000, 1295),
        (10_001, 1415),
        (11_000, 1415),
        (11_001, 1535),
        (10**18, MAX_AMOUNT),
    ],
)
def test_price_follows_the_bands_and_then_each_kilogram_that_is_begun(grams: int, amount: int) -> None:
    standard, _ = table_part(Parcel("USD", "US", None, grams), "US").options

    assert standard.price == usd(amount)


@pytest.mark.parametrize(
    ("home", "country", "amount"),
    [
        ("US", "US", 495),
        ("US", "CA", 1195),
        ("US", "DE", 1495),
        ("DE", "DE", 495),
        ("DE", "FR", 1195),
        ("DE", "US", 1495),
        ("JP", "KR", 1495),
        ("JP", "JP", 495),
        ("US", "ZZ", 1495),
    ],
)
def test_what_is_near_depends_on_where_the_shop_is(home: str, country: str, amount: int) -> None:
    assert table_part(Parcel("USD", country, None, 100), home).options[0].price == usd(amount)
