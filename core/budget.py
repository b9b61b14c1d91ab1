"""What a caller may ask for in a minute, over all doors together: each request costs points."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.ratelimit import Limit, Limiter, LimitExceeded, Verdict

READ_POINTS, WRITE_POINTS = 1, 10
_SECONDS = 60


class QuotaExceeded(LimitExceeded):
    """Too many requests in too short a time. Wait for the seconds that `Retry-After` names."""

    def __init__(self, points: int, verdict: Verdict, detail: str = "") -> None:
        limit = verdict.limit
        super().__init__(
            verdict,
            detail
            or f"this costs {points} of the {limit.amount} points that you have in {limit.seconds} seconds, "
            f"and {verdict.remaining} are left",
        )
        self.points = points


@dataclass(frozen=True, slots=True)
class Own:
    """A limit that one caller has instead of everybody's, until the moment when it `ends`, in seconds."""

    limit: Limit
    ends: float = math.inf


class Budget:
    """Per process. A caller is a key, a user, or the network of somebody unknown.

    `own`: the limits of callers who have one of their own; replaced as a whole when one changes. `now`: the time, in
    seconds, by which they end.
    """

    def __init__(self, limiter: Limiter, points_per_minute: int, now: Callable[[], float] = time.time) -> None:
        self._limiter = limiter
        self._now = now
        self.limit = points_limit(points_per_minute)
        self.own: Mapping[str, Own] = MappingProxyType({})

    async def spend(self, caller: str, points: int) -> Verdict:
        """All of them, or none where fewer are left."""
        limit = self.limit_of(caller) if self.own else self.limit  # every request comes here
        return await self._limiter.hit(limit, caller, points)

    async def look(self, caller: str) -> Verdict:
        """What is left; spends nothing."""
        return await self._limiter.peek(self.limit_of(caller), caller)

    def limit_of(self, caller: str) -> Limit:
        """The caller's own, else everybody's."""
        own = self.own.get(caller)
        return self.limit if own is None or own.ends <= self._now() else own.limit


def points_limit(points_per_minute: int) -> Limit:
    return Limit("points", points_per_minute, _SECONDS, smoothed=True)
