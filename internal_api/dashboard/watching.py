"""Who looks, and what they are sent: one snapshot each so many seconds for all of them, none while nobody looks."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Protocol

from core.recurring import Periodic, Recurring
from internal_api.dashboard.snapshots import Snapshot

PERIOD_SECONDS = 2.0
_EARLY_SECONDS = 0.05  # by which a timer may ring before its time


class Maker(Protocol):
    async def make(self) -> Snapshot: ...

    def history(self) -> bytes:
        """What came before, as an event."""
        ...


class Viewer:
    """One stream. It holds the newest frame alone: who reads slowly misses some."""

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self._last: bytes | None = None
        self._woken = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        self._frame = frame
        self._woken.set()

    def close(self, last: bytes) -> None:
        """The first word counts."""
        self._last = self._last or last
        self._woken.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Until it is closed, the last word included."""
        while self._last is None:
            await self._woken.wait()
            self._woken.clear()
            if self._frame is not None and self._last is None:
                frame, self._frame = self._frame, None
                yield frame
        yield self._last


class Watching(Periodic):
    """`async with Watching(maker) as watching:` One per process."""

    def __init__(self, maker: Maker, period: float = PERIOD_SECONDS) -> None:
        super().__init__(Recurring("dashboard", self._turn, again_seconds=period))
        self._maker = maker
        self._period = period
        self._viewers: dict[Viewer, None] = {}
        self._newest: Snapshot | None = None
        self._made_at = 0.0
        self._making = asyncio.Lock()

    async def newest(self) -> Snapshot:
        """Not older than the period."""
        async with self._making:
            if self._newest is None or self._left() <= 0:
                self._newest = await self._maker.make()
                self._made_at = time.monotonic()
            return self._newest

    def history(self) -> bytes:
        return self._maker.history()

    @contextmanager
    def looking(self) -> Iterator[Viewer]:
        viewer = Viewer()
        self._viewers[viewer] = None
        if len(self._viewers) == 1:
            self._recurring.wake()
        try:
            yield viewer
        finally:
            del self._viewers[viewer]

    def _left(self) -> float:
        """Seconds until the newest snapshot is too old."""
        return self._made_at + self._period - time.monotonic() - _EARLY_SECONDS

    async def _turn(self) -> float | None:
        if not self._viewers:
            return None
        if self._newest is not None and self._left() > 0:
            return self._left() + _EARLY_SECONDS
        frame = (await self.newest()).frame()
        for viewer in tuple(self._viewers):
            viewer.offer(frame)
        return self._period
