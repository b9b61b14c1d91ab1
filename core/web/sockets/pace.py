"""How fast a peer may send: a bucket that fills by the second."""

import time


class Pace:
    """Per socket. What is refused counts too: who does not slow down comes ever deeper into debt."""

    __slots__ = ("_burst", "_left", "_per_second", "_seen")

    def __init__(self, per_second: int, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._seen = time.monotonic()

    def allows(self) -> bool:
        """Counts one."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._seen) * self._per_second, self._burst) - 1
        self._seen = now
        return self._left >= 0

    @property
    def exhausted(self) -> bool:
        """A whole burst in debt."""
        return self._left <= -self._burst
