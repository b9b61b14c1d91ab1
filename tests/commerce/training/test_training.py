"""Training as a job: what it publishes, and what is left when it does not come to its end."""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import combinations

import psutil
import pytest

from commerce.training import jobs
from commerce.training.jobs import TrainModel, train_model
from commerce.training.trainers import train
from core.database import Database
from core.inference.artifacts import Manifest, VersionRepository
from core.jobs.entities import Job
from core.jobs.registry import REGISTRY, Tick
from core.resources import Resources, open_resources
from core.settings import Settings
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.jobs import job_now, jobs_of, run_jobs
from tests.factories.order_rows import OrderRows, line
from tests.fixtures.application import LogEntries, settings_over


@pytest.fixture
async def resources(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, log_entries: LogEntries
) -> AsyncIterator[Resources]:
    del log_entries  # no log on stderr
    settings: Settings = settings_over(database_url, tmp_path_factory.mktemp("training"))
    async with open_resources(settings) as opened:
        yield opened


async def sell_together(resources: Resources, times: int = 3) -> None:
    """Four products, each with each."""
    catalogue, orders = Catalogue(resources.database, FakeClock()), OrderRows(resources.database)
    ids = [(await catalogue.create(handle=f"thing-{number}")).head.id for number in range(4)]
    for one, other in combinations(ids, 2):
        await orders.add_many(
            times, line(product_id=one), line(product_id=other), placed_at=resources.clock.now() - timedelta(days=1)
        )


async def current(database: Database) -> list[Manifest]:
    async with database.read() as session:
        return await VersionRepository(session).in_use()


async def ask(resources: Resources, args: TrainModel) -> str:
    async with resources.database.write() as session:
        return (await resources.jobs.enqueue(session, train_model, args)).id


async def test_job_publishes_what_it_trained(resources: Resources) -> None:
    await sell_together(resources)

    job_id = await ask(resources, TrainModel(model="recommendations"))
    await run_jobs(resources)

    job, (manifest,) = await job_now(resources, job_id), await current(resources.database)
    assert job.state == "succeeded", job.error
    assert job.result is not None
    assert [each["version"] for each in job.result["published"]] == [manifest.version]
    assert (manifest.metrics["orders"], manifest.metrics["products"]) == (18, 4)
    assert manifest.parameters["shrinkage"] == 5.0
    assert (await resources.objects.head(manifest.key)) is not None


async def test_shop_that_sold_nothing_keeps_what_it_has(resources: Resources) -> None:
    job_id = await ask(resources, TrainModel(model="recommendations"))
    await run_jobs(resources)

    job = await job_now(resources, job_id)
    assert job.result == {"published": [], "refusal": "no two products were ordered together often enough"}
    assert await current(resources.database) == []


async def test_same_orders_train_the_same_file(resources: Resources) -> None:
    await sell_together(resources)

    outcomes = [await train(resources, "recommendations") for _ in range(2)]

    assert len({each.sha256 for outcome in outcomes for each in outcome.published}) == 1


async def test_shadow_is_published_beside_what_is_current(resources: Resources) -> None:
    await sell_together(resources)
    await train(resources, "recommendations")

    await train(resources, "recommendations", role="shadow")

    assert sorted(each.role for each in await current(resources.database)) == ["current", "shadow"]


async def test_models_are_trained_each_night_once(resources: Resources) -> None:
    schedule = REGISTRY.schedules[jobs.train_recommendations.name]
    assert schedule.cron == "11 3 * * *"
    assert train_model.own_process
    for _ in range(2):
        async with resources.database.write() as session:
            await resources.jobs.enqueue(session, jobs.train_recommendations, Tick(at=resources.clock.now()))
    await run_jobs(resources)

    asked: list[Job] = await jobs_of(resources, train_model)  # type: ignore[arg-type]
    assert {each.args["model"] for each in asked} == {"recommendations"}


async def test_training_that_is_killed_leaves_what_was_current(resources: Resources) -> None:
    """In a process of its own, which is killed when its file is stored and its row is not."""
    await sell_together(resources)
    before = (await train(resources, "recommendations")).published[0]
    program = (
        "import asyncio, os, pickle, sys\n"
        "from core.resources import open_resources\n"
        "from commerce.training.trainers import train\n"
        "async def main(settings):\n"
        "    async with open_resources(settings) as resources:\n"
        "        def stored():\n"
        "            print('stored', flush=True)\n"
        "            import time; time.sleep(600)\n"
        "        await train(resources, 'recommendations', transaction=stored)\n"
        "asyncio.run(main(pickle.load(sys.stdin.buffer)))\n"
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(pickle.dumps(resources.settings))
    process.stdin.close()
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"stored\n"
    os.kill(process.pid, signal.SIGKILL)
    await process.communicate()

    assert not psutil.pid_exists(process.pid)
    assert await current(resources.database) == [before]
    files = [found.key async for found in resources.objects.list("models/recommendations")]
    assert len(files) == 4  # of both; the second's are removed in time
    assert await resources.models.artifacts.read(before)
