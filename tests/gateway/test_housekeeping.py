"""What is old is forgotten beside the requests; nothing that goes wrong in it ends the server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter
from sqlalchemy import func, insert, select, true

from commerce.accounts.models import SignInRow
from core.database import Base, Database, DatabaseUnavailable, WriteSession
from core.eventlog import EventLog, NewEvent, append
from core.idempotency import IdempotencyRow, OnceKey
from core.resources import Resources, assemble
from core.settings import Settings
from gateway.app import create_app
from gateway.housekeeping import CHORES, Chore, housekeeping
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory
from tests.factories.people import a_user
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import serve


class Pauses:
    """Sleeps until the test wants the next round; notes for how long it was to be."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def asleep(self) -> None:
        await asyncio.wait_for(self._asleep.wait(), 10)

    async def one_round(self) -> None:
        await self.asleep()
        self._asleep.clear()
        self._wake.set()
        await self.asleep()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def house(settings: Settings, database: Database, clock: FakeClock) -> Resources:
    return assemble(settings, clock, database, objects_in_memory(), {})


@asynccontextmanager
async def kept(house: Resources, chores: Mapping[str, Chore] = CHORES) -> AsyncIterator[Pauses]:
    pauses = Pauses()
    async with housekeeping(house, chores=chores, pause=pauses):
        yield pauses


async def count(house: Resources, table: type[Base]) -> int:
    async with house.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table)))


async def happen(house: Resources, subject: str) -> None:
    async with house.database.write() as session:
        await append(session, [NewEvent("job.updated", subject, {}, "everybody")], house.clock.now())


async def subjects(house: Resources) -> list[str]:
    async with house.database.read() as session:
        return [event.subject for event in (await EventLog(session).after(None, visible=true()))[0]]


async def test_events_are_forgotten_when_they_are_over_thirty_days_old(house: Resources, clock: FakeClock) -> None:
    await happen(house, "old")
    clock.advance(hours=1)
    await happen(house, "young")
    clock.advance(days=30)

    async with kept(house) as pauses:
        await pauses.one_round()

    assert await subjects(house) == ["young"]


async def test_idempotency_keys_are_forgotten_when_they_have_expired(house: Resources, clock: FakeClock) -> None:
    async def action(_session: WriteSession) -> int:
        return 1

    for name in ("old", "young"):
        await house.idempotency.run(OnceKey("user:usr_1", name), {"name": name}, action, TypeAdapter(int))
        clock.advance(hours=24)
    clock.advance(hours=1)

    async with kept(house) as pauses:
        await pauses.one_round()

    async with house.database.read() as session:
        assert list(await session.scalars(select(IdempotencyRow.key))) == ["young"]


async def test_sign_ins_are_forgotten_when_they_have_expired(house: Resources, clock: FakeClock) -> None:
    user = await a_user(house)
    now = clock.now()
    common = {"user_id": user.id, "audience": "public", "created_at": now, "revoked_at": None}
    async with house.database.write() as session:
        for number, lifetime in enumerate((timedelta(hours=1), timedelta(hours=3))):
            await session.execute(insert(SignInRow).values(id=f"sin_{number}", expires_at=now + lifetime, **common))
    clock.advance(hours=2)

    async with kept(house) as pauses:
        await pauses.one_round()

    async with house.database.read() as session:
        assert list(await session.scalars(select(SignInRow.id))) == ["sin_1"]


async def test_first_round_waits_until_the_start_is_over_and_others_an_hour(house: Resources) -> None:
    rounds: list[datetime] = []

    async def chore(_session: WriteSession, now: datetime) -> None:
        rounds.append(now)

    async with kept(house, {"chore": chore}) as pauses:
        await pauses.asleep()
        assert rounds == []
        await pauses.one_round()
        await pauses.one_round()

    first, *others = pauses.asked
    assert 30 <= first <= 90
    assert others == [3600, 3600]
    assert len(rounds) == 2


async def test_chore_that_goes_by_parts_goes_on_until_nothing_is_left(house: Resources) -> None:
    left = [3, 2, 0, 99]
    transactions: list[WriteSession] = []

    async def chore(session: WriteSession, _now: datetime) -> int:
        transactions.append(session)
        return left.pop(0)

    async with kept(house, {"chore": chore}) as pauses:
        await pauses.one_round()

    assert left == [99]
    assert len({id(session) for session in transactions}) == len(transactions) == 3


class Away:
    """A database that is away."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        raise DatabaseUnavailable
        yield


async def test_database_that_is_away_is_a_warning_a_round_and_the_next_round_comes(
    house: Resources, log_entries: LogEntries
) -> None:
    away = replace(house, database=Away())  # type: ignore[arg-type]

    async with kept(away) as pauses:
        await pauses.one_round()
        await pauses.one_round()

    assert [(entry["event"], entry["level"], entry["reason"]) for entry in log_entries.application] == [
        ("housekeeping_put_off", "warning", "database_unavailable")
    ] * 2


async def test_chore_with_a_bug_is_logged_and_keeps_no_other_from_being_done(
    house: Resources, log_entries: LogEntries
) -> None:
    done: list[str] = []

    async def broken(session: WriteSession, now: datetime) -> None:
        await append(session, [NewEvent("job.updated", "lost", {}, "everybody")], now)
        raise ZeroDivisionError

    async def fine(_session: WriteSession, _now: datetime) -> None:
        done.append("fine")

    async with kept(house, {"broken": broken, "fine": fine}) as pauses:
        await pauses.one_round()

    (entry,) = log_entries.application
    assert (entry["event"], entry["level"], entry["chore"]) == ("housekeeping_failed", "error", "broken")
    assert "ZeroDivisionError" in entry["exception"]
    assert done == ["fine"]
    assert await subjects(house) == []


async def test_end_of_the_server_waits_for_no_pause_and_breaks_off_a_round(house: Resources) -> None:
    entered = asyncio.Event()

    async def endless(session: WriteSession, now: datetime) -> None:
        await append(session, [NewEvent("job.updated", "lost", {}, "everybody")], now)
        entered.set()
        await asyncio.sleep(3600)

    async with asyncio.timeout(10):
        async with kept(house) as pauses:
            await pauses.asleep()
        async with kept(house, {"endless": endless}) as pauses:
            await pauses.asleep()
            pauses._wake.set()
            await entered.wait()
        await happen(house, "after")  # its connection is free again

    assert await subjects(house) == ["after"]


async def test_server_keeps_house_and_leaves_its_first_requests_alone(settings: Settings) -> None:
    async with serve(create_app(settings)) as served:
        tasks = [task for task in asyncio.all_tasks() if "_keep" in repr(task.get_coro())]
        with recorded(served.state["resources"].database.writer) as statements:
            await asyncio.sleep(0.1)
        assert len(tasks) == 1

    assert tasks[0].cancelled()
    assert statements == []
