"""What a process remembers of one upstream, and the account that it keeps of each try to ask it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog

from core import receipts
from core.upstream.breaker import Breaker, State
from core.upstream.calls import Outcome, UpstreamFailed
from core.upstream.metrics import BREAKER, BREAKER_VALUES, REQUESTS, RETRIES, SECONDS
from core.upstream.retries import RetryBudget

log = structlog.get_logger("portico.upstream")
T = TypeVar("T")
_LONGEST_PAUSE_SECONDS = 0.1
MOST_AT_ONCE = 50  # of one upstream: what is slow takes no more connections than that
# What says something of the upstream: to be asked nonsense, or to be left, is no failure of its.
_FAILURES: frozenset[Outcome] = frozenset(("timeout", "failed", "broken"))


class Kept:
    """`now` is in seconds and never goes back; `chance` is from 0 to 1."""

    def __init__(
        self, name: str, *, now: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self.name = name
        self._retries = RetryBudget()
        self._breaker = Breaker(now, changed=self._tell)
        self._now = now
        self._chance = chance
        self._running = 0
        BREAKER.labels(name).set(BREAKER_VALUES["closed"])

    def _tell(self, state: State) -> None:
        BREAKER.labels(self.name).set(BREAKER_VALUES[state])
        log.warning("upstream_breaker", upstream=self.name, state=state)

    async def ask(self, once: Callable[[], Awaitable[T]], *, until: float, repeatable: Callable[[], bool]) -> T:
        """What `once` gives. It is tried a second time where that does no harm, its failure passes, there is time left
        (`until`, of the loop's time), and the budget has a retry. Raises UpstreamFailed.
        """
        self._retries.earn()
        try:
            with self._attempt():
                return await once()
        except UpstreamFailed as failure:
            told = failure.after_seconds
            pause = self._chance() * _LONGEST_PAUSE_SECONDS if told is None else told
            again = failure.repeatable and repeatable() and asyncio.get_running_loop().time() + pause < until
            if not (again and self._retries.take()):
                raise
        RETRIES.labels(self.name).inc()
        await asyncio.sleep(pause)
        with self._attempt():
            return await once()

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """One try. How it ended, the UpstreamFailed says that leaves it; raises one itself where none is let in."""
        permit = self._breaker.admit() if self._running < MOST_AT_ONCE else None
        if permit is None:
            REQUESTS.labels(self.name, "paused").inc()
            raise UpstreamFailed("paused", "it failed too often, or too many wait for it")
        outcome: Outcome = "cancelled"
        began = self._now()
        self._running += 1
        try:
            yield
            outcome = "ok"
        except UpstreamFailed as failure:
            outcome = failure.outcome
            log.info("upstream_failed", upstream=self.name, outcome=outcome, reason=failure.reason)
            raise
        finally:
            self._running -= 1
            seconds = self._now() - began
            REQUESTS.labels(self.name, outcome).inc()
            SECONDS.labels(self.name).observe(seconds)
            receipts.note(f"upstream:{self.name}", seconds=seconds)
            if outcome in _FAILURES:
                self._breaker.failed(permit)
            elif outcome == "ok":
                self._breaker.succeeded(permit)
            else:
                self._breaker.released(permit)
