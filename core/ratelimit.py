"""How often something may happen: named limits over the library `limits`, counted in memory (one process)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

_SWEEP_SECONDS = 60
_NOTHING = (-1.0, 0, 0, 0.0)  # counted in no window


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `name` in any `seconds`.

    `smoothed`: what is kept of a key is two sums, however large the amount: that of this window, and that of the one
    before, which fades evenly (the library's sliding window counter). Otherwise it is the moment of each.
    """

    name: str
    amount: int
    seconds: int
    smoothed: bool = False


class Verdict(NamedTuple):
    """`remaining` more are allowed; as much as was asked for is, at the latest, in `reset_seconds`."""

    allowed: bool
    remaining: int
    reset_seconds: int


class Limiter(Protocol):
    """Per process. Keys of one limit do not know each other."""

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        """Counts one, or so many at once, if all are allowed."""
        ...

    async def peek(self, limit: Limit, key: str) -> Verdict:
        """Whether one would be allowed; counts nothing."""
        ...

    async def clear(self, limit: Limit, key: str) -> None:
        """Forgets what was counted."""
        ...


class MemoryLimiter:
    """`now` is the time of smoothed limits, in seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._limiter = MovingWindowRateLimiter(_Moments())
        self._sums = _Sums(now)

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        if limit.smoothed:
            return self._sums.spend(limit, key, cost)
        item = _item(limit)
        allowed = await self._limiter.hit(item, key, cost=cost)
        return await self._verdict(item, key, allowed=allowed)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        if limit.smoothed:
            return self._sums.spend(limit, key, 1, keep=False)
        item = _item(limit)
        return await self._verdict(item, key, allowed=await self._limiter.test(item, key))

    async def clear(self, limit: Limit, key: str) -> None:
        if limit.smoothed:
            self._sums.clear(limit, key)
        else:
            await self._limiter.clear(_item(limit), key)

    async def _verdict(self, item: RateLimitItem, key: str, *, allowed: bool) -> Verdict:
        reset, remaining = await self._limiter.get_window_stats(item, key)
        return Verdict(allowed, remaining, max(1, math.ceil(reset - time.time())))


def seconds_until(limit: Limit, cost: int, *, before: int, left: float, within: int) -> int:
    """Until a smoothed limit allows so many, where nothing else is counted meanwhile: with `before` in the last window,
    and `within` in this one, of which so many seconds are `left`. What it never allows: as long as it remembers.
    """
    room = limit.amount - cost - within
    if room >= 0 and before:
        waiting = left - (room + 1) * limit.seconds / before  # sums are rounded down
    elif limit.amount >= cost and within:
        waiting = left + limit.seconds - (limit.amount - cost + 1) * limit.seconds / within
    else:
        waiting = left + limit.seconds
    return math.floor(waiting) + 1


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


class _Sums:
    """What was counted under smoothed limits: of each key the number of its window, the sum of it, and that of the one
    before. As the library's sliding window counter, without its layers: every request pays for them.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sums: dict[tuple[str, str], tuple[float, int, int, float]] = {}  # at last when all of it is over
        self._swept = now()

    def spend(self, limit: Limit, key: str, cost: int, *, keep: bool = True) -> Verdict:
        """`keep` False: only whether it would be allowed, and nothing is counted."""
        now, kept = self._now(), (limit.name, key)
        number, past = divmod(now, limit.seconds)
        left = limit.seconds - past
        window, within, before, _ = self._sums.get(kept, _NOTHING)
        if window != number:
            within, before = 0, within if window == number - 1 else 0
        remaining = limit.amount - within - int(before * left / limit.seconds)
        if cost > remaining:
            return Verdict(False, remaining, seconds_until(limit, cost, before=before, left=left, within=within))
        if keep:
            if now - self._swept > _SWEEP_SECONDS:
                self._sweep(now)
            self._sums[kept] = number, within + cost, before, now + left + limit.seconds
            remaining -= cost
        return Verdict(True, remaining, limit.seconds)

    def clear(self, limit: Limit, key: str) -> None:
        self._sums.pop((limit.name, key), None)

    def _sweep(self, now: float) -> None:
        self._sums = {each: kept for each, kept in self._sums.items() if kept[3] > now}
        self._swept = now


@lru_cache(64)
def _item(limit: Limit) -> RateLimitItem:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
