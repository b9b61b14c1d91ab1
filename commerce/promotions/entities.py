"""Promotions as they are read: plain values."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.money import Money


@dataclass(frozen=True, slots=True)
class Promotion:
    """Takes `percent_off` or `amount_off` off orders placed from `starts_at` until just before `ends_at`.

    One with a `code` (upper case) is for those who name it; one without applies by itself. `amount_off` is in minor
    units of `currency`; both are None for a percentage.
    """

    id: str
    code: str | None
    title: str
    percent_off: int | None
    amount_off: int | None
    currency: str | None
    starts_at: datetime
    ends_at: datetime
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at

    def discount_on(self, subtotal: Money) -> Money:
        """What it takes off: a percentage rounded half to even, an amount at most the subtotal.

        Raises CurrencyMismatch for an amount of another currency.
        """
        if self.percent_off is not None:
            return subtotal.percent(self.percent_off)
        off = Money(self.amount_off or 0, self.currency or subtotal.currency)
        return off if (off - subtotal).amount < 0 else subtotal
