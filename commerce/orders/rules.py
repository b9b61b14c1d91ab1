"""What makes a command about orders valid, without looking at what is stored. Pure: every fault, with its place."""

from collections.abc import Iterator

from email_validator import EmailNotValidError, validate_email
from pydantic import HttpUrl, TypeAdapter, ValidationError

from commerce.catalog.text import is_storable
from commerce.orders.commands import OrderLine, PayOrder, PlaceOrder, ShipOrder
from core.errors import FieldError, Invalid
from core.money import MAX_AMOUNT, Money

MAX_LINES = 100
MAX_QUANTITY = 10_000  # of one variant, over all lines
MAX_TEXT = 255
_URL = TypeAdapter(HttpUrl)


def require_valid(command: PlaceOrder | PayOrder | ShipOrder) -> None:
    """Raises Invalid with every fault."""
    if isinstance(command, PlaceOrder):
        faults = [*_of_placing(command)]
    elif isinstance(command, PayOrder):
        faults = [*_of_text("/reference", command.reference)]
    else:
        faults = [*_of_shipping(command)]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise Invalid(f"{faults[0].pointer.removeprefix('/')} {faults[0].message}{more}", errors=tuple(faults))


def email_address(text: str) -> str | None:
    """In lower case, as the accounts' are; None for what is no address."""
    if len(text) > MAX_TEXT:
        return None
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def web_address(text: str) -> str | None:
    """An http or https address, escaped as it should be; None for anything else."""
    try:
        return str(_URL.validate_python(text))
    except ValidationError:
        return None


def _of_placing(command: PlaceOrder) -> Iterator[FieldError]:
    if not 1 <= len(command.lines) <= MAX_LINES:
        yield FieldError("/lines", "out_of_range", f"has {len(command.lines)} lines; 1 to {MAX_LINES}")
    for index, line in enumerate(command.lines):
        yield from _of_line(f"/lines/{index}", line)
    if command.email is not None and email_address(command.email) is None:
        yield FieldError("/email", "invalid", "is not an email address")
    if isinstance(command.shipping, Money) and not 0 <= command.shipping.amount <= MAX_AMOUNT:
        yield FieldError("/shipping/amount", "out_of_range", f"is from 0 to {MAX_AMOUNT}")


def _of_line(at: str, line: OrderLine) -> Iterator[FieldError]:
    if (line.variant_id is None) == (line.sku is None):
        yield FieldError(at, "variant", "names either a variant_id or a sku")
    if not 1 <= line.quantity <= MAX_QUANTITY:
        yield FieldError(f"{at}/quantity", "out_of_range", f"is from 1 to {MAX_QUANTITY}")


def _of_shipping(command: ShipOrder) -> Iterator[FieldError]:
    yield from _of_text("/carrier", command.carrier)
    yield from _of_text("/tracking_number", command.tracking_number)
    if command.tracking_url is not None and web_address(command.tracking_url) is None:
        yield FieldError("/tracking_url", "invalid", "is not an http or https address")


def _of_text(pointer: str, text: str | None) -> Iterator[FieldError]:
    if text is not None and not (text.strip() and len(text) <= MAX_TEXT and is_storable(text)):
        yield FieldError(pointer, "invalid", f"is blank, longer than {MAX_TEXT} characters, or no text")
