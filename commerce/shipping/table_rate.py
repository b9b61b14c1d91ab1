"""The built-in carrier: weight bands by zones of countries. It needs nobody, and so always answers.

Amounts are minor units of the shop's currency. A shop that wants other prices has a carrier of its own say them.
"""

from dataclasses import dataclass

from commerce.shipping.entities import Option, Parcel, Part
from core.money import MAX_AMOUNT, Money
from core.settings import BUILT_IN_CARRIER

_KILOGRAM = 1000


@dataclass(frozen=True, slots=True)
class Rate:
    """`bands`: up to so many grams it costs so much. Beyond the last, each kilogram that is begun costs more."""

    code: str
    service: str
    bands: tuple[tuple[int, int], ...]
    each_further_kilogram: int
    min_days: int
    max_days: int

    def price_of(self, weight_grams: int) -> int:
        for most_grams, amount in self.bands:
            if weight_grams <= most_grams:
                return amount
        most_grams, amount = self.bands[-1]
        kilograms = -((most_grams - weight_grams) // _KILOGRAM)
        return min(MAX_AMOUNT, amount + kilograms * self.each_further_kilogram)


_DOMESTIC = (
    Rate("standard", "Standard", ((500, 495), (2_000, 795), (10_000, 1295)), 120, 3, 5),
    Rate("express", "Express", ((500, 1495), (2_000, 1995), (10_000, 3495)), 290, 1, 2),
)
_NEAR = (
    Rate("standard", "Standard", ((500, 1195), (2_000, 1895), (10_000, 3995)), 350, 5, 10),
    Rate("express", "Express", ((500, 2995), (2_000, 3995), (10_000, 7995)), 690, 2, 4),
)
_FAR = (
    Rate("standard", "Standard", ((500, 1495), (2_000, 2495), (10_000, 5995)), 550, 8, 20),
    Rate("express", "Express", ((500, 3995), (2_000, 5495), (10_000, 11995)), 1090, 3, 6),
)
# Who is near whom.
_REGIONS = (
    frozenset(("CA", "MX", "US")),
    frozenset(
        ("AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE")
    ),
    frozenset(("AU", "NZ")),
)


def table_part(parcel: Parcel, home: str) -> Part:
    """From the country `home`."""
    options = tuple(
        Option(
            rate.code,
            rate.service,
            Money(rate.price_of(parcel.weight_grams), parcel.currency),
            rate.min_days,
            rate.max_days,
        )
        for rate in _rates(home, parcel.country)
    )
    return Part(BUILT_IN_CARRIER, "ok", options)


def _rates(home: str, country: str) -> tuple[Rate, ...]:
    if country == home:
        return _DOMESTIC
    return _NEAR if any({home, country} <= region for region in _REGIONS) else _FAR
