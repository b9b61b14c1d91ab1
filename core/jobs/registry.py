"""What jobs there are: typed functions by name, the queues that they wait in, and those that run by the clock.

Features fill `REGISTRY` when they are imported:

    queue("mail", per_process=4)

    @job("mail.welcome", queue="mail", max_attempts=5, timeout_seconds=60)
    async def send_welcome(run: JobRun, args: WelcomeMail) -> None: ...
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import AwareDatetime, BaseModel

from core.database import WriteSession
from core.jobs.entities import Job
from core.jobs.run import JobRun

Args = TypeVar("Args", bound=BaseModel)
# Told of a job that has ended, in the transaction that says so.
OnFinished = Callable[[WriteSession, Job, datetime], Awaitable[None]]
Handler = Callable[[JobRun, Args], Awaitable[dict[str, Any] | None]]


class Tick(BaseModel):
    """The argument of a scheduled job: the moment that it is run for."""

    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Queue:
    """`per_process` jobs run at once in a process, `overall` in all of them, `rate` (how many, in how many seconds)
    start in all of them.
    """

    name: str
    per_process: int = 4
    overall: int | None = None
    rate: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True)
class JobType(Generic[Args]):
    """A function that can be enqueued. It may be run more than once: what it commits must be safe to find done."""

    name: str
    queue: str
    args: type[Args]
    handler: Handler[Args]
    max_attempts: int
    timeout_seconds: float  # of an attempt
    backoff_seconds: float  # before the second attempt, doubled for each one after
    own_process: bool  # for what burns CPU; its function is one of a module, under its own name


@dataclass(frozen=True, slots=True)
class Schedule:
    """`cron`: five fields in UTC; six make the last one seconds."""

    job: JobType[Tick]
    cron: str


@dataclass(slots=True)
class Registry:
    """Per process; one for the product. A test may make its own."""

    jobs: dict[str, JobType[Any]] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    listeners: list[OnFinished] = field(default_factory=list)

    def queue(
        self, name: str, *, per_process: int = 4, overall: int | None = None, rate: tuple[int, float] | None = None
    ) -> Queue:
        # A process alone must not exceed what all may do.
        cut = per_process if overall is None else min(per_process, overall)
        return self.queues.setdefault(name, Queue(name, cut, overall, rate))

    def job(
        self,
        name: str,
        *,
        queue: str,
        max_attempts: int = 5,
        timeout_seconds: float = 300.0,
        backoff_seconds: float = 5.0,
        own_process: bool = False,
    ) -> Callable[[Handler[Args]], JobType[Args]]:
        """The function's second parameter is annotated with the pydantic model of its arguments."""

        def register(handler: Handler[Args]) -> JobType[Args]:
            if name in self.jobs:
                raise ValueError(f"two jobs are named {name}")
            parameter = list(inspect.signature(handler).parameters)[1]
            model = get_type_hints(handler)[parameter]
            made = JobType(name, queue, model, handler, max_attempts, timeout_seconds, backoff_seconds, own_process)
            self.jobs[name] = made
            return made

        return register

    def scheduled(
        self, name: str, *, cron: str, queue: str, max_attempts: int = 5, timeout_seconds: float = 300.0
    ) -> Callable[[Handler[Tick]], JobType[Tick]]:
        """Runs once for each tick, however many processes there are. Ticks while no worker ran are not made up for."""

        def register(handler: Handler[Tick]) -> JobType[Tick]:
            made = self.job(name, queue=queue, max_attempts=max_attempts, timeout_seconds=timeout_seconds)(handler)
            self.schedules[name] = Schedule(made, cron)
            return made

        return register

    def when_finished(self, listener: OnFinished) -> OnFinished:
        self.listeners.append(listener)
        return listener

    async def finished(self, session: WriteSession, job: Job, now: datetime) -> None:
        for listener in self.listeners:
            await listener(session, job, now)

    def check(self) -> None:
        """Raises ValueError for a job whose queue there is not."""
        for each in self.jobs.values():
            if each.queue not in self.queues:
                raise ValueError(f"job {each.name} waits in the queue {each.queue}, which there is not")


REGISTRY = Registry()
queue = REGISTRY.queue
job = REGISTRY.job
scheduled = REGISTRY.scheduled
when_finished = REGISTRY.when_finished
