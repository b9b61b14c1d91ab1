"""A kill switch that is on: what it names is off."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """`target` is a mount, `graphql`, or a route by its method and template, `POST /public/v1/orders`."""

    target: str
    reason: str  # for operators
    message: str | None  # for callers
    actor: str
    switched_at: datetime
    expires_at: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at
