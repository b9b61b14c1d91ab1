"""Turns at connections: bounded waits, and no audience that takes all."""

import asyncio
from contextvars import copy_context

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from core.database import Database, DatabaseUnavailable
from core.pools import Turns, enter_share, watch
from core.postgresql import Limits


def turns(size: int = 4, wait_seconds: float = 20) -> Turns:
    return Turns("test", size, wait_seconds)


async def as_sharer(pool: Turns, audience: str, method: str = "GET") -> "asyncio.Task[tuple[str, bool] | None]":
    """One of the audience, who has had the time to take a turn."""

    async def take() -> tuple[str, bool] | None:
        enter_share(audience, method)
        return await pool.enter()

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_one_kind_of_work_gets_three_quarters() -> None:
    pool = turns()

    storm = [await as_sharer(pool, "graphql", "POST") for _ in range(6)]
    order = await as_sharer(pool, "public", "POST")

    assert [task.done() for task in storm] == [True] * 3 + [False] * 3
    assert order.done()
    assert (pool.used, pool.waiting) == (4, 3)
    for task in storm:
        task.cancel()


async def test_orders_have_their_own_part_beside_reads_of_the_same_audience() -> None:
    pool = turns()
    reads = [await as_sharer(pool, "public") for _ in range(4)]

    order = await as_sharer(pool, "public", "POST")

    assert [task.done() for task in reads] == [True, True, True, False]
    assert order.done()
    reads[-1].cancel()


async def test_process_itself_may_have_all() -> None:
    pool = turns()

    taken = [await copy_context().run(pool.enter) for _ in range(4)]

    assert taken == [None] * 4


async def test_turn_that_is_given_back_goes_to_the_first_who_may_have_it() -> None:
    pool = turns()
    storm = [await as_sharer(pool, "graphql") for _ in range(4)]
    others = [await as_sharer(pool, "public") for _ in range(2)]
    assert [task.done() for task in (*storm, *others)] == [True, True, True, False, True, False]

    pool.leave(await others[0])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert others[1].done()  # though one of the storm came before it
    assert not storm[3].done()
    pool.leave(await storm[0])
    await storm[3]
    assert (pool.used, pool.waiting) == (4, 0)


async def test_wait_is_bounded() -> None:
    pool = turns(1, wait_seconds=0.01)
    await pool.enter()

    with pytest.raises(TimeoutError):
        await pool.enter()

    assert (pool.used, pool.waiting) == (1, 0)


async def test_who_leaves_while_its_turn_comes_gives_it_to_the_next() -> None:
    pool = turns(1)
    first = await pool.enter()
    second = asyncio.create_task(pool.enter())
    third = asyncio.create_task(pool.enter())
    await asyncio.sleep(0)

    pool.leave(first)
    second.cancel()
    await asyncio.wait([second])

    assert second.cancelled()
    assert await third is None
    assert (pool.used, pool.waiting) == (1, 0)


async def test_pools_are_told_to_the_metrics() -> None:
    pool = turns(2)
    await pool.enter()
    await pool.enter()
    waiting = asyncio.create_task(pool.enter())
    await asyncio.sleep(0)

    watching = asyncio.create_task(watch([pool]))
    await asyncio.sleep(0)

    labels = {"pool": "test"}
    found = [REGISTRY.get_sample_value(f"portico_pool_{name}", labels) for name in ("size", "used", "waiting")]
    assert found == [2, 2, 1]
    watching.cancel()
    waiting.cancel()


async def test_sessions_take_turns_and_give_them_back(postgres_database_url: str) -> None:
    database = Database(postgres_database_url, Limits(read=2, write=1, wait_seconds=0.05))
    used = {pool.name: pool for pool in database.pools}
    async with database.read() as one, database.read() as other:
        assert used["read"].used == 0  # a session that asked for nothing has no connection
        await one.execute(text("SELECT 1"))
        await other.execute(text("SELECT 1"))

        with pytest.raises(DatabaseUnavailable) as refused:
            await database.ping()

        async with database.write() as writing:  # has a pool of its own
            await writing.execute(text("SELECT 1"))
            assert (used["read"].used, used["write"].used) == (2, 1)

    assert (refused.value.code, refused.value.retry_after_seconds) == ("database_unavailable", 2)
    assert [pool.used for pool in database.pools] == [0] * 4
    await database.ping()
    await database.close()
