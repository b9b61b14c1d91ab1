"""The event log on both databases: its order, its cursor, and what is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import true

from core import eventlog
from core.database import Database, ReadSession
from core.eventlog import (
    RETENTION,
    CursorTooOld,
    Event,
    EventLog,
    NewEvent,
    append,
    event_id,
    position_of,
    trim,
)
from core.pagination import InvalidCursor
from tests.factories.clocks import NOON
from tests.factories.statements import recorded

WRITERS = 8
READERS = 4
TRANSACTIONS = 12
POSITIONS = st.integers(1, 2**63 - 1)


def an_event(subject: str = "prod_1", kind: str = "product.updated", **data: Any) -> NewEvent:
    return NewEvent(kind, subject, data, "everybody")


async def happen(database: Database, *subjects: str, now: datetime = NOON, kind: str = "product.updated") -> None:
    async with database.write() as session:
        await append(session, [an_event(subject, kind) for subject in subjects], now)


async def read(
    database: Database, cursor: str | None = None, *, limit: int = 100, types: Collection[str] = ()
) -> tuple[list[Event], bool]:
    async with database.read() as session:
        return await EventLog(session).after(cursor, visible=true(), types=types, limit=limit)


async def subjects_after(database: Database, cursor: str | None = None, **wanted: Any) -> list[str]:
    return [event.subject for event in (await read(database, cursor, **wanted))[0]]


async def ids(database: Database) -> list[str]:
    return [event.id for event in (await read(database))[0]]


async def forget(database: Database, before: datetime) -> int:
    async with database.write() as session:
        return await trim(session, before)


class Discarded(Exception):
    """A transaction that changed its mind."""


@dataclass
class Storm:
    """Writers that commit, or do not, some time after they appended; and readers that follow meanwhile."""

    database: Database
    committed: list[tuple[str, int]] = field(default_factory=list)
    over: bool = False

    async def write(self, number: int) -> None:
        random = Random(number)  # noqa: S311
        for turn in range(TRANSACTIONS):
            subject = f"{number}-{turn}"
            parts = range(random.randint(1, 3))
            with suppress(Discarded):
                async with self.database.write() as session:
                    await append(session, [an_event(subject, part=part) for part in parts], NOON)
                    await asyncio.sleep(random.random() / 50)
                    if random.random() < 0.25:
                        raise Discarded
                self.committed += [(subject, part) for part in parts]

    async def follow(self, number: int) -> list[Event]:
        random = Random(-number)  # noqa: S311
        seen: list[Event] = []
        last = False
        while True:
            found, _ = await read(self.database, seen[-1].id if seen else None, limit=random.randint(1, 9))
            seen += found
            if not found and last:
                return seen
            last = self.over and not found

    async def run(self) -> list[list[Event]]:
        readers = [asyncio.create_task(self.follow(number)) for number in range(READERS)]
        await asyncio.gather(*(self.write(number) for number in range(WRITERS)))
        self.over = True
        return await asyncio.gather(*readers)


async def test_readers_see_every_commit_once_and_in_one_order_while_writers_race(database: Database) -> None:
    storm = Storm(database)

    async with asyncio.timeout(60):
        seen = await storm.run()

    stories = [[(event.subject, event.data["part"]) for event in events] for events in seen]
    assert sorted(stories[0]) == sorted(storm.committed)
    assert stories == [stories[0]] * READERS
    for events in seen:
        positions = [event.position for event in events]
        assert positions == sorted(set(positions))
        assert [event.id for event in events] == sorted(event.id for event in events)
    assert 0 < len(storm.committed) < WRITERS * TRANSACTIONS * 3
    runs = [subject for subject, _ in groupby(subject for subject, _ in stories[0])]
    assert len(runs) == len(set(runs)), "the events of two transactions are mixed"


async def test_later_event_is_not_seen_before_an_earlier_one_that_is_still_uncommitted(database: Database) -> None:
    async with database.write() as session:
        await append(session, [an_event("earlier")], NOON)
        later = asyncio.create_task(happen(database, "later"))
        await asyncio.sleep(0.1)
        assert not later.done()
        assert await subjects_after(database) == []
    await later

    assert await subjects_after(database) == ["earlier", "later"]


@given(POSITIONS, POSITIONS)
def test_ids_sort_as_positions(one: int, other: int) -> None:
    assert (event_id(one) < event_id(other)) == (one < other)
    assert len(event_id(one)) == len("evt_") + 13


@given(POSITIONS)
def test_id_leads_back_to_its_position(position: int) -> None:
    assert position_of(event_id(position)) == position


@given(st.text() | st.from_regex(r"evt_[0-9a-z]{13}", fullmatch=True) | st.binary(max_size=20).map(repr))
def test_cursor_is_an_id_or_refused(cursor: str) -> None:
    with suppress(InvalidCursor):
        assert event_id(position_of(cursor)) == cursor


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "evt_",
        event_id(2**63 - 1) + "0",
        "evt_" + "z" * 13,  # 65 bits
        "evt_8000000000000",  # 2**63
        event_id(7).upper(),
        event_id(7).replace("evt", "prod"),
        event_id(7) + "\n",
        "evt_000000000000u",  # no digit
    ],
)
def test_malformed_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        position_of(cursor)

    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/query/after", "invalid_cursor")]


async def test_event_is_read_as_it_was_appended(database: Database) -> None:
    data = {"id": "ord_1", "total": {"amount": 10**15, "currency": "USD"}, "note": "é \U0001f9e5 \u2028", "none": None}
    made = NewEvent("order.placed", "ord_1", data, "owner", "usr_1")

    async with database.write() as session:
        await append(session, [made], NOON)

    ((found,), more) = await read(database)
    assert found == Event(found.position, "order.placed", "ord_1", NOON, data, "owner", "usr_1")
    assert more is False


async def test_events_of_a_transaction_that_is_rolled_back_never_happened(database: Database) -> None:
    with suppress(Discarded):
        async with database.write() as session:
            await append(session, [an_event("lost")], NOON)
            raise Discarded
    await happen(database, "kept")

    assert await subjects_after(database) == ["kept"]


async def test_append_of_nothing_sends_no_statement(database: Database) -> None:
    with recorded(database.writer) as statements:
        async with database.write() as session:
            await append(session, [], NOON)

    assert statements == []


async def test_pages_follow_each_other(database: Database) -> None:
    await happen(database, "a", "b", "c", "d", "e")

    first, more = await read(database, limit=2)
    second, more_again = await read(database, first[-1].id, limit=2)
    third, at_the_end = await read(database, second[-1].id, limit=2)
    nothing, still = await read(database, third[-1].id, limit=2)

    assert [[event.subject for event in page] for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert (more, more_again, at_the_end) == (True, True, False)
    assert (nothing, still) == ([], False)


async def test_page_that_holds_exactly_the_rest_has_no_next(database: Database) -> None:
    await happen(database, "a", "b")

    assert [event.subject for event in (await read(database, limit=2))[0]] == ["a", "b"]
    assert (await read(database, limit=2))[1] is False


async def test_types_narrow_what_is_read_and_what_is_counted_as_more(database: Database) -> None:
    await happen(database, "a", kind="order.placed")
    await happen(database, "b", "c", kind="product.updated")
    await happen(database, "d", kind="order.paid")
    await happen(database, "e", kind="stock.changed")

    assert await subjects_after(database, types=["order.placed", "order.paid"]) == ["a", "d"]
    assert await subjects_after(database, types={"stock.changed"}) == ["e"]
    assert (await read(database, types=["product.updated"], limit=2))[1] is False
    assert (await read(database, types=["product.updated"], limit=1))[1] is True


async def test_trimmed_are_the_events_that_are_older_and_no_others(database: Database) -> None:
    await happen(database, "old", now=NOON)
    await happen(database, "edge", now=NOON + timedelta(hours=1))
    await happen(database, "young", now=NOON + timedelta(hours=2))

    assert await forget(database, NOON) == 0
    assert await subjects_after(database) == ["old", "edge", "young"]
    assert await forget(database, NOON + timedelta(hours=1)) == 1
    assert await subjects_after(database) == ["edge", "young"]
    assert await forget(database, NOON + timedelta(hours=1)) == 0


async def test_cursor_before_the_trimmed_edge_is_too_old_and_the_edge_itself_is_good(database: Database) -> None:
    await happen(database, "a", "b", now=NOON)
    await happen(database, "c", "d", now=NOON + RETENTION)
    a, b, c, d = await ids(database)
    await forget(database, NOON + RETENTION)

    with pytest.raises(CursorTooOld) as refused:
        await read(database, a)

    assert refused.value.code == "reset"
    assert await subjects_after(database, b) == ["c", "d"]
    assert await subjects_after(database, c) == ["d"]
    assert await subjects_after(database, d) == []
    assert await subjects_after(database) == ["c", "d"]


async def test_log_that_is_trimmed_to_nothing_still_knows_where_it_ended(database: Database) -> None:
    await happen(database, "a", "b")
    a, b = await ids(database)

    assert await forget(database, NOON + timedelta(seconds=1)) == 2

    assert await subjects_after(database, b) == []
    for lost in (a, event_id(position_of(b) + 1)):
        with pytest.raises(CursorTooOld):
            await read(database, lost)
    async with database.read() as session:
        assert await EventLog(session).newest() == position_of(b)


async def test_ids_are_not_used_again_after_a_trim(database: Database) -> None:
    await happen(database, "a", "b")
    *_, b = await ids(database)
    await forget(database, NOON + timedelta(seconds=1))

    await happen(database, "c")

    (c,) = await ids(database)
    assert c > b
    assert await subjects_after(database, b) == ["c"]


async def test_cursor_beyond_the_end_is_reset(database: Database) -> None:
    """It is from a log that was lost: after a restore, its holder would wait for ever, or miss what comes."""
    await happen(database, "a")
    (a,) = await ids(database)

    with pytest.raises(CursorTooOld) as refused:
        await read(database, event_id(position_of(a) + 1))

    assert refused.value.code == "reset"


async def test_first_cursor_of_an_empty_log_is_none_and_any_other_is_reset(database: Database) -> None:
    assert await read(database) == ([], False)
    async with database.read() as session:
        assert await EventLog(session).newest() == 0
    with pytest.raises(CursorTooOld):
        await read(database, event_id(1))


async def test_events_are_trimmed_by_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "_TRIMMED_AT_ONCE", 2)
    await happen(database, "a", "b", "c", now=NOON)
    await happen(database, "d", now=NOON + timedelta(hours=1))

    counts = [await forget(database, NOON + timedelta(minutes=1)) for _ in range(3)]

    assert counts == [2, 1, 0]
    assert await subjects_after(database) == ["d"]


async def test_event_of_a_clock_that_was_wrong_does_not_take_younger_ones_with_it(database: Database) -> None:
    await happen(database, "a", now=NOON)
    await happen(database, "wrong", now=NOON - timedelta(days=20_000))
    await happen(database, "b", now=NOON)

    assert await forget(database, NOON - RETENTION) == 0

    assert await subjects_after(database) == ["a", "wrong", "b"]


@dataclass
class Interrupted:
    """A read session in which something happens between the first statement and the next."""

    session: ReadSession
    interruption: Callable[[], Awaitable[object]] | None

    async def execute(self, statement: Any, params: Any = None) -> Any:
        result = await self.session.execute(statement, params)
        interruption, self.interruption = self.interruption, None
        if interruption is not None:
            await interruption()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


async def test_trim_during_a_read_makes_no_gap(database: Database) -> None:
    await happen(database, "a", "b", now=NOON)
    await happen(database, "c", now=NOON + RETENTION)
    a, *_ = await ids(database)

    async with database.read() as session:
        interrupted: Any = Interrupted(session, lambda: forget(database, NOON + RETENTION))
        try:
            found: Sequence[Event] = (await EventLog(interrupted).after(a, visible=true()))[0]
        except CursorTooOld:
            return

    assert [event.subject for event in found] == ["b", "c"]


async def test_what_changed_is_told_once_it_is_committed_and_before_its_writer_goes_on(
    sqlite_database: Database,
) -> None:
    told: list[tuple[int, set[tuple[str, str]]]] = []

    def tell(changes: Collection[tuple[str, str]]) -> None:
        told.append((committed, set(changes)))

    sqlite_database.on_changed, committed = tell, 0
    async with sqlite_database.write() as session:
        await append(session, [an_event("prod_1"), an_event("prod_2", "stock.changed")], NOON)
        await append(session, [an_event("prod_1")], NOON)
        committed = 1
    await happen(sqlite_database)

    assert told == [(1, {("product.updated", "prod_1"), ("stock.changed", "prod_2")})]


async def test_what_is_rolled_back_is_not_told(sqlite_database: Database) -> None:
    told: list[object] = []
    sqlite_database.on_changed = told.append

    with suppress(Discarded):
        async with sqlite_database.write() as session:
            await append(session, [an_event()], NOON)
            raise Discarded

    assert told == []
