"""Quotes as they are kept: made, taken by one order, and forgotten."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from commerce.accounts.principal import Principal
from commerce.catalog.text import is_storable
from commerce.shipping.entities import PARTS, Option, Parcel, Part, Quote
from commerce.shipping.errors import (
    ShippingQuoteExpired,
    ShippingQuoteMismatch,
    ShippingQuoteUsed,
    UnknownShippingQuote,
)
from commerce.shipping.models import ShippingQuoteRow
from core.database import WriteSession
from core.errors import AppError, FieldError
from core.ids import new_id
from core.money import Money

GOOD_FOR = timedelta(minutes=30)
RETENTION = timedelta(days=1)  # after it expired: so long it is known that it did


class Quotes:
    """Per transaction. A quote is its owner's; one that the shop made is for whomever it tells the id."""

    def __init__(self, session: WriteSession, now: datetime, principal: Principal) -> None:
        self._session = session
        self._now = now
        self._principal = principal

    async def add(self, parcel: Parcel, lines: Mapping[str, int], parts: tuple[Part, ...]) -> Quote:
        """`lines` are quantities by variant."""
        quote = Quote(new_id("quote"), self._now + GOOD_FOR, parcel, parts)
        values = {
            "id": quote.id,
            "owner": None if self._principal.acts_for_shop else self._principal.owner,
            "currency": parcel.currency,
            "lines": dict(lines),
            "parts": PARTS.dump_python(parts, mode="json"),
            "expires_at": quote.expires_at,
        }
        await self._session.execute(insert(ShippingQuoteRow).values(values))
        return quote

    async def take(self, choice: str, lines: Mapping[str, int], currency: str, order_id: str) -> Money:
        """The price of the option with this id, or of the quote's cheapest one where it is the quote's; the quote is
        the order's from now on.

        Raises UnknownShippingQuote, ShippingQuoteUsed, ShippingQuoteExpired, ShippingQuoteMismatch.
        """
        quote_id, dash, number = choice.partition("-")
        row = await self._locked(quote_id)
        option = _chosen(PARTS.validate_python(row.parts), number if dash else None) if row is not None else None
        if row is None or option is None:
            raise _refusal(UnknownShippingQuote, "is no quote of yours, or no option of it")
        if row.order_id is not None:
            raise _refusal(ShippingQuoteUsed, "is a quote that another order took")
        if row.expires_at <= self._now:
            raise _refusal(ShippingQuoteExpired, f"expired at {row.expires_at:%Y-%m-%dT%H:%M:%SZ}")
        if row.lines != lines or row.currency != currency:
            raise _refusal(ShippingQuoteMismatch, "is for other lines, or in another currency")
        await self._session.execute(
            update(ShippingQuoteRow).where(ShippingQuoteRow.id == quote_id).values(order_id=order_id)
        )
        return option.price

    async def _locked(self, quote_id: str) -> Any:
        """Its row, held against other orders; None where there is none that the principal may take."""
        if not is_storable(quote_id):
            return None
        columns = ShippingQuoteRow.__table__.c
        statement = select(*columns).where(columns.id == quote_id).with_for_update()
        row = (await self._session.execute(statement)).one_or_none()
        own = row is not None and (row.owner in (None, self._principal.owner) or self._principal.acts_for_shop)
        return row if own else None


async def forget_old(session: WriteSession, before: datetime) -> None:
    """Those that expired before this moment."""
    await session.execute(delete(ShippingQuoteRow).where(ShippingQuoteRow.expires_at < before))


def _chosen(parts: tuple[Part, ...], number: str | None) -> Option | None:
    """Without a number the cheapest; of several, the first."""
    options = [option for part in parts for option in part.options]
    if number is None:
        return min(options, key=lambda option: option.price.amount, default=None)
    numbers = {str(at): option for at, option in enumerate(options, 1)}
    return numbers.get(number)


def _refusal(kind: type[AppError], message: str) -> AppError:
    return kind(f"shipping_quote_id {message}", errors=(FieldError("/shipping_quote_id", kind.code, message),))
