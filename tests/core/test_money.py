import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import MAX_AMOUNT, InvalidAmount, exponent, format_decimal, parse_decimal

CURRENCIES = {"JPY": 0, "USD": 2, "KWD": 3}


@given(amount=st.integers(-MAX_AMOUNT, MAX_AMOUNT), currency=st.sampled_from(sorted(CURRENCIES)))
def test_formatted_amount_is_read_back(amount: int, currency: str) -> None:
    written = format_decimal(amount, currency)

    assert parse_decimal(written, currency) == amount


@pytest.mark.parametrize(("currency", "digits"), CURRENCIES.items())
def test_exponent_is_that_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("9.99", "USD", 999),
        ("9.9", "USD", 990),
        ("9", "USD", 900),
        ("9.990", "USD", 999),
        ("0.00", "USD", 0),
        ("-0", "USD", 0),
        ("-1.05", "USD", -105),
        ("007", "USD", 700),
        ("1500", "JPY", 1500),
        ("1500.00", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("10000000000.00", "USD", MAX_AMOUNT),
    ],
)
def test_plain_decimal_is_parsed(text: str, currency: str, amount: int) -> None:
    assert parse_decimal(text, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(5, "USD", "0.05"), (-5, "USD", "-0.05"), (123456, "USD", "1234.56"), (7, "JPY", "7"), (7, "KWD", "0.007")],
)
def test_amount_is_written_with_all_its_decimals(amount: int, currency: str, text: str) -> None:
    assert format_decimal(amount, currency) == text


@pytest.mark.parametrize(("text", "currency"), [("9.999", "USD"), ("9.5", "JPY"), ("0.0001", "KWD")])
def test_amount_is_never_rounded(text: str, currency: str) -> None:
    with pytest.raises(InvalidAmount, match=f"has more decimals than {currency} has"):
        parse_decimal(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "1.", ".5", "+1", " 1", "1 ", "1\n", "--1"),
        *("1,234.50", "1 234", "1_000", "1'000", "1.234,50", "1.2.3"),
        *("$1", "1 USD", "€5", "1%", "1e3", "0x10", "NaN", "Infinity", "-Infinity", "\u0661\u0662", "\uff11"),
        *("1234567890123456", "1.1234567", "9" * 10_000),
    ],
)
def test_anything_but_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount) as refused:
        parse_decimal(text, "USD")

    assert refused.value.code == "invalid_amount"
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize("text", ["10000000000.01", "-10000000000.01", "999999999999999"])
def test_amount_beyond_any_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount, match="larger than any price may be"):
        parse_decimal(text, "USD")
