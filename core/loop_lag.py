"""How late the event loop is: by how much a timer that is set again and again rings too late."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import Histogram

PERIOD_SECONDS = 0.05
LAGS_SECONDS = 0.02  # from here on the loop has more to do than it should
LAG_SECONDS = Histogram(
    "portico_event_loop_lag_seconds",
    "By how much a timer of the event loop rang too late: how long whatever became ready had to wait.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)


class LoopLag:
    """Per process, in its event loop. A lag fades by half at each ring: a loop that is late now and then lags too.

    `on_ring` is called at each ring: what else is to be told every so often needs no timer of its own.
    """

    def __init__(self, on_ring: Callable[[], None] = lambda: None, period: float = PERIOD_SECONDS) -> None:
        self._on_ring = on_ring
        self._period = period
        self._faded = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def measured(self, serving: asyncio.Event) -> AsyncIterator[None]:
        """From when the server serves: what its start takes is no lag."""

        async def begin() -> None:
            await serving.wait()
            self.start()

        beginning = asyncio.create_task(begin(), name="portico-loop-lag")
        try:
            yield
        finally:
            beginning.cancel()
            self.stop()

    def start(self) -> None:
        """In the loop that is measured."""
        self._timer = asyncio.get_running_loop().call_later(self._period, self._ring)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def seconds(self) -> float:
        """Of late; also that of a ring which is still to come, where it is late already."""
        return max(self._faded, self._late())

    @property
    def lags(self) -> bool:
        return self.seconds > LAGS_SECONDS

    def _late(self) -> float:
        """Zero before the start, and after the stop."""
        if self._timer is None:
            return 0.0
        return max(0.0, asyncio.get_running_loop().time() - self._timer.when())

    def _ring(self) -> None:
        late = self._late()
        LAG_SECONDS.observe(late)
        self._faded = max(late, self._faded / 2)
        self._on_ring()
        self.start()
