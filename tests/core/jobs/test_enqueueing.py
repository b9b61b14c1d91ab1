import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import Invalid
from core.jobs.entities import JobFinished, JobNotFound, JobNotRetryable
from core.jobs.registry import Registry
from core.jobs.repository import JobRepository
from core.jobs.run import JobRun
from tests.core.jobs.conftest import Shop
from tests.core.jobs.program import Work, note


async def test_job_waits_with_what_it_was_given(shop: Shop) -> None:
    made = await shop.enqueue(note, Work(items=3), owner="usr_1", dedup_key="a", priority=7)

    job = await shop.job(made.id)
    assert job == made
    assert (job.name, job.queue, job.owner_id, job.state) == ("note", "plain", "usr_1", "queued")
    assert job.args == {"items": 3, "batch": 1, "pause": 0.0}
    assert (job.progress, job.message, job.result, job.error, job.attempts) == (0.0, None, None, None, 0)
    assert (job.dedup_key, job.priority, job.started_at, job.finished_at) == ("a", 7, None, None)
    assert job.run_at == job.created_at
    assert await shop.dbos() == {job.id: "ENQUEUED"}


async def test_rollback_leaves_neither_job_nor_workflow(shop: Shop) -> None:
    async def enqueue_and_fail() -> None:
        async with shop.database.write() as session:
            await shop.jobs.enqueue(session, note, Work())
            raise Invalid

    with pytest.raises(Invalid):
        await enqueue_and_fail()

    assert await shop.rows("SELECT id FROM jobs") == []
    assert await shop.dbos() == {}


async def test_repeated_key_is_one_job(shop: Shop) -> None:
    first = await shop.enqueue(note, Work(items=1), dedup_key="same")

    second = await shop.enqueue(note, Work(items=2), dedup_key="same")

    assert second == first
    assert list(await shop.dbos()) == [first.id]


async def test_key_used_at_once_by_many_is_one_job(shop: Shop) -> None:
    made = await asyncio.gather(*(shop.enqueue(note, dedup_key="same") for _ in range(8)))

    assert len({job.id for job in made}) == 1
    assert len(await shop.dbos()) == 1


async def test_delayed_job_is_not_due_yet(shop: Shop) -> None:
    job = await shop.enqueue(note, delay=timedelta(hours=1))

    assert job.run_at - job.created_at == timedelta(hours=1)
    assert await shop.dbos() == {job.id: "DELAYED"}


async def test_waiting_job_is_cancelled_at_once_and_only_once(shop: Shop) -> None:
    made = await shop.enqueue(note)

    async with shop.database.write() as session:
        cancelled = await shop.jobs.cancel(session, made.id)

    assert (cancelled.state, cancelled.finished) == ("cancelled", True)
    assert cancelled.finished_at is not None
    with pytest.raises(JobFinished):
        async with shop.database.write() as session:
            await shop.jobs.cancel(session, made.id)
    assert await shop.job(made.id) == cancelled


async def test_job_that_waits_cannot_be_run_again(shop: Shop) -> None:
    made = await shop.enqueue(note)

    with pytest.raises(JobNotRetryable):
        async with shop.database.write() as session:
            await shop.jobs.retry(session, made.id)

    assert await shop.job(made.id) == made


async def test_unknown_job_is_not_found(shop: Shop) -> None:
    async with shop.database.write() as session:
        for change in (shop.jobs.cancel, shop.jobs.retry):
            with pytest.raises(JobNotFound):
                await change(session, "job_nothing")


async def test_jobs_are_listed_newest_first_by_what_is_asked(shop: Shop) -> None:
    made = [await shop.enqueue(note, owner=owner) for owner in ("usr_a", "usr_b", "usr_a", None)]
    async with shop.database.write() as session:
        await shop.jobs.cancel(session, made[0].id)

    async with shop.database.read() as session:
        jobs = JobRepository(session)
        everything = await jobs.newest(limit=3)
        rest = await jobs.newest(limit=3, after=everything.next_cursor)
        own = await jobs.newest(limit=10, owner_id="usr_a")
        waiting = await jobs.newest(limit=10, state="queued", name="note")

    assert [job.id for job in everything.items] == [made[3].id, made[2].id, made[1].id]
    assert [job.id for job in rest.items] == [made[0].id]
    assert (everything.has_next, rest.has_next) == (True, False)
    assert [job.id for job in own.items] == [made[2].id, made[0].id]
    assert [job.id for job in waiting.items] == [made[3].id, made[2].id, made[1].id]


async def test_depth_counts_what_waits_and_the_age_of_what_could_run(shop: Shop) -> None:
    first = await shop.enqueue(note)
    await shop.enqueue(note, delay=timedelta(hours=1))

    async with shop.database.read() as session:
        (depth,) = await JobRepository(session).depths(first.created_at + timedelta(seconds=90))

    assert (depth.queue, depth.queued, depth.running, depth.oldest_seconds) == ("plain", 2, 0, 90.0)


async def test_old_finished_jobs_are_forgotten_with_their_workflows(shop: Shop) -> None:
    old, young = await shop.enqueue(note), await shop.enqueue(note)
    for each in (old, young):
        async with shop.database.write() as session:
            cancelled = await shop.jobs.cancel(session, each.id)
    waiting = await shop.enqueue(note)
    assert cancelled.finished_at is not None

    forgotten = await shop.jobs.forget_finished(cancelled.finished_at)

    assert forgotten == 1
    assert {name for (name,) in await shop.rows("SELECT id FROM jobs")} == {young.id, waiting.id}
    assert set(await shop.dbos()) == {young.id, waiting.id}


def test_importing_jobs_loads_nothing_of_dbos() -> None:
    program = """
import sys
import core.jobs, core.jobs.jobs, core.jobs.registry, core.jobs.repository, core.jobs.run, core.jobs.worker
print(sorted(name for name in sys.modules if name.split(".")[0] in ("dbos", "psycopg")))
"""

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )

    assert run.stdout == "[]\n"


def test_two_jobs_of_one_name_and_a_job_without_its_queue_are_refused() -> None:
    registry = Registry()

    @registry.job("twice", queue="nowhere")
    async def first(_run: JobRun, _args: Work) -> None: ...

    with pytest.raises(ValueError, match="two jobs are named twice"):
        registry.job("twice", queue="nowhere")(first.handler)
    with pytest.raises(ValueError, match="waits in the queue nowhere"):
        registry.check()
