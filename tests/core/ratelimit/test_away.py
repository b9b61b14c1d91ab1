"""While Redis is away: who is counted alone, who is refused, who waits, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from core.ids import new_id
from core.ratelimit import Hit, Limit, LimitsUnavailable, Verdict
from core.ratelimit.memory import MemoryLimiter
from core.ratelimit.redis import RedisLimiter
from core.ratelimit.shared import SharedLimiter
from tests.fixtures.application import LogEntries
from tests.fixtures.valkey import ValkeyProcess

POINTS = Limit("points", 40, 1_000_000_000, smoothed=True)
OTHER = Limit("other", 8, 1_000_000_000, smoothed=True)
TRIES = Limit("tries", 10, 900, fails_closed=True)


class Remote(MemoryLimiter):
    """Away when a test says so; counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.away = False
        self.pinged = asyncio.Event()

    async def ping(self) -> None:
        self.pinged.set()
        self._answer()

    async def hit(self, limit: Limit, key: str, cost: int = 1) -> Verdict:
        self._answer()
        return await super().hit(limit, key, cost)

    async def hit_all(self, hits: Sequence[Hit]) -> list[Verdict]:
        self._answer()
        return await super().hit_all(hits)

    async def peek(self, limit: Limit, key: str) -> Verdict:
        self._answer()
        return await super().peek(limit, key)

    async def clear(self, limit: Limit, key: str) -> None:
        self._answer()
        await super().clear(limit, key)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise LimitsUnavailable from ConnectionError("gone")


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def degraded() -> float:
    return told("portico_ratelimit_degraded")


def without(outcome: str) -> float:
    return told("portico_ratelimit_without_redis_total", outcome=outcome)


@asynccontextmanager
async def shared(url: str, *, answer_seconds: float = 0.2) -> AsyncIterator[SharedLimiter]:
    async with (
        RedisLimiter(url, answer_seconds=answer_seconds) as remote,
        SharedLimiter(remote, MemoryLimiter(), again_seconds=0.05) as limiter,
    ):
        yield limiter


async def until_together() -> None:
    async with asyncio.timeout(30):
        while degraded():  # noqa: ASYNC110  the task that ends it tells nobody but the metric
            await asyncio.sleep(0.01)


async def test_each_process_allows_a_fourth_and_tells_the_whole_limit() -> None:
    remote = Remote()
    remote.away = True
    async with SharedLimiter(remote, MemoryLimiter()) as limiter:
        verdicts = [await limiter.hit(POINTS, "ada") for _ in range(11)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False]
    assert [verdict.remaining for verdict in verdicts] == [*range(9, -1, -1), 0]
    assert {verdict.limit for verdict in verdicts} == {POINTS}


async def test_limit_of_less_than_four_allows_one() -> None:
    remote = Remote()
    remote.away = True
    async with SharedLimiter(remote, MemoryLimiter()) as limiter:
        limit = Limit("few", 3, 1_000_000_000, smoothed=True)

        assert [(await limiter.hit(limit, "ada")).allowed for _ in range(2)] == [True, False]


async def test_what_fails_closed_is_refused_and_counted_nowhere() -> None:
    remote, alone = Remote(), MemoryLimiter()
    remote.away = True
    before = without("refused")
    async with SharedLimiter(remote, alone) as limiter:
        for asking in (
            limiter.hit(TRIES, "ada"),
            limiter.peek(TRIES, "ada"),
            limiter.clear(TRIES, "ada"),
            limiter.hit_all([Hit(POINTS, "ada"), Hit(TRIES, "ada")]),
        ):
            with pytest.raises(LimitsUnavailable) as refused:
                await asking
            assert refused.value.retry_after_seconds == 5

        assert without("refused") - before == 4
        assert (await alone.peek(POINTS, "ada")).remaining == 40


async def test_only_the_first_asks_a_remote_that_is_away() -> None:
    remote = Remote()
    remote.away = True
    before = without("alone")
    async with SharedLimiter(remote, MemoryLimiter(), again_seconds=3600) as limiter:
        await limiter.hit(POINTS, "ada")
        await remote.pinged.wait()
        for _ in range(3):
            await limiter.hit(POINTS, "ada")
            await limiter.hit_all([Hit(POINTS, "ada"), Hit(OTHER, "ada")])
            await limiter.peek(POINTS, "ada")
        await limiter.clear(POINTS, "ada")

        assert remote.asked == 2  # the first, and the look beside the requests
        assert degraded() == 1
        assert without("alone") - before == 11

    assert degraded() == 0


async def test_alone_it_is_all_of_several_limits_or_none_too() -> None:
    remote = Remote()
    remote.away = True
    async with SharedLimiter(remote, MemoryLimiter()) as limiter:
        hits = [Hit(POINTS, "ada"), Hit(OTHER, "ada")]
        found = [await limiter.hit_all(hits) for _ in range(3)]

        assert [[verdict.allowed for verdict in verdicts] for verdicts in found] == [[True, True]] * 2 + [[True, False]]
        assert [verdict.limit for verdict in found[0]] == [POINTS, OTHER]
        assert (await limiter.peek(POINTS, "ada")).remaining == 8


async def test_back_again_it_counts_where_it_counted_before(log_entries: LogEntries) -> None:
    remote = Remote()
    async with SharedLimiter(remote, MemoryLimiter(), again_seconds=0.01) as limiter:
        await limiter.hit(POINTS, "ada", 30)
        remote.away = True
        alone = await limiter.hit(POINTS, "ada", 5)
        remote.away = False
        await until_together()

        assert alone.remaining == 5
        assert (await limiter.hit(POINTS, "ada")).remaining == 9
    assert [entry["event"] for entry in log_entries if entry["event"].startswith("limits_counted")] == [
        "limits_counted_alone",
        "limits_counted_together",
    ]
    assert log_entries[0]["reason"] == "ConnectionError: gone"


async def test_nobody_listening_is_as_away_from_the_start(free_port: int) -> None:
    async with shared(f"redis://127.0.0.1:{free_port}") as limiter:
        assert (await limiter.hit(POINTS, "ada")).remaining == 9
        with pytest.raises(LimitsUnavailable):
            await limiter.hit(TRIES, "ada")


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_real_server_that_goes_and_comes_back(valkey: ValkeyProcess, how: str) -> None:
    points = Limit(new_id("points"), 40, 1_000_000_000, smoothed=True)
    async with shared(valkey.url) as limiter:
        together = [(await limiter.hit(points, "ada")).remaining, (await limiter.hit(TRIES, "ada")).remaining]

        getattr(valkey, how)()
        alone = await asyncio.gather(*(limiter.hit(points, "ada") for _ in range(60)))
        was_degraded = degraded()
        with pytest.raises(LimitsUnavailable):
            await limiter.hit(TRIES, "ada")

        valkey.restart() if how == "kill" else valkey.thaw()
        await until_together()
        again = await limiter.hit(TRIES, "ada")
        counted = await limiter.hit(points, "ada")

    assert together == [39, 9]
    assert sum(verdict.allowed for verdict in alone) == 10
    assert was_degraded == 1
    assert again.allowed
    # What a frozen server was asked for it still counts when it goes on; one that was killed has forgotten.
    assert counted.remaining == 39 if how == "kill" else counted.remaining <= 38


async def test_more_callers_than_connections_wait_for_each_other(valkey: ValkeyProcess) -> None:
    points = Limit(new_id("points"), 400, 1_000_000_000, smoothed=True)
    async with shared(valkey.url, answer_seconds=30) as limiter:
        found = await asyncio.gather(*(limiter.hit(points, "ada") for _ in range(500)))

    assert sum(verdict.allowed for verdict in found) == 400
    assert degraded() == 0


async def test_server_that_was_restarted_knows_the_script_again(valkey: ValkeyProcess) -> None:
    async with RedisLimiter(valkey.url, answer_seconds=30) as limiter:
        await limiter.hit(POINTS, "ada", 40)
        valkey.kill()
        valkey.restart()
        await limiter.ping()

        assert (await limiter.hit(POINTS, "ada")).remaining == 39
