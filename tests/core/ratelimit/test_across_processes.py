"""Several processes that count in one Redis."""

from core.ids import new_id
from core.ratelimit import Limit
from core.ratelimit.redis import RedisLimiter
from tests.core.ratelimit.hitting_program import AMOUNT, SECONDS, TRIES, limits_of
from tests.fixtures.processes import told_together

PROCESSES = 3


async def test_three_processes_together_are_allowed_what_one_is(redis_url: str) -> None:
    marker = new_id("storm")
    told = await told_together("tests.core.ratelimit.hitting_program", redis_url, marker, processes=PROCESSES)

    allowed = [[int(number) for number in line.split()[1:]] for line in told]
    # However the three came in between each other; and the storm of one key took nothing of another's.
    assert [sum(each) for each in zip(*allowed, strict=True)] == [AMOUNT, AMOUNT, AMOUNT, AMOUNT]
    async with RedisLimiter(redis_url) as limiter:
        for limit in limits_of(marker):
            assert (await limiter.peek(limit, "storm")).remaining == 0
        wide = Limit(f"{marker}-wide", 10**9, SECONDS, smoothed=True)
        # What one of two limits refused was not counted by the other.
        assert (await limiter.peek(wide, "storm")).remaining == 10**9 - AMOUNT
    assert PROCESSES * TRIES > AMOUNT


async def test_processes_share_one_clock_whatever_their_hosts_say(redis_url: str) -> None:
    limit = Limit(new_id("clock"), 10, SECONDS, smoothed=True)
    async with RedisLimiter(redis_url) as here, RedisLimiter(redis_url) as there:
        await here.hit(limit, "ada", 7)

        assert (await there.hit(limit, "ada", 3)).remaining == 0
        assert (await here.hit(limit, "ada")).allowed is False


async def test_what_was_counted_leaves_redis_by_itself_when_it_counts_no_more(redis_url: str) -> None:
    limits = [Limit(new_id("over"), 10, SECONDS, smoothed=smoothed) for smoothed in (False, True)]

    async with RedisLimiter(redis_url) as limiter:
        for limit in limits:
            await limiter.hit(limit, "ada")
        kept = [[key async for key in limiter._redis.scan_iter(f"*{limit.name}*")] for limit in limits]
        seconds = [[await limiter._redis.ttl(key) for key in keys] for keys in kept]

    assert [len(each) for each in seconds] == [1, 1]
    assert 0 < seconds[0][0] <= SECONDS
    assert 0 < seconds[1][0] <= 2 * SECONDS
