"""What is forgotten, and when: on both databases, by the scheduled job."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from sqlalchemy import insert, select, true, update

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.authentication import principal_for
from commerce.accounts.commands import CreateKey
from commerce.accounts.models import SignInRow, TicketRow
from commerce.accounts.tickets import issue_ticket
from commerce.reports.jobs import SalesArgs, make_sales_report
from commerce.upkeep.jobs import CHORES, forget, forget_old
from commerce.webhooks.models import DeliveryRow, EndpointRow
from core.database import Database, WriteSession
from core.eventlog import EventLog, NewEvent, append
from core.idempotency import IdempotencyRow, OnceKey
from core.jobs.models import JobRow
from core.jobs.registry import REGISTRY, Tick
from core.objects.opening import open_objects
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import NOON, FakeClock
from tests.factories.jobs import run_jobs
from tests.factories.objects import objects_in_memory
from tests.factories.people import a_user
from tests.fixtures.application import LogEntries


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def house(settings: Settings, database: Database, clock: FakeClock) -> AsyncIterator[Resources]:
    opened = assemble(settings, clock, database, objects_in_memory(), {})
    yield opened
    await opened.jobs.close()


async def happen(house: Resources, subject: str) -> None:
    async with house.database.write() as session:
        await append(session, [NewEvent("job.updated", subject, {}, "everybody")], house.clock.now())


async def subjects(house: Resources) -> list[str]:
    async with house.database.read() as session:
        return [event.subject for event in (await EventLog(session).after(None, visible=true()))[0]]


async def test_it_is_scheduled_each_hour_and_runs_as_a_job(house: Resources, clock: FakeClock) -> None:
    await happen(house, "old")
    clock.advance(days=31)
    async with house.database.write() as session:
        await house.jobs.enqueue(session, forget_old, Tick(at=clock.now()))

    await run_jobs(house)

    assert REGISTRY.schedules["upkeep.forget"].cron == "17 * * * *"
    assert await subjects(house) == []


async def test_events_are_forgotten_when_they_are_over_thirty_days_old(house: Resources, clock: FakeClock) -> None:
    await happen(house, "old")
    clock.advance(hours=1)
    await happen(house, "young")
    clock.advance(days=30)

    await forget(house)

    assert await subjects(house) == ["young"]


async def test_idempotency_keys_are_forgotten_when_they_have_expired(house: Resources, clock: FakeClock) -> None:
    async def action(_session: WriteSession) -> int:
        return 1

    for name in ("old", "young"):
        await house.idempotency.run(OnceKey("user:usr_1", name), {"name": name}, action, TypeAdapter(int))
        clock.advance(hours=24)
    clock.advance(hours=1)

    await forget(house)

    async with house.database.read() as session:
        assert list(await session.scalars(select(IdempotencyRow.key))) == ["young"]


async def test_tickets_are_forgotten_when_they_have_expired(house: Resources, clock: FakeClock) -> None:
    async with house.database.write() as session:
        made = await ApiKeyService(session, clock, actor="test").create(CreateKey("test", ("events:read",)))
    key = await principal_for(made.secret, house, "public")
    await house.background.settle()
    async with house.database.write() as session:
        await issue_ticket(session, clock, key, "websocket")
        await issue_ticket(session, clock, key, "events")
    clock.advance(seconds=30)

    await forget(house)

    async with house.database.read() as session:
        assert (await session.scalars(select(TicketRow.use))).all() == ["events"]


async def test_sign_ins_are_forgotten_when_they_have_expired(house: Resources, clock: FakeClock) -> None:
    user = await a_user(house)
    now = clock.now()
    common = {"user_id": user.id, "audience": "public", "created_at": now, "revoked_at": None}
    async with house.database.write() as session:
        for number, lifetime in enumerate((timedelta(hours=1), timedelta(hours=3))):
            await session.execute(insert(SignInRow).values(id=f"sin_{number}", expires_at=now + lifetime, **common))
    clock.advance(hours=2)

    await forget(house)

    async with house.database.read() as session:
        assert list(await session.scalars(select(SignInRow.id))) == ["sin_1"]


async def test_jobs_are_forgotten_thirty_days_after_their_end(house: Resources, clock: FakeClock) -> None:
    ids = []
    args = SalesArgs(start=NOON, end=NOON + timedelta(days=1), group_by="day", format="csv", owner=None)
    for _ in range(3):
        async with house.database.write() as session:
            ids.append((await house.jobs.enqueue(session, make_sales_report, args)).id)
    for job_id, ended in ((ids[0], NOON), (ids[1], NOON + timedelta(hours=2))):
        async with house.database.write() as session:
            ending = update(JobRow).where(JobRow.id == job_id).values(state="succeeded", finished_at=ended)
            await session.execute(ending)
    clock.advance(days=30, hours=1)

    await forget(house)

    async with house.database.read() as session:
        assert list(await session.scalars(select(JobRow.id).order_by(JobRow.id))) == ids[1:]


async def test_files_go_a_day_after_their_jobs(house: Resources, clock: FakeClock) -> None:
    keys = ["imports/job_1/errors/00000001.jsonl", "imports/upl_1", "reports/job_2"]
    for key in keys:
        await house.objects.put(key, b"x")
    clock.advance(days=(datetime.now(UTC) - NOON).days + 30)  # the store's own clock says how old an object is

    await forget(house)
    kept = [each.key async for each in house.objects.list()]
    clock.advance(days=2)
    await forget(house)

    assert sorted(kept) == keys
    assert [each.key async for each in house.objects.list()] == []


async def test_files_that_never_became_whole_go_after_a_day(
    settings: Settings, sqlite_database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async with open_objects(f"file://{tmp_path / 'files'}") as objects:
        house = assemble(settings, clock, sqlite_database, objects, {})
        for name, days in (("old#1", 2), ("young#1", 0.5)):
            path = tmp_path / "files" / "imports" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            written = (clock.now() - timedelta(days=days)).timestamp()
            os.utime(path, (written, written))

        await forget(house)
        await house.jobs.close()

    assert [path.name for path in (tmp_path / "files" / "imports").iterdir()] == ["young#1"]


async def test_chore_that_goes_by_parts_goes_on_until_nothing_is_left(house: Resources) -> None:
    left = [3, 2, 0, 99]

    async def chore(_session: WriteSession, _now: datetime) -> int:
        return left.pop(0)

    await forget(house, {"chore": chore})

    assert left == [99]


async def test_chore_with_a_bug_is_raised_and_keeps_no_other_from_being_done(
    house: Resources, clock: FakeClock, log_entries: LogEntries
) -> None:
    await happen(house, "old")
    clock.advance(days=31)

    async def broken(session: WriteSession, now: datetime) -> None:
        await append(session, [NewEvent("job.updated", "lost", {}, "everybody")], now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await forget(house, {"broken": broken, **CHORES})

    (entry,) = log_entries.application
    assert (entry["event"], entry["level"], entry["chore"]) == ("upkeep_failed", "error", "broken")
    assert await subjects(house) == []


async def test_objects_that_no_image_has_are_removed(house: Resources, clock: FakeClock) -> None:
    await house.objects.put("media/img_nobody/original", b"x")
    days = (datetime.now(UTC) - NOON).days + 3  # the store's own clock says how old an object is

    await forget(house)
    kept = [each.key async for each in house.objects.list("media")]
    clock.advance(days=days)
    await forget(house)

    assert kept == ["media/img_nobody/original"]
    assert [each.key async for each in house.objects.list("media")] == []


async def test_deliveries_of_webhooks_are_forgotten_when_they_are_old(house: Resources, clock: FakeClock) -> None:
    moments = {"created_at": clock.now(), "updated_at": clock.now()}
    endpoint = EndpointRow(
        id="whe_1",
        url="https://shop.example.com",
        description="",
        types=[],
        after_position=0,
        secret=b"",
        state="enabled",
        failures=0,
        version=1,
        **moments,
    )
    delivery = DeliveryRow(
        id="whd_1",
        endpoint_id="whe_1",
        event_id="evt_1",
        type="order.paid",
        subject="ord_1",
        body=b"{}",
        state="delivered",
        dispatch=1,
        attempts=1,
        failures=0,
        **moments,
    )
    async with house.database.write() as session:
        session.add(endpoint)
        await session.flush()
        session.add(delivery)
    clock.advance(days=31)

    await forget(house)

    async with house.database.read() as session:
        assert (await session.scalars(select(DeliveryRow.id))).all() == []
