"""Jobs in a server: from when it serves, until it drains."""

import asyncio
import threading

import httpx2

from core.jobs.repository import JobRepository
from core.resources import Resources
from tests.factories.jobs import job_now
from tests.fixtures.asgi import Served

BODY = {"email": "ada@example.com", "password": "a long password", "name": "Ada"}


async def welcome(resources: Resources) -> str:
    async with resources.database.read() as session:
        (job,) = (await JobRepository(session).newest(limit=10)).items
    return job.id


async def test_jobs_wait_until_the_server_serves_and_run_then(
    served: Served, client: httpx2.AsyncClient, resources: Resources
) -> None:
    await client.post("/public/v1/auth/register", json=BODY)
    job_id = await welcome(resources)
    await asyncio.sleep(0.5)
    before = await job_now(resources, job_id)

    served.state["serving"].set()
    for _ in range(1500):
        job = await job_now(resources, job_id)
        if job.finished:
            break
        await asyncio.sleep(0.02)

    assert (before.state, before.attempts) == ("queued", 0)
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert len(list((resources.settings.data.data_dir / "outbox").glob("*.eml"))) == 1


async def test_server_that_drains_begins_no_job(
    served: Served, client: httpx2.AsyncClient, resources: Resources
) -> None:
    served.state["serving"].set()
    served.state["draining"].set()
    await asyncio.sleep(1)

    await client.post("/public/v1/auth/register", json=BODY)
    await asyncio.sleep(0.5)

    assert (await job_now(resources, await welcome(resources))).state == "queued"
    assert not [thread for thread in threading.enumerate() if "dbos" in thread.name.lower()]
