"""How often something may happen: named limits over the library `limits`, counted in memory (one process)."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


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
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

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


def _item(limit: Limit) -> RateLimitItem:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
