"""What is rare: jobs nobody knows, jobs that kill their process, tables that are not there yet."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url, select

from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database, DatabaseUnavailable
from core.jobs.cron import next_tick
from core.jobs.engine import sync_url
from core.jobs.jobs import Jobs
from core.jobs.models import JobRow
from core.jobs.registry import Registry, Tick
from core.jobs.run import JobRun
from core.jobs.runner import MAX_CRASHES
from tests.core.jobs.conftest import Shop
from tests.core.jobs.program import Work, note, registry
from tests.factories.clocks import NOON

newer = Registry()


@newer.job("newer", queue="plain")
async def of_a_newer_version(_run: JobRun, _args: Work) -> None: ...


async def test_job_that_this_version_does_not_know_is_left_for_later(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    made = await shop.enqueue(of_a_newer_version)

    async with shop.worker(registry):

        async def put_back() -> bool:
            return await shop.dbos() == {made.id: "SUCCESS", f"{made.id}.2": "DELAYED"}

        await shop.when(put_back)
    job = await shop.job(made.id)

    assert (job.state, job.attempts, job.error) == ("queued", 0, None)
    assert job.run_at - job.created_at >= timedelta(seconds=60)


async def test_job_that_takes_its_process_with_it_each_time_is_dead(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    made = await shop.enqueue(note)
    async with shop.database.write() as session:
        row = await session.get_one(JobRow, made.id)
        row.state, row.attempts, row.crashes = "running", MAX_CRASHES + 1, MAX_CRASHES

    async with shop.worker():
        job = await shop.until(made.id)

    assert job.state == "dead"
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert await shop.items(job.id) == []


async def test_tables_are_made_once_by_many_that_start_at_once(empty_database: Database) -> None:
    await migrations().upgrade(empty_database)
    several = [Jobs(empty_database, SystemClock()) for _ in range(3)]

    await asyncio.gather(*(jobs.prepare() for jobs in several))

    async with empty_database.write() as session:
        job = await several[0].enqueue(session, note, Work())
        assert (await session.scalars(select(JobRow.id))).all() == [job.id]
    for jobs in several:
        await jobs.close()


async def test_database_that_is_away_is_unavailable() -> None:
    database = Database("postgresql+asyncpg://portico@127.0.0.1:1/portico")

    with pytest.raises(DatabaseUnavailable):
        await Jobs(database, SystemClock()).prepare()

    await database.close()


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 3 * * *", datetime(2026, 3, 2, 3, 0, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("* * * * * *", datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)),
    ],
)
def test_next_tick_comes_after_now(cron: str, expected: datetime) -> None:
    assert next_tick(cron, NOON) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "query"),
    [
        ("sqlite+aiosqlite:////data/portico.db", "sqlite:////data/portico.db", {}),
        (
            "postgresql+asyncpg://me:pw@db:5432/shop?ssl=require",
            "postgresql://me:pw@db:5432/shop",
            {"sslmode": "require", "application_name": "portico-jobs", "connect_timeout": "5"},
        ),
    ],
)
def test_dbos_is_told_of_the_same_database(ours: str, theirs: str, query: dict[str, str]) -> None:
    told = make_url(sync_url(make_url(ours)))

    assert told.set(query={}) == make_url(theirs)
    assert told.query.items() >= query.items()


async def test_schedule_that_is_none_stops_the_start(sqlite_shop: Shop) -> None:
    wrong = Registry()
    wrong.queue("plain")

    @wrong.scheduled("never", cron="every now and then", queue="plain")
    async def never(_run: JobRun, _args: Tick) -> None: ...

    with pytest.raises(ValueError, match="every now and then"):
        await sqlite_shop.worker(wrong).__aenter__()
