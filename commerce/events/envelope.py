"""One envelope for REST, streams and webhooks: CloudEvents 1.0 in JSON."""

from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field

from core.eventlog import Event
from core.settings import Settings

EventType = Literal[
    "product.created",
    "product.updated",
    "product.deleted",
    "stock.changed",
    "order.placed",
    "order.paid",
    "order.shipped",
    "order.cancelled",
    "user.registered",
    "promotion.started",
    "promotion.ended",
    "report.ready",
    "support.message",
    "job.updated",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


class CloudEvent(BaseModel):
    """A CloudEvents 1.0 event (cloudevents.io, JSON format)."""

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(description="The cursor: opaque, sorts as the log does.", examples=["evt_0000000000042"])
    source: str = Field(description="Which shop it is from.", examples=["https://shop.example.com"])
    type: EventType
    subject: str = Field(description="The id of what it happened to.", examples=["ord_01jd0a3v5t8zk4e9m2q7r6w1xy"])
    time: datetime
    data: dict[str, Any]


def event_source(settings: Settings) -> str:
    public_url = settings.server.public_url
    return str(public_url).rstrip("/") if public_url is not None else "urn:portico"


def cloud_event(event: Event, source: str) -> CloudEvent:
    return CloudEvent.model_validate(
        {
            "id": event.id,
            "source": source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time,
            "data": event.data,
        }
    )


class EventEncoder:
    """An event as it goes over the wire. One per process and source: `Shared.form` knows its methods again."""

    def __init__(self, source: str) -> None:
        self._source = source

    def json(self, event: Event) -> bytes:
        return cloud_event(event, self._source).model_dump_json().encode()
