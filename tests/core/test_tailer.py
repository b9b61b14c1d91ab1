"""The tailer hands on every event once and in order, however it learns of it, and whatever goes wrong meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from core.database import Database
from core.errors import Invalid
from core.eventlog import TOPIC, Event, EventLog, EventRow, NewEvent, append
from core.hub.memory import MemoryHub
from core.tailer import Tailer
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def hub(database: Database) -> MemoryHub:
    hub = MemoryHub()
    database.on_announced = hub.publish
    return hub


async def happen(database: Database, *subjects: str) -> None:
    async with database.write() as session:
        await append(session, [NewEvent("job.updated", each, {}, "everybody") for each in subjects], NOW)


class Seen(list[str]):
    """The subjects that were handed on."""

    def __call__(self, events: Sequence[Event]) -> None:
        self.extend(event.subject for event in events)


async def until(question: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@asynccontextmanager
async def tailing(url: str, hub: MemoryHub, *, poll_seconds: float = 0.05, batch: int = 500) -> AsyncIterator[Tailer]:
    async with Tailer(Database(url), hub, poll_seconds=poll_seconds, batch=batch) as tailer:
        await until(lambda: tailer.position is not None)
        yield tailer


async def test_commit_wakes_the_tailer_long_before_its_poll(
    database: Database, database_url: str, hub: MemoryHub
) -> None:
    seen = Seen()

    async with tailing(database_url, hub, poll_seconds=60) as tailer:
        tailer.follow(seen)
        await happen(database, "a", "b")
        await until(lambda: seen == ["a", "b"])
        await happen(database, "c")
        await until(lambda: seen == ["a", "b", "c"])

        assert tailer.position == 3


async def test_more_than_a_batch_is_read_without_waiting_for_the_poll(
    database: Database, database_url: str, hub: MemoryHub
) -> None:
    seen = Seen()

    async with tailing(database_url, hub, poll_seconds=60, batch=2) as tailer:
        tailer.follow(seen)
        await happen(database, *"abcde")
        await until(lambda: len(seen) >= 5)

    assert seen == list("abcde")


async def test_events_of_another_process_are_found_by_the_poll(database_url: str, hub: MemoryHub) -> None:
    other, seen = Database(database_url), Seen()

    async with tailing(database_url, hub) as tailer:
        tailer.follow(seen)
        await happen(other, "a")
        await until(lambda: seen == ["a"])
        await happen(other, "b", "c")
        await until(lambda: seen == ["a", "b", "c"])
    await other.close()


async def test_tailer_begins_after_what_was_there(database: Database, database_url: str, hub: MemoryHub) -> None:
    await happen(database, "before")
    seen = Seen()

    async with tailing(database_url, hub) as tailer:
        tailer.follow(seen)
        await happen(database, "after")
        await until(lambda: len(seen) > 0)

    assert seen == ["after"]


async def test_newest_events_that_were_there_are_kept_for_who_was_away_for_a_moment(
    database: Database, database_url: str, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.tailer._BEFORE", 2)
    await happen(database, "a", "b", "c")

    async with tailing(database_url, hub) as tailer:
        assert [event.subject for event in tailer.before] == ["b", "c"]


async def test_event_that_comes_while_the_tailer_looks_what_was_there_is_handed_on_alone(
    database: Database, database_url: str, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await happen(database, "before")
    ask, late, seen = EventLog.newest, ["late"], Seen()

    async def newest(log: EventLog) -> int:
        found = await ask(log)
        while late:
            await happen(database, late.pop())
        return found

    monkeypatch.setattr(EventLog, "newest", newest)
    async with Tailer(Database(database_url), hub, poll_seconds=0.05) as tailer:
        tailer.follow(seen)
        await until(lambda: len(seen) > 0)

        assert [event.subject for event in tailer.before] == ["before"]
    assert seen == ["late"]


async def test_many_writers_at_once_and_small_batches_lose_and_double_nothing(
    database: Database, database_url: str, hub: MemoryHub
) -> None:
    other, seen, positions = Database(database_url), Seen(), list[int]()

    async with tailing(database_url, hub, batch=7) as tailer:
        tailer.follow(seen)
        tailer.follow(lambda events: positions.extend(event.position for event in events))
        writing = (happen(each, f"{n}-a", f"{n}-b") for n in range(30) for each in (database, other))
        await asyncio.gather(*writing)
        await until(lambda: len(seen) >= 120)
        await asyncio.sleep(0.2)
    await other.close()

    assert len(seen) == 120
    assert positions == sorted(set(positions))


async def test_rolled_back_events_wake_nobody(database: Database, hub: MemoryHub) -> None:
    woken: list[str] = []
    hub.subscribe(TOPIC, lambda: woken.append("events"))

    with pytest.raises(Invalid):  # noqa: PT012
        async with database.write() as session:
            await append(session, [NewEvent("job.updated", "a", {}, "everybody")], NOW)
            raise Invalid
    async with database.write() as session:
        await append(session, [], NOW)
    assert woken == []

    await happen(database, "b", "c")
    assert woken == ["events"]


async def test_consumer_that_fails_keeps_nothing_from_the_others(
    database: Database, database_url: str, hub: MemoryHub, log_entries: LogEntries
) -> None:
    seen = Seen()

    def broken(_events: Sequence[Event]) -> None:
        raise ValueError("it is broken")

    async with tailing(database_url, hub) as tailer:
        tailer.follow(broken)
        leave = tailer.follow(seen)
        await happen(database, "a")
        await until(lambda: seen == ["a"])
        leave()
        await happen(database, "b")
        await until(lambda: tailer.position == 2)

    assert seen == ["a"]
    assert [entry["event"] for entry in log_entries.application] == ["tailer_consumer_failed"] * 2


async def test_restored_backup_makes_the_tailer_go_back(database: Database, database_url: str, hub: MemoryHub) -> None:
    await happen(database, "a", "b", "c")

    async with tailing(database_url, hub) as tailer:
        async with database.write() as session:
            await session.execute(delete(EventRow).where(EventRow.position > 1))

        await until(lambda: tailer.position == 1)


async def test_tailer_of_a_database_without_tables_waits_for_the_migration(
    empty_database_url: str, log_entries: LogEntries
) -> None:
    async with Tailer(Database(empty_database_url), MemoryHub()) as tailer:
        await until(lambda: len(log_entries.application) > 0)

        assert tailer.position is None
    assert [entry["event"] for entry in log_entries.application] == ["tailer_waits"]


async def test_idle_tailer_on_sqlite_reads_nothing(sqlite_database_url: str) -> None:
    database = Database(sqlite_database_url)

    async with Tailer(database, MemoryHub(), poll_seconds=0.01) as tailer:
        await until(lambda: tailer.position is not None)
        with recorded(database.reader) as statements:
            await until(lambda: statements[-4:] == ["PRAGMA data_version"] * 4)
