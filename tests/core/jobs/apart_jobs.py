"""Jobs for tests that run in processes of their own."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import structlog

from core.errors import Conflict, Unavailable
from core.jobs.registry import Registry
from core.jobs.run import JobRun
from core.jobs.slots import LostSlot
from tests.core.jobs.program import Effects, Work, import_rows, note

registry = Registry()
registry.queue("apart", per_process=4)


def shown(pid: int, what: str) -> str:
    """What others can see of a process."""
    return Path(f"/proc/{pid}/{what}").read_text()


@registry.job("apart.import", queue="apart", backoff_seconds=0.01, own_process=True)
async def import_apart(run: JobRun, args: Work) -> dict[str, Any] | None:
    return await import_rows.handler(run, args)


@registry.job("apart.tells", queue="apart", own_process=True)
async def tells(run: JobRun, _args: Work) -> dict[str, Any]:
    """What can be seen of its process, and what it knows."""
    sys.stdout.write("not an answer\n")
    structlog.get_logger("test").warning("said_by_the_job")
    return {
        "command": shown(os.getpid(), "cmdline"),
        "environment": shown(os.getpid(), "environ"),
        "niceness": os.nice(0),
        "secret": run.resources.settings.secret_key.get_secret_value(),
        "path": Path("a"),
    }


@registry.job("apart.refused", queue="apart", own_process=True)
async def refused_apart(_run: JobRun, _args: Work) -> None:
    raise Conflict("not now and never")


@registry.job("apart.patient", queue="apart", own_process=True)
async def patient_apart(_run: JobRun, _args: Work) -> None:
    raise Unavailable("later", retry_after_seconds=3000)


@registry.job("apart.broken", queue="apart", max_attempts=2, backoff_seconds=0.01, own_process=True)
async def broken_apart(run: JobRun, args: Work) -> None:
    await note.handler(run, args)
    raise RuntimeError("it is broken")


@registry.job("apart.unstorable", queue="apart", max_attempts=1, own_process=True)
async def unstorable_apart(_run: JobRun, _args: Work) -> dict[str, Any]:
    return {"what": object()}


@registry.job("apart.takes_files", queue="apart", own_process=True)
async def takes_files(_run: JobRun, _args: Effects) -> None:
    """Never begun with the arguments that a test has for it."""


@registry.job("apart.endless", queue="apart", max_attempts=1, timeout_seconds=0.5, own_process=True)
async def endless_apart(_run: JobRun, _args: Work) -> None:
    await asyncio.sleep(3600)


@registry.job("apart.tidy", queue="apart", own_process=True)
async def tidy(run: JobRun, args: Effects) -> None:
    """Says that it began, waits for long, and cleans up."""
    try:
        await note.handler(run, Work())
        await run.progress(0.25, "it waits")
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.3)  # longer than until the worker looks again
        args.file.write_text("clean")


@registry.job("apart.stubborn", queue="apart", own_process=True)
async def stubborn(run: JobRun, _args: Work) -> None:
    """Says that it began, and then lets nothing else happen in its loop."""
    await note.handler(run, Work())
    time.sleep(3600)  # noqa: ASYNC251


@registry.job("apart.mortal", queue="apart", max_attempts=2, backoff_seconds=0.01, own_process=True)
async def mortal(_run: JobRun, _args: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@registry.job("apart.stale", queue="apart", own_process=True)
async def stale(run: JobRun, args: Effects) -> None:
    """The first attempt goes on when it is told to end, as if it had not heard, and says what came of it."""
    await note.handler(run, Work())
    if run.attempt > 1:
        return
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        try:
            await note.handler(run, Work(items=2))
        except LostSlot:
            args.file.write_text("lost")
