"""How often something may happen: named limits, counted in this process (`memory`) or in Redis for all (`redis`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.errors import RateLimited, Unavailable

_RETRY_SECONDS = 5


class LimitsUnavailable(Unavailable):
    """What counts tries for all servers is away, and this is not done uncounted. Try again after `Retry-After`."""

    code = "limits_unavailable"
    title = "Limits unavailable"

    def __init__(self) -> None:
        super().__init__("tries cannot be counted now", retry_after_seconds=_RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `name` in any `seconds`.

    `smoothed`: what is kept of a key is two sums, however large the amount: that of this window, and that of the one
    before, which fades evenly. Otherwise it is the moment of each. `fails_closed`: nothing is allowed that cannot be
    counted for all processes together; otherwise each counts alone for so long.
    """

    name: str
    amount: int
    seconds: int
    smoothed: bool = False
    fails_closed: bool = False


class Verdict(NamedTuple):
    """`remaining` more are allowed; as much as was asked for is, at the latest, in `reset_seconds`."""

    allowed: bool
    remaining: int
    reset_seconds: int
    limit: Limit


@dataclass(frozen=True, slots=True)
class Hit:
    limit: Limit
    key: str
    cost: int = 1


class LimitExceeded(RateLimited):
    """Too many requests in too short a time. Wait for the seconds that `Retry-After` names."""

    def __init__(self, verdict: Verdict, detail: str = "") -> None:
        limit = verdict.limit
        super().__init__(
            detail or f"{limit.amount} are allowed in {limit.seconds} seconds, and {verdict.remaining} are left",
            retry_after_seconds=verdict.reset_seconds,
        )
        self.verdict = verdict


class Limiter(Protocol):
    """Per process. Keys of one limit do not know each other. All raise LimitsUnavailable."""

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        """Counts one, or so many at once, if all are allowed."""
        ...

    async def hit_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        """Of smoothed limits: counts all of them, or where one is not allowed, none. Each verdict is as if it were the
        only one.
        """
        ...

    async def peek(self, limit: Limit, key: str) -> Verdict:
        """Whether one would be allowed; counts nothing."""
        ...

    async def clear(self, limit: Limit, key: str) -> None:
        """Forgets what was counted."""
        ...


def judged(limit: Limit, cost: int, within: int, before: int, left: float) -> Verdict:
    """Whether a smoothed limit allows so many, where `within` were counted in this window, of which so many seconds
    are `left`, and `before` in the last. `remaining` is with them, where they are allowed.
    """
    remaining = limit.amount - within - int(before * left / limit.seconds)
    if cost <= remaining:
        return Verdict(True, remaining - cost, limit.seconds, limit)
    waiting = seconds_until(limit, cost, before=before, left=left, within=within)
    return Verdict(False, max(0, remaining), waiting, limit)


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
