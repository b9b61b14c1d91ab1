"""The JSON of webhooks: what is sent in, what is shown, and what is shown once."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from commerce.events.envelope import EventType
from commerce.webhooks import entities
from commerce.webhooks.commands import MAX_DESCRIPTION, MAX_URL, CreateEndpoint, RedeliverRange, UpdateEndpoint
from commerce.webhooks.redelivery import Redelivered

_CURSOR = "evt_0000000000042"
Url = Annotated[
    str,
    Field(
        max_length=MAX_URL,
        json_schema_extra={"format": "uri"},
        description="In production https, on the public internet. Redirects are not followed.",
        examples=["https://example.com/hooks"],
    ),
]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION, description="For people.", examples=["warehouse"])]
Types = Annotated[
    list[EventType],
    Field(max_length=50, description="Only these; none is all that it may see.", examples=[["order.paid"]]),
]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EndpointCreate(_Input):
    url: Url
    description: Description = ""
    types: Types = []


class EndpointUpdate(_Input):
    """What is left out stays."""

    url: Url | None = None
    description: Description | None = None
    types: Types | None = None
    state: Literal["enabled", "disabled"] | None = Field(
        None, description="What waits for an endpoint that is disabled is abandoned; nothing is made up for by itself."
    )


class Endpoint(BaseModel):
    id: str = Field(examples=["whe_01jd0a3v5te8zr9k1m2n3p4q5r"])
    user_id: str | None = Field(description="Whose it is; null: the shop's own.")
    scopes: list[str] | None = Field(
        description="It is sent what a key with these may see; null: all that its owner may.",
        examples=[["orders:read", "webhooks:write"]],
    )
    url: str = Field(examples=["https://example.com/hooks"])
    description: str
    types: list[str] = Field(description="None is all.")
    state: entities.EndpointState = Field(
        description="disabled: by hand, or because it answered 410. broken: it took nothing for days."
    )
    reason: str | None = Field(description="Why it is not enabled, where nobody disabled it by hand.")
    failures: int = Field(description="Failed attempts in a row.")
    paused_until: datetime | None = Field(description="After several in a row, it is left alone until then.")
    last_success_at: datetime | None
    previous_secret_ends_at: datetime | None = Field(description="Until then the secret before signs too.")
    version: int = Field(description="Rises with every change of yours; the ETag.")
    created_at: datetime
    updated_at: datetime


class NewEndpoint(Endpoint):
    secret: str = Field(description="Verifies signatures; shown this once.", repr=False, examples=["whsec_..."])


class EndpointSlice(BaseModel):
    items: list[Endpoint]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class Delivery(BaseModel):
    id: str = Field(examples=["whd_01jd0a3v5te8zr9k1m2n3p4q5r"])
    endpoint_id: str
    event_id: str = Field(description="The `webhook-id` of every attempt.", examples=[_CURSOR])
    type: str = Field(examples=["order.paid"])
    subject: str = Field(examples=["ord_01jd0a3v5te8zr9k1m2n3p4q5r"])
    state: entities.DeliveryState = Field(
        description="pending: not tried yet. failed: it will be tried again. abandoned: it will not."
    )
    attempts: int
    next_attempt_at: datetime | None = Field(
        description="null while it is open: it waits for an earlier event of the same subject, or for one of the four "
        "that are sent to an endpoint at once."
    )
    last_status: int | None
    last_error: str | None = Field(description="Why there was no answer.")
    response: str | None = Field(description="The first KiB of the last answer's body.")
    duration_ms: int | None
    created_at: datetime
    updated_at: datetime


class DeliverySlice(BaseModel):
    items: list[Delivery]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class Range(_Input):
    after: str = Field(max_length=100, description="The id of an event: those that follow it.", examples=[_CURSOR])
    until: str | None = Field(None, max_length=100, description="The id of the last; the newest without it.")


class RedeliveredRange(BaseModel):
    count: int = Field(description="Events that are in line now.")
    next: str | None = Field(description="`after` of the next call; null where the range is done.")


class SliceQuery(_Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None


class DeliveryQuery(SliceQuery):
    state: entities.DeliveryState | None = None


def create_command(body: EndpointCreate) -> CreateEndpoint:
    return CreateEndpoint(body.url, body.description, tuple(body.types))


def update_command(endpoint_id: str, body: EndpointUpdate, expected_version: int | None) -> UpdateEndpoint:
    types = tuple(body.types) if body.types is not None else None
    return UpdateEndpoint(endpoint_id, body.url, body.description, types, body.state, expected_version)


def range_command(endpoint_id: str, body: Range) -> RedeliverRange:
    return RedeliverRange(endpoint_id, body.after, body.until)


def endpoint_schema(endpoint: entities.Endpoint) -> Endpoint:
    return Endpoint(**_endpoint_values(endpoint))


def new_endpoint_schema(made: entities.NewEndpoint) -> NewEndpoint:
    return NewEndpoint(**_endpoint_values(made.endpoint), secret=made.secret)


def delivery_schema(delivery: entities.Delivery) -> Delivery:
    return Delivery.model_validate(delivery, from_attributes=True)


def range_schema(done: Redelivered) -> RedeliveredRange:
    return RedeliveredRange(count=done.count, next=done.next)


def _endpoint_values(endpoint: entities.Endpoint) -> dict[str, object]:
    return {name: getattr(endpoint, name) for name in Endpoint.model_fields} | {"types": list(endpoint.types)}
