"""Turns at the connections of a pool: how long one waits for one, and how many one kind of work may have at once.

Nobody gets all of them. One audience's reads, its writes, and those of the others are told apart, and each gets three
quarters of a pool at most: what one of them takes too long for, the others do not wait for. Work of the process's own
has no such bound.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from core.receipts import note

_SIZE, _USED, _WAITING = (
    Gauge(f"portico_pool_{name}", what, ("pool",), multiprocess_mode="livesum")
    for name, what in (
        ("size", "How many connections the processes may have at once."),
        ("used", "How many of them are in use."),
        ("waiting", "How many wait for one."),
    )
)
_WATCH_SECONDS = 1.0
_READS = ("GET", "HEAD")
Sharer = tuple[str, bool] | None  # an audience, and whether it only reads
_sharer: ContextVar[Sharer] = ContextVar("portico_sharer", default=None)


def enter_share(audience: str, method: str) -> None:
    """What runs from here on in this context takes its connections as this audience's."""
    _sharer.set((audience, method in _READS))


class Turns:
    """Per pool and process."""

    def __init__(self, name: str, size: int, wait_seconds: float) -> None:
        self.name = name
        self.size = size
        self.used = 0
        self._most = max(1, size - max(1, size // 4))  # for one sharer
        self._wait_seconds = wait_seconds
        self._held: dict[Sharer, int] = {}
        self._waiting: deque[tuple[Sharer, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self) -> Sharer:
        """Returns for whom `leave` is called later. Raises TimeoutError where none comes free in time."""
        sharer = _sharer.get()
        if self._has_room(sharer):  # then nobody waits who could have it
            self._take(sharer)
        else:
            await self._wait(sharer)
        return sharer

    def leave(self, sharer: Sharer) -> None:
        self.used -= 1
        self._held[sharer] -= 1
        if not self._held[sharer]:
            del self._held[sharer]
        for waiting in self._waiting:
            other, came = waiting
            if not came.done() and self._has_room(other):
                self._take(other)
                came.set_result(None)
                self._waiting.remove(waiting)
                return

    async def _wait(self, sharer: Sharer) -> None:
        began = time.perf_counter()
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (sharer, came)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await came
        except BaseException:
            if came.done() and not came.cancelled():  # it came at the same moment
                self.leave(sharer)
            with suppress(ValueError):
                self._waiting.remove(waiting)
            raise
        finally:
            note("pool", seconds=time.perf_counter() - began)

    def _has_room(self, sharer: Sharer) -> bool:
        return self.used < self.size and (sharer is None or self._held.get(sharer, 0) < self._most)

    def _take(self, sharer: Sharer) -> None:
        self.used += 1
        self._held[sharer] = self._held.get(sharer, 0) + 1


class SharedPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's, whose connections are taken in turns."""

    turns: Turns

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        self._sharers: dict[int, Sharer] = {}

    def recreate(self) -> "SharedPool":
        again = super().recreate()
        assert isinstance(again, SharedPool)  # noqa: S101  it makes one of its own class
        again.turns = self.turns
        return again

    def _do_get(self) -> Any:
        sharer = await_only(self.turns.enter())
        try:
            record = super()._do_get()
        except BaseException:
            self.turns.leave(sharer)
            raise
        self._sharers[id(record)] = sharer
        return record

    def _do_return_conn(self, record: Any) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self.turns.leave(self._sharers.pop(id(record)))


async def watch(pools: Sequence[Turns]) -> None:
    """Tells the metrics how the pools are, each second: a request does nothing for it. Never returns."""
    while True:
        for pool in pools:
            _SIZE.labels(pool.name).set(pool.size)
            _USED.labels(pool.name).set(pool.used)
            _WAITING.labels(pool.name).set(pool.waiting)
        await asyncio.sleep(_WATCH_SECONDS)
