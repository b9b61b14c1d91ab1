"""Limiters of each kind, both real, whose smoothed limits go by a time that stands still until a test moves it."""

from collections.abc import AsyncIterator

import pytest

from core.ids import new_id
from core.ratelimit import Limit, Limiter
from core.ratelimit.memory import MemoryLimiter
from core.ratelimit.redis import RedisLimiter
from tests.factories.clocks import StillTime


@pytest.fixture
def time() -> StillTime:
    return StillTime()


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest, time: StillTime) -> AsyncIterator[Limiter]:
    if request.param == "memory":
        yield MemoryLimiter(time)
        return
    async with RedisLimiter(request.getfixturevalue("redis_url"), now=time, answer_seconds=20) as limiter:
        yield limiter


@pytest.fixture
def exact() -> Limit:
    """The server is everybody's: each test has limits of its own."""
    return Limit(new_id("exact"), 3, 60)


@pytest.fixture
def smooth() -> Limit:
    return Limit(new_id("smooth"), 1000, 60, smoothed=True)
