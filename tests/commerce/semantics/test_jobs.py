"""The job, and what asks for it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commerce.catalog.entities import Product
from commerce.semantics.jobs import VectorFeeder, update_vectors
from core.database import Database
from core.eventlog import NewEvent, append
from core.hub.memory import MemoryHub
from core.jobs.entities import Job
from core.resources import Resources, assemble
from core.tailer import Tailer
from tests.commerce.semantics.conftest import numbered
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.jobs import jobs_of, run_jobs
from tests.factories.objects import objects_in_memory
from tests.fixtures.application import settings_over


@pytest.fixture
async def resources(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Resources]:
    settings = settings_over(database_url, tmp_path / "var")
    resources = assemble(settings, FakeClock(), database, objects_in_memory(), {})
    yield resources
    await resources.workers.close()
    await resources.jobs.close()


@pytest.fixture
def feeder(resources: Resources, database: Database) -> VectorFeeder:
    """Asked to feed, and not entered: nothing follows the log."""
    return VectorFeeder(resources, Tailer(database, MemoryHub()))


async def jobs(resources: Resources) -> list[Job]:
    """The newest first."""
    return await jobs_of(resources, update_vectors)  # type: ignore[arg-type]


async def test_the_job_fills_and_then_follows(
    resources: Resources, feeder: VectorFeeder, catalogue: Catalogue, products: dict[str, Product]
) -> None:
    """With the real program, in its process."""
    assert await feeder.feed() is not None
    await run_jobs(resources)
    await catalogue.delete(products["kettle"].head.id)
    await catalogue.create(handle="late")
    resources.clock.advance(seconds=1)  # type: ignore[attr-defined]
    assert await feeder.feed() is not None
    await run_jobs(resources)

    second, first = await jobs(resources)
    assert (first.state, first.result) == ("succeeded", {"embedded": len(products), "removed": 0})
    assert (second.state, second.result) == ("succeeded", {"embedded": 1, "removed": 1})
    assert await feeder.feed() is None


async def test_one_job_is_asked_for_at_a_time(resources: Resources, feeder: VectorFeeder, catalogue: Catalogue) -> None:
    rests: list[Any] = [await feeder.feed()]
    for data in numbered(3):
        await catalogue.add(data)
        rests.append(await feeder.feed())

    assert rests == [1.0] * 4
    assert len(await jobs(resources)) == 1


async def test_events_of_other_things_ask_for_nothing(resources: Resources, feeder: VectorFeeder) -> None:
    await feeder.feed()
    await run_jobs(resources)
    async with resources.database.write() as session:
        await append(session, [NewEvent("order.placed", "ord_a", {}, "editors")], resources.clock.now())

    assert await feeder.feed() is None
    assert len(await jobs(resources)) == 1


async def test_after_a_job_that_did_not_succeed_it_waits(
    resources: Resources, feeder: VectorFeeder, products: dict[str, Product]
) -> None:
    await feeder.feed()
    (job,) = await jobs(resources)
    async with resources.database.write() as session:
        await resources.jobs.cancel(session, job.id)

    at_once = await feeder.feed()
    resources.clock.advance(seconds=61)  # type: ignore[attr-defined]
    later = await feeder.feed()

    assert products
    assert (at_once, later) == (60.0, 1.0)
    assert len(await jobs(resources)) == 2


async def test_progress_of_the_first_filling_is_told(
    resources: Resources, feeder: VectorFeeder, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.jobs.run import JobRun  # noqa: PLC0415

    said: list[tuple[float, str | None]] = []

    async def progress(_run: JobRun, done: float, message: str | None = None) -> None:
        said.append((done, message))

    monkeypatch.setattr(JobRun, "progress", progress)
    await catalogue.upsert(*numbered(250))
    await feeder.feed()
    await run_jobs(resources)

    assert said == [(0.0, "0 of 250 products"), (0.8, "200 of 250 products")]
