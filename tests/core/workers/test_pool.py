"""Workers are started when there is work, bounded, limited, and replaced when they die."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.workers.pool import Program, WorkerFailed, WorkerLost, WorkerPool, WorkersBusy
from core.workers.program import Answer, Refused
from tests.fixtures.application import LogEntries

MakePool = Callable[..., WorkerPool]


@pytest.fixture
async def make_pool(log_entries: LogEntries) -> AsyncIterator[MakePool]:  # noqa: ARG001  no log on stderr
    pools: list[WorkerPool] = []

    def make(**changes: Any) -> WorkerPool:
        values: dict[str, Any] = {"at_once": 1, "waiting": 1, "timeout_seconds": 10} | changes
        pools.append(WorkerPool(Program("tests.fixtures.worker_program", **values)))
        return pools[-1]

    yield make
    for pool in pools:
        pids = pool.pids
        await pool.close()
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []


async def ask(pool: WorkerPool, do: str, body: bytes = b"", **fields: Any) -> Answer:
    async with pool.turn() as ask_worker:
        return await ask_worker({"do": do, **fields}, body)


async def test_nothing_runs_before_there_is_work(make_pool: MakePool) -> None:
    pool = make_pool()

    assert pool.pids == []


async def test_worker_answers_one_after_another(make_pool: MakePool) -> None:
    pool = make_pool()
    large = os.urandom(5_000_000)

    answers = [await ask(pool, "echo", body) for body in (b"", b"short", large)]

    assert [body for _, body in answers] == [b"", b"short", large]
    assert [fields["pid"] for fields, _ in answers] == pool.pids * 3


async def test_who_comes_when_all_places_are_taken_is_told_at_once(make_pool: MakePool) -> None:
    pool = make_pool(at_once=2, waiting=1)
    running = [asyncio.ensure_future(ask(pool, "sleep", seconds=1)) for _ in range(3)]
    await asyncio.sleep(0)
    started = time.monotonic()

    with pytest.raises(WorkersBusy) as caught:
        await ask(pool, "echo")

    assert time.monotonic() - started < 0.5
    assert caught.value.retry_after_seconds == 2
    assert await asyncio.gather(*running) == [({}, b"")] * 3
    assert len(pool.pids) == 2
    assert await ask(pool, "echo", b"again") == ({"pid": pool.pids[-1]}, b"again")


async def test_nobody_waits_longer_than_the_program_says(make_pool: MakePool) -> None:
    pool = make_pool(patience_seconds=0.2)
    running = asyncio.ensure_future(ask(pool, "sleep", seconds=1))
    await asyncio.sleep(0)

    with pytest.raises(WorkersBusy) as caught:
        await ask(pool, "echo")

    assert caught.value.retry_after_seconds == 5
    assert await running == ({}, b"")
    assert (await ask(pool, "echo", b"next"))[1] == b"next"


async def test_answer_that_is_none_ends_the_worker(make_pool: MakePool) -> None:
    pool = make_pool()

    for garbage in (b"\xff" * 8, b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\2\0\0\0\0{{"):
        with pytest.raises(WorkerLost):
            await ask(pool, "garbage", garbage)

    assert (await ask(pool, "echo", b"next"))[1] == b"next"


async def test_worker_that_dies_is_replaced(make_pool: MakePool) -> None:
    pool = make_pool()
    before = (await ask(pool, "echo"))[0]["pid"]

    with pytest.raises(WorkerLost):
        await ask(pool, "die")

    assert (await ask(pool, "echo"))[0]["pid"] != before


async def test_worker_that_was_killed_while_idle_is_not_noticed(make_pool: MakePool) -> None:
    pool = make_pool()
    before = (await ask(pool, "echo"))[0]["pid"]
    os.kill(before, signal.SIGKILL)
    await asyncio.sleep(0.2)

    assert (await ask(pool, "echo"))[0]["pid"] != before


async def test_work_that_takes_too_long_is_ended(make_pool: MakePool) -> None:
    pool = make_pool(timeout_seconds=0.5)
    started = time.monotonic()

    with pytest.raises(WorkerLost):
        await ask(pool, "sleep", seconds=60)

    assert time.monotonic() - started < 5
    assert (await ask(pool, "echo", b"next"))[1] == b"next"


async def test_answer_for_who_left_is_never_given_to_the_next(make_pool: MakePool) -> None:
    pool = make_pool()
    leaving = asyncio.ensure_future(ask(pool, "sleep", seconds=0.3))
    await asyncio.sleep(0.15)
    leaving.cancel()

    assert (await ask(pool, "echo", b"mine"))[1] == b"mine"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_refusal_and_bug_leave_the_worker_alive(make_pool: MakePool) -> None:
    pool = make_pool()

    with pytest.raises(Refused, match="the body is no good") as refused:
        await ask(pool, "refuse")
    with pytest.raises(WorkerFailed, match="ZeroDivisionError: a bug"):
        await ask(pool, "fail")

    assert refused.value.code == "no_good"
    assert (await ask(pool, "echo"))[0]["pid"] == pool.pids[0]


async def test_worker_has_no_more_memory_than_its_program_allows(make_pool: MakePool) -> None:
    pool = make_pool()

    with pytest.raises(Refused) as refused:
        await ask(pool, "take", bytes=10**9)

    assert refused.value.code == "memory"
    assert (await ask(pool, "take", bytes=10**7))[0] == {"size": 10**7}


async def test_worker_writes_no_file_and_what_it_prints_is_no_answer(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool()

    assert await ask(pool, "print") == ({}, b"")
    with pytest.raises((WorkerFailed, WorkerLost)):
        await ask(pool, "write", path=str(tmp_path / "file"))

    assert not (tmp_path / "file").exists() or (tmp_path / "file").read_text() == ""


async def test_worker_knows_no_secret(make_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PORTICO_SECRET_KEY", "secret")

    names = (await ask(make_pool(), "environment"))[0]["names"]

    assert {"AWS_SECRET_ACCESS_KEY", "PORTICO_SECRET_KEY"} & set(names) == set()


async def test_idle_workers_are_ended(make_pool: MakePool) -> None:
    pool = make_pool(idle_seconds=0.2)
    pid = (await ask(pool, "echo"))[0]["pid"]

    async with asyncio.timeout(5):
        await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)])

    assert pool.pids == []
    assert (await ask(pool, "echo"))[0]["pid"] != pid
