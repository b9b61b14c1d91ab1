"""Limits that hold over all processes while Redis answers, and go on without it (docs/adr/0019).

While it is away nobody waits for it: what fails closed is refused, all else each process counts alone, up to a share.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from core.ratelimit import Hit, Limit, Limiter, LimitsUnavailable, Verdict
from core.recurring import Periodic, Recurring

log = structlog.get_logger("portico.limits")
DEGRADED = Gauge(
    "portico_ratelimit_degraded",
    "Processes that count limits alone, because Redis is away.",
    multiprocess_mode="livesum",
)
_WITHOUT = Counter(
    "portico_ratelimit_without_redis_total",
    "What was asked of limits while Redis was away: counted in this process alone, or refused.",
    ("outcome",),
)
ALONE, REFUSED = (_WITHOUT.labels(outcome) for outcome in ("alone", "refused"))
SHARES = 4  # how many processes, counting alone, allow together what a limit says
_AGAIN_SECONDS = 1.0
T = TypeVar("T")


class Remote(Limiter, Protocol):
    async def ping(self) -> None:
        """Raises LimitsUnavailable."""
        ...


class SharedLimiter(Periodic):
    """`async with SharedLimiter(remote, MemoryLimiter()) as limiter:` Per process. The first who finds the remote away
    has waited for it; those after it do not, until it has answered again beside them.
    """

    def __init__(self, remote: Remote, alone: Limiter, *, again_seconds: float = _AGAIN_SECONDS) -> None:
        super().__init__(Recurring("limits", self._look, again_seconds=again_seconds))
        self._remote = remote
        self._alone = alone
        self._away = False

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        return await self._ask(
            (limit,),
            lambda: self._remote.hit(limit, key, cost),
            lambda: _told(limit, self._alone.hit(share_of(limit), key, cost)),
        )

    async def hit_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        async def alone() -> list[Verdict]:
            found = await self._alone.hit_all([replace(hit, limit=share_of(hit.limit)) for hit in hits])
            return [verdict._replace(limit=hit.limit) for hit, verdict in zip(hits, found, strict=True)]

        return await self._ask([hit.limit for hit in hits], lambda: self._remote.hit_all(hits), alone)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        return await self._ask(
            (limit,),
            lambda: self._remote.peek(limit, key),
            lambda: _told(limit, self._alone.peek(share_of(limit), key)),
        )

    async def clear(self, limit: Limit, key: str) -> None:
        await self._ask(
            (limit,), lambda: self._remote.clear(limit, key), lambda: self._alone.clear(share_of(limit), key)
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        DEGRADED.set(0)

    async def _ask(
        self, limits: Sequence[Limit], remote: Callable[[], Awaitable[T]], alone: Callable[[], Awaitable[T]]
    ) -> T:
        if not self._away:
            try:
                return await remote()
            except LimitsUnavailable as error:
                self._lose(error)
        if any(limit.fails_closed for limit in limits):
            REFUSED.inc()
            raise LimitsUnavailable
        ALONE.inc()
        return await alone()

    def _lose(self, error: LimitsUnavailable) -> None:
        if not self._away:
            self._away = True
            DEGRADED.set(1)
            log.warning("limits_counted_alone", reason=f"{type(error.__cause__).__name__}: {error.__cause__}")
            self._recurring.wake()

    async def _look(self) -> None:
        """Raises LimitsUnavailable, after which it is called again soon."""
        if self._away:
            await self._remote.ping()
            self._away = False
            DEGRADED.set(0)
            log.info("limits_counted_together")


@lru_cache(1024)
def share_of(limit: Limit) -> Limit:
    """What a process allows that counts alone."""
    return replace(limit, amount=max(1, limit.amount // SHARES))


async def _told(limit: Limit, asking: Awaitable[Verdict]) -> Verdict:
    """Of the limit as callers know it, whatever is left of the share."""
    return (await asking)._replace(limit=limit)
