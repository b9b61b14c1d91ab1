"""So many run, so many wait, each for so long; places are never lost, and orders come before reads."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from core.bulkheads import Alarm, Bulkhead, Bulkheads, Capacity, Chance, Overloaded


@dataclass
class Clock:
    """Rings what is due when it is moved."""

    time: float = 0.0
    due: dict["Ring", float] = field(default_factory=dict)

    def now(self) -> float:
        return self.time

    def ring_after(self, seconds: float, ring: Callable[[], object]) -> Alarm:
        alarm = Ring(self, ring)
        self.due[alarm] = self.time + seconds
        return alarm

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for alarm in [each for each, at in self.due.items() if at <= self.time]:
            del self.due[alarm]
            alarm.ring()

    @property
    def chance(self) -> Chance:
        return Chance(self.now, self.ring_after, lambda: 1.0)


@dataclass(eq=False)
class Ring:
    clock: Clock
    ring: Callable[[], object]

    def cancel(self) -> None:
        self.clock.due.pop(self, None)


class Line:
    """Enters a bulkhead as many requests, and tells who got in, in their order."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """Those whose names begin with `order` are urgent."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._enter(name))
            await asyncio.sleep(0)

    async def _enter(self, name: str) -> None:
        await self.bulkhead.enter(name.startswith("order"))
        self.inside.append(name)

    async def go(self, name: str) -> None:
        self.inside.remove(name)
        self.bulkhead.leave(name.startswith("order"))
        await settled()

    async def give_up(self, name: str) -> None:
        self.tasks[name].cancel()
        await settled()

    def refused(self, name: str) -> Overloaded:
        error = self.tasks[name].exception()
        assert isinstance(error, Overloaded)
        return error


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def line(clock: Clock) -> AsyncIterator[Line]:
    """Two run, one of them only an order; three wait, for four seconds."""
    capacity = Capacity(running=2, waiting=3, patience_seconds=4, reserved=1)
    line = Line(Bulkhead("test", capacity, clock.chance))
    yield line
    for task in line.tasks.values():
        task.cancel()
    await asyncio.gather(*line.tasks.values(), return_exceptions=True)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"portico_bulkhead_{name}", {"audience": "test", **labels}) or 0.0


async def test_reads_leave_the_reserved_places_to_orders(line: Line) -> None:
    await line.come("read 1", "read 2", "order 1", "order 2")

    assert line.inside == ["read 1", "order 1"]
    assert (line.bulkhead.running, line.bulkhead.waiting) == (2, 2)


async def test_waiting_order_is_let_in_before_reads_that_came_earlier(line: Line) -> None:
    await line.come("read 1", "order 1", "read 2", "order 2")

    await line.go("read 1")

    assert line.inside == ["order 1", "order 2"]
    await line.go("order 2")
    assert line.inside == ["order 1", "read 2"]


async def test_those_of_one_kind_are_let_in_as_they_came(line: Line) -> None:
    await line.come("read 1", "read 2", "read 3")

    await line.go("read 1")
    first = line.inside[:]
    await line.go("read 2")

    assert first == ["read 2"]
    assert line.inside == ["read 3"]


async def test_who_finds_the_line_full_is_refused_and_takes_nothing(line: Line) -> None:
    before = sample("refused_total", why="full")

    await line.come("read 1", "read 2", "read 3", "read 4", "read 5")

    assert line.refused("read 5").retry_after_seconds == 6  # a second, one for the dice, and four for a full line
    assert sample("refused_total", why="full") - before == 1
    assert (line.bulkhead.running, line.bulkhead.waiting) == (1, 3)


async def test_the_shorter_the_line_the_sooner_one_may_come_back(line: Line, clock: Clock) -> None:
    await line.come("read 1", "read 2")

    clock.advance(4)
    await settled()

    assert line.refused("read 2").retry_after_seconds == 2


async def test_who_waits_too_long_is_refused_and_the_next_has_their_turn(line: Line, clock: Clock) -> None:
    refused, queued = sample("refused_total", why="patience"), sample("queue_seconds_sum")
    await line.come("read 1", "read 2")
    clock.advance(3)
    await line.come("read 3")

    clock.advance(1)
    await settled()
    await line.go("read 1")

    line.refused("read 2")
    assert line.inside == ["read 3"]
    assert sample("refused_total", why="patience") - refused == 1
    assert sample("queue_seconds_sum") - queued == 5  # four seconds and one
    assert not clock.due


async def test_who_leaves_the_line_is_passed_over(line: Line) -> None:
    await line.come("read 1", "read 2", "read 3")

    await line.give_up("read 2")
    waiting = line.bulkhead.waiting
    await line.go("read 1")

    assert waiting == 1
    assert line.inside == ["read 3"]


async def test_place_that_comes_as_one_leaves_goes_to_the_next(line: Line) -> None:
    await line.come("read 1", "read 2", "read 3")

    line.bulkhead.leave()
    line.tasks["read 2"].cancel()  # who has a place by now, and does not know it
    await settled()

    assert line.inside == ["read 1", "read 3"]
    assert line.bulkhead.running == 1


async def test_drain_refuses_those_who_wait_and_lets_those_who_run_end(line: Line) -> None:
    before = sample("refused_total", why="draining")
    await line.come("read 1", "read 2", "order 1", "order 2")

    line.bulkhead.drain()
    await settled()
    await line.come("read 3")
    await line.go("read 1")
    await line.come("read 4")

    assert [line.refused(name).retry_after_seconds for name in ("read 2", "order 2", "read 3")] == [1, 1, 1]
    assert sample("refused_total", why="draining") - before == 3
    assert line.inside == ["order 1", "read 4"]


async def test_metrics_say_how_it_is_when_they_are_told(line: Line) -> None:
    await line.come("read 1", "read 2", "read 3")

    line.bulkhead.publish()

    assert (sample("running"), sample("waiting")) == (1, 2)


async def test_only_who_waits_is_in_the_queue_time(line: Line) -> None:
    before = sample("queue_seconds_count")

    await line.come("read 1", "order 1")

    assert sample("queue_seconds_count") == before


async def test_all_walls_drain_with_the_server() -> None:
    walls = Bulkheads({"public": Capacity(1, 1, 60), "graphql": Capacity(1, 1, 60)})
    draining = asyncio.Event()

    async with walls.until(draining):
        lines = [Line(walls[name]) for name in ("public", "graphql")]
        for line in lines:
            await line.come("read 1", "read 2")
        draining.set()
        await settled()

    assert all(line.refused("read 2").detail == "this server is going: another one answers" for line in lines)


@given(
    st.lists(
        st.tuples(st.sampled_from(["come", "order", "go", "cancel", "both", "wait"]), st.integers(0, 9)), max_size=60
    )
)
def test_no_place_is_lost_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """Coming, leaving, cancelling, both at once, and time: in the end all places are free, and never more are taken."""
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    bulkhead = Bulkhead("test", Capacity(running=3, waiting=4, patience_seconds=2, reserved=1), clock.chance)
    line = Line(bulkhead)
    for number, (step, which) in enumerate(steps):
        present, all_names = line.inside, list(line.tasks)
        if step in ("come", "order"):
            await line.come(f"{step} {number}")
        elif step == "go" and present:
            await line.go(present[which % len(present)])
        elif step == "cancel" and all_names:
            await line.give_up(all_names[which % len(all_names)])
        elif step == "both" and present:
            name = present.pop(which % len(present))
            bulkhead.leave(name.startswith("order"))
            line.tasks[all_names[which % len(all_names)]].cancel()
            await settled()
        elif step == "wait":
            clock.advance(1)
            await settled()
        assert bulkhead.running == len(line.inside) <= 3
        assert sum(not name.startswith("order") for name in line.inside) <= 2
        assert bulkhead.waiting == sum(not task.done() for task in line.tasks.values()) <= 4

    for task in line.tasks.values():
        task.cancel()
    await asyncio.gather(*line.tasks.values(), return_exceptions=True)
    for name in line.inside[:]:
        await line.go(name)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    assert all(bulkhead.try_enter(urgent) for urgent in (False, False, True))
