"""Counts in Redis, for all processes together: exact limits by the library `limits`, smoothed ones by a script, which
takes several at once. The library asks twice for a verdict, and takes one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import redis.asyncio
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.ratelimit import Hit, Limit, LimitsUnavailable, Verdict, judged
from core.ratelimit.memory import item_of, verdict_of

_PREFIX = "portico:limit"
_CONNECTIONS = 50
ANSWER_SECONDS = 0.5

# As core.ratelimit.judged, by one clock for all hosts. KEYS: those of the hits. ARGV: the time in seconds, empty for
# Redis's own; 1 where they are counted; then amount, seconds and cost of each. Answers with what of the window is left,
# what was counted in it, and in the one before, of each, before this.
_SPEND = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local counted, allowed, answer = {}, ARGV[2] == '1', {}
for i, key in ipairs(KEYS) do
  local amount, seconds, cost = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  local number = math.floor(now / seconds)
  local left = (number + 1) * seconds - now
  local kept = redis.call('HMGET', key, 'number', 'within', 'before')
  local window, within, before = tonumber(kept[1]), tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
  if window ~= number then
    before = window == number - 1 and within or 0
    within = 0
  end
  allowed = allowed and cost <= amount - within - math.floor(before * left / seconds)
  counted[i] = {number, within + cost, before, math.ceil((left + seconds) * 1000)}
  answer[3 * i - 2] = string.format('%.17g', left)
  answer[3 * i - 1] = within
  answer[3 * i] = before
end
if allowed then
  for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'number', counted[i][1], 'within', counted[i][2], 'before', counted[i][3])
    redis.call('PEXPIRE', key, counted[i][4])
  end
end
return answer
"""


class RedisLimiter:
    """`async with RedisLimiter(url) as limiter:` Per process; entering it does not wait for Redis. `now`: the time of
    smoothed limits, in seconds, where it is not Redis's own.
    """

    def __init__(
        self, url: str, *, now: Callable[[], float] | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._now = now
        # No retries: who waits for a verdict is a request.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=answer_seconds,
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis.asyncio.Redis(connection_pool=pool)
        self._spend = self._redis.register_script(_SPEND)
        # The address is the pool's, whatever the library makes of this one.
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=pool,  # type: ignore[arg-type]
        )
        self._exact = MovingWindowRateLimiter(storage)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def ping(self) -> None:
        """On a new connection: those of before may be to a server that is gone. Raises LimitsUnavailable."""
        async with _answering():
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            await self._redis.ping()

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        if limit.smoothed:
            return (await self.hit_all((Hit(limit, key, cost),)))[0]
        async with _answering():
            allowed = await self._exact.hit(item_of(limit), key, cost=cost)
            return await verdict_of(self._exact, limit, key, allowed=allowed)

    async def hit_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        return await self._judged(hits, keep=True)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        if limit.smoothed:
            looked = (await self._judged((Hit(limit, key),), keep=False))[0]
            return looked._replace(remaining=looked.remaining + 1) if looked.allowed else looked
        async with _answering():
            allowed = await self._exact.test(item_of(limit), key)
            return await verdict_of(self._exact, limit, key, allowed=allowed)

    async def clear(self, limit: Limit, key: str) -> None:
        async with _answering():
            if limit.smoothed:
                await self._redis.delete(_key(limit, key))
            else:
                await self._exact.clear(item_of(limit), key)

    async def _judged(self, hits: Sequence[Hit], *, keep: bool) -> list[Verdict]:
        arguments: list[str | int | float] = ["" if self._now is None else repr(self._now()), int(keep)]
        for hit in hits:
            arguments += hit.limit.amount, hit.limit.seconds, hit.cost
        async with _answering():
            told = await self._spend([_key(hit.limit, hit.key) for hit in hits], arguments)
        return [
            judged(hit.limit, hit.cost, int(within), int(before), float(left))
            for hit, left, within, before in zip(hits, told[::3], told[1::3], told[2::3], strict=True)
        ]


def _key(limit: Limit, key: str) -> str:
    return f"{_PREFIX}:{limit.name}:{key}"


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:  # TimeoutError is an OSError
        raise LimitsUnavailable from error
