"""What a report can be asked for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.errors import FieldError, Invalid

GroupBy = Literal["day", "product", "category"]
Format = Literal["csv", "json"]
LONGEST = timedelta(days=366)


class InvalidReport(Invalid):
    """A report covers a time that ends after it begins, and at most 366 days."""

    code = "invalid_report"
    title = "Invalid report"


@dataclass(frozen=True, slots=True)
class SalesReport:
    """Orders placed at `start` or later, and before `end`. Raises InvalidReport."""

    start: datetime
    end: datetime
    group_by: GroupBy
    format: Format

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise _invalid("is not after from")
        if self.end - self.start > LONGEST:
            raise _invalid(f"is more than {LONGEST.days} days after from")


def _invalid(message: str) -> InvalidReport:
    return InvalidReport(f"to {message}", errors=(FieldError("/to", "out_of_range", message),))
