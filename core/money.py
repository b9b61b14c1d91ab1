"""Amounts are whole numbers of a currency's minor unit (cents of USD, yen of JPY), always with the currency."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from core.errors import Invalid

# ISO 4217: the currencies whose minor unit is not a hundredth.
_NO_DECIMALS = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
_THREE_DECIMALS = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
_EXPONENTS = dict.fromkeys(_NO_DECIMALS, 0) | dict.fromkeys(_THREE_DECIMALS, 3)
_DECIMAL = re.compile(r"(-?\d{1,15})(?:\.(\d{1,6}))?", re.ASCII)
# Fits a signed 64-bit column with room for sums over a million lines.
MAX_AMOUNT = 10**12


class InvalidAmount(Invalid):
    """An amount is not a plain decimal number, or has more decimals than its currency."""

    code = "invalid_amount"
    title = "Invalid amount"


class CurrencyMismatch(Invalid):
    """Amounts of two currencies cannot be added or compared; this shop does not convert."""

    code = "currency_mismatch"
    title = "Another currency"


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in minor units of `currency` (ISO 4217). Arithmetic across currencies raises CurrencyMismatch."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, times: int) -> "Money":
        return Money(self.amount * times, self.currency)

    def percent(self, percent: int) -> "Money":
        """So many hundredths of it, rounded half to even: of 50 cents, 1 % is nothing and 3 % are 2 cents."""
        return Money(round(Fraction(self.amount * percent, 100)), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{other.currency} is not {self.currency}")
        return other.amount


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum; nothing adds up to nothing of the currency."""
    return sum(amounts, Money(0, currency))


def exponent(currency: str) -> int:
    """How many decimals the currency has."""
    return _EXPONENTS.get(currency, 2)


def parse_decimal(text: str, currency: str) -> int:
    """Minor units of a plain decimal such as `9.99`; never rounds.

    Raises InvalidAmount for anything else: separators of thousands, symbols, or decimals that the currency lacks.
    """
    found = _DECIMAL.fullmatch(text)
    if not found:
        raise InvalidAmount(f"{text[:40]!r} is not an amount; write it as 1234.50")
    whole, decimals = found.groups("")
    digits = exponent(currency)
    if decimals[digits:].strip("0"):
        raise InvalidAmount(f"{text} has more decimals than {currency} has ({digits})")
    amount = int(whole + decimals[:digits].ljust(digits, "0"))
    if abs(amount) > MAX_AMOUNT:
        raise InvalidAmount(f"{text} is larger than any price may be")
    return amount


def format_decimal(amount: int, currency: str) -> str:
    """The plain decimal that `parse_decimal` reads back to the same amount."""
    digits = exponent(currency)
    sign, whole = ("-", -amount) if amount < 0 else ("", amount)
    if digits == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d}"
