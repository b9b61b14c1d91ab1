"""What is sent for an event, to whom, and the row that keeps it until it is taken."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from commerce.accounts.principal import Principal
from commerce.events.envelope import cloud_event
from commerce.events.visibility import is_visible
from core import tracing
from core.eventlog import Event
from core.ids import new_id

TEST = "webhook.test"  # no event of the log, and so not among their types


def wants(types: Collection[str], viewer: Principal | None, event: Event) -> bool:
    """`viewer` None: its owner may not sign in any more, and sees nothing."""
    return viewer is not None and (not types or event.type in types) and is_visible(event, viewer)


def body_of(event: Event, source: str) -> bytes:
    return cloud_event(event, source).model_dump_json().encode()


def event_values(endpoint_id: str, event: Event, body: bytes, now: datetime) -> dict[str, Any]:
    """Of the row of a new delivery that is not scheduled yet."""
    return _values(new_id("whd"), endpoint_id, now) | {
        "position": event.position,
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "body": body,
        "origin": event.origin,
    }


def test_values(endpoint_id: str, source: str, now: datetime) -> dict[str, Any]:
    """An envelope like that of any event; its id is the delivery's, because it is not in the log."""
    delivery_id = new_id("whd")
    envelope = {
        "specversion": "1.0",
        "id": delivery_id,
        "source": source,
        "type": TEST,
        "subject": endpoint_id,
        "time": now,
        "data": {"endpoint_id": endpoint_id},
    }
    return _values(delivery_id, endpoint_id, now) | {
        "position": None,
        "event_id": delivery_id,
        "type": TEST,
        "subject": endpoint_id,
        "body": to_json(envelope),
        "origin": tracing.origin(),
    }


def _values(delivery_id: str, endpoint_id: str, now: datetime) -> dict[str, Any]:
    nothing_yet = ("next_attempt_at", "sending_since", "last_status", "last_error", "response", "duration_ms")
    return {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "state": "pending",
        "dispatch": 0,
        "attempts": 0,
        "failures": 0,
        **dict.fromkeys(nothing_yet),
        "created_at": now,
        "updated_at": now,
    }
