"""An attempt in a process of its own, so that a job that burns CPU does not hold up who is served: the worker's side.

All that the child needs comes through its stdin: settings hold secrets, and a command line and an environment can be
looked at. It answers on stdout, and ends when its stdin does, which the death of the worker brings about too. It is not
asked by a signal: service managers send those to all processes at once, also while the worker drains.
"""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from core import tracing
from core.jobs.failures import AttemptFailed, Failure
from core.jobs.registry import JobType
from core.jobs.run import JobCancelled, JobRun
from core.jobs.slots import LostSlot, Slot
from core.settings import PREFIX, Settings

CLEAN_UP_SECONDS = 3.0  # for a job that is ended; with the next, less than a worker waits for those that it cancels
_KILLED_AFTER_SECONDS = CLEAN_UP_SECONDS + 1.0
_PACKAGES = str(Path(__file__).parents[2])  # where a child finds what we are made of


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the child is told. A pickle: both ends of the pipe are ours."""

    settings: Settings
    lease_seconds: float
    module: str
    function: str
    args: dict[str, Any]
    job_id: str
    attempt: int
    slot: Slot
    steps: dict[str, Any]
    checkpoint: dict[str, Any] | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class Apart:
    """Per worker."""

    settings: Settings
    lease_seconds: float

    async def run(self, job: JobType[Any], run: JobRun, args: dict[str, Any]) -> dict[str, Any] | None:
        """What the job's function returned in the child. Where this is cancelled, or the child's end is not heard of,
        nothing of it is left running. Raises AttemptFailed, JobCancelled, LostSlot.
        """
        assignment = Assignment(
            settings=self.settings,
            lease_seconds=self.lease_seconds,
            module=job.handler.__module__,
            function=job.handler.__qualname__,
            args=args,
            job_id=run.id,
            attempt=run.attempt,
            slot=run.slot,
            steps=run.steps,
            checkpoint=run.checkpoint,
            origin=tracing.origin(),
        )
        command = (sys.executable, "-P", "-m", "core.jobs.child")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=_environment())
        try:
            text = await _answer(process, pickle.dumps(assignment))
        finally:
            await _end(process)
        return _result(text, process.returncode)


async def _answer(process: Process, assignment: bytes) -> bytes:
    """All that it says until it ends; nothing where it dies."""
    sink, source = process.stdin, process.stdout
    assert sink is not None  # noqa: S101  both are pipes
    assert source is not None  # noqa: S101
    with suppress(ConnectionError):
        sink.write(assignment)
        await sink.drain()
    return await source.read()


async def _end(process: Process) -> None:
    assert process.stdin is not None  # noqa: S101  as above
    process.stdin.close()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILLED_AFTER_SECONDS):
                await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # to its end: the pipes are closed when all of them was read


def _result(text: bytes, code: int | None) -> dict[str, Any] | None:
    try:
        answer = from_json(text)
    except ValueError:
        gone = f"ended by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        raise AttemptFailed(Failure("process_lost", "Its process went away.", gone)) from None
    match answer["outcome"]:
        case "failed":
            raise AttemptFailed(Failure(**answer["failure"]))
        case "cancelled":
            raise JobCancelled
        case "lost":
            raise LostSlot
    result: dict[str, Any] | None = answer["result"]
    return result


def _environment() -> dict[str, str]:
    """The worker's, without our settings, which come by another way, and without its metrics, which are its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "PROMETHEUS_"))}
    path = os.pathsep.join(filter(None, (_PACKAGES, os.environ.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path}
