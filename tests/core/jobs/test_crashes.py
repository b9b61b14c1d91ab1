"""Real processes that die, freeze, or start at the same moment."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.core.jobs.conftest import Shop, StartWorker
from tests.core.jobs.program import Effects, Work, effects, import_rows, note, waits

RANDOM = random.Random(20261122)  # noqa: S311  the same moments each time


async def test_killed_five_times_every_job_ends_once_and_redoes_nothing(
    shop: Shop, start_worker: StartWorker, tmp_path: Path
) -> None:
    rows = await shop.enqueue(import_rows, Work(items=5000, batch=25, pause=0.01))
    stepped = await shop.enqueue(effects, Effects(file=tmp_path / "effects", pause=0.2))
    small = [await shop.enqueue(note, dedup_key=str(number)) for number in range(10)]
    made = [rows, stepped, *small]
    reached = 0

    async def gone_on() -> bool:
        return len(await shop.items(rows.id)) > reached

    for _ in range(5):
        worker = start_worker(shop)
        await shop.when(gone_on)
        await asyncio.sleep(RANDOM.uniform(0, 0.3))
        worker.send(signal.SIGKILL)
        worker.wait(5)
        reached = len(await shop.items(rows.id))
    assert 0 < reached < 5000
    start_worker(shop)
    done = [await shop.until(job.id, seconds=40) for job in made]

    assert [job.state for job in done] == ["succeeded"] * len(made)
    assert (done[0].attempts, done[0].result) == (6, {"items": 5000})
    assert await shop.items(rows.id) == list(range(5000))
    for job in small:
        assert set(await shop.items(job.id)) == {0}
    keys = Counter((tmp_path / "effects").read_text().splitlines())
    assert set(keys) == {f"{stepped.id}:step-{number}" for number in range(10)}
    assert sum(keys.values()) <= 10 + 5  # again only the step that it died in
    assert done[1].result == {"done": [f"step-{number}" for number in range(10)]}


async def test_two_workers_that_start_at_once_run_nothing_twice(shop: Shop, start_worker: StartWorker) -> None:
    made = [await shop.enqueue(note, Work(items=1, pause=0.05)) for _ in range(40)]

    workers = [start_worker(shop), start_worker(shop)]
    done = [await shop.until(job.id, seconds=30) for job in made]

    assert {(job.state, job.attempts) for job in done} == {("succeeded", 1)}
    assert await shop.rows("SELECT job FROM work GROUP BY job HAVING count(*) > 1") == []
    assert len(await shop.rows("SELECT DISTINCT job FROM work")) == 40
    pids = {pid for (pid,) in await shop.rows("SELECT DISTINCT pid FROM work")}
    assert pids <= {worker.pid for worker in workers}


async def test_schedule_ticks_once_over_two_workers(shop: Shop, start_worker: StartWorker) -> None:
    workers = [start_worker(shop, TICKING="1"), start_worker(shop, TICKING="1")]
    for worker in workers:
        worker.until("working")

    async def ticked() -> bool:
        return len(await shop.rows("SELECT item FROM work")) >= 3

    await shop.when(ticked)
    for worker in workers:
        worker.send(signal.SIGTERM)
        assert worker.wait(10) == 0

    moments = [item for (item,) in await shop.rows("SELECT item FROM work ORDER BY item")]
    assert moments == list(range(moments[0], moments[0] + len(moments)))
    states = await shop.rows("SELECT DISTINCT name, state FROM jobs")
    assert states == [("tick", "succeeded")]


async def test_stopped_worker_ends_and_leaves_its_slot_free(postgres_shop: Shop, start_worker: StartWorker) -> None:
    worker = start_worker(postgres_shop)
    worker.until("working")

    worker.send(signal.SIGTERM)

    assert worker.wait(10) == 0
    assert await postgres_shop.rows("SELECT holder FROM job_slots") == [(None,)]


async def frozen_and_woken(shop: Shop, start_worker: StartWorker, job_id: str, enough: int) -> tuple[Any, int, int]:
    """A worker frozen in the middle of a job; another that takes it over; then both run on until it is done."""
    frozen = start_worker(shop)

    async def begun() -> bool:
        return len(await shop.items(job_id)) >= enough

    await shop.when(begun)
    frozen.send(signal.SIGSTOP)
    other = start_worker(shop)
    other.until("working")

    async def taken() -> bool:
        return (await shop.job(job_id)).attempts == 2

    await shop.when(taken)
    frozen.send(signal.SIGCONT)
    frozen.until("job_slot_lost")
    return await shop.until(job_id, seconds=30), frozen.pid, other.pid


async def test_worker_frozen_past_its_lease_corrupts_nothing(postgres_shop: Shop, start_worker: StartWorker) -> None:
    shop = postgres_shop
    made = await shop.enqueue(import_rows, Work(items=80, batch=1, pause=0.05))

    job, frozen, other = await frozen_and_woken(shop, start_worker, made.id, 3)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(80))
    by_worker = await shop.rows("SELECT pid, min(item), max(item) FROM work GROUP BY pid ORDER BY 2")
    assert [pid for pid, _, _ in by_worker] == [frozen, other]
    assert by_worker[0][2] + 1 == by_worker[1][1]  # not one row of the frozen worker after the take-over


async def test_worker_that_lost_its_slot_goes_on_under_another(postgres_shop: Shop, start_worker: StartWorker) -> None:
    shop = postgres_shop
    frozen = start_worker(shop)
    frozen.until("working")
    await shop.until((await shop.enqueue(note)).id)
    frozen.send(signal.SIGSTOP)
    other = start_worker(shop)
    other.until("working")

    async def lost() -> bool:
        held = await shop.rows("SELECT count(*) FROM job_slots WHERE holder IS NOT NULL")
        return held == [(1,)]

    await shop.when(lost)
    frozen.send(signal.SIGCONT)
    frozen.until("job_slot_lost")
    other.send(signal.SIGTERM)
    assert other.wait(10) == 0
    job = await shop.until((await shop.enqueue(note)).id)

    assert job.state == "succeeded"
    assert await shop.rows("SELECT pid FROM work WHERE job = :job", job=job.id) == [(frozen.pid,)]


async def test_worker_frozen_inside_a_transaction_does_not_hold_the_others_up(
    postgres_shop: Shop, start_worker: StartWorker
) -> None:
    """A lock on the table of work freezes the worker in its transaction; PostgreSQL ends that for it."""
    shop = postgres_shop
    made = await shop.enqueue(import_rows, Work(items=20, batch=1, pause=0.05))
    frozen = start_worker(shop)

    async def begun() -> bool:
        return len(await shop.items(made.id)) >= 2

    await shop.when(begun)
    async with shop.database.write() as session:
        await session.execute(text("LOCK TABLE work IN ACCESS EXCLUSIVE MODE"))
        await asyncio.sleep(0.3)
        frozen.send(signal.SIGSTOP)
    start_worker(shop)
    job = await shop.until(made.id, seconds=30)
    frozen.send(signal.SIGCONT)
    frozen.until("job_slot_lost")

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(20))


async def test_running_job_of_a_dead_worker_can_be_cancelled(sqlite_shop: Shop, start_worker: StartWorker) -> None:
    shop = sqlite_shop
    made = await shop.enqueue(waits)
    worker = start_worker(shop)
    await shop.until(made.id, "running")
    worker.send(signal.SIGKILL)
    worker.wait(5)
    async with shop.database.write() as session:
        await shop.jobs.cancel(session, made.id)

    start_worker(shop)
    job = await shop.until(made.id)

    assert (job.state, job.attempts) == ("cancelled", 1)
