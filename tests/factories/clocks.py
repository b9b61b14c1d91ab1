"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

MINUTE = 29_000_000 * 60.0  # a moment at which a window of limits begins
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, **time: float) -> None:
        """`advance(seconds=1)`, as `timedelta` takes it."""
        self._now += timedelta(**time)


class StillTime:
    """Seconds, as `time.time` counts them."""

    def __init__(self) -> None:
        self.now = MINUTE

    def __call__(self) -> float:
        return self.now
