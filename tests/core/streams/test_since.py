"""From where on a process knows all events by itself: for no cursor is one left out, or given that its client has."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from core.database import Database
from core.eventlog import Event
from core.hub.memory import MemoryHub
from core.streams.broadcast import KNOWN, Broadcast
from core.tailer import Tailer
from tests.factories.clocks import NOON, FakeClock


def events(*positions: int) -> list[Event]:
    return [Event(each, "t", "s", NOON, {}, "everybody", None) for each in positions]


class Process:
    """Has looked into the log, and hears of what it is told."""

    def __init__(self, database: Database) -> None:
        self._tailer = Tailer(database, MemoryHub())
        self.broadcast = Broadcast(self._tailer, lambda _event: {"all": True}, asyncio.Event(), clock=FakeClock(NOON))

    async def looks(self, newest: int, before: Sequence[Event] = ()) -> None:
        self._tailer.before, self._tailer.position = before, newest
        self._tailer.looked.set()
        await self.broadcast.ready()

    def hears(self, *positions: int) -> None:
        self._tailer._hand_on(events(*positions))

    def since(self, *positions: int) -> list[list[int] | None]:
        found = [self.broadcast.since(each) for each in positions]
        return [known if known is None else [each.event.position for each in known] for known in found]


@pytest.fixture
async def process(sqlite_database: Database) -> AsyncIterator[Process]:
    process = Process(sqlite_database)
    async with process.broadcast:
        yield process


async def test_what_was_there_is_known_from_before_the_first_of_it_to_the_end(process: Process) -> None:
    await process.looks(13, events(11, 12, 13))

    assert process.since(9, 10, 11, 12, 13, 14) == [None, [11, 12, 13], [12, 13], [13], [], None]


async def test_of_an_empty_log_all_that_comes_is_known(process: Process) -> None:
    await process.looks(5)
    begin = process.since(4, 5, 6)

    process.hears(6, 8)

    assert begin == [None, [], None]
    assert process.since(4, 5, 6, 7, 8, 9) == [None, [6, 8], [8], [8], [], None]


@pytest.mark.parametrize("restored_to", [11, 12])
async def test_after_a_restored_backup_only_what_came_since_is_known(process: Process, restored_to: int) -> None:
    await process.looks(13, events(11, 12, 13))
    first = restored_to + 1

    process.hears(first)

    assert process.since(first - 2, first - 1, first, first + 1) == [None, [first], [], None]


async def test_oldest_are_forgotten_when_twice_as_many_are_known_as_needed(process: Process) -> None:
    await process.looks(0)
    process.hears(*range(1, 2 * KNOWN + 1))
    most = process.since(0)

    process.hears(2 * KNOWN + 1)

    assert most == [list(range(1, 2 * KNOWN + 1))]
    assert process.since(KNOWN, KNOWN + 1) == [None, list(range(KNOWN + 2, 2 * KNOWN + 2))]


async def test_what_a_client_has_taken_does_not_come_to_it_again(process: Process) -> None:
    await process.looks(0)
    client = process.broadcast.subscribe("test", ("all",), lambda _event: True)
    process.hears(1, 2)
    first = await client.take()

    process.hears(2, 3)
    second = await client.take()

    assert [[each.event.position for each in taken] for taken in (first, second)] == [[1, 2], [3]]
