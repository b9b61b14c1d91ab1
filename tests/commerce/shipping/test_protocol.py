"""What carriers are asked, and what of their answers is believed."""

import json
from typing import Any

import pytest

from commerce.shipping.entities import Option, Parcel
from commerce.shipping.protocol import question_of, reader_of
from core.money import Money
from core.upstream.calls import BrokenAnswer
from tests.factories.carriers import an_option

READ = reader_of("USD", 10_000)


def body(*options: Any, **changes: Any) -> bytes:
    return json.dumps({"options": list(options)} | changes).encode()


def test_question_names_all_that_a_price_may_depend_on() -> None:
    question = question_of(Parcel("USD", "US", "94105", 1200))

    assert json.loads(question.body) == {
        "currency": "USD",
        "destination": {"country": "US", "postal_code": "94105"},
        "weight_grams": 1200,
    }
    assert question.repeatable


def test_good_answer_becomes_options() -> None:
    days = {"min": 1, "max": 2}

    options = READ(body(an_option("a", 0), an_option("b", 10_000, days=days), more="is ignored"))

    assert options == (
        Option("a", "A", Money(0, "USD"), None, None),
        Option("b", "B", Money(10_000, "USD"), 1, 2),
    )
    assert READ(body()) == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "body: json_invalid"),
        (b"<html>Sign in</html>", "body: json_invalid"),
        (b'{"options": [', "body: json_invalid"),
        (b"\xff\xfe", "body: json_invalid"),
        (b"[" * 10_000, "body: json_invalid"),
        (b"[]", "body: model_type"),
        (b"null", "body: model_type"),
        (b"{}", "options: missing"),
        (b'{"options": null}', "options: list_type"),
        (body(*(an_option(str(number)) for number in range(21))), "options: too_long"),
        (body("ground"), "options.0: model_type"),
        (body(an_option(amount=-1)), "options.0.price.amount: greater_than_equal"),
        (body(an_option(amount=9.5)), "options.0.price.amount: int_type"),
        (body(an_option(amount="900")), "options.0.price.amount: int_type"),
        (body(an_option(amount=True)), "options.0.price.amount: int_type"),
        (body(an_option(amount=None)), "options.0.price.amount: int_type"),
        (body(an_option(amount=float("nan"))), "options.0.price.amount: int_type"),
        (body(an_option(amount=float("inf"))), "options.0.price.amount: int_type"),
        (body(an_option(amount=10_001)), "a price is absurd"),
        (body(an_option(amount=10**40)), "a price is absurd"),
        (body(an_option(currency="EUR")), "a price is in another currency"),
        (body(an_option("a"), an_option("b", currency="usd")), "a price is in another currency"),
        (body(an_option(currency=1)), "options.0.price.currency: string_type"),
        (body({"code": "a", "service": "A"}), "options.0.price: missing"),
        (body({"code": "a", "price": {"amount": 1, "currency": "USD"}}), "options.0.service: missing"),
        (body(an_option("")), "options.0.code: string_pattern_mismatch"),
        (body(an_option("a b")), "options.0.code: string_pattern_mismatch"),
        (body(an_option("a"), an_option("a")), "two options have one code"),
        (body(an_option(service="")), "options.0.service: string_too_short"),
        (body(an_option(service="x" * 101)), "options.0.service: string_too_long"),
        (body(an_option(service="a\0b")), "options.0.service: text"),
        (body(an_option(service="a\u202eb")), "options.0.service: text"),
        (body(an_option(days={"min": 3, "max": 2})), "options.0.days: order"),
        (body(an_option(days={"min": -1, "max": 2})), "options.0.days.min: greater_than_equal"),
        (body(an_option(days={"min": 1, "max": 366})), "options.0.days.max: less_than_equal"),
        (body(an_option(days="soon")), "options.0.days: model_type"),
    ],
)
def test_answer_that_breaks_a_rule_is_broken_and_quoted_nowhere(answer: bytes, reason: str) -> None:
    with pytest.raises(BrokenAnswer) as broken:
        READ(answer)

    assert str(broken.value) == reason
    assert broken.value.__cause__ is None
