"""Uses are counted in memory, written down soon and at the end, and add up over processes."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from commerce.upkeep.jobs import CHORES
from commerce.usage.entities import ClientUse, Kind
from commerce.usage.models import UseRow
from commerce.usage.recorder import UseRecorder
from commerce.usage.repository import UseRepository
from core.context import NAMELESS, Client
from core.database import Database, DatabaseUnavailable
from tests.factories.clocks import NOON, FakeClock
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.fixtures.databases import Fickle

LIST = "GET /public/v1/products"
WEB, WEB_2, IOS = Client("web", "1.4.0"), Client("web", "2.0.0"), Client("ios")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def found(database: Database, kind: Kind) -> dict[str, list[ClientUse]]:
    async with database.read() as session:
        return await UseRepository(session).by_subject(kind)


async def uses_of(database: Database) -> dict[tuple[str, ...], int]:
    columns = UseRow.kind, UseRow.subject, UseRow.client, UseRow.client_version, UseRow.uses
    async with database.read() as session:
        return {tuple(key): uses for *key, uses in await session.execute(select(*columns))}


async def test_uses_are_counted_by_kind_subject_client_and_version(database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(database, clock)
    for client in (WEB, WEB, WEB_2, IOS, NAMELESS):
        uses.note("rest", LIST, client)
        clock.advance(seconds=1)
    uses.note("field", "OrderLineInput.sku", WEB)
    uses.note("operation", "ab" * 32, WEB)

    await uses.flush()

    assert await found(database, "rest") == {
        LIST: [
            ClientUse("", "", 1, at(4), at(4)),
            ClientUse("ios", "", 1, at(3), at(3)),
            ClientUse("web", "2.0.0", 1, at(2), at(2)),
            ClientUse("web", "1.4.0", 2, at(0), at(1)),
        ]
    }
    assert await found(database, "field") == {"OrderLineInput.sku": [ClientUse("web", "1.4.0", 1, at(5), at(5))]}
    assert await found(database, "operation") == {"ab" * 32: [ClientUse("web", "1.4.0", 1, at(5), at(5))]}


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def test_counts_are_added_to_what_is_there(database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(database, clock)
    for _ in range(3):
        uses.note("rest", LIST, WEB)
        await uses.flush()
        clock.advance(seconds=10)

    assert await found(database, "rest") == {LIST: [ClientUse("web", "1.4.0", 3, at(0), at(20))]}


async def test_clock_that_is_behind_takes_no_last_use_back(database: Database) -> None:
    for clock in (FakeClock(at(60)), FakeClock(at(0))):
        behind = UseRecorder(database, clock)
        behind.note("rest", LIST, WEB)
        await behind.flush()

    assert await found(database, "rest") == {LIST: [ClientUse("web", "1.4.0", 2, at(60), at(60))]}


async def test_processes_that_write_at_once_add_up(database: Database, clock: FakeClock) -> None:
    processes = [UseRecorder(database, clock) for _ in range(4)]
    subjects = [f"subject-{number:04}" for number in range(1_500)]
    for round_ in range(3):
        for number, process in enumerate(processes):
            for subject in subjects if (number + round_) % 2 else reversed(subjects):
                process.note("operation", subject, WEB)

        await asyncio.gather(*(process.flush() for process in processes))

    assert await uses_of(database) == {("operation", subject, "web", "1.4.0"): 12 for subject in subjects}


async def test_noting_asks_the_database_nothing(sqlite_database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(sqlite_database, clock)

    with recorded(sqlite_database.writer) as written, recorded(sqlite_database.reader) as read:
        for number in range(1_000):
            uses.note("rest", LIST, Client(f"client-{number}"))
        await asyncio.sleep(0)

    assert (written, read) == ([], [])


async def test_nothing_noted_writes_nothing(fickle: Fickle, clock: FakeClock) -> None:
    async with UseRecorder(fickle, clock) as uses:
        await uses.flush()

    assert fickle.asked == 0


async def test_it_writes_by_itself_while_it_is_open(fickle: Fickle, clock: FakeClock) -> None:
    async with UseRecorder(fickle, clock, flush_seconds=0.01) as uses:
        for number in (1, 2, 3):
            uses.note("rest", LIST, WEB)
            async with asyncio.timeout(20):
                while sum((await uses_of(fickle)).values()) < number:  # noqa: ASYNC110  nobody else waits for it
                    await asyncio.sleep(0.01)

        assert await uses_of(fickle) == {("rest", LIST, "web", "1.4.0"): 3}


async def test_what_is_left_is_written_when_it_closes(database: Database, clock: FakeClock) -> None:
    async with UseRecorder(database, clock, flush_seconds=600) as uses:
        uses.note("rest", LIST, WEB)

    assert await uses_of(database) == {("rest", LIST, "web", "1.4.0"): 1}


async def test_counts_are_kept_while_the_database_is_away(fickle: Fickle, clock: FakeClock) -> None:
    uses = UseRecorder(fickle, clock)
    uses.note("rest", LIST, WEB)
    uses.note("rest", LIST, IOS)
    fickle.away = True
    with pytest.raises(DatabaseUnavailable):
        await uses.flush()
    assert await uses_of(fickle) == {}
    clock.advance(seconds=5)
    uses.note("rest", LIST, WEB)
    uses.note("rest", LIST, WEB_2)
    fickle.away = False

    await uses.flush()

    assert await found(fickle, "rest") == {
        LIST: [
            ClientUse("web", "1.4.0", 2, at(0), at(5)),
            ClientUse("web", "2.0.0", 1, at(5), at(5)),
            ClientUse("ios", "", 1, at(0), at(0)),
        ]
    }


async def test_what_is_noted_while_a_write_fails_is_added_to_what_it_had(fickle: Fickle, clock: FakeClock) -> None:
    uses = UseRecorder(fickle, clock)

    def meanwhile() -> None:
        clock.advance(seconds=5)
        uses.note("rest", LIST, WEB)
        uses.note("rest", LIST, IOS)

    uses.note("rest", LIST, WEB)
    fickle.away, fickle.meanwhile = True, meanwhile
    with pytest.raises(DatabaseUnavailable):
        await uses.flush()
    fickle.away, fickle.meanwhile = False, lambda: None

    await uses.flush()

    assert await found(fickle, "rest") == {
        LIST: [ClientUse("ios", "", 1, at(5), at(5)), ClientUse("web", "1.4.0", 2, at(0), at(5))]
    }


async def test_what_is_noted_while_a_write_succeeds_is_written_next(fickle: Fickle, clock: FakeClock) -> None:
    uses = UseRecorder(fickle, clock)
    uses.note("rest", LIST, WEB)
    fickle.meanwhile = lambda: uses.note("rest", LIST, WEB)
    await uses.flush()
    fickle.meanwhile = lambda: None

    assert await uses_of(fickle) == {("rest", LIST, "web", "1.4.0"): 1}
    await uses.flush()
    assert await uses_of(fickle) == {("rest", LIST, "web", "1.4.0"): 2}


async def test_it_goes_on_after_the_database_was_away(
    fickle: Fickle, clock: FakeClock, log_entries: LogEntries
) -> None:
    fickle.away = True
    async with UseRecorder(fickle, clock, flush_seconds=0.01) as uses:
        uses.note("rest", LIST, WEB)
        async with asyncio.timeout(20):
            while not log_entries.application:  # noqa: ASYNC110  nobody but a test waits for it
                await asyncio.sleep(0.01)
        fickle.away = False

    assert await uses_of(fickle) == {("rest", LIST, "web", "1.4.0"): 1}
    assert {(entry["level"], entry["event"]) for entry in log_entries.application} == {("warning", "usage_waits")}


async def test_what_could_not_be_written_in_the_end_is_said(
    fickle: Fickle, clock: FakeClock, log_entries: LogEntries
) -> None:
    fickle.away = True
    async with UseRecorder(fickle, clock, flush_seconds=600) as uses:
        for client in (WEB, WEB, IOS):
            uses.note("rest", LIST, client)

    assert [(entry["event"], entry.get("uses")) for entry in log_entries.application] == [
        ("background_work_failed", None),
        ("uses_lost", 3),
    ]


async def test_clients_beyond_the_bound_are_counted_as_others(sqlite_database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(sqlite_database, clock, most=2)
    for name in ("a", "b", "c", "d", "a"):
        uses.note("rest", LIST, Client(name, "1"))
    await uses.flush()  # which gives no room
    for name in ("a", "e"):
        uses.note("rest", LIST, Client(name, "1"))
    await uses.flush()

    assert await uses_of(sqlite_database) == {
        ("rest", LIST, "a", "1"): 3,
        ("rest", LIST, "b", "1"): 1,
        ("rest", LIST, "other", ""): 3,
    }


async def test_next_day_has_room_for_other_clients(sqlite_database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(sqlite_database, clock, most=1)
    uses.note("rest", LIST, WEB)
    clock.advance(days=1)
    uses.note("rest", LIST, IOS)
    clock.advance(seconds=1)
    uses.note("rest", LIST, IOS)
    await uses.flush()

    assert await uses_of(sqlite_database) == {
        ("rest", LIST, "web", "1.4.0"): 1,
        ("rest", LIST, "other", ""): 1,
        ("rest", LIST, "ios", ""): 1,
    }


async def test_what_was_not_used_for_400_days_is_forgotten(database: Database, clock: FakeClock) -> None:
    uses = UseRecorder(database, clock)
    uses.note("rest", LIST, IOS)
    uses.note("rest", LIST, WEB)
    await uses.flush()
    clock.advance(seconds=1)
    uses.note("rest", LIST, WEB)
    await uses.flush()
    clock.advance(days=400)

    async with database.write() as session:
        await CHORES["uses"](session, clock.now())

    assert await uses_of(database) == {("rest", LIST, "web", "1.4.0"): 2}
