"""Overrides in the budget of every process: soon after a change anywhere, and no longer than they last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from commerce.limits.entities import Terms
from commerce.limits.registry import LimitRegistry
from core.budget import Budget
from core.database import Database
from core.hub import Hub
from core.hub.memory import MemoryHub
from core.hub.redis import RedisHub
from core.ratelimit.memory import MemoryLimiter
from core.resources import Resources, assemble
from core.settings import Settings
from tests.commerce.limits.conftest import ADDRESS, give, take
from tests.factories.clocks import NOON, FakeClock
from tests.factories.objects import objects_in_memory
from tests.factories.statements import recorded

NEVER = 3600.0
CALLER = "10.0.0.1"
SMALL = Terms(None, 5, "too much", None)


@asynccontextmanager
async def process(resources: Resources, hub: Hub, *, look_seconds: float = NEVER) -> AsyncIterator[Budget]:
    """Another one of the same shop, which has looked once. What it knows is its own."""
    clock = resources.clock
    budget = Budget(MemoryLimiter(), 1000, lambda: clock.now().timestamp())
    async with LimitRegistry(budget, resources.database, clock, hub, look_seconds=look_seconds) as registry:
        await registry.look()
        yield budget


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  a budget tells nobody
            await asyncio.sleep(0.01)


def allowed(budget: Budget) -> int:
    return budget.limit_of(CALLER).amount


async def test_what_is_set_is_known_from_the_start_and_to_others_nothing(resources: Resources) -> None:
    await give(resources, ADDRESS, SMALL)

    async with process(resources, MemoryHub()) as budget:
        assert (allowed(budget), budget.limit_of("10.0.0.2").amount) == (5, 1000)


@pytest.mark.parametrize(("plan", "points"), [("trial", 6_000), ("standard", 1000), ("partner", 10_000_000)])
async def test_plan_is_its_points(resources: Resources, plan: str, points: int) -> None:
    await give(resources, ADDRESS, Terms(plan, None, "x", None))  # type: ignore[arg-type]

    async with process(resources, MemoryHub()) as budget:
        assert allowed(budget) == points


async def test_another_process_obeys_when_the_hub_tells_it(
    sqlite_database: Database, settings: Settings, redis_url: str
) -> None:
    """Through Redis: nothing is shared but that and the database."""
    async with RedisHub(redis_url) as here, RedisHub(redis_url, again_seconds=0.05) as there:
        resources = assemble(settings, FakeClock(), sqlite_database, objects_in_memory(), {}, hub=here)
        listening = asyncio.Event()
        there.subscribe("ready", listening.set)
        async with asyncio.timeout(20), process(resources, there) as budget:
            await listening.wait()
            await give(resources, ADDRESS, SMALL)
            await until(lambda: allowed(budget) == 5)

            await take(resources, ADDRESS)
            await until(lambda: allowed(budget) == 1000)


async def test_another_process_obeys_soon_where_no_word_of_it_comes(resources: Resources) -> None:
    async with process(resources, MemoryHub(), look_seconds=0.02) as budget:
        await give(resources, ADDRESS, SMALL)
        await until(lambda: allowed(budget) == 5)

        await take(resources, ADDRESS)
        await until(lambda: allowed(budget) == 1000)


async def test_override_ends_by_the_clock_alone(resources: Resources, clock: FakeClock) -> None:
    await give(resources, ADDRESS, Terms(None, 5, "x", NOON + timedelta(minutes=10)))
    async with process(resources, MemoryHub()) as budget:
        clock.advance(minutes=9, seconds=59.999)
        before = allowed(budget)
        with recorded(resources.database.reader) as sent:
            clock.advance(seconds=0.001)
            after = allowed(budget)

    assert (before, after, sent) == (5, 1000, [])


async def test_look_that_finds_no_change_reads_one_number(resources: Resources) -> None:
    clock = resources.clock
    await give(resources, ADDRESS, SMALL)
    budget = Budget(MemoryLimiter(), 1000)
    registry = LimitRegistry(budget, resources.database, clock, MemoryHub())
    await registry.look()

    with recorded(resources.database.reader) as sent:
        await registry.look()

    assert len([each for each in sent if "rate_limits" in each]) == 1
    assert allowed(budget) == 5


async def test_with_the_database_away_what_is_known_goes_on(resources: Resources, tmp_path: Path) -> None:
    await give(resources, ADDRESS, SMALL)
    budget = Budget(MemoryLimiter(), 1000)
    empty = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")  # without a single table
    registry = LimitRegistry(budget, resources.database, resources.clock, MemoryHub())
    await registry.look()
    registry._database = empty

    with pytest.raises(OperationalError):
        await registry.look()

    assert allowed(budget) == 5
    await empty.close()
