"""Walls between audiences: how many requests of each run at once, how many wait for a place, and for how long.

Counting alone; `core.web.middleware.bulkhead` stands where requests pass.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from anyio import CapacityLimiter
from prometheus_client import Counter, Gauge, Histogram

from core.errors import Unavailable
from core.receipts import note
from core.right_of_way import RightOfWay

_RUNNING = Gauge("portico_bulkhead_running", "Requests that have a place.", ("audience",), multiprocess_mode="livesum")
_WAITING = Gauge("portico_bulkhead_waiting", "Requests that wait for one.", ("audience",), multiprocess_mode="livesum")
_QUEUE_SECONDS = Histogram(
    "portico_bulkhead_queue_seconds",
    "How long those waited that had to, whatever came of it.",
    ("audience",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_REFUSED = Counter(
    "portico_bulkhead_refused_total",
    "Requests that got no place: the line was `full`, their `patience` ended, or the server was `draining`.",
    ("audience", "why"),
)
_REASONS = ("full", "patience", "draining")
_DRAIN_SECONDS = 1  # after which another server answers


class Overloaded(Unavailable):
    """This door has as many requests as it takes, running and waiting. Nothing was changed; the other doors are open.
    Try again after `Retry-After`, which is not the same for all who are refused.
    """

    code = "overloaded"
    title = "Overloaded"


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of one audience in one process. `reserved`: so many of the places are for what is urgent alone. `threads`: so
    many of its requests may work in one at a time.
    """

    running: int
    waiting: int
    patience_seconds: float
    reserved: int = 0
    threads: int = 4


class Alarm(Protocol):
    def cancel(self) -> None: ...


def _ring_after(seconds: float, ring: Callable[[], object]) -> Alarm:
    return asyncio.get_running_loop().call_later(seconds, ring)


@dataclass(frozen=True, slots=True)
class Chance:
    """What a test holds still: the time, what rings after some seconds of it, and dice from 0 to 1."""

    now: Callable[[], float] = time.perf_counter
    ring_after: Callable[[float, Callable[[], object]], Alarm] = _ring_after
    roll: Callable[[], float] = field(default=random.random)


Line = dict[asyncio.Future[None], None]  # in the order of their coming; any can leave at once


class Bulkhead:
    """Per process and audience. A place that comes free goes to who is urgent first, then to who came first. Who is
    urgent has the right of way while they have it.
    """

    def __init__(
        self, audience: str, capacity: Capacity, chance: Chance | None = None, way: RightOfWay | None = None
    ) -> None:
        self.audience = audience
        self.capacity = capacity
        self.running = 0
        self.threads = CapacityLimiter(capacity.threads)
        self._ordinary = 0  # of those that run
        self._lines: dict[bool, Line] = {True: {}, False: {}}  # whether urgent; in the order of their right
        self._draining = False
        self._chance = chance or Chance()
        self._way = way or RightOfWay()
        self._queued = _QUEUE_SECONDS.labels(audience)
        self._refused = {why: _REFUSED.labels(audience, why) for why in _REASONS}

    @property
    def waiting(self) -> int:
        return len(self._lines[True]) + len(self._lines[False])

    def try_enter(self, urgent: bool = False) -> bool:
        """A place, if one is free; then nobody waits who could have it. Each ends with `leave`."""
        if not self.has_place(urgent):
            return False
        self._take(urgent)
        return True

    async def enter(self, urgent: bool = False) -> None:
        """A place, waited for. Raises Overloaded where too many wait already, or too long, or the server drains."""
        if not self.try_enter(urgent):
            await self._wait(urgent)

    def leave(self, urgent: bool = False) -> None:
        """Gives back what `enter` gave."""
        self.running -= 1
        self._ordinary -= not urgent
        if urgent:
            self._way.leave()
        for kind, line in self._lines.items():
            while line and self.has_place(kind):
                turn = next(iter(line))
                del line[turn]
                if not turn.done():
                    self._take(kind)
                    turn.set_result(None)

    def drain(self) -> None:
        """From here on nobody waits: those who do are refused, and go to another server."""
        self._draining = True
        for line in self._lines.values():
            for turn in list(line):
                self._give_up(line, turn, "draining")

    def publish(self) -> None:
        """Tells the metrics how it is: requests do nothing for it."""
        _RUNNING.labels(self.audience).set(self.running)
        _WAITING.labels(self.audience).set(self.waiting)

    def has_place(self, urgent: bool) -> bool:
        most = self.capacity.running
        return self.running < most and (urgent or self._ordinary < most - self.capacity.reserved)

    def _take(self, urgent: bool) -> None:
        self.running += 1
        self._ordinary += not urgent
        if urgent:
            self._way.enter()

    async def _wait(self, urgent: bool) -> None:
        if self._draining:
            raise self._refusal("draining")
        if self.waiting >= self.capacity.waiting:
            raise self._refusal("full")
        line, turn = self._lines[urgent], asyncio.get_running_loop().create_future()
        line[turn] = None
        came = self._chance.now()
        alarm = self._chance.ring_after(self.capacity.patience_seconds, lambda: self._give_up(line, turn, "patience"))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # it came at the same moment
                self.leave(urgent)
            raise
        finally:
            alarm.cancel()
            line.pop(turn, None)
            waited = self._chance.now() - came
            self._queued.observe(waited)
            note("queue", seconds=waited)

    def _give_up(self, line: Line, turn: asyncio.Future[None], why: str) -> None:
        line.pop(turn, None)
        if not turn.done():
            turn.set_exception(self._refusal(why))

    def _refusal(self, why: str) -> Overloaded:
        """The longer the line, the further apart those come back who found no place in it."""
        self._refused[why].inc()
        if why == "draining":
            return Overloaded("this server is going: another one answers", retry_after_seconds=_DRAIN_SECONDS)
        spread = self.capacity.patience_seconds * self.waiting / max(1, self.capacity.waiting)
        seconds = 1 + round(self._chance.roll() * (1 + spread))
        return Overloaded(f"{self.audience} has as many requests as it takes", retry_after_seconds=seconds)


class Bulkheads:
    """Per process: one for each audience that has a wall."""

    def __init__(self, capacities: Mapping[str, Capacity]) -> None:
        self.way = RightOfWay()
        self._all = {audience: Bulkhead(audience, capacity, way=self.way) for audience, capacity in capacities.items()}

    def __getitem__(self, audience: str) -> Bulkhead:
        return self._all[audience]

    def publish(self) -> None:
        for each in self._all.values():
            each.publish()

    @asynccontextmanager
    async def until(self, draining: asyncio.Event) -> AsyncIterator[None]:
        """Around what serves: nobody waits any more when it drains."""

        async def watch() -> None:
            await draining.wait()
            for each in self._all.values():
                each.drain()

        watching = asyncio.create_task(watch(), name="portico-bulkheads")
        try:
            yield
        finally:
            watching.cancel()
