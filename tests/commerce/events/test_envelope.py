import json
import re

from commerce.events.envelope import EVENT_TYPES, CloudEvent, cloud_event
from core.eventlog import Event
from tests.factories.clocks import NOON

EVENT = Event(42, "order.placed", "ord_1", NOON, {"id": "ord_1", "number": 1001}, "owner", "usr_1")


def test_envelope_is_a_cloud_event_and_says_nothing_of_who_may_see_it() -> None:
    envelope = json.loads(cloud_event(EVENT, "https://shop.example.com").model_dump_json())

    assert envelope == {
        "specversion": "1.0",
        "id": "evt_000000000001a",
        "source": "https://shop.example.com",
        "type": "order.placed",
        "subject": "ord_1",
        "time": "2026-03-01T12:00:00Z",
        "data": {"id": "ord_1", "number": 1001},
    }


def test_schema_is_that_of_what_is_sent() -> None:
    schema = CloudEvent.model_json_schema(mode="serialization")

    assert schema["properties"]["id"]["type"] == "string"
    assert re.fullmatch(r"evt_[0-9a-z]{13}", schema["properties"]["id"]["examples"][0])
    assert schema["properties"]["type"]["enum"] == list(EVENT_TYPES)
    assert sorted(schema["properties"]) == ["data", "id", "source", "specversion", "subject", "time", "type"]
