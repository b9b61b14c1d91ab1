"""POST /products/import: a file becomes a job, and the job products."""

import gzip
import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.audit.models import AuditRow
from commerce.catalog.models import ProductRow
from core.eventlog import EventRow
from core.jobs.models import JobRow
from core.resources import Resources
from public_api import routing
from public_api.catalog import imports
from tests.factories.jobs import run_jobs
from tests.fixtures.application import key_with

JSONL = b"".join(
    json.dumps(
        {"handle": f"mug-{number}", "title": "Mug", "variants": [{"price": {"amount": 100, "currency": "USD"}}]}
    ).encode()
    + b"\n"
    for number in range(250)
)
CSV = b"Handle,Title,Variant Price\nmug-1,Mug,1.00\nmug-2,Mug,2.00\n"
BROKEN = JSONL + b'{"handle": "=bad", "title": ""}\nno json\n'
PATH = "/public/v1/products/import"


async def done(client: httpx2.AsyncClient, resources: Resources, job: dict[str, Any], key: dict[str, str]) -> Any:
    await run_jobs(resources)
    return (await client.get(f"/public/v1/jobs/{job['id']}", headers=key)).json()


async def count(resources: Resources, column: Any) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count(column))))


async def mugs(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).where(ProductRow.handle.startswith("mug-"))))


async def kept(resources: Resources) -> list[str]:
    """The keys of all files of imports."""
    return sorted([found.key async for found in resources.objects.list("imports")])


@pytest.mark.parametrize(
    ("body", "headers", "query"),
    [
        (JSONL, {"Content-Type": "application/x-ndjson"}, ""),
        (JSONL, {}, "?format=jsonl"),
        (gzip.compress(JSONL), {"Content-Type": "application/gzip"}, "?format=jsonl"),
        (gzip.compress(JSONL), {"Content-Type": "application/jsonl", "Content-Encoding": "gzip"}, ""),
    ],
)
async def test_body_is_imported_by_a_job(
    client: httpx2.AsyncClient,
    resources: Resources,
    writer: dict[str, str],
    body: bytes,
    headers: dict[str, str],
    query: str,
) -> None:
    asked = await client.post(PATH + query, content=body, headers=writer | headers)

    job = asked.json()
    assert (asked.status_code, job["state"], job["progress"], job["result"]) == (202, "queued", 0.0, None)
    assert asked.headers["Location"].endswith(f"/public/v1/jobs/{job['id']}")
    assert asked.headers["Retry-After"] == "1"
    assert await mugs(resources) == 0
    ended = await done(client, resources, job, writer)
    assert (ended["state"], ended["progress"], ended["attempts"]) == ("succeeded", 1.0, 1)
    assert ended["result"] == {"created": 250, "updated": 0, "unchanged": 0, "failed": 0}
    assert ended["message"] == "250 products"
    assert await mugs(resources) == 250
    assert await kept(resources) == []


@pytest.mark.parametrize(
    "file", [("shop.csv", CSV, "text/csv"), ("shop.CSV.gz", gzip.compress(CSV), "application/octet-stream")]
)
async def test_file_of_a_form_is_imported(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], file: tuple[str, bytes, str]
) -> None:
    asked = await client.post(PATH, files={"file": file}, headers=writer)

    ended = await done(client, resources, asked.json(), writer)
    assert ended["result"] == {"created": 2, "updated": 0, "unchanged": 0, "failed": 0}
    async with resources.database.read() as session:
        actor, subject = (
            await session.execute(select(AuditRow.actor, AuditRow.subject).order_by(AuditRow.position.desc()))
        ).first() or ("", "")
    assert actor.startswith("api_key:")
    assert subject == file[0]


async def test_faults_are_counted_and_told_with_their_lines(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    asked = await client.post(f"{PATH}?format=jsonl", content=BROKEN, headers=writer)
    job = asked.json()
    early = await client.get(f"/public/v1/jobs/{job['id']}/errors", headers=writer)

    ended = await done(client, resources, job, writer)
    as_csv = await client.get(f"/public/v1/jobs/{job['id']}/errors", headers=writer)
    as_jsonl = await client.get(f"/public/v1/jobs/{job['id']}/errors?format=jsonl", headers=writer)

    assert (early.status_code, early.json()["code"]) == (409, "job_not_finished")
    assert ended["result"] == {"created": 250, "updated": 0, "unchanged": 0, "failed": 2}
    faults = [json.loads(line) for line in as_jsonl.text.splitlines()]
    assert [fault["line"] for fault in faults] == [251, 252]
    assert "variants" in faults[0]["message"]
    assert as_csv.text.splitlines()[0] == "line,message"
    assert len(as_csv.text.splitlines()) == 3


async def test_import_without_faults_has_an_empty_error_report(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    asked = await client.post(PATH, content=CSV, headers=writer | {"Content-Type": "text/csv"})
    await run_jobs(resources)

    errors = await client.get(f"/public/v1/jobs/{asked.json()['id']}/errors", headers=writer)

    assert errors.content == b"line,message\r\n"


@pytest.mark.parametrize("body", [b"neither,one\nnor,the other\n", b"\xff\xfe\x00", b"PK\x03\x04"])
async def test_damaged_file_fails_for_good_and_says_why(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], body: bytes
) -> None:
    asked = await client.post(f"{PATH}?format=csv", content=body, headers=writer)

    ended = await done(client, resources, asked.json(), writer)

    assert (ended["state"], ended["error"]["code"], ended["attempts"]) == ("failed", "unreadable_file", 1)
    assert ended["error"].keys() == {"code", "message"}
    assert await mugs(resources) == 0


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (CSV, {}, 415, "unsupported_media_type"),
        (CSV, {"Content-Type": "application/pdf"}, 415, "unsupported_media_type"),
        (CSV, {"Content-Type": "text/csv", "Content-Encoding": "br"}, 415, "unsupported_media_type"),
        (CSV, {"Content-Type": "text/csv", "Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        (gzip.compress(CSV, mtime=0)[:-4], {"Content-Type": "text/csv"}, 415, "unsupported_media_type"),
        (gzip.compress(CSV, mtime=0) + b"more", {"Content-Type": "text/csv"}, 415, "unsupported_media_type"),
        (b"", {"Content-Type": "text/csv"}, 422, "unreadable_file"),
        (b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 422, "invalid_request"),
    ],
)
async def test_what_is_no_file_is_refused_and_leaves_nothing(
    client: httpx2.AsyncClient,
    resources: Resources,
    writer: dict[str, str],
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    refused = await client.post(PATH, content=body, headers=writer | headers)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert await count(resources, JobRow.id) == 0
    assert await kept(resources) == []


async def test_file_over_the_limit_is_refused_also_when_only_inflating_shows_it(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MAX_IMPORT_BYTES", 1_000_000)
    bomb = gzip.compress(b"x" * 50_000_000)
    headers = writer | {"Content-Type": "text/csv"}

    inflated = await client.post(PATH, content=bomb, headers=headers)
    plain = await client.post(PATH, content=b"x" * 1_000_001, headers=headers)
    declared = await client.post(
        PATH, content=b"x", headers=headers | {"Content-Length": str(routing.MAX_IMPORT_BYTES * 2)}
    )
    elsewhere = await client.post("/public/v1/orders", content=b"x" * 3_000_000, headers=headers)

    codes = [(each.status_code, each.json()["code"]) for each in (inflated, plain, declared, elsewhere)]
    assert codes == [(413, "content_too_large")] * 4
    assert await kept(resources) == []


async def test_body_larger_than_other_operations_take_is_imported(
    client: httpx2.AsyncClient, writer: dict[str, str]
) -> None:
    large = JSONL + b"\n" * 3_000_000

    asked = await client.post(f"{PATH}?format=jsonl", content=large, headers=writer)

    assert asked.status_code == 202


async def test_key_that_comes_again_with_the_same_file_is_the_same_job(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    headers = writer | {"Content-Type": "text/csv", "Idempotency-Key": "one"}

    first = await client.post(PATH, content=CSV, headers=headers)
    again = await client.post(PATH, content=CSV, headers=headers)
    other = await client.post(PATH, content=CSV + b"mug-3,Mug,3.00\n", headers=headers)

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await count(resources, JobRow.id) == 1
    assert len(await kept(resources)) == 1


async def test_job_broken_off_goes_on_with_the_next_batch(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    """The checkpoint of the first two batches, as a crash leaves it before the faults of the second are an object."""
    asked = await client.post(f"{PATH}?format=jsonl", content=BROKEN, headers=writer)
    job_id = asked.json()["id"]
    async with resources.database.write() as session:
        row = await session.get_one(JobRow, job_id)
        counts = {"created": 100, "updated": 0, "unchanged": 0, "failed": 0}
        row.checkpoint = {"batches": 2, "counts": counts, "faults": '{"line": 80, "message": "é"}\n', "ended": False}

    ended = await done(client, resources, asked.json(), writer)
    errors = await client.get(f"/public/v1/jobs/{job_id}/errors?format=jsonl", headers=writer)

    assert ended["result"] == {"created": 250, "updated": 0, "unchanged": 0, "failed": 2}
    assert await mugs(resources) == 150
    assert [json.loads(line)["line"] for line in errors.text.splitlines()] == [80, 251, 252]


async def test_others_do_not_see_the_job_and_its_owner_hears_of_its_end(
    client: httpx2.AsyncClient, resources: Resources, writer: dict[str, str]
) -> None:
    asked = await client.post(PATH, content=CSV, headers=writer | {"Content-Type": "text/csv"})
    await run_jobs(resources)

    async with resources.database.read() as session:
        events = (await session.execute(select(EventRow).where(EventRow.type == "job.updated"))).scalars().all()

    (event,) = events
    assert (event.subject, event.visibility) == (asked.json()["id"], "owner")
    assert event.data == {"id": asked.json()["id"], "name": "catalog.import", "state": "succeeded"}
    for scope, status in (("catalog:read", 404), ("catalog:write", 200)):  # keys of the shop's own
        key = await key_with(resources, scope)
        assert (await client.get(f"/public/v1/jobs/{event.subject}", headers=key)).status_code == status
