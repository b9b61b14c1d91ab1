"""What is counted, and what was."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

# An operation by the sha256 of its text; a REST operation as `GET /public/v1/products`; a member of the GraphQL schema
# by its coordinate, as `Query.product(handle:)` (the specification's RFC of schema coordinates).
Kind = Literal["operation", "rest", "field"]


@dataclass(frozen=True, slots=True)
class ClientUse:
    """By one version of one client; both are empty for clients that do not name themselves."""

    name: str
    version: str
    uses: int
    first_used_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Deprecation:
    """What the program asks its clients not to use any more. The subject is that of its uses."""

    surface: Literal["rest", "graphql"]
    subject: str
    reason: str  # and what to use instead
    since: date | None = None

    @property
    def kind(self) -> Kind:
        return "rest" if self.surface == "rest" else "field"
