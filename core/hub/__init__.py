"""Wake-ups between what writes and what waits. They carry nothing: who is woken reads what is new where it is kept.

A wake-up may be lost or come twice. Whoever listens looks by itself now and then.
"""

from collections.abc import Callable
from typing import Protocol

from core.errors import Unavailable

Wake = Callable[[], None]


class HubUnavailable(Unavailable):
    """Other processes cannot be woken now. Nothing is lost: what is written here they see a moment later."""

    code = "hub_unavailable"
    title = "Redis unavailable"


class Hub(Protocol):
    async def ping(self) -> None:
        """Raises HubUnavailable where other processes cannot be reached."""
        ...

    def publish(self, topic: str) -> None:
        """Wakes the topic's subscribers, soon. Never waits and never raises. Call it in the event loop."""
        ...

    def subscribe(self, topic: str, wake: Wake) -> Callable[[], None]:
        """`wake` is called in the event loop, and must not wait. Returns what ends it."""
        ...
