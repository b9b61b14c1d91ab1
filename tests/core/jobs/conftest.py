"""A database of each kind with a table for what jobs do, and workers: in this process, or as programs."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core.clock import SystemClock
from core.database import Database
from core.jobs.entities import Job
from core.jobs.jobs import Jobs
from core.jobs.registry import JobType, Registry
from core.jobs.repository import JobRepository
from core.jobs.worker import JobWorker, Timing
from core.resources import Resources, assemble
from core.settings import DataSettings, ServerSettings, Settings
from tests.core.jobs import program
from tests.core.jobs.program import QUICK, Work
from tests.factories.objects import objects_in_memory
from tests.fixtures.processes import Process, StartProcess

SECRET = "long enough to be a secret"


@dataclass
class Shop:
    """What a test does to jobs, as a web process would, and what it sees of them."""

    url: str
    resources: Resources
    jobs: Jobs

    @property
    def database(self) -> Database:
        return self.resources.database

    async def enqueue(self, job: JobType[Any], args: Any = None, **options: Any) -> Job:
        async with self.database.write() as session:
            return await self.jobs.enqueue(session, job, args or Work(), **options)

    async def job(self, job_id: str) -> Job:
        async with self.database.read() as session:
            found = await JobRepository(session).get(job_id)
        assert found is not None
        return found

    async def until(self, job_id: str, *states: str, seconds: float = 60.0) -> Job:
        """The job in one of these states, waited for; finished if none is named."""
        deadline = time.monotonic() + seconds
        while True:
            job = await self.job(job_id)
            if job.state in states or (not states and job.finished):
                return job
            assert time.monotonic() < deadline, job
            await asyncio.sleep(0.02)

    async def when(self, question: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not await question():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.read() as session:
            return [tuple(row) for row in await session.execute(text(statement), values)]

    async def items(self, job_id: str) -> list[int]:
        found = await self.rows("SELECT item FROM work WHERE job = :job ORDER BY item", job=job_id)
        return [item for (item,) in found]

    async def dbos(self) -> dict[str, str]:
        """DBOS's own rows: the state of each workflow."""
        table = "workflow_status" if self.database.dialect == "sqlite" else "dbos.workflow_status"
        return dict(await self.rows(f"SELECT workflow_uuid, status FROM {table}"))  # noqa: S608

    def worker(self, registry: Registry = program.registry, timing: Timing = QUICK) -> JobWorker:
        return JobWorker(self.resources, self.jobs, registry=registry, timing=timing)


def settings_of(url: str, folder: Path) -> Settings:
    return Settings(
        server=ServerSettings(secret_key=SecretStr(SECRET)),
        data=DataSettings(data_dir=folder / "var", database_url=url),
    )


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Shop]:
    database = Database(url)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE IF NOT EXISTS work (job TEXT, item INTEGER, pid INTEGER)"))
    resources = assemble(settings_of(url, folder), SystemClock(), database, objects_in_memory(), {})
    jobs = Jobs(database, resources.clock)
    yield Shop(url, resources, jobs)
    await jobs.close()
    await database.close()


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(database_url, tmp_path) as shop:
        yield shop


@pytest.fixture
async def postgres_shop(postgres_database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(postgres_database_url, tmp_path) as shop:
        yield shop


@pytest.fixture
async def sqlite_shop(sqlite_database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(sqlite_database_url, tmp_path) as shop:
        yield shop


StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(start: StartProcess) -> StartWorker:
    def start_worker(shop: Shop, program: str = "program", **environment: str) -> Process:
        return start(
            sys.executable,
            "-m",
            f"tests.core.jobs.{program}",
            PORTICO_DATABASE_URL=shop.url,
            PORTICO_SECRET_KEY=SECRET,
            **environment,
        )

    return start_worker
