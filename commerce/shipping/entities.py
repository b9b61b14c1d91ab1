"""Shipping as it is asked for and answered: plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pydantic import TypeAdapter

from core.money import Money

# `ok`: what the carrier says now. `stale`: what it said last, because it does not answer. `timeout`: it was too late.
# `skipped`: it was not asked, failed, or answered nonsense.
Status = Literal["ok", "stale", "timeout", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a price may depend on. `postal_code` is None where the country has none."""

    currency: str
    country: str
    postal_code: str | None
    weight_grams: int


@dataclass(frozen=True, slots=True)
class Option:
    """One way of sending. `code` is the carrier's; days are from dispatch to delivery, None where it does not say."""

    code: str
    service: str
    price: Money
    min_days: int | None = None
    max_days: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One carrier's part of a quote. `age_seconds` is how old a stale one is."""

    carrier: str
    status: Status
    options: tuple[Option, ...] = ()
    age_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    id: str
    expires_at: datetime
    parcel: Parcel
    parts: tuple[Part, ...]

    def numbered(self) -> Iterator[tuple[Part, list[tuple[str, Option]]]]:
        """Each part, and its options with their ids."""
        number = 0
        for part in self.parts:
            yield part, [(option_id(self.id, number + at), option) for at, option in enumerate(part.options, 1)]
            number += len(part.options)


def option_id(quote_id: str, number: int) -> str:
    """Of an option, counted from 1 over all parts of the quote."""
    return f"{quote_id}-{number}"


PARTS = TypeAdapter(tuple[Part, ...])
# How a quote is kept under an idempotency key.
QUOTE = TypeAdapter(Quote)
