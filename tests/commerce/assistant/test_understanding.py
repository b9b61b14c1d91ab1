"""What the built-in model makes of a question."""

from decimal import Decimal

import pytest

from commerce.assistant.understanding import Wish, search_of, wish_of


@pytest.mark.parametrize(
    ("question", "query", "low", "high"),
    [
        ("a warm jacket under 80 dollars for hiking", "warm jacket hiking", None, 80),
        ("Something between $50 and $80 to keep my feet dry?", "keep feet dry", 50, 80),
        ("mugs cheaper than 30", "mugs", None, 30),
        ("jackets, 80 dollars or less", "jackets", None, 80),
        ("tents over $200", "tents", 200, None),
        ("boots from 100 to 150", "boots", 100, 150),
        ("gift for my mother, budget 40", "gift mother", None, 40),
        ("do you have a tent in stock?", "tent", None, None),
        ("hello", "", None, None),
        ("size 10 boots", "size 10 boots", None, None),
        ("I want to order a tent", "tent", None, None),
        ("under 1,299.50", "", None, "1299.50"),
    ],
)
def test_bounds_and_words(question: str, query: str, low: int | None, high: int | str | None) -> None:
    wish = wish_of([question])

    assert (wish.query, wish.about_order) == (query, False)
    assert (wish.min_price, wish.max_price) == tuple(None if each is None else Decimal(each) for each in (low, high))


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("where is my order 1001?", 1001),
        ("status of order #1002", 1002),
        ("When does my parcel arrive?", None),
        ("Has order no. 7 been shipped", 7),
    ],
)
def test_orders(question: str, number: int | None) -> None:
    assert wish_of([question]) == Wish("", about_order=True, order_number=number)


def test_question_that_leaves_open_what_rests_on_the_one_before() -> None:
    said = ["a warm jacket under 80 dollars", "and under 60?"]

    assert wish_of(said) == Wish("warm jacket", max_price=Decimal(60))
    assert search_of([*said, "thanks"]) == {"query": "warm jacket", "max_price": 80.0, "in_stock": True}
    assert search_of(["hello"]) is None
    assert search_of(["where is my order 7?"]) is None
