"""Who runs the answers of this process: takes questions, lets so many be answered at a time, and ends each.

A run goes on in the process that took it, whoever reads it, and is written down as it goes: it ends by itself, by its
deadline, because somebody cancels it in whatever process, because the credential that asked is revoked, or because the
server stops. Where the process dies its lease runs out, and any other ends it.
"""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from types import TracebackType
from typing import Literal, Self

import structlog
from prometheus_client import Counter as Count
from prometheus_client import Gauge

from commerce.accounts.errors import CredentialRevoked
from commerce.accounts.principal import Principal
from commerce.accounts.watch import CredentialWatch
from commerce.accounts.watch import End as CredentialEnd
from commerce.assistant import storage
from commerce.assistant.answering import Answering
from commerce.assistant.commands import Ask
from commerce.assistant.endings import End, answered, failed
from commerce.assistant.errors import AssistantBusy, RunInterrupted, RunOverdue, TooManyRuns
from commerce.assistant.keeping import Keeping, Pace
from commerce.assistant.retrieval import Nearest
from commerce.assistant.spending import Meter, tokens_in
from commerce.assistant.storage import LostRun
from commerce.assistant.tape import Tape
from commerce.assistant.trying import tried
from commerce.limits.zones import ASSISTANT
from core.database import Database, WriteSession
from core.errors import AppError, Unavailable
from core.idempotency import Answer, OnceKey
from core.ids import new_id, new_secret_id
from core.inference.chat import ChatModel, FinishReason, ModelTimeout
from core.inference.metrics import count_answer
from core.ratelimit import LimitExceeded
from core.resources import Resources

log = structlog.get_logger("portico.assistant")
_RUNS = Count("portico_assistant_runs_total", "Answers of the assistant, by how they ended.", ("state", "code"))
_TOKENS = Count("portico_assistant_tokens_total", "Tokens that models have read and written.", ("kind",))
_CORRECTED = Count(
    "portico_assistant_corrections_total", "What models said and nobody was shown: amounts and products.", ("kind",)
)
_RUNNING = Gauge("portico_assistant_running", "Answers that are being given.", multiprocess_mode="livesum")


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Of each process. `seconds`: from the question to the end, also while it waits for its turn."""

    at_once: int = 16  # most wait for a model; each holds some 100 kB
    waiting: int = 64
    per_caller: int = 4
    seconds: float = 60.0
    drain_seconds: float = 8.0  # less than a server has after SIGTERM, and what ends after it is written down


Stopped = Literal["cancelled", "interrupted", "revoked"]
_FAILURES: dict[Stopped, type[AppError]] = {"interrupted": RunInterrupted, "revoked": CredentialRevoked}


class Running:
    """One run, while this process has it."""

    def __init__(self, run_id: str, ask: Ask, principal: Principal, meter: Meter) -> None:
        self.id = run_id
        self.ask = ask
        self.principal = principal
        self.meter = meter
        self.stopped: Stopped | None = None
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        self._stop("cancelled")

    def interrupt(self) -> None:
        """It cannot go on here."""
        self._stop("interrupted")

    def credential_ended(self, how: CredentialEnd) -> None:
        """Of who asked. One that has expired was good when it did, and a run is short."""
        if how == "revoked":
            self._stop("revoked")

    def _stop(self, why: Stopped) -> None:
        """The first reason counts."""
        if self.stopped is None and self.task is not None:
            self.stopped = why
            self.task.cancel()


class Assistant:
    """`async with Assistant(...) as assistant:` One per process. `looking`: for what it looks after by itself."""

    def __init__(
        self,
        resources: Resources,
        looking: Database,
        model: ChatModel,
        draining: asyncio.Event,
        watch: CredentialWatch,
        nearest: Nearest,
        *,
        limits: RunLimits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._resources = resources
        self.model = model
        self._draining = draining
        self._watch = watch
        self._nearest = nearest
        self._limits = limits or RunLimits()
        self._name = new_id("proc")
        self._callers: Counter[str] = Counter()
        self._running: dict[str, Running] = {}
        self._turns = asyncio.Semaphore(self._limits.at_once)
        self._pace = pace or Pace()
        self._keeping = Keeping(resources, looking, self._name, self._running, self._pace)

    async def __aenter__(self) -> Self:
        await self._keeping.__aenter__()
        self._drainer = asyncio.create_task(self._drain(), name="portico-assistant-drain")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for what runs, as long as it may while the server drains."""
        self._draining.set()
        await asyncio.wait([self._drainer])
        await self._keeping.__aexit__(kind, error, trace)

    async def ask(self, ask: Ask, principal: Principal, *, caller: str, key: OnceKey | None) -> Answer[str]:
        """Begins a run and returns its id; with a key that was used before, that of the run of then, unless it failed
        in a way that another try may do better. `caller` is who pays.

        Raises TooManyRuns, AssistantBusy, Unavailable, LimitExceeded, QuotaExceeded, and what `Idempotency.run` raises.
        """
        with ExitStack() as held:
            self._admit(caller, held)
            verdict = await self._resources.limiter.hit(ASSISTANT, caller)
            if not verdict.allowed:
                raise LimitExceeded(verdict)
            meter = Meter(self._resources.budget, caller)
            await meter.prepay(sum(tokens_in(said.content) for said in ask.messages))
            answer = await tried(self._resources, key, partial(self._create, ask, principal), ask)
            if not answer.replayed:
                self._start(Running(answer.value, ask, principal, meter), held.pop_all())
        return answer

    def stop(self, run_id: str) -> None:
        """Cancels it, where this process runs it; it is written down in a moment."""
        running = self._running.get(run_id)
        if running is not None:
            running.cancel()

    def _admit(self, caller: str, held: ExitStack) -> None:
        limits = self._limits
        if self._draining.is_set():
            raise Unavailable("this server is about to stop; another one answers", retry_after_seconds=1)
        if self._callers[caller] >= limits.per_caller:
            raise TooManyRuns(f"{limits.per_caller} of your questions are being answered", retry_after_seconds=5)
        if self._callers.total() >= limits.at_once + limits.waiting:
            raise AssistantBusy(retry_after_seconds=5)
        self._callers[caller] += 1
        held.callback(self._leave, caller)

    def _leave(self, caller: str) -> None:
        self._callers[caller] -= 1
        if not self._callers[caller]:
            del self._callers[caller]

    async def _create(self, ask: Ask, principal: Principal, session: WriteSession) -> str:
        run_id, now = new_secret_id("run"), self._resources.clock.now()
        owner = principal.name if principal.kind != "anonymous" else None
        await storage.create(session, run_id, ask, owner, runner=self._name, now=now, lease=self._pace.lease)
        return run_id

    def _start(self, running: Running, held: ExitStack) -> None:
        self._running[running.id] = running
        held.callback(self._running.pop, running.id)
        if running.principal.kind != "anonymous":
            held.callback(self._watch.follow(running.principal, running.credential_ended))
        # Not in the context of the request: what it does is no part of it.
        running.task = asyncio.create_task(self._run(running, held), name="portico-assistant-run")
        self._keeping.wake()

    async def _run(self, running: Running, held: ExitStack) -> None:
        resources, meter, started = self._resources, running.meter, time.perf_counter()
        currency = resources.settings.shop.currency
        with held:
            answering = Answering(
                self.model, resources.database, running.principal, currency, running.ask, self._nearest
            )
            async with Tape(
                resources.database,
                resources.clock,
                running.id,
                self._name,
                spent=lambda: meter.spent,
                on_lost=running.interrupt,
            ) as tape:
                end = await self._ended(running, answering, tape)
                self._count(running, answering, end)
                if end.state == "done" and tape.provenance is not None:
                    count_answer(tape.provenance, time.perf_counter() - started)
                try:
                    await tape.close(end)
                except Unavailable as error:  # the sweep ends it when the database is back
                    log.warning("assistant_end_not_written", run=running.id, reason=str(error))

    async def _ended(self, running: Running, answering: Answering, tape: Tape) -> End:
        """Raises nothing but a cancellation that is not the run's own."""
        reason: FinishReason | Literal["cancelled"]
        try:
            reason = await self._answer(running, answering, tape)
        except asyncio.CancelledError:
            if running.stopped is None or running.task is None:
                raise
            running.task.uncancel()
            if running.stopped != "cancelled":
                return failed(_FAILURES[running.stopped]())
            reason = "cancelled"
        except TimeoutError:
            return failed(RunOverdue())
        except LostRun:
            return failed(RunInterrupted())
        except AppError as error:
            return failed(error)
        except Exception:
            log.exception("assistant_failed", run=running.id)
            return failed(AppError("an internal error was recorded under this run"))
        return answered(reason, running.meter.spent, tape.provenance, answering.corrections)

    async def _answer(self, running: Running, answering: Answering, tape: Tape) -> FinishReason:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.seconds
        try:
            async with asyncio.timeout_at(deadline), self._turns:
                with _RUNNING.track_inprogress():
                    async with self._resources.database.write() as session:
                        await storage.begin(session, running.id, self._name)
                    return await answering.give(tape, running.meter, deadline=deadline)
        except ModelTimeout:
            if loop.time() < deadline:
                raise
            raise TimeoutError from None  # it has the same deadline, and may be the first to see it

    def _count(self, running: Running, answering: Answering, end: End) -> None:
        spent, corrections = running.meter.spent, asdict(answering.corrections)
        _RUNS.labels(end.state, end.error_code or "").inc()
        _TOKENS.labels("prompt").inc(spent.prompt)
        _TOKENS.labels("completion").inc(spent.completion)
        for kind, count in corrections.items():
            _CORRECTED.labels(kind).inc(count)
        if any(corrections.values()):
            log.warning("assistant_corrected", run=running.id, **corrections)

    async def _drain(self) -> None:
        await self._draining.wait()
        tasks = [each.task for each in self._running.values() if each.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.drain_seconds)
        left = list(self._running.values())
        for running in left:
            running.interrupt()
        if ending := [each.task for each in left if each.task is not None]:
            await asyncio.wait(ending)
