"""Wake-ups between what writes and what waits. They carry nothing: who is woken reads what is new where it is kept.

A wake-up may be lost or come twice. Whoever listens looks by itself now and then.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

Wake = Callable[[], None]


class Hub(Protocol):
    def publish(self, topic: str) -> None:
        """Wakes the topic's subscribers, soon. Never waits and never raises. Call it in the event loop."""
        ...

    def subscribe(self, topic: str, wake: Wake) -> Callable[[], None]:
        """`wake` is called in the event loop, and must not wait. Returns what ends it."""
        ...


class MemoryHub:
    """Within one process."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Wake]] = defaultdict(list)

    def publish(self, topic: str) -> None:
        for wake in tuple(self._subscribers[topic]):
            wake()

    def subscribe(self, topic: str, wake: Wake) -> Callable[[], None]:
        self._subscribers[topic].append(wake)
        return lambda: self._subscribers[topic].remove(wake)
