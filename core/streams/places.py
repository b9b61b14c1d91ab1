"""How many streams one caller may hold open, and all callers together: a stream costs as long as it lasts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from core.errors import RateLimited

OPEN = Gauge("portico_streams", "Open streams.", ("kind",), multiprocess_mode="livesum")
_AGAIN_SECONDS = 10


class TooManyStreams(RateLimited):
    """You have as many streams of this kind open as you may, or the server has. Close one, or come back later."""

    code = "too_many_streams"
    title = "Too many streams"


class Places:
    """One per kind of stream and process. `kind` is for the metrics."""

    def __init__(self, per_key: int, in_all: int, *, kind: str) -> None:
        self._per_key = per_key
        self._in_all = in_all
        self._taken: Counter[str] = Counter()
        self._open = OPEN.labels(kind)

    @contextmanager
    def take(self, key: str) -> Iterator[None]:
        """One for as long as the block lasts. Raises TooManyStreams."""
        if self._taken[key] >= self._per_key:
            raise TooManyStreams(f"you have {self._per_key} streams open", retry_after_seconds=_AGAIN_SECONDS)
        if self._taken.total() >= self._in_all:
            raise TooManyStreams("this server has no place left", retry_after_seconds=_AGAIN_SECONDS)
        self._taken[key] += 1
        self._open.inc()
        try:
            yield
        finally:
            self._open.dec()
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
