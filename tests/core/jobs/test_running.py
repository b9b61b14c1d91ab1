import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client.registry import REGISTRY as METRICS
from sqlalchemy import text

from core.jobs.engine import Lines
from core.jobs.metrics import depth_metrics
from core.jobs.repository import JobRepository
from tests.core.jobs.conftest import Shop, opened
from tests.core.jobs.program import (
    QUICK,
    Effects,
    Work,
    broken,
    effects,
    endless,
    import_rows,
    narrow,
    note,
    odd_result,
    one_by_one,
    patient,
    rated,
    refused,
    second_time,
    self_cancelled,
    unstorable,
    waits,
)


def runs(queue: str, outcome: str) -> float:
    """Of jobs of whatever name."""
    (metric,) = [each for each in METRICS.collect() if each.name == "portico_job_duration_seconds"]
    wanted = {"queue": queue, "outcome": outcome}
    return sum(
        each.value for each in metric.samples if each.name.endswith("_count") and wanted.items() <= each.labels.items()
    )


async def test_job_runs_and_leaves_its_result(shop: Shop) -> None:
    before = runs("plain", "succeeded")
    async with shop.worker():
        made = await shop.enqueue(import_rows, Work(items=5, batch=2))
        job = await shop.until(made.id)

    assert (job.state, job.result, job.attempts, job.error) == ("succeeded", {"items": 5}, 1, None)
    assert (job.progress, job.message) == (1.0, "5 of 5")
    assert job.started_at is not None
    assert job.finished_at is not None
    assert await shop.items(job.id) == [0, 1, 2, 3, 4]
    assert runs("plain", "succeeded") == before + 1


def test_jobs_run_in_the_workers_loop_also_when_they_are_started_while_it_rests(
    sqlite_database_url: str, tmp_path: Path
) -> None:
    async def enter() -> Lines:
        shop = await stack.enter_async_context(opened(sqlite_database_url, tmp_path))
        return (await stack.enter_async_context(shop.worker()))._lines

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        lines = runner.run(enter())
        assert not runner.get_loop().is_running()
        assert (
            lines._dbos._background_event_loop.target_loop() is runner.get_loop()
        )  # where DBOS starts what is claimed
        runner.run(stack.aclose())


async def test_job_starts_as_soon_as_it_is_committed_here(shop: Shop) -> None:
    async with shop.worker(timing=replace(QUICK, poll=60.0)):
        async with shop.database.write() as session:
            async with session.begin_nested():  # as every command with an idempotency key runs
                made = await shop.jobs.enqueue(session, note, Work())
            await asyncio.sleep(0.3)
        job = await shop.until(made.id, seconds=10)

    assert job.state == "succeeded"


async def test_result_is_kept_as_json(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(odd_result)).id)

    assert job.result == {"path": "a", "once": True}


async def test_result_that_cannot_be_stored_fails_the_job(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(unstorable)).id)

    assert (job.state, job.result) == ("dead", None)
    assert job.error is not None
    assert "Unable to serialize" in job.error["exception"]


async def test_job_that_cancels_itself_has_failed(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(self_cancelled)).id)

    assert (job.state, job.attempts) == ("dead", 1)


async def test_failing_job_is_tried_again_and_is_dead_after_its_last_attempt(shop: Shop) -> None:
    before = runs("plain", "retried"), runs("plain", "dead")
    async with shop.worker():
        job = await shop.until((await shop.enqueue(broken)).id)

    assert (job.state, job.attempts) == ("dead", 3)
    assert job.error == {
        "code": "internal_error",
        "message": "Internal error",
        "exception": "RuntimeError('it is broken')",
    }
    assert await shop.items(job.id) == []
    assert (runs("plain", "retried"), runs("plain", "dead")) == (before[0] + 2, before[1] + 1)
    assert sorted(await shop.dbos()) == [job.id, f"{job.id}.2", f"{job.id}.3"]


async def test_refusal_is_not_tried_again(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(refused)).id)

    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error is not None
    assert (job.error["code"], job.error["message"]) == ("conflict", "not now and never")


async def test_error_that_says_when_is_not_tried_before(shop: Shop) -> None:
    async with shop.worker():
        made = await shop.enqueue(patient)

        async def failed_once() -> bool:
            return (await shop.job(made.id)).error is not None

        await shop.when(failed_once)

    job = await shop.job(made.id)
    assert (job.state, job.attempts) == ("queued", 1)
    assert job.started_at is not None
    assert job.run_at - job.started_at >= timedelta(seconds=30)


async def test_attempt_that_takes_too_long_is_ended(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(endless)).id)

    assert (job.state, job.attempts) == ("dead", 2)
    assert job.error == {"code": "timeout", "message": "It took longer than 0.2 s.", "exception": None}


async def test_arguments_that_do_not_fit_fail_the_job(shop: Shop) -> None:
    async with shop.worker():
        job = await shop.until((await shop.enqueue(note, Effects(file=Path("x")))).id, seconds=5)
        other = await shop.until((await shop.enqueue(effects, Work())).id, seconds=5)

    assert job.state == "succeeded"  # every field of Work has a default
    assert (other.state, other.attempts) == ("failed", 1)
    assert other.error is not None
    assert other.error["code"] == "invalid_arguments"


async def test_progress_is_seen_while_it_runs(shop: Shop) -> None:
    async with shop.worker():
        made = await shop.enqueue(import_rows, Work(items=4, batch=1, pause=0.3))

        async def half() -> bool:
            return (await shop.job(made.id)).progress == 0.5

        await shop.when(half)
        job = await shop.job(made.id)
        await shop.until(made.id)

    assert (job.state, job.message) == ("running", "2 of 4")


async def test_running_job_is_cancelled(shop: Shop) -> None:
    async with shop.worker():
        made = await shop.enqueue(waits)
        await shop.until(made.id, "running")
        async with shop.database.write() as session:
            asked = await shop.jobs.cancel(session, made.id)
        job = await shop.until(made.id, seconds=5)

    assert asked.state == "running"
    assert asked.cancel_requested_at is not None
    assert (job.state, job.error, job.attempts) == ("cancelled", None, 1)


async def test_cancelled_job_that_waited_does_not_run(shop: Shop) -> None:
    made = await shop.enqueue(note)
    async with shop.database.write() as session:
        await shop.jobs.cancel(session, made.id)

    async with shop.worker():

        async def taken() -> bool:
            return await shop.dbos() == {made.id: "SUCCESS"}

        await shop.when(taken)

    assert (await shop.job(made.id)).state == "cancelled"
    assert await shop.items(made.id) == []


async def test_dead_job_is_run_again_with_its_checkpoint(shop: Shop) -> None:
    async with shop.worker():
        dead = await shop.until((await shop.enqueue(second_time)).id)
        async with shop.database.write() as session:
            waiting = await shop.jobs.retry(session, dead.id)
        job = await shop.until(dead.id)

    assert (dead.state, dead.attempts) == ("dead", 1)
    assert (waiting.state, waiting.finished_at) == ("queued", None)
    assert (job.state, job.result, job.error) == ("succeeded", {"attempt": 2}, None)


async def test_delayed_job_runs_when_it_is_due(shop: Shop) -> None:
    async with shop.worker():
        made = await shop.enqueue(note, delay=timedelta(seconds=1))
        job = await shop.until(made.id)

    assert job.started_at is not None
    assert job.started_at >= job.run_at


async def test_higher_priority_runs_first(shop: Shop) -> None:
    made = [await shop.enqueue(one_by_one, priority=priority) for priority in (0, -5, 5)]

    async with shop.worker():
        done = [await shop.until(each.id) for each in made]

    begun = sorted(done, key=lambda job: job.started_at or job.created_at)
    assert [job.priority for job in begun] == [5, 0, -5]


async def test_queue_runs_no_more_at_once_than_it_may(shop: Shop) -> None:
    made = [await shop.enqueue(narrow, Work(pause=0.2)) for _ in range(5)]
    seen: list[int] = []

    async def all_done() -> bool:
        async with shop.database.read() as session:
            depths = await JobRepository(session).depths(shop.resources.clock.now())
        seen.extend(depth.running for depth in depths)
        return depths == []

    async with shop.worker():
        await shop.when(all_done)

    assert max(seen) == 2
    assert [(await shop.job(each.id)).state for each in made] == ["succeeded"] * 5


async def test_queue_starts_no_more_in_a_while_than_it_may(shop: Shop) -> None:
    made = [await shop.enqueue(rated) for _ in range(4)]

    async with shop.worker():
        await shop.until(made[1].id)
        await asyncio.sleep(0.5)

    assert [(await shop.job(each.id)).state for each in made] == ["succeeded", "succeeded", "queued", "queued"]


async def test_cancelled_job_that_is_run_again_runs_once(shop: Shop) -> None:
    made = await shop.enqueue(note)
    async with shop.database.write() as session:
        await shop.jobs.cancel(session, made.id)
    async with shop.database.write() as session:
        await shop.jobs.retry(session, made.id)

    async with shop.worker():

        async def both_taken() -> bool:
            return await shop.dbos() == {made.id: "SUCCESS", f"{made.id}.2": "SUCCESS"}

        await shop.when(both_taken)
        job = await shop.until(made.id)

    assert (job.state, job.attempts, job.cancel_requested_at) == ("succeeded", 1, None)
    assert await shop.items(job.id) == [0]


async def test_job_whose_slot_is_taken_away_is_run_again(postgres_shop: Shop) -> None:
    shop = postgres_shop
    async with shop.worker():
        made = await shop.enqueue(import_rows, Work(items=60, batch=1, pause=0.02))

        async def begun() -> bool:
            return len(await shop.items(made.id)) >= 2

        await shop.when(begun)
        async with shop.database.write() as session:
            await session.execute(text("UPDATE job_slots SET holder = NULL, fence = fence + 1"))
        job = await shop.until(made.id)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(60))


async def test_stopping_waits_for_what_runs(shop: Shop) -> None:
    async with shop.worker():
        made = await shop.enqueue(note, Work(pause=0.5))
        await shop.until(made.id, "running")

    job = await shop.job(made.id)
    assert (job.state, job.attempts) == ("succeeded", 1)


async def test_stopping_hands_a_running_job_to_the_next_worker(shop: Shop) -> None:
    async with shop.worker(timing=replace(QUICK, drain=0.1)):
        made = await shop.enqueue(import_rows, Work(items=10, batch=1, pause=0.1))

        async def begun() -> bool:
            return len(await shop.items(made.id)) >= 2

        await shop.when(begun)

    left, line = await shop.job(made.id), await shop.dbos()
    async with shop.worker():
        job = await shop.until(made.id)

    assert (left.state, left.attempts) == ("queued", 1)
    assert line == {made.id: "ENQUEUED"}  # already: nobody has to find out first that its worker is gone
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(10))


async def test_depths_become_metrics(shop: Shop) -> None:
    made = await shop.enqueue(note)
    async with shop.database.read() as session:
        depths = await JobRepository(session).depths(made.created_at + timedelta(seconds=3))

    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in depth_metrics(depths, {("plain", "dead"): 2})
        for sample in metric.samples
    }

    assert samples == {
        ("portico_jobs", "plain", "queued"): 1.0,
        ("portico_jobs", "plain", "running"): 0.0,
        ("portico_jobs", "plain", "dead"): 2.0,
        ("portico_job_oldest_seconds", "plain"): 3.0,
    }


async def test_claim_whose_answer_is_lost_is_put_back_and_claimed_again(shop: Shop) -> None:
    made = await shop.enqueue(import_rows, Work(items=2))
    worker = shop.worker()
    async with worker:
        system = worker._lines._system
        read, lost = system.get_workflow_statuses, list[str]()

        def read_or_lose(claimed: list[str]) -> Any:
            if claimed and not lost:
                lost.extend(claimed)
                raise ConnectionError("the database went away")
            return read(claimed)

        system.get_workflow_statuses = read_or_lose
        again = await shop.enqueue(import_rows, Work(items=2))
        jobs = [await shop.until(each.id) for each in (made, again)]

    assert len(lost) >= 1
    assert [(job.state, job.attempts) for job in jobs] == [("succeeded", 1)] * 2
