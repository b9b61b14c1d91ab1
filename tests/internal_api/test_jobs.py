"""Jobs and invariants, as operators see them."""

import httpx2
import pytest
from sqlalchemy import select, update

from commerce.audit.models import AuditRow
from commerce.reports.jobs import SalesArgs, make_sales_report
from core.jobs.entities import Job
from core.jobs.models import JobRow
from core.resources import Resources
from tests.factories.clocks import NOON
from tests.factories.jobs import run_jobs
from tests.factories.order_rows import OrderRows
from tests.factories.people import staff


async def some_jobs(resources: Resources, count: int = 3) -> list[Job]:
    args = SalesArgs(start=NOON, end=NOON.replace(year=2027), group_by="day", format="csv", owner=None)
    made = []
    for _ in range(count):
        async with resources.database.write() as session:
            made.append(await resources.jobs.enqueue(session, make_sales_report, args))
    return made


async def test_list_is_newest_first_by_pages_and_narrowed(client: httpx2.AsyncClient, resources: Resources) -> None:
    headers = await staff(resources, "support")
    first, second, third = await some_jobs(resources)
    async with resources.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == second.id).values(state="dead", name="another"))

    page = (await client.get("/internal/jobs?limit=2", headers=headers)).json()
    rest = (await client.get(f"/internal/jobs?limit=2&after={page['next']}", headers=headers)).json()
    narrowed = [
        [job["id"] for job in (await client.get(f"/internal/jobs?{query}", headers=headers)).json()["items"]]
        for query in ("state=dead", "name=another", "queue=reports", "queue=mail")
    ]

    assert [job["id"] for job in page["items"]] == [third.id, second.id]
    assert ([job["id"] for job in rest["items"]], rest["next"]) == ([first.id], None)
    assert narrowed == [[second.id], [second.id], [third.id, second.id, first.id], []]
    assert page["items"][0]["args"]["group_by"] == "day"


async def test_queues_and_metrics_tell_depth_and_age(
    client: httpx2.AsyncClient, resources: Resources, metrics_reader: dict[str, str]
) -> None:
    await some_jobs(resources)

    queues = (await client.get("/internal/jobs/queues", headers=await staff(resources, "support"))).json()["items"]
    metrics = (await client.get("/internal/metrics", headers=metrics_reader)).text

    (queue,) = queues
    assert (queue["queue"], queue["queued"], queue["running"]) == ("reports", 3, 0)
    assert 0 < queue["oldest_seconds"] < 60
    assert 'portico_jobs{queue="reports",state="queued"} 3.0' in metrics
    assert 'portico_job_oldest_seconds{queue="reports"}' in metrics


async def test_job_that_died_is_run_again_and_that_is_audited(client: httpx2.AsyncClient, resources: Resources) -> None:
    headers = await staff(resources)
    (job,) = await some_jobs(resources, 1)
    early = await client.post(f"/internal/jobs/{job.id}/retry", headers=headers)
    async with resources.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(state="dead", finished_at=NOON))

    again = await client.post(f"/internal/jobs/{job.id}/retry", headers=headers)
    await run_jobs(resources)
    ended = (await client.get(f"/internal/jobs/{job.id}", headers=headers)).json()

    assert (early.status_code, early.json()["error"]["code"]) == (409, "job_not_retryable")
    assert (again.status_code, again.json()["state"]) == (200, "queued")
    assert (ended["state"], ended["attempts"]) == ("succeeded", 1)
    async with resources.database.read() as session:
        (entry,) = (await session.scalars(select(AuditRow).where(AuditRow.action == "job.retry"))).all()
    assert (entry.subject, entry.before["state"], entry.after["state"]) == (job.id, "dead", "queued")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/cancel"), ("POST", "/retry")])
async def test_job_that_there_is_not(client: httpx2.AsyncClient, resources: Resources, method: str, path: str) -> None:
    found = await client.request(method, f"/internal/jobs/nothing{path}", headers=await staff(resources))

    assert (found.status_code, found.json()["error"]["code"]) == (404, "job_not_found")


async def test_invariants_are_checked_on_demand_and_the_last_check_is_shown(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    headers = await staff(resources, "editor")
    before = (await client.get("/internal/invariants", headers=headers)).json()

    asked = await client.post("/internal/invariants", headers=headers)
    await run_jobs(resources)
    clean = (await client.get("/internal/invariants", headers=headers)).json()
    order_id = await OrderRows(resources.database).add(state="shipped")
    await client.post("/internal/invariants", headers=headers)
    await run_jobs(resources)
    broken = (await client.get("/internal/invariants", headers=headers)).json()

    assert before == {"ok": None, "checked_at": None, "invariants": []}
    assert asked.status_code == 202
    assert asked.headers["Location"].endswith(f"/internal/jobs/{asked.json()['id']}")
    assert clean["ok"] is True
    assert len(clean["invariants"]) == 9
    assert broken["ok"] is False
    found = {each["name"]: each["examples"] for each in broken["invariants"] if each["violations"]}
    assert found == {"order_payments": [order_id], "shipments": [order_id]}
