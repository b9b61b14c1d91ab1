"""What a caller may ask for in a minute, over all doors together: each request costs points."""

from core.errors import RateLimited
from core.ratelimit import Limit, Limiter, Verdict

READ_POINTS, WRITE_POINTS = 1, 10
_SECONDS = 60


class QuotaExceeded(RateLimited):
    """Too many requests in too short a time. Wait for the seconds that `Retry-After` names."""

    def __init__(self, points: int, limit: Limit, verdict: Verdict) -> None:
        super().__init__(
            f"this costs {points} of the {limit.amount} points that you have in {limit.seconds} seconds, "
            f"and {verdict.remaining} are left",
            retry_after_seconds=verdict.reset_seconds,
        )
        self.points = points
        self.limit = limit.amount
        self.remaining = verdict.remaining


class Budget:
    """Per process. A caller is a key, a user, or the network of somebody unknown."""

    def __init__(self, limiter: Limiter, points_per_minute: int) -> None:
        self._limiter = limiter
        self.limit = Limit("points", points_per_minute, _SECONDS, smoothed=True)

    async def spend(self, caller: str, points: int) -> Verdict:
        """All of them, or none where fewer are left."""
        return await self._limiter.hit(self.limit, caller, points)
