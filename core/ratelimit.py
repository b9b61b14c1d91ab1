"""How often something may happen: named limits over the library `limits`, counted in memory (one process)."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

_SWEEP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `name` in any `seconds`."""

    name: str
    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remaining` more are allowed; a new one is, at the latest, in `reset_seconds`."""

    allowed: bool
    remaining: int
    reset_seconds: int


class Limiter(Protocol):
    """Per process. Keys of one limit do not know each other."""

    async def hit(self, limit: Limit, key: str) -> Verdict:
        """Counts one, if it is allowed."""
        ...

    async def peek(self, limit: Limit, key: str) -> Verdict:
        """Whether one would be allowed; counts nothing."""
        ...

    async def clear(self, limit: Limit, key: str) -> None:
        """Forgets what was counted."""
        ...


class MemoryLimiter:
    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(_Moments())

    async def hit(self, limit: Limit, key: str) -> Verdict:
        item = _item(limit)
        allowed = await self._limiter.hit(item, key)
        return await self._verdict(item, key, allowed=allowed)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        item = _item(limit)
        return await self._verdict(item, key, allowed=await self._limiter.test(item, key))

    async def clear(self, limit: Limit, key: str) -> None:
        await self._limiter.clear(_item(limit), key)

    async def _verdict(self, item: RateLimitItem, key: str, *, allowed: bool) -> Verdict:
        reset, remaining = await self._limiter.get_window_stats(item, key)
        return Verdict(allowed, remaining, max(1, math.ceil(reset - time.time())))


@dataclass(slots=True)
class _Window:
    """The moments that still count, oldest first; none does after `over`."""

    moments: list[float]
    over: float


class _Moments(MemoryStorage):
    """The library's storage with windows of its own. The library's clean up in a task for each hit, which visits every
    key and waits for a thread at each: with ten thousand addresses, seconds of work a hit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, _Window] = {}
        self._swept = time.time()

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.time()
        if now - self._swept > _SWEEP_SECONDS:
            self._windows = {key: window for key, window in self._windows.items() if window.over > now}
            self._swept = now
        moments = self._counted(key, now - expiry)
        if len(moments) + amount > limit:
            return False
        self._windows[key] = _Window([*moments, *[now] * amount], now + expiry)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        now = time.time()
        moments = self._counted(key, now - expiry)
        return (moments[0] if moments else now), len(moments)

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _counted(self, key: str, since: float) -> list[float]:
        window = self._windows.get(key)
        return [moment for moment in window.moments if moment > since] if window is not None else []


def _item(limit: Limit) -> RateLimitItem:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
