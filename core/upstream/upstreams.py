"""All upstreams of the process, and the way of a question: breaker, deadline, one retry, the last good answer."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlsplit

from core import tracing
from core.upstream.calls import Answer, BrokenAnswer, Question, Reply, Send, Upstream, UpstreamFailed, failure_of
from core.upstream.kept import Kept
from core.upstream.last_good import LastGood
from core.upstream.metrics import STALE

T = TypeVar("T")
_OK = 200


class _Known(Kept):
    """With whom it is, and what it last answered."""

    def __init__(self, upstream: Upstream, now: Callable[[], float], chance: Callable[[], float]) -> None:
        super().__init__(upstream.name, now=now, chance=chance)
        self.upstream = upstream
        self.last_good = LastGood(now)


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
        self._kept = {upstream.name: _Known(upstream, now, chance) for upstream in upstreams}

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
        kept = self._kept[name]
        until = min(deadline, asyncio.get_running_loop().time() + kept.upstream.timeout_seconds)
        return await kept.ask(
            lambda: self._traced(kept.upstream, question, read, until),
            until=until,
            repeatable=lambda: question.repeatable,
        )

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
                raise failure_of(answer.status)
            return read(answer.body)
        except TimeoutError:
            raise UpstreamFailed("timeout", "no answer in time") from None
        except BrokenAnswer as broken:
            raise UpstreamFailed("broken", str(broken)) from None


async def nobody(upstream: Upstream, _body: bytes) -> Answer:
    """Sends nothing: for a process without upstreams."""
    raise UpstreamFailed("failed", f"{upstream.name} is not connected")
