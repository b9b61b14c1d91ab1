"""What a report is asked for with."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from commerce.reports.commands import Format, GroupBy, SalesReport


def _midnight(value: Any) -> Any:
    """Of a date: its first moment in UTC."""
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        try:
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        except ValueError:
            return value
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # years 1 and 9999 reach beyond those of UTC
        raise ValueError("there is no such moment in UTC") from None


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_midnight, json_schema_input_type=date | AwareDatetime),
    AfterValidator(_in_utc),
]


class SalesCreate(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    start: Moment = Field(alias="from", description="The first day, or moment.", examples=["2026-01-01"])
    end: Moment = Field(alias="to", description="The first that is not in it any more.", examples=["2026-02-01"])
    group_by: GroupBy = "day"
    format: Format = "csv"


def sales_report(body: SalesCreate) -> SalesReport:
    """Raises InvalidReport."""
    return SalesReport(body.start, body.end, body.group_by, body.format)
