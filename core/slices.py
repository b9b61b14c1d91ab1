"""Work of the event loop in slices: between two of them the loop looks after everybody else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from prometheus_client import Gauge, Histogram

from core.right_of_way import RightOfWay

_SECONDS = Histogram(
    "portico_graphql_slice_seconds",
    "How long the event loop did nothing but a slice of GraphQL's executor, and what else was ready with it.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25),
)
_LONGEST = Gauge(
    "portico_graphql_slice_seconds_max", "The longest slice since the start of a process.", multiprocess_mode="livemax"
)
_MOST_CPU = Gauge(
    "portico_graphql_slice_cpu_seconds_max",
    "The most of the processor that a slice took since the start of a process: without what other processes had of it.",
    multiprocess_mode="livemax",
)
MOST_ITEMS = 25  # some 60 microseconds each, with all that a product or a variant has


class Slices:
    """Per process, in its event loop; all operations share them. Of what is ready so many `items` are done, then what
    came meanwhile, of any audience, has its turn. None begins while somebody has the right of way.
    """

    def __init__(
        self,
        items: int = MOST_ITEMS,
        now: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.thread_time,
        way: RightOfWay | None = None,
    ) -> None:
        self.items = items
        self._now = now
        self._cpu = cpu
        self._way = way or RightOfWay()
        self._gives_way = False
        self._left = items
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._since: tuple[float, float] | None = None  # when the slice began that is not over: time, and CPU
        self._longest = self._most_cpu = 0.0

    def take(self, items: int = 1) -> bool:
        """Whether this slice has room for them, which they then take."""
        if self._line or items > self._left or self._way.is_taken:
            return False
        self._left -= items
        if self._since is None:
            self._begin()
        return True

    async def turn(self, items: int = 1) -> None:
        """Waits for a slice that has room for them. There have to be such slices."""
        if self.take(items):
            return
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((items, came))
        if self._since is None:
            self._give_way()
        await came

    def _begin(self) -> None:
        self._since = self._now(), self._cpu()
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """In the loop's next round: what was let in before is done by then."""
        assert self._since is not None  # noqa: S101  one began
        began, cpu_before = self._since
        self._since = None
        self._note(self._now() - began, self._cpu() - cpu_before)
        self._left = self.items
        if self._line and self._way.is_taken:
            self._give_way()
        else:
            self._let_in()

    def _note(self, seconds: float, cpu: float) -> None:
        _SECONDS.observe(seconds)
        if seconds > self._longest:
            self._longest = seconds
            _LONGEST.set(seconds)
        if cpu > self._most_cpu:
            self._most_cpu = cpu
            _MOST_CPU.set(cpu)

    def _give_way(self) -> None:
        if not self._gives_way:
            self._gives_way = True
            self._way.give(self._let_in)

    def _let_in(self) -> None:
        self._gives_way = False
        while self._line and self._line[0][0] <= self._left:
            items, came = self._line.popleft()
            if not came.done():
                self._left -= items
                came.set_result(None)
        if self._left != self.items:
            self._begin()
