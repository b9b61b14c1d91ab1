"""Jobs in processes of their own: real children, of this process or of a worker that a test may kill."""

import json
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from core.jobs.worker import JobWorker, Timing
from core.settings import TestSettings as FailpointSettings
from tests.core.jobs.apart_jobs import (
    broken_apart,
    endless_apart,
    import_apart,
    mortal,
    patient_apart,
    refused_apart,
    registry,
    shown,
    stale,
    stubborn,
    takes_files,
    tells,
    tidy,
    unstorable_apart,
)
from tests.core.jobs.conftest import SECRET, Shop, StartWorker
from tests.core.jobs.program import QUICK, Effects, Work

PROGRAM = "apart_program"


def worker(shop: Shop, timing: Timing = QUICK) -> JobWorker:
    return shop.worker(registry, timing)


def children() -> set[int]:
    """Zombies too."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def process_of(shop: Shop, job_id: str, items: int = 1) -> int:
    """Of the job, once it has written so many rows."""

    async def begun() -> bool:
        return len(await shop.items(job_id)) >= items

    await shop.when(begun)
    rows: list[tuple[int]] = await shop.rows("SELECT pid FROM work WHERE job = :job LIMIT 1", job=job_id)
    return rows[0][0]


async def gone(shop: Shop, pid: int) -> None:
    async def not_alive() -> bool:
        return not alive(pid)

    await shop.when(not_alive)


async def test_job_runs_in_a_child_which_ends_with_it(shop: Shop) -> None:
    before = children()
    async with worker(shop):
        job = await shop.until((await shop.enqueue(import_apart, Work(items=5, batch=2))).id)

    pids = {pid for (pid,) in await shop.rows("SELECT pid FROM work")}
    assert (job.state, job.result, job.attempts, job.error) == ("succeeded", {"items": 5}, 1, None)
    assert (job.progress, job.message) == (1.0, "5 of 5")
    assert await shop.items(job.id) == [0, 1, 2, 3, 4]
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert children() == before


async def test_child_shows_no_secret_and_lets_its_worker_go_first(sqlite_shop: Shop, start_worker: StartWorker) -> None:
    process = start_worker(sqlite_shop, PROGRAM)

    job = await sqlite_shop.until((await sqlite_shop.enqueue(tells)).id)

    assert job.result is not None
    assert SECRET in shown(process.pid, "environ")
    assert SECRET not in job.result["command"] + job.result["environment"]
    assert "PORTICO_" not in job.result["environment"]
    assert (job.result["secret"], job.result["path"], job.result["niceness"]) == (SECRET, "a", os.nice(0) + 5)
    process.until("said_by_the_job")
    logged = [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]
    assert [line["event"] for line in logged] == ["said_by_the_job"]
    assert "not an answer" in process.stderr


async def test_progress_is_seen_while_it_runs(sqlite_shop: Shop, tmp_path: Path) -> None:
    shop = sqlite_shop
    async with worker(shop, replace(QUICK, drain=0.0)):
        made = await shop.enqueue(tidy, Effects(file=tmp_path / "file"))

        async def a_quarter() -> bool:
            return (await shop.job(made.id)).progress == 0.25

        await shop.when(a_quarter)
        job = await shop.job(made.id)

    assert (job.state, job.message) == ("running", "it waits")


async def test_refusal_is_not_tried_again(sqlite_shop: Shop) -> None:
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(refused_apart)).id)

    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error == {
        "code": "conflict",
        "message": "not now and never",
        "exception": "Conflict('not now and never')",
    }


async def test_failing_job_is_tried_again_and_is_dead_after_its_last_attempt(sqlite_shop: Shop) -> None:
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(broken_apart)).id)

    assert (job.state, job.attempts) == ("dead", 2)
    assert job.error == {
        "code": "internal_error",
        "message": "Internal error",
        "exception": "RuntimeError('it is broken')",
    }
    assert await sqlite_shop.items(job.id) == [0, 0]


async def test_error_that_says_when_is_not_tried_before(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    async with worker(shop):
        made = await shop.enqueue(patient_apart)

        async def failed_once() -> bool:
            return (await shop.job(made.id)).error is not None

        await shop.when(failed_once)

    job = await shop.job(made.id)
    assert (job.state, job.attempts) == ("queued", 1)
    assert job.started_at is not None
    assert job.run_at - job.started_at >= timedelta(seconds=3000)


async def test_result_that_cannot_be_stored_fails_the_job(sqlite_shop: Shop) -> None:
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(unstorable_apart)).id)

    assert (job.state, job.result) == ("dead", None)
    assert job.error is not None
    assert "Unable to serialize" in job.error["exception"]


async def test_arguments_that_do_not_fit_fail_the_job(sqlite_shop: Shop) -> None:
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(takes_files, Work())).id)

    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error is not None
    assert job.error["code"] == "invalid_arguments"


async def test_attempt_that_takes_too_long_is_ended_with_its_process(sqlite_shop: Shop) -> None:
    before = children()
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(endless_apart)).id)
        left = children()

    assert (job.state, job.attempts) == ("dead", 1)
    assert job.error == {"code": "timeout", "message": "It took longer than 0.5 s.", "exception": None}
    assert left == before


async def cancelled(shop: Shop, file: Path, *, frozen: bool) -> None:
    """Cancels a job that runs, and proves that its process is gone when it is cancelled."""
    async with worker(shop):
        made = await shop.enqueue(tidy, Effects(file=file))
        pid = await process_of(shop, made.id)
        if frozen:
            os.kill(pid, signal.SIGSTOP)
        async with shop.database.write() as session:
            await shop.jobs.cancel(session, made.id)
        done = await shop.until(made.id)

        assert not psutil.pid_exists(pid)
    assert (done.state, done.error, done.attempts) == ("cancelled", None, 1)


async def test_cancelled_job_cleans_up_and_ends(sqlite_shop: Shop, tmp_path: Path) -> None:
    await cancelled(sqlite_shop, tmp_path / "file", frozen=False)

    assert (tmp_path / "file").read_text() == "clean"


async def test_cancelled_job_that_does_not_listen_is_killed(sqlite_shop: Shop, tmp_path: Path) -> None:
    await cancelled(sqlite_shop, tmp_path / "file", frozen=True)

    assert not (tmp_path / "file").exists()


async def test_job_that_kills_its_process_is_tried_again_and_then_dead(sqlite_shop: Shop) -> None:
    async with worker(sqlite_shop):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(mortal)).id)

    assert (job.state, job.attempts) == ("dead", 2)
    assert job.error == {
        "code": "process_lost",
        "message": "Its process went away.",
        "exception": "ended by signal 9",
    }


async def test_child_dies_at_a_failpoint_of_its_job(sqlite_shop: Shop) -> None:
    settings = sqlite_shop.resources.settings.model_copy(
        update={"test": FailpointSettings(failpoint="apart.broken:6")}  # the second attempt's COMMIT, or the first's
    )
    resources = replace(sqlite_shop.resources, settings=settings)
    async with JobWorker(resources, sqlite_shop.jobs, registry=registry, timing=QUICK):
        job = await sqlite_shop.until((await sqlite_shop.enqueue(broken_apart)).id)

    assert job.error is not None
    assert (job.state, job.attempts, job.error["code"]) == ("dead", 2, "process_lost")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_to_all_processes_is_the_workers_business(sqlite_shop: Shop, number: signal.Signals) -> None:
    shop = sqlite_shop
    async with worker(shop):
        made = await shop.enqueue(import_apart, Work(items=6, batch=1, pause=0.1))
        os.kill(await process_of(shop, made.id), number)
        job = await shop.until(made.id)

    assert (job.state, job.attempts) == ("succeeded", 1)


async def test_killed_child_goes_on_at_its_checkpoint_in_another(shop: Shop) -> None:
    async with worker(shop):
        made = await shop.enqueue(import_apart, Work(items=20, batch=1, pause=0.05))
        os.kill(await process_of(shop, made.id, items=3), signal.SIGKILL)
        job = await shop.until(made.id)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(20))
    assert len(await shop.rows("SELECT DISTINCT pid FROM work")) == 2


async def test_child_of_a_killed_worker_ends_and_the_job_goes_on_at_the_next_start(
    shop: Shop, start_worker: StartWorker
) -> None:
    made = await shop.enqueue(import_apart, Work(items=100, batch=1, pause=0.05))
    killed = start_worker(shop, PROGRAM)
    child = await process_of(shop, made.id, items=3)
    killed.send(signal.SIGKILL)
    killed.wait(5)
    await gone(shop, child)
    reached = len(await shop.items(made.id))

    start_worker(shop, PROGRAM)
    job = await shop.until(made.id, seconds=40)

    assert reached < 100
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(100))


async def test_child_that_does_not_listen_ends_with_its_worker(sqlite_shop: Shop, start_worker: StartWorker) -> None:
    made = await sqlite_shop.enqueue(stubborn)
    killed = start_worker(sqlite_shop, PROGRAM)
    child = await process_of(sqlite_shop, made.id)

    killed.send(signal.SIGKILL)

    await gone(sqlite_shop, child)


async def test_child_that_outlives_its_worker_commits_nothing_after_the_next_has_begun(
    shop: Shop, start_worker: StartWorker, tmp_path: Path
) -> None:
    made = await shop.enqueue(stale, Effects(file=tmp_path / "outcome"))
    killed = start_worker(shop, PROGRAM)
    child = await process_of(shop, made.id)
    os.kill(child, signal.SIGSTOP)
    killed.send(signal.SIGKILL)
    killed.wait(5)
    start_worker(shop, PROGRAM)
    job = await shop.until(made.id)

    os.kill(child, signal.SIGCONT)
    await gone(shop, child)

    assert (job.state, job.attempts) == ("succeeded", 2)
    outcome = tmp_path / "outcome"
    assert not outcome.exists() or outcome.read_text() == "lost"  # on a busy machine it has no time left to try
    assert await shop.items(job.id) == [0, 0]  # one of each attempt


async def test_job_whose_slot_is_taken_away_is_run_again(postgres_shop: Shop) -> None:
    shop = postgres_shop
    async with worker(shop):
        made = await shop.enqueue(import_apart, Work(items=30, batch=1, pause=0.02))
        await process_of(shop, made.id, items=2)
        async with shop.database.write() as session:
            await session.execute(text("UPDATE job_slots SET holder = NULL, fence = fence + 1"))
        job = await shop.until(made.id)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(30))


async def test_stopping_ends_the_child_and_hands_its_job_to_the_next_worker(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    async with worker(shop, replace(QUICK, drain=0.1)):
        made = await shop.enqueue(import_apart, Work(items=30, batch=1, pause=0.1))
        child = await process_of(shop, made.id, items=2)

    left = await shop.job(made.id)
    assert not psutil.pid_exists(child)
    async with worker(shop):
        job = await shop.until(made.id)

    assert (left.state, left.attempts) == ("queued", 1)
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert await shop.items(job.id) == list(range(30))
