"""What waits for clients to read it is told to the metrics, by the kind of stream."""

import asyncio
from datetime import UTC, datetime

from prometheus_client import REGISTRY

from core.database import Database
from core.eventlog import Event
from core.hub.memory import MemoryHub
from core.streams.broadcast import Broadcast, Shared
from core.tailer import Tailer

KIND = "queues-test"


def told(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"portico_stream_{name}", {"kind": KIND})


def events(count: int) -> list[Shared]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [Shared(Event(number, "t", "s", at, {}, "everybody", None)) for number in range(1, count + 1)]


async def test_queues_of_all_clients_are_added_up_and_the_longest_is_told(database: Database) -> None:
    broadcast = Broadcast(Tailer(database, MemoryHub()), lambda _event: {}, asyncio.Event())
    slow, quick = (broadcast.subscribe(KIND, ("a", "b"), lambda _event: True) for _ in range(2))
    slow.offer(events(3))
    quick.offer(events(1))

    broadcast.tell_queues()
    before = told("queued_events"), told("longest_queue")
    broadcast.unsubscribe(slow)
    broadcast.unsubscribe(quick)
    broadcast.tell_queues()

    assert before == (4, 3)
    assert (told("queued_events"), told("longest_queue")) == (0, 0)
