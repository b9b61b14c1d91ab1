"""What makes a question about shipping valid, and how a place is written. Pure."""

import re

from commerce.orders.commands import PlaceOrder
from commerce.orders.rules import require_valid as require_valid_order
from commerce.shipping.commands import QuoteShipping
from core.errors import FieldError, Invalid

_COUNTRY = re.compile(r"[A-Z]{2}")
_POSTAL_CODE = re.compile(r"[0-9A-Z](?:[ -]?[0-9A-Z]){0,15}")


def require_valid(command: QuoteShipping) -> None:
    """Raises Invalid; of lines in the words of orders."""
    require_valid_order(PlaceOrder(command.lines))
    country, postal_code = place_of(command)
    faults = []
    if not _COUNTRY.fullmatch(country):
        faults.append(FieldError("/destination/country", "invalid", "is two letters (ISO 3166-1 alpha-2)"))
    if postal_code is not None and not _POSTAL_CODE.fullmatch(postal_code):
        fault = "is up to 16 letters and digits, with single blanks or dashes between them"
        faults.append(FieldError("/destination/postal_code", "invalid", fault))
    if faults:
        raise Invalid(f"{faults[0].pointer.removeprefix('/')} {faults[0].message}", errors=tuple(faults))


def place_of(command: QuoteShipping) -> tuple[str, str | None]:
    """Country and postal code, as all write them: in upper case, without blanks around."""
    return command.country.strip().upper(), " ".join((command.postal_code or "").upper().split()) or None
