"""Counts in this process alone: exact limits by the library `limits`, smoothed ones by two sums."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from core.ratelimit import Hit, Limit, Verdict, judged

_SWEEP_SECONDS = 60


class MemoryLimiter:
    """`now` is the time of smoothed limits, in seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._exact = MovingWindowRateLimiter(_Moments())
        self._sums = _Sums(now)

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        if limit.smoothed:
            return self._sums.spend(limit, key, cost)
        allowed = await self._exact.hit(item_of(limit), key, cost=cost)
        return await verdict_of(self._exact, limit, key, allowed=allowed)

    async def hit_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        return self._sums.spend_all(hits)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        if limit.smoothed:
            return self._sums.look(limit, key)
        return await verdict_of(self._exact, limit, key, allowed=await self._exact.test(item_of(limit), key))

    async def clear(self, limit: Limit, key: str) -> None:
        if limit.smoothed:
            self._sums.clear(limit, key)
        else:
            await self._exact.clear(item_of(limit), key)


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


_Counted = tuple[
    int, int, int, float
]  # the number of the window, its sum, that of the one before, and when all is over
_NOTHING: _Counted = (-1, 0, 0, 0.0)


class _Sums:
    """What was counted under smoothed limits: of each key the number of its window, the sum of it, and that of the one
    before. As the library's sliding window counter, without its layers: every request pays for them.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sums: dict[tuple[str, str], _Counted] = {}
        self._swept = now()

    def spend(self, limit: Limit, key: str, cost: int, *, keep: bool = True) -> Verdict:
        """`keep` False: nothing is counted."""
        now, kept, seconds = self._now(), (limit.name, key), limit.seconds
        number = int(now / seconds)
        left = (number + 1) * seconds - now
        window, within, before, _ = self._sums.get(kept, _NOTHING)
        if window != number:
            within, before = 0, within if window == number - 1 else 0
        remaining = limit.amount - within - int(before * left / seconds) - cost  # as `judged`: each request saves that
        if remaining < 0:
            return judged(limit, cost, within, before, left)
        if keep:
            if now - self._swept > _SWEEP_SECONDS:
                self._sweep(now)
            self._sums[kept] = number, within + cost, before, now + left + seconds
        return Verdict(True, remaining, seconds, limit)

    def spend_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        found = [self.spend(hit.limit, hit.key, hit.cost, keep=False) for hit in hits]
        if all(verdict.allowed for verdict in found):  # what fits does so a moment later: sums only fade
            found = [self.spend(hit.limit, hit.key, hit.cost) for hit in hits]
        return found

    def look(self, limit: Limit, key: str) -> Verdict:
        looked = self.spend(limit, key, 1, keep=False)
        return looked._replace(remaining=looked.remaining + 1) if looked.allowed else looked

    def clear(self, limit: Limit, key: str) -> None:
        self._sums.pop((limit.name, key), None)

    def _sweep(self, now: float) -> None:
        self._sums = {each: kept for each, kept in self._sums.items() if kept[3] > now}
        self._swept = now


@lru_cache(64)
def item_of(limit: Limit) -> RateLimitItem:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)


async def verdict_of(limiter: MovingWindowRateLimiter, limit: Limit, key: str, *, allowed: bool) -> Verdict:
    """Of an exact limit."""
    reset, remaining = await limiter.get_window_stats(item_of(limit), key)
    return Verdict(allowed, remaining, max(1, math.ceil(reset - time.time())), limit)
