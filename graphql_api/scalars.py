"""Scalars of our own."""

from datetime import UTC, datetime
from typing import NewType

import strawberry
from graphql import GraphQLError

# The largest number of which JavaScript knows every digit; more than any price may be.
MAX_LONG = 2**53

Long = NewType("Long", int)


def _parse_long(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_LONG:
        raise GraphQLError("Long takes a whole number of at most 2^53")
    return value


def _parse_time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # beyond the years that there are in UTC
        pass
    raise GraphQLError("DateTime takes an RFC 3339 time with its offset, such as 2026-03-01T12:00:00Z")


LONG = strawberry.scalar(
    name="Long",
    description="A whole number of up to 53 bits, as a JSON number. GraphQL's Int ends at 2,147,483,647: "
    "21 million dollars in cents.",
    serialize=int,
    parse_value=_parse_long,
)
DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An RFC 3339 time in UTC, written as the REST API writes it: `2026-03-01T12:00:00Z`.",
    serialize=lambda value: value.isoformat().replace("+00:00", "Z"),
    parse_value=_parse_time,
)
