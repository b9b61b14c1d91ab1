"""Webhooks as the rest of the program sees them. No secret is in here but in `NewEndpoint`."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

from sqlalchemy import Row

from commerce.webhooks.models import DeliveryRow, EndpointRow

EndpointState = Literal["enabled", "disabled", "broken"]
# pending: not tried yet. failed: tried, and will be again. abandoned: not tried any more.
DeliveryState = Literal["pending", "delivered", "failed", "abandoned"]
OPEN: tuple[DeliveryState, ...] = ("pending", "failed")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`scopes`: of the key that made it; None is all that its owner has. `types` empty: all. `reason`: why it is not
    enabled. `paused_until`: after failures in a row.
    """

    id: str
    user_id: str | None
    scopes: tuple[str, ...] | None
    url: str
    description: str
    types: tuple[str, ...]
    state: EndpointState
    reason: str | None
    failures: int
    paused_until: datetime | None
    last_success_at: datetime | None
    previous_secret_ends_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint at the moment that its secret is made: the only time that it is shown."""

    endpoint: Endpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """`next_attempt_at` None while it is open: it waits for an earlier one of the same subject."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    subject: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    response: str | None
    duration_ms: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for an endpoint: `oldest_at` is when the first of it was made."""

    open: int
    oldest_at: datetime | None


ENDPOINT = [getattr(EndpointRow, each.name) for each in fields(Endpoint)]
DELIVERY = [getattr(DeliveryRow, each.name) for each in fields(Delivery)]


def endpoint(row: "Row[tuple[object, ...]] | EndpointRow") -> Endpoint:
    values = {each.name: getattr(row, each.name) for each in fields(Endpoint)}
    scopes = tuple(row.scopes) if row.scopes is not None else None
    return Endpoint(**{**values, "scopes": scopes, "types": tuple(row.types)})


def delivery(row: "Row[tuple[object, ...]] | DeliveryRow") -> Delivery:
    return Delivery(**{each.name: getattr(row, each.name) for each in fields(Delivery)})
