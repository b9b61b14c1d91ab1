"""The files of POST /products/import: there before any job wants them, and none that no job wants."""

from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from core.jobs.models import JobRow
from core.resources import Resources
from core.settings import DataSettings, Settings, with_embedded_secrets
from tests.fixtures.application import LogEntries, key_with, new_app
from tests.fixtures.asgi import client_of, serve
from tests.public_api.catalog.test_commits import broken_commit
from tests.public_api.catalog.test_import import CSV, PATH, kept

FILE = {"Content-Type": "text/csv"}


async def uploads(resources: Resources) -> list[str]:
    """That jobs wait for."""
    async with resources.database.read() as session:
        return [args["upload"] for args in await session.scalars(select(JobRow.args))]


async def test_upload_is_there_when_its_job_is(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    asked = await client.post(PATH, content=CSV, headers=writer | FILE)

    assert asked.status_code == 202
    (key,) = await uploads(resources)
    assert await kept(resources) == [key]
    assert await resources.objects.get(key) == CSV


async def test_upload_whose_commit_broke_off_is_left_to_upkeep(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    """The database may have committed, and only the word of it been lost."""
    with broken_commit():
        refused = await client.post(PATH, content=CSV, headers=writer | FILE)

    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert await uploads(resources) == []
    assert len(await kept(resources)) == 1


@pytest.mark.parametrize(
    ("body", "status"), [(CSV, 202), (CSV + b"mug-3,Mug,3.00\n", 422)], ids=["the same file", "another file"]
)
async def test_upload_under_a_key_that_was_used_is_removed(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], body: bytes, status: int
) -> None:
    headers = writer | FILE | {"Idempotency-Key": "one"}
    await client.post(PATH, content=CSV, headers=headers)

    again = await client.post(PATH, content=body, headers=headers)

    assert again.status_code == status
    assert await kept(resources) == await uploads(resources)


async def test_upload_that_the_store_does_not_take_is_refused_and_no_job_asked_for(
    settings: Settings, gateway_template: Path, s3_url: str, log_entries: LogEntries
) -> None:
    data = DataSettings(data_dir=settings.data.data_dir, objects_url=f"{s3_url}-other")
    app = new_app(with_embedded_secrets(Settings(data=data)), gateway_template)
    async with serve(app) as served, client_of(served) as client:
        resources: Resources = served.state["resources"]
        writer = await key_with(resources, "catalog:write")

        refused = await client.post(PATH, content=CSV, headers=writer | FILE)

        assert (refused.status_code, refused.json()["code"]) == (503, "objects_unavailable")
        assert refused.headers["Retry-After"] == "2"
        assert await uploads(resources) == []
    assert [entry["level"] for entry in log_entries.application] == ["warning"]
