"""Placing an order: from what was asked for to lines at today's prices, or the refusal that says what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

from commerce.accounts.principal import Principal
from commerce.orders.commands import PlaceOrder
from commerce.orders.entities import Line
from commerce.orders.errors import OutOfStock, UnknownVariant
from commerce.orders.rules import MAX_QUANTITY, email_address
from commerce.orders.stock import Level, Offer
from core.errors import FieldError, Invalid
from core.money import CurrencyMismatch, Money


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the order to be; `asked` are the indexes of the lines that asked for it."""

    offer: Offer
    quantity: int
    asked: tuple[int, ...]


def choices(command: PlaceOrder, offers: Sequence[Offer | None], currency: str) -> list[Choice]:
    """One a variant, in the order of its first line: as a shop's cart merges what is put into it twice.

    Raises UnknownVariant, CurrencyMismatch, Invalid.
    """
    unknown = tuple(
        FieldError(
            f"/lines/{index}/{'variant_id' if line.sku is None else 'sku'}", UnknownVariant.code, "is not on sale"
        )
        for index, (line, offer) in enumerate(zip(command.lines, offers, strict=True))
        if offer is None
    )
    if unknown:
        raise UnknownVariant(f"nothing on sale is what {unknown[0].pointer} names", errors=unknown)
    found: dict[str, Choice] = {}
    for index, (line, offer) in enumerate(zip(command.lines, offers, strict=True)):
        assert offer is not None  # noqa: S101  all were found
        before = found.get(offer.variant_id, Choice(offer, 0, ()))
        found[offer.variant_id] = Choice(offer, before.quantity + line.quantity, (*before.asked, index))
    merged = list(found.values())
    _require_currency(merged, currency)
    _require_bounds(merged)
    return merged


def require_stock(merged: Sequence[Choice], left: dict[str, int | None]) -> None:
    """Raises OutOfStock where a choice is missing from what could be taken."""
    short = [choice for choice in merged if choice.offer.variant_id not in left]
    if short:
        faults = tuple(
            FieldError(
                f"/lines/{index}/quantity",
                OutOfStock.code,
                f"{choice.offer.stock or 0} in stock, {choice.quantity} ordered",
            )
            for choice in short
            for index in choice.asked
        )
        first = short[0].offer
        raise OutOfStock(
            variant_id=first.variant_id,
            sku=first.sku,
            requested=short[0].quantity,
            available=first.stock or 0,
            errors=faults,
        )


def lines_of(merged: Sequence[Choice], left: dict[str, int | None]) -> tuple[Line, ...]:
    return tuple(
        Line(
            variant_id=choice.offer.variant_id,
            product_id=choice.offer.product_id,
            sku=choice.offer.sku,
            title=choice.offer.title,
            quantity=choice.quantity,
            unit_price=choice.offer.price,
            stock_taken=left[choice.offer.variant_id] is not None,
        )
        for choice in merged
    )


def levels_of(merged: Sequence[Choice], left: dict[str, int | None]) -> list[Level]:
    """Of the tracked ones."""
    return [
        Level(choice.offer.product_id, choice.offer.variant_id, choice.offer.sku, stock, on_sale=True)
        for choice in merged
        if (stock := left[choice.offer.variant_id]) is not None
    ]


def email_of(command: PlaceOrder, principal: Principal) -> str:
    """Raises Invalid where neither says one."""
    given = command.email or principal.email
    email = email_address(given) if given is not None else None
    if email is None:
        fault = FieldError("/email", "required", "is needed: your key belongs to nobody with an email address")
        raise Invalid("an order needs an email address", errors=(fault,))
    return email


def require_shipping_currency(shipping: Money, currency: str) -> None:
    """Raises CurrencyMismatch."""
    if shipping.currency != currency:
        raise _mismatch(FieldError("/shipping/currency", CurrencyMismatch.code, f"this shop's currency is {currency}"))


def _require_currency(merged: Sequence[Choice], currency: str) -> None:
    faults = [
        FieldError(f"/lines/{choice.asked[0]}", CurrencyMismatch.code, f"is priced in {choice.offer.price.currency}")
        for choice in merged
        if choice.offer.price.currency != currency
    ]
    if faults:
        raise _mismatch(*faults)


def _require_bounds(merged: Sequence[Choice]) -> None:
    faults = tuple(
        FieldError(
            f"/lines/{choice.asked[-1]}/quantity", "out_of_range", f"makes more than {MAX_QUANTITY} of one variant"
        )
        for choice in merged
        if choice.quantity > MAX_QUANTITY
    )
    if faults:
        raise Invalid(f"an order has at most {MAX_QUANTITY} of one variant", errors=faults)


def _mismatch(*faults: FieldError) -> CurrencyMismatch:
    return CurrencyMismatch(faults[0].message, errors=faults)
