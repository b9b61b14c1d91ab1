"""Jobs for tests, and a process that runs them: `python -m tests.core.jobs.program`, ended by SIGTERM."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text

from core.errors import Conflict, Unavailable
from core.jobs.jobs import Jobs
from core.jobs.registry import Registry, Tick
from core.jobs.run import JobRun
from core.jobs.worker import JobWorker, Timing
from core.resources import open_resources
from core.settings import load_settings

QUICK = Timing(lease=1.5, heartbeat=0.3, sweep=0.3, poll=0.1, watch=0.1, drain=5.0)
registry = Registry()
registry.queue("plain", per_process=8)
registry.queue("single", per_process=1)
registry.queue("narrow", per_process=8, overall=2)
registry.queue("slow_lane", per_process=8, rate=(2, 60.0))
registry.queue("clock", per_process=1)


class Work(BaseModel):
    items: int = 1
    batch: int = 1
    pause: float = 0.0


class Effects(BaseModel):
    file: Path
    pause: float = 0.0


async def _write(run: JobRun, session: Any, items: range) -> None:
    insert = text("INSERT INTO work (job, item, pid) VALUES (:job, :item, :pid)")
    await session.execute(insert, [{"job": run.id, "item": item, "pid": os.getpid()} for item in items])


@registry.job("import", queue="plain", timeout_seconds=60)
async def import_rows(run: JobRun, args: Work) -> dict[str, Any]:
    """Batches, each committed with the checkpoint that says where to go on."""
    start = run.checkpoint["next"] if run.checkpoint else 0
    for first in range(start, args.items, args.batch):
        last = min(first + args.batch, args.items)
        async with run.transaction() as session:
            await _write(run, session, range(first, last))
            await run.progress(last / args.items, f"{last} of {args.items}")
            await run.save(session, {"next": last})
        await asyncio.sleep(args.pause)
    return {"items": args.items}


@registry.job("effects", queue="plain", timeout_seconds=60)
async def effects(run: JobRun, args: Effects) -> dict[str, Any]:
    """Ten steps, each of which adds its once-only key to a file."""

    async def append(number: int) -> str:
        name = f"step-{number}"
        await asyncio.to_thread(_append, args.file, run.once_key(name))
        await asyncio.sleep(args.pause)
        return name

    done = [await run.step(f"step-{number}", partial(append, number)) for number in range(10)]
    return {"done": done}


def _append(file: Path, line: str) -> None:
    with file.open("a") as stream:
        stream.write(line + "\n")


@registry.job("note", queue="plain")
async def note(run: JobRun, args: Work) -> None:
    async with run.transaction() as session:
        await _write(run, session, range(args.items))
    await asyncio.sleep(args.pause)


@registry.job("one_by_one", queue="single")
async def one_by_one(run: JobRun, args: Work) -> None:
    await note.handler(run, args)


@registry.job("narrow", queue="narrow")
async def narrow(run: JobRun, args: Work) -> None:
    await note.handler(run, args)


@registry.job("rated", queue="slow_lane")
async def rated(run: JobRun, args: Work) -> None:
    await note.handler(run, args)


@registry.job("broken", queue="plain", max_attempts=3, backoff_seconds=0.01)
async def broken(run: JobRun, args: Work) -> None:
    """Writes, and then takes it back by raising."""
    async with run.transaction() as session:
        await _write(run, session, range(args.items))
        raise RuntimeError("it is broken")


@registry.job("refused", queue="plain", backoff_seconds=0.01)
async def refused(_run: JobRun, _args: Work) -> None:
    raise Conflict("not now and never")


@registry.job("patient", queue="plain", max_attempts=2, backoff_seconds=0.01)
async def patient(_run: JobRun, _args: Work) -> None:
    raise Unavailable("later", retry_after_seconds=30)


@registry.job("endless", queue="plain", max_attempts=2, timeout_seconds=0.2, backoff_seconds=0.01)
async def endless(_run: JobRun, _args: Work) -> None:
    await asyncio.sleep(3600)


@registry.job("waits", queue="plain")
async def waits(run: JobRun, args: Work) -> None:
    """Says that it began, and then waits for long."""
    await note.handler(run, args)
    await asyncio.sleep(3600)


@registry.job("second_time", queue="plain", max_attempts=1)
async def second_time(run: JobRun, _args: Work) -> dict[str, Any]:
    """Fails once, keeping a checkpoint."""
    if run.checkpoint is None:
        async with run.transaction() as session:
            await run.save(session, {"seen": True})
        raise RuntimeError("the first time")
    return {"attempt": run.attempt}


@registry.job("odd_result", queue="plain", max_attempts=1)
async def odd_result(run: JobRun, _args: Work) -> dict[str, Any]:
    return {"path": Path("a"), "once": run.once_key("x") == f"{run.id}:x"}


@registry.job("unstorable", queue="plain", max_attempts=1)
async def unstorable(_run: JobRun, _args: Work) -> dict[str, Any]:
    return {"what": object()}


@registry.job("self_cancelled", queue="plain", max_attempts=1)
async def self_cancelled(_run: JobRun, _args: Work) -> None:
    raise asyncio.CancelledError


if os.environ.get("TICKING"):

    @registry.scheduled("tick", cron="* * * * * *", queue="clock")
    async def tick(run: JobRun, args: Tick) -> None:
        async with run.transaction() as session:
            await _write(run, session, range(int(args.at.timestamp()), int(args.at.timestamp()) + 1))


async def main(registry: Registry = registry) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    async with open_resources(load_settings()) as resources:
        jobs = Jobs(resources.database, resources.clock)
        async with JobWorker(resources, jobs, registry=registry, timing=QUICK):
            sys.stdout.write("working\n")
            sys.stdout.flush()
            await stopped.wait()
        await jobs.close()


if __name__ == "__main__":
    asyncio.run(main())
