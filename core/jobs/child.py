"""The program of an attempt in a process of its own: `python -m core.jobs.child`, started by `apart`."""

import asyncio
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.jobs.apart import Assignment
    from core.jobs.registry import JobType
    from core.jobs.run import JobRun

_NICENESS = 5  # requests come first; but it holds locks that they wait for, so not last of all
# Whoever waits for SQLite's lock looks again after 25 ms, later 50 and 100, and in no order: one that commits without a
# pause keeps the server's writers out for seconds.
_PAUSE_SECONDS = 0.05
_WATCH_SECONDS = 1.0  # until progress is seen

Answer = dict[str, Any]


def main() -> None:
    os.nice(_NICENESS)
    for number in (signal.SIGINT, signal.SIGTERM):  # the worker decides when this ends
        signal.signal(number, signal.SIG_IGN)
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    assignment = pickle.load(sys.stdin.buffer)  # noqa: S301  the worker's own, and with it most of what is imported
    with suppress(asyncio.CancelledError, BrokenPipeError):
        answer = asyncio.run(_carry_out(assignment))
        with sink:
            sink.write(answer)


async def _carry_out(assignment: "Assignment") -> bytes:
    from importlib import import_module  # noqa: PLC0415  here and below: imported when this is nice already

    from pydantic_core import to_json  # noqa: PLC0415

    from core.jobs.failures import Failure  # noqa: PLC0415
    from core.jobs.run import JobCancelled, JobRun  # noqa: PLC0415
    from core.jobs.slots import LostSlot, slots_of  # noqa: PLC0415
    from core.logging import configure_logging  # noqa: PLC0415
    from core.resources import open_resources  # noqa: PLC0415

    _end_with_stdin()
    configure_logging()
    job = getattr(import_module(assignment.module), assignment.function)
    async with open_resources(assignment.settings, jobs=True) as resources:
        run = JobRun(
            resources,
            slots_of(resources.settings, resources.database, assignment.lease_seconds),
            assignment.slot,
            job_id=assignment.job_id,
            attempt=assignment.attempt,
            steps=assignment.steps,
            checkpoint=assignment.checkpoint,
            pause_seconds=_PAUSE_SECONDS if resources.settings.embedded else 0.0,
        )
        writing = asyncio.create_task(_write_progress(run))
        try:
            result = await _handled(job, run, assignment.args)
            return to_json({"outcome": "succeeded", "result": result})
        except LostSlot:
            return to_json({"outcome": "lost"})
        except JobCancelled:
            return to_json({"outcome": "cancelled"})
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  whatever a job raises is its outcome
            return to_json({"outcome": "failed", "failure": asdict(Failure.of(error))})
        finally:
            writing.cancel()
            await asyncio.wait([writing])


async def _handled(job: "JobType[Any]", run: "JobRun", args: dict[str, Any]) -> dict[str, Any] | None:
    from core import failpoints  # noqa: PLC0415

    with failpoints.running(job.name):
        return await job.handler(run, job.args.model_validate(args))


async def _write_progress(run: "JobRun") -> None:
    from core.errors import Unavailable  # noqa: PLC0415
    from core.jobs.slots import LostSlot  # noqa: PLC0415

    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        with suppress(LostSlot, Unavailable):  # the first the job finds out itself
            await run.write_progress()


def _end_with_stdin() -> None:
    """Its end means that the worker is dead, or wants no answer any more. In a thread: the job may hold the loop up."""
    from core.jobs.apart import CLEAN_UP_SECONDS  # noqa: PLC0415

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  called in one

    def watch() -> None:
        os.read(0, 1)
        with suppress(RuntimeError):  # it is ending by itself
            loop.call_soon_threadsafe(task.cancel)
        time.sleep(CLEAN_UP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="portico-stdin", daemon=True).start()


if __name__ == "__main__":
    main()
