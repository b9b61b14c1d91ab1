"""All upstreams of the process, and the way of a question: breaker, deadline, one retry, the last good answer."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from core import receipts, tracing
from core.upstream.breaker import Breaker, State
from core.upstream.calls import Answer, BrokenAnswer, Outcome, Question, Reply, Send, Upstream, UpstreamFailed
from core.upstream.last_good import LastGood
from core.upstream.metrics import BREAKER, BREAKER_VALUES, REQUESTS, RETRIES, SECONDS, STALE
from core.upstream.retries import RetryBudget

log = structlog.get_logger("portico.upstream")
T = TypeVar("T")
_LONGEST_PAUSE_SECONDS = 0.1
MOST_AT_ONCE = 50  # of one upstream: what is slow takes no more connections than that
_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
# What says something of the upstream: to be asked nonsense, or to be left, is no failure of its.
_FAILURES: frozenset[Outcome] = frozenset(("timeout", "failed", "broken"))


class _Kept:
    """What is remembered of one upstream."""

    def __init__(self, upstream: Upstream, now: Callable[[], float]) -> None:
        self.upstream = upstream
        self.running = 0
        self.retries = RetryBudget()
        self.last_good = LastGood(now)
        self.breaker = Breaker(now, changed=self._tell)
        BREAKER.labels(upstream.name).set(BREAKER_VALUES["closed"])

    def _tell(self, state: State) -> None:
        BREAKER.labels(self.upstream.name).set(BREAKER_VALUES[state])
        log.warning("upstream_breaker", upstream=self.upstream.name, state=state)


class Upstreams:
    """Per process. `now` is in seconds and never goes back; `chance` is from 0 to 1."""

    def __init__(
        self,
        upstreams: Iterable[Upstream],
        send: Send,
        *,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._send = send
        self._now = now
        self._chance = chance
        self._kept = {upstream.name: _Kept(upstream, now) for upstream in upstreams}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._kept)

    async def ask(self, name: str, question: Question, read: Callable[[bytes], T], *, deadline: float) -> Reply[T]:
        """What it answers until the deadline, else the last good answer to the same question. Raises UpstreamFailed
        where there is none; otherwise as `call`.
        """
        kept = self._kept[name]
        try:
            value = await self.call(name, question, read, deadline=deadline)
        except UpstreamFailed:
            found = kept.last_good.find(question.body)
            if found is None:
                raise
            STALE.labels(name).inc()
            return found
        kept.last_good.keep(question.body, value)
        return Reply(value)

    async def call(self, name: str, question: Question, read: Callable[[bytes], T], *, deadline: float) -> T:
        """What `read` makes of its answer; it raises BrokenAnswer for what may not be one.

        `deadline` is of the loop's time; the upstream's own timeout may end it sooner. A question that may be repeated
        is repeated once, where the failure passes and the budget has a retry. Raises UpstreamFailed.
        """
        kept, loop = self._kept[name], asyncio.get_running_loop()
        until = min(deadline, loop.time() + kept.upstream.timeout_seconds)
        kept.retries.earn()
        try:
            return await self._try(kept, question, read, until)
        except UpstreamFailed as failure:
            pause = self._chance() * _LONGEST_PAUSE_SECONDS
            again = question.repeatable and failure.repeatable and loop.time() + pause < until
            if not (again and kept.retries.take()):
                raise
        RETRIES.labels(name).inc()
        await asyncio.sleep(pause)
        return await self._try(kept, question, read, until)

    async def _try(self, kept: _Kept, question: Question, read: Callable[[bytes], T], until: float) -> T:
        name = kept.upstream.name
        permit = kept.breaker.admit() if kept.running < MOST_AT_ONCE else None
        if permit is None:
            REQUESTS.labels(name, "paused").inc()
            raise UpstreamFailed("paused", "it failed too often, or too many wait for it")
        outcome: Outcome = "cancelled"
        began = self._now()
        kept.running += 1
        try:
            value = await self._traced(kept.upstream, question, read, until)
        except UpstreamFailed as failure:
            outcome = failure.outcome
            log.info("upstream_failed", upstream=name, outcome=outcome, reason=failure.reason)
            raise
        else:
            outcome = "ok"
            return value
        finally:
            kept.running -= 1
            seconds = self._now() - began
            REQUESTS.labels(name, outcome).inc()
            SECONDS.labels(name).observe(seconds)
            receipts.note(f"upstream:{name}", seconds=seconds)
            if outcome in _FAILURES:
                kept.breaker.failed(permit)
            elif outcome == "ok":
                kept.breaker.succeeded(permit)
            else:
                kept.breaker.released(permit)

    async def _traced(self, upstream: Upstream, question: Question, read: Callable[[bytes], T], until: float) -> T:
        """The trace shows whom it went to, not the address, which may hold a secret."""
        told = {"server__address": urlsplit(upstream.url).hostname or "", "portico__upstream": upstream.name}
        with tracing.part("POST upstream", "client", http__request__method="POST", **told) as span:
            try:
                return await self._exchange(upstream, question, read, until, span)
            except UpstreamFailed as failure:
                span.fail(failure.outcome)
                raise

    async def _exchange(
        self, upstream: Upstream, question: Question, read: Callable[[bytes], T], until: float, span: tracing.Span
    ) -> T:
        try:
            async with asyncio.timeout_at(until):
                answer = await self._send(upstream, question.body)
            span.tell(http__response__status_code=answer.status)
            if answer.status != _OK:
                raise _failure(answer.status)
            return read(answer.body)
        except TimeoutError:
            raise UpstreamFailed("timeout", "no answer in time") from None
        except BrokenAnswer as broken:
            raise UpstreamFailed("broken", str(broken)) from None


async def nobody(upstream: Upstream, _body: bytes) -> Answer:
    """Sends nothing: for a process without upstreams."""
    raise UpstreamFailed("failed", f"{upstream.name} is not connected")


def _failure(status: int) -> UpstreamFailed:
    """No redirect is followed: it could lead anywhere."""
    reason = f"status {status}"
    if status >= _SERVER_ERROR:
        return UpstreamFailed("failed", reason, repeatable=True)
    if status == _TOO_MANY:
        return UpstreamFailed("failed", reason)
    return UpstreamFailed("refused" if 400 <= status < _SERVER_ERROR else "broken", reason)  # noqa: PLR2004
