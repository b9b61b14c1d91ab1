"""The job that imports a file: what it does to the store of files, and when."""

import json
from collections.abc import AsyncIterable, AsyncIterator

import pytest
from obstore.store import MemoryStore

from commerce.catalog.jobs import ImportFile, ask_for_import, fault_lines
from core.database import Database
from core.jobs.entities import Job
from core.jobs.models import JobRow
from core.objects import ObjectInfo
from core.objects.store import StoredObjects
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import FakeClock
from tests.factories.jobs import job_now, run_jobs

UPLOAD = "imports/upl_1"


class Watching(StoredObjects):
    """Notes with each file of faults how many batches were committed when it came."""

    def __init__(self, database: Database) -> None:
        super().__init__(MemoryStore())
        self._database = database
        self.committed: dict[str, int] = {}

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        if key != UPLOAD:
            async with self._database.write() as session:  # for which a transaction that is open would not make way
                row = await session.get_one(JobRow, key.split("/")[1])
                assert row.checkpoint is not None
                self.committed[key] = row.checkpoint["batches"]
        await super().put(key, data)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """In no order, as the protocol says."""
        found = [each async for each in super().list(prefix)]
        for each in reversed(found):
            yield each


@pytest.fixture
def objects(sqlite_database: Database) -> Watching:
    return Watching(sqlite_database)


@pytest.fixture
async def house(settings: Settings, sqlite_database: Database, objects: Watching) -> AsyncIterator[Resources]:
    opened = assemble(settings, FakeClock(), sqlite_database, objects, {})
    yield opened
    await opened.jobs.close()


def products(*titles: str) -> bytes:
    lines = (
        {"handle": f"mug-{number}", "title": title, "variants": [{"price": {"amount": 1, "currency": "USD"}}]}
        for number, title in enumerate(titles)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def imported(house: Resources, body: bytes) -> Job:
    """By batches of two."""
    file = ImportFile(upload=UPLOAD, format="jsonl", name="a", size=len(body), actor="test", batch_size=2)
    async with house.database.write() as session:
        job = await ask_for_import(session, house.jobs, file, None)
    await run_jobs(house)
    return await job_now(house, job.id)


async def faulty_lines(house: Resources, job: Job) -> list[int]:
    lines = [
        line for batch in [each async for each in fault_lines(house.objects, job.id)] for line in batch.split(b"\n")
    ]
    return [json.loads(line)["line"] for line in lines if line]


async def test_faults_become_files_once_their_batch_is_committed(house: Resources, objects: Watching) -> None:
    body = products("", "B", "C", "D", "E", "", "")
    await objects.put(UPLOAD, body)

    job = await imported(house, body)

    assert job.result == {"created": 4, "updated": 0, "unchanged": 0, "failed": 3}
    folder = f"imports/{job.id}/errors"
    assert objects.committed == {
        f"{folder}/00000001.jsonl": 1,
        f"{folder}/00000003.jsonl": 3,
        f"{folder}/00000004.jsonl": 4,
    }
    assert await faulty_lines(house, job) == [1, 6, 7]


async def test_upload_is_deleted_in_the_end(house: Resources, objects: Watching) -> None:
    body = products("A")
    await objects.put(UPLOAD, body)

    job = await imported(house, body)

    assert job.state == "succeeded"
    assert [found.key async for found in objects.list()] == []


async def test_job_whose_process_died_in_the_very_end_needs_no_upload(house: Resources) -> None:
    file = ImportFile(upload=UPLOAD, format="jsonl", name="a", size=9, actor="test")
    counts = {"created": 7, "updated": 0, "unchanged": 0, "failed": 0}
    async with house.database.write() as session:
        job = await ask_for_import(session, house.jobs, file, None)
        row = await session.get_one(JobRow, job.id)
        row.checkpoint = {"batches": 4, "counts": counts, "faults": "", "ended": True}

    await run_jobs(house)

    ended = await job_now(house, job.id)
    assert (ended.state, ended.result) == ("succeeded", counts)


async def test_upload_stays_for_the_next_attempt_where_the_job_fails(house: Resources, objects: Watching) -> None:
    body = products("A") + b"\0" * 10 + b"\xff\xfe"
    await objects.put(UPLOAD, body)
    file = ImportFile(upload=UPLOAD, format="csv", name="a", size=len(body), actor="test")
    async with house.database.write() as session:
        asked = await ask_for_import(session, house.jobs, file, None)

    await run_jobs(house)

    assert (await job_now(house, asked.id)).state == "failed"
    assert [found.key async for found in objects.list()] == [UPLOAD]


async def test_upload_that_is_gone_fails_the_job_for_good(house: Resources) -> None:
    job = await imported(house, products("A"))

    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error is not None
    assert job.error["code"] == "upload_gone"
