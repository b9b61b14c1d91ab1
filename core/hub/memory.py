"""Wake-ups within one process."""

from collections import defaultdict
from collections.abc import Callable

from core.hub import Wake


class MemoryHub:
    def __init__(self) -> None:
        self._subscribers: dict[str, list[Wake]] = defaultdict(list)

    async def ping(self) -> None:
        """There are no other processes."""

    def publish(self, topic: str) -> None:
        for wake in tuple(self._subscribers.get(topic, ())):
            wake()

    def subscribe(self, topic: str, wake: Wake) -> Callable[[], None]:
        self._subscribers[topic].append(wake)
        return lambda: self._leave(topic, wake)

    def publish_all(self) -> None:
        """Where wake-ups may have been lost."""
        for topic in tuple(self._subscribers):
            self.publish(topic)

    def _leave(self, topic: str, wake: Wake) -> None:
        self._subscribers[topic].remove(wake)
        if not self._subscribers[topic]:
            del self._subscribers[topic]
