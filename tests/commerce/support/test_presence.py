"""Who is in a room: over processes, which here are databases of their own, and over their deaths."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import delete, select

from commerce.support.entities import Person
from commerce.support.models import PresenceRow
from commerce.support.presence import Change, Pace, Presence
from core.clock import SystemClock
from core.database import Database, DatabaseUnavailable, WriteSession
from core.hub import Hub
from core.hub.memory import MemoryHub
from core.hub.redis import RedisHub
from tests.factories.clocks import FakeClock
from tests.fixtures.application import LogEntries
from tests.fixtures.processes import StartProcess

ADA = Person("usr_ada", "Ada", is_staff=False)
SUE = Person("usr_sue", "Sue", is_staff=True)
SAM = Person("usr_sam", "Sam", is_staff=True)
QUICK = Pace(look=0.02, renew=0.0, again=0.02)  # renews in each round
WOKEN = Pace(look=3600.0, renew=3600.0)


class Heard:
    """What a connection is told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._more = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        self._more.set()

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(change.who.name, change.state) for change in self.changes]

    async def until(self, *said: tuple[str, str]) -> None:
        async with asyncio.timeout(30):
            while len(self.changes) < len(said):
                self._more.clear()
                await self._more.wait()
        assert self.said == list(said)


class Process:
    """As far as presence goes: a database and a hub of its own."""

    def __init__(self, presence: Presence) -> None:
        self.presence = presence
        self._stack = AsyncExitStack()

    async def enter(self, who: Person, room: str = "r1") -> tuple[list[Person], Heard, AsyncExitStack]:
        heard = Heard()
        stack = AsyncExitStack()
        present = await stack.enter_async_context(self.presence.attend(room, who, heard))
        return present, heard, stack


@asynccontextmanager
async def a_process(
    url: str, clock: FakeClock, hub: Hub | None = None, pace: Pace = QUICK, kind: type[Database] = Database
) -> AsyncIterator[Process]:
    database, hub = kind(url), hub or MemoryHub()
    database.on_announced = hub.publish
    try:
        async with Presence(database, clock, hub, pace=pace) as presence:
            yield Process(presence)
    finally:
        await database.close()


@pytest.fixture
async def here(database_url: str, clock: FakeClock) -> AsyncIterator[Process]:
    async with a_process(database_url, clock) as process:
        yield process


@pytest.fixture
async def there(database_url: str, clock: FakeClock) -> AsyncIterator[Process]:
    async with a_process(database_url, clock) as process:
        yield process


async def rows(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(PresenceRow.person_id).order_by(PresenceRow.person_id)))


async def test_who_comes_is_given_who_is_there_and_the_others_are_told(here: Process, there: Process) -> None:
    first, of_ada, ada = await here.enter(ADA)
    second, of_sue, sue = await there.enter(SUE)
    _, elsewhere, sam = await there.enter(SAM, "r2")
    await of_ada.until(("Sue", "joined"))

    await sue.aclose()
    await of_ada.until(("Sue", "joined"), ("Sue", "left"))

    assert (first, second) == ([ADA], [ADA, SUE])
    assert (of_sue.said, elsewhere.said) == ([], [])
    assert of_ada.changes[0] == Change("r1", SUE, "joined")
    await ada.aclose()
    await sam.aclose()


async def test_person_with_several_connections_joins_once_and_leaves_once(here: Process, there: Process) -> None:
    _, of_ada, ada = await here.enter(ADA)
    _, _, one = await here.enter(SUE)
    await of_ada.until(("Sue", "joined"))
    _, of_two, two = await there.enter(SUE)
    third, _, three = await there.enter(SUE)

    await one.aclose()
    await two.aclose()
    _, _, sam = await there.enter(SAM)
    await of_ada.until(("Sue", "joined"), ("Sam", "joined"))
    await three.aclose()
    await of_ada.until(("Sue", "joined"), ("Sam", "joined"), ("Sue", "left"))

    assert third == [ADA, SUE]
    assert of_two.said == []
    await ada.aclose()
    await sam.aclose()


async def test_wake_up_of_another_process_is_enough_and_no_look_is_waited_for(
    sqlite_database_url: str, clock: FakeClock, redis_url: str
) -> None:
    async with (
        RedisHub(redis_url) as hub_here,
        RedisHub(redis_url) as hub_there,
        a_process(sqlite_database_url, clock, hub_here, WOKEN) as here,
        a_process(sqlite_database_url, clock, hub_there, WOKEN) as there,
    ):
        _, of_ada, ada = await here.enter(ADA)
        _, of_sue, sue = await there.enter(SUE)
        await of_ada.until(("Sue", "joined"))
        await ada.aclose()
        await of_sue.until(("Ada", "left"))
        await sue.aclose()


async def test_process_that_ends_takes_its_people_with_it(
    database: Database, database_url: str, clock: FakeClock, here: Process
) -> None:
    _, of_ada, ada = await here.enter(ADA)
    async with a_process(database_url, clock) as other:
        _, _, sue = await other.enter(SUE)
        await of_ada.until(("Sue", "joined"))

    await of_ada.until(("Sue", "joined"), ("Sue", "left"))
    assert await rows(database) == ["usr_ada"]
    await ada.aclose()
    await sue.aclose()


async def test_people_of_a_process_that_was_killed_leave_after_45_seconds(
    database: Database, database_url: str, start: StartProcess
) -> None:
    clock = FakeClock(SystemClock().now())
    async with a_process(database_url, clock) as here:
        _, of_ada, ada = await here.enter(ADA)
        killed = start(
            *(sys.executable, "-m", "tests.commerce.support.program", "r1", "sue"),
            PORTICO_DATABASE_URL=database_url,
            PORTICO_SECRET_KEY="k" * 32,
        )
        await asyncio.to_thread(killed.until, "there")
        await of_ada.until(("Sue", "joined"))
        killed.send(signal.SIGKILL)
        await asyncio.to_thread(killed.wait, 10)

        async with database.read() as session:
            seen_at = await session.scalar(select(PresenceRow.seen_at).where(PresenceRow.person_id == "sue"))
        clock.advance(seconds=(seen_at - clock.now()).total_seconds() + 44)
        present, _, sam = await here.enter(SAM)
        assert [who.name for who in present] == ["Ada", "Sue", "Sam"]
        clock.advance(seconds=2)

        await of_ada.until(("Sue", "joined"), ("Sam", "joined"), ("Sue", "left"))
        assert await rows(database) == ["usr_ada", "usr_sam"]
        await ada.aclose()
        await sam.aclose()


async def test_process_that_slept_too_long_brings_its_people_back(
    database: Database, here: Process, there: Process
) -> None:
    """Others took its rows away meanwhile."""
    _, of_ada, ada = await here.enter(ADA)
    _, of_sue, sue = await there.enter(SUE)
    await of_ada.until(("Sue", "joined"))

    async with database.write() as session:
        await session.execute(delete(PresenceRow))

    async with asyncio.timeout(30):
        while await rows(database) != ["usr_ada", "usr_sue"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    present, _, sam = await here.enter(SAM)
    assert {who.name for who in present} == {"Ada", "Sue", "Sam"}
    for stack in (ada, sue, sam):
        await stack.aclose()
    assert {state for _, state in [*of_ada.said, *of_sue.said]} <= {"joined", "left"}


async def test_process_knows_its_own_people_however_late_it_renews_them(
    sqlite_database_url: str, clock: FakeClock
) -> None:
    async with a_process(sqlite_database_url, clock, pace=WOKEN) as here:
        _, of_ada, ada = await here.enter(ADA)
        clock.advance(minutes=1)

        present, _, sue = await here.enter(SUE)

        assert present == [ADA, SUE]
        await of_ada.until(("Sue", "joined"))
        await ada.aclose()
        await sue.aclose()


async def test_connection_whose_task_is_cancelled_leaves(here: Process) -> None:
    _, of_ada, ada = await here.enter(ADA)

    async def connected() -> None:
        async with here.presence.attend("r1", SUE, Heard()):
            await asyncio.Event().wait()

    task = asyncio.create_task(connected())
    await of_ada.until(("Sue", "joined"))
    task.cancel()

    await of_ada.until(("Sue", "joined"), ("Sue", "left"))
    await ada.aclose()


async def test_listener_that_fails_keeps_nothing_from_the_others(here: Process, log_entries: LogEntries) -> None:
    def fails(_change: Change) -> None:
        raise RuntimeError("a bug")

    async with here.presence.attend("r1", ADA, fails), here.presence.attend("r1", SUE, heard := Heard()):
        _, _, sam = await here.enter(SAM)
        await heard.until(("Sam", "joined"))
        await sam.aclose()

    assert next(entry["event"] for entry in log_entries.application) == "presence_not_told"


class Counting(Database):
    """Counts its transactions; refuses them while it is away."""

    writes = 0
    away = False

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        self.writes += 1
        if self.away:
            raise DatabaseUnavailable
        async with super().write() as session:
            yield session


@pytest.fixture
async def counting(sqlite_database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Process, Counting]]:
    made: list[Counting] = []

    class Made(Counting):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            made.append(self)

    async with a_process(sqlite_database_url, clock, pace=Pace(again=0.02), kind=Made) as process:
        yield process, made[0]


async def test_many_who_come_at_once_are_few_transactions(counting: tuple[Process, Counting]) -> None:
    process, database = counting
    people = [Person(f"usr_{n}", f"{n}", is_staff=False) for n in range(600)]

    entered = await asyncio.gather(*(process.enter(who) for who in people))

    assert database.writes <= 3
    assert max(len(present) for present, _, _ in entered) == 600
    for _, _, stack in entered:
        await stack.aclose()


async def test_who_comes_while_the_database_is_away_is_refused_and_who_is_there_stays(
    counting: tuple[Process, Counting], log_entries: LogEntries
) -> None:
    process, database = counting
    _, of_ada, ada = await process.enter(ADA)
    _, _, sue = await process.enter(SUE)

    database.away = True
    with pytest.raises(DatabaseUnavailable):
        await process.enter(SAM)
    await sue.aclose()
    tries = database.writes
    async with asyncio.timeout(30):
        while database.writes == tries:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    database.away = False

    await of_ada.until(("Sue", "joined"), ("Sue", "left"))
    assert await rows(database) == ["usr_ada"]
    assert "presence_waits" in [entry["event"] for entry in log_entries.application]
    await ada.aclose()


async def test_nobody_there_costs_no_statement(counting: tuple[Process, Counting]) -> None:
    process, database = counting
    _, _, ada = await process.enter(ADA)
    await ada.aclose()
    async with asyncio.timeout(30):
        while await rows(database):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    writes = database.writes
    await asyncio.sleep(0)

    assert writes == database.writes == 2
