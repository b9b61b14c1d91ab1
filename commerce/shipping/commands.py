"""What is asked of shipping."""

from dataclasses import dataclass

from commerce.orders.commands import OrderLine


@dataclass(frozen=True, slots=True)
class QuoteShipping:
    """`country` is ISO 3166-1 alpha-2; there are countries without postal codes."""

    lines: tuple[OrderLine, ...]
    country: str
    postal_code: str | None = None
