"""What a command is made of: a retry is known by it."""

import pytest
from pydantic_core import to_json

from commerce.orders.commands import OrderLine, PlaceOrder, QuotedShipping, shipping_asked
from core.errors import Invalid
from core.money import Money


def test_command_without_a_quote_is_what_it_was_before_there_were_quotes() -> None:
    command = PlaceOrder((OrderLine(2, "var_1"),), "ada@example.com", shipping=shipping_asked(Money(5, "USD"), None))

    assert to_json(command) == (
        b'{"lines":[{"quantity":2,"variant_id":"var_1","sku":null}],"email":"ada@example.com",'
        b'"promotion_code":null,"shipping":{"amount":5,"currency":"USD"}}'
    )


def test_order_says_its_shipping_in_one_way() -> None:
    assert shipping_asked(None, None) is None
    assert shipping_asked(None, "quote_1") == QuotedShipping("quote_1")
    with pytest.raises(Invalid):
        shipping_asked(Money(0, "USD"), "quote_1")
