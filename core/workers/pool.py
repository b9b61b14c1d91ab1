"""The server's side: so many workers of a program, so many callers that wait for one, and no more."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from core.errors import Unavailable
from core.workers import frames
from core.workers.program import Answer, Refused

log = structlog.get_logger("portico.workers")
# glibc gives large blocks back to the system when they are freed, and keeps one heap for the small.
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}
# Of an answer. Sixteen megapixels of noise as PNG are 67 MB.
_MAX_FIELDS, _MAX_BODY = 64 * 1024, 128 * 1024 * 1024
_PACKAGES = str(Path(__file__).parents[2])  # where a worker finds what we are made of


class Ask(Protocol):
    """Raises Refused with the worker's code, WorkerLost, WorkerFailed."""

    async def __call__(self, fields: frames.Fields, body: bytes = b"") -> Answer: ...


class WorkersBusy(Unavailable):
    """All workers are busy, and as many requests wait for one as may. Try again after `Retry-After`."""

    code = "workers_busy"
    title = "Too busy"


class WorkerLost(Unavailable):
    """The worker that did this died or took too long. It is replaced; try again after `Retry-After`."""

    code = "worker_lost"
    title = "Worker lost"


class WorkerFailed(Exception):
    """A bug in the worker's program."""


@dataclass(frozen=True, slots=True)
class Program:
    """A module that calls `core.workers.program.serve`.

    `waiting` callers wait for a worker, each for `patience_seconds` at most. A worker with nothing to do for
    `idle_seconds` is ended.
    """

    module: str
    at_once: int
    waiting: int
    timeout_seconds: float
    patience_seconds: float = 15
    idle_seconds: float = 60


class Worker:
    """One process. Not for two callers at once."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str) -> "Worker":
        # Of our variables the path alone: a worker knows no secret.
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": _PACKAGES, **_MALLOC}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", module), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, fields: frames.Fields, body: bytes) -> Answer:
        """Raises WorkerLost, Refused, WorkerFailed."""
        sink, source = self._process.stdin, self._process.stdout
        assert sink is not None  # noqa: S101  both are pipes
        assert source is not None  # noqa: S101
        try:
            sink.write(frames.encode(fields, body))
            sink.write(body)
            await sink.drain()
            text, size = frames.HEADER.unpack(await source.readexactly(frames.HEADER.size))
            if text > _MAX_FIELDS or size > _MAX_BODY:
                raise ValueError(f"an answer of {text} and {size} bytes")
            answer = frames.fields_of(await source.readexactly(text))
            result = await source.readexactly(size)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise WorkerLost(retry_after_seconds=1) from error
        if "refused" in answer:
            raise Refused(answer["refused"], answer["detail"])
        if "failed" in answer:
            raise WorkerFailed(answer["failed"])
        return answer, result

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        # To its end: the pipes are closed when all of them was read.
        await self._process.communicate()


class WorkerPool:
    """Per process and program. Nothing runs until there is work."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._slots = asyncio.Semaphore(program.at_once)
        self._inside = 0
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in (*self._idle, *self._busy)]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Ask]:
        """A turn with a worker, waited for: what is given asks it. Raises WorkersBusy where too many wait, or too long.

        What the work needs is best fetched inside: whoever waits then holds nothing.
        """
        if self._inside >= self.program.at_once + self.program.waiting:
            raise WorkersBusy(retry_after_seconds=2)
        self._inside += 1
        try:
            await self._slot()
            try:
                yield self._ask
            finally:
                self._slots.release()
        finally:
            self._inside -= 1

    async def _slot(self) -> None:
        try:
            async with asyncio.timeout(self.program.patience_seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise WorkersBusy(retry_after_seconds=5) from error

    async def _ask(self, fields: frames.Fields, body: bytes = b"") -> Answer:
        worker = await self._take()
        try:
            async with asyncio.timeout(self.program.timeout_seconds):
                answer = await worker.ask(fields, body)
        except (Refused, WorkerFailed):
            self._give_back(worker)
            raise
        except TimeoutError as error:
            await self._replace(worker, "timeout")
            raise WorkerLost("the work took too long", retry_after_seconds=5) from error
        except BaseException as error:
            # Also where the caller was cancelled: what this worker would answer now is nobody's.
            await self._replace(worker, type(error).__name__)
            raise
        self._give_back(worker)
        return answer

    async def close(self) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
        self._end_idle()
        for worker in list(self._busy):
            await worker.end()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            self._busy.add(worker)
            if worker.alive:
                return worker
            await self._replace(worker, "found dead")
        worker = await Worker.start(self.program.module)
        self._busy.add(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        self._busy.discard(worker)
        self._idle.append(worker)
        if self._reaper is not None:
            self._reaper.cancel()
        self._reaper = asyncio.get_running_loop().call_later(self.program.idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            task = asyncio.ensure_future(self._idle.pop().end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _replace(self, worker: Worker, reason: str) -> None:
        """The next caller starts another."""
        log.warning("worker_replaced", program=self.program.module, reason=reason)
        self._busy.discard(worker)
        await asyncio.shield(worker.end())


class Workers:
    """Per process: a pool for each program that is used."""

    def __init__(self) -> None:
        self._pools: dict[str, WorkerPool] = {}

    def pool(self, program: Program) -> WorkerPool:
        """The one of this module; a pool that exists keeps the bounds that it was made with."""
        return self._pools.setdefault(program.module, WorkerPool(program))

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()
