"""Receipts are kept in memory within an allowance, and written down in batches."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from commerce.receipts.entities import Receipt
from commerce.receipts.recorder import SLOW_SECONDS, URGENT, ReceiptRecorder
from commerce.receipts.repository import RETENTION, ReceiptRepository
from commerce.upkeep.jobs import CHORES
from core.context import Notes, RequestContext
from core.database import Database
from tests.factories.clocks import NOON, FakeClock
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.fixtures.databases import Fickle

NEVER = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def record(receipts: ReceiptRecorder, request_id: str = "r1", **changes: Any) -> None:
    context = RequestContext(request_id, "t1", "s1", sampled=False)
    context.error_code, context.notes = changes.pop("error_code", None), changes.pop("notes", None)
    values: dict[str, Any] = {
        "audience": "public",
        "method": "GET",
        "route": "/public/v1/products",
        "status": 200,
        "answered": 0.01,
        "total": 0.02,
    }
    receipts.record(context, **values | changes)


async def kept(database: Database, clock: FakeClock, request_id: str = "r1") -> list[Receipt]:
    async with database.read() as session:
        return await ReceiptRepository(session).of_request(request_id, clock.now())


def dropped(kind: str) -> float:
    return REGISTRY.get_sample_value("portico_receipts_dropped_total", {"kind": kind}) or 0.0


async def test_receipt_holds_what_was_noted(database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(database, clock, 20)
    notes = Notes()
    notes.parts = {"sql": [3, 0.25], "cost": [40, 0.0]}
    notes.facts = {"principal": "user:usr_1", "cache": "portico; fwd=bypass"}
    record(receipts, notes=notes, status=503, error_code="unavailable", answered=0.5, total=2.0)

    await receipts.flush()

    assert await kept(database, clock) == [
        Receipt(
            request_id="r1",
            trace_id="t1",
            at=NOON - timedelta(seconds=2),
            audience="public",
            method="GET",
            route="/public/v1/products",
            status=503,
            error_code="unavailable",
            principal="user:usr_1",
            cache="portico; fwd=bypass",
            answered=0.5,
            total=2.0,
            parts={"sql": (3, 0.25), "cost": (40, 0.0)},
        )
    ]


async def test_requests_that_share_an_id_are_all_there_newest_first(database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(database, clock, 20)
    for route in ("/first", "/second", "/third"):
        record(receipts, route=route)
        clock.advance(seconds=1)
    record(receipts, "another")
    await receipts.flush()

    found = await kept(database, clock)

    assert [each.route for each in found] == ["/third", "/second", "/first"]


async def test_other_process_finds_them(database: Database, clock: FakeClock) -> None:
    here, there = ReceiptRecorder(database, clock, 20), ReceiptRecorder(database, clock, 20)
    record(here, route="/here")
    record(there, route="/there")
    await asyncio.gather(here.flush(), there.flush())

    assert {each.route for each in await kept(database, clock)} == {"/here", "/there"}


async def test_ordinary_requests_leave_failed_and_slow_ones_their_room(
    sqlite_database: Database, clock: FakeClock
) -> None:
    receipts = ReceiptRecorder(sqlite_database, clock, 2, flush_seconds=1)
    before = dropped("ordinary"), dropped("urgent")
    for number in range(5):
        record(receipts, "ordinary", route=f"/{number}")
    for number in range(2 * URGENT):
        record(receipts, "failed" if number % 2 else "slow", **({"status": 500} if number % 2 else {"answered": 0.5}))
    record(receipts, "failed", status=500)

    await receipts.flush()

    assert [each.route for each in await kept(sqlite_database, clock, "ordinary")] == ["/1", "/0"]
    assert len(await kept(sqlite_database, clock, "failed")) == URGENT
    assert len(await kept(sqlite_database, clock, "slow")) == URGENT
    assert (dropped("ordinary") - before[0], dropped("urgent") - before[1]) == (3, 1)
    assert SLOW_SECONDS == 0.5


async def test_stream_that_is_long_is_not_slow(sqlite_database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(sqlite_database, clock, 1, flush_seconds=1)
    record(receipts, route="/1")
    record(receipts, route="/2", answered=0.1, total=3600.0)

    await receipts.flush()

    assert [each.route for each in await kept(sqlite_database, clock)] == ["/1"]


async def test_allowance_of_nought_keeps_nothing(sqlite_database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(sqlite_database, clock, 0)
    record(receipts, status=500)

    with recorded(sqlite_database.writer) as sent:
        await receipts.flush()

    assert sent == []


async def test_batch_is_one_statement_in_one_transaction(sqlite_database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(sqlite_database, clock, 100)
    for number in range(100):
        record(receipts, f"r{number}")

    with recorded(sqlite_database.writer) as sent:
        await receipts.flush()
        await receipts.flush()  # there is nothing any more

    assert [statement[:20] for statement in sent] == ["INSERT INTO receipts"]


async def test_allowance_is_new_with_every_turn(fickle: Fickle, clock: FakeClock) -> None:
    async with ReceiptRecorder(fickle, clock, 100, flush_seconds=0.01) as receipts:
        for number in (1, 2, 3):
            record(receipts)
            record(receipts)  # beyond it
            async with asyncio.timeout(20):
                while len(await kept(fickle, clock)) < number:  # noqa: ASYNC110  nobody else waits for it
                    await asyncio.sleep(0.01)

    assert len(await kept(fickle, clock)) == 3


async def test_while_the_database_is_away_what_there_is_is_kept_and_no_more(
    fickle: Fickle, clock: FakeClock, log_entries: LogEntries
) -> None:
    fickle.away = True
    async with ReceiptRecorder(fickle, clock, 100, flush_seconds=0.01) as receipts:
        record(receipts)
        async with asyncio.timeout(20):
            while len(log_entries.application) < 3:  # noqa: ASYNC110  nobody but a test waits for it
                await asyncio.sleep(0.01)
        record(receipts, "beyond")
        fickle.away = False

    assert len(await kept(fickle, clock)) == 1
    assert await kept(fickle, clock, "beyond") == []
    assert {entry["event"] for entry in log_entries.application} == {"receipts_waits"}


async def test_what_is_left_is_written_when_it_closes(database: Database, clock: FakeClock) -> None:
    async with ReceiptRecorder(database, clock, 20, flush_seconds=NEVER) as receipts:
        await asyncio.sleep(0)
        record(receipts)

    assert len(await kept(database, clock)) == 1


async def test_what_is_recorded_while_it_writes_is_written_next(sqlite_database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(sqlite_database, clock, 20)
    record(receipts)
    writing = asyncio.create_task(receipts.flush())
    await asyncio.sleep(0)
    record(receipts, route="/meanwhile")
    await writing
    await receipts.flush()

    assert len(await kept(sqlite_database, clock)) == 2


async def test_receipts_are_forgotten_after_a_day(database: Database, clock: FakeClock) -> None:
    receipts = ReceiptRecorder(database, clock, 20)
    record(receipts, "old", total=0.0)
    await receipts.flush()
    clock.advance(seconds=1)
    record(receipts, "new", total=0.0)
    await receipts.flush()
    clock.advance(seconds=RETENTION.total_seconds() - 0.5)

    assert await kept(database, clock, "old") == []  # nor is it shown until the chore has run
    async with database.write() as session:
        forgotten = await CHORES["receipts"](session, clock.now())

    assert forgotten == 1
    assert len(await kept(database, clock, "new")) == 1
    assert timedelta(hours=24) == RETENTION
