"""Jobs for those who asked for them: who sees which, how they are followed and ended."""

import httpx2
import pytest
from sqlalchemy import select

from commerce.accounts.principal import SCOPES
from commerce.audit.models import AuditRow
from commerce.reports.jobs import SalesArgs, make_sales_report
from core.eventlog import EventRow
from core.jobs.entities import Job
from core.jobs.models import JobRow
from core.resources import Resources
from tests.factories.clocks import NOON
from tests.factories.jobs import job_now, run_jobs
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with

PATH = "/public/v1/jobs"


async def a_job(resources: Resources, owner: str | None) -> Job:
    args = SalesArgs(start=NOON, end=NOON.replace(year=2027), group_by="day", format="csv", owner=owner)
    async with resources.database.write() as session:
        return await resources.jobs.enqueue(session, make_sales_report, args, owner=owner)


async def test_owner_admin_and_shop_see_a_job_and_others_do_not(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    owner, stranger, support, admin = [
        await a_user(resources, role) for role in ("customer", "customer", "support", "admin")
    ]
    job = await a_job(resources, owner.id)
    callers = {user.role + user.id: await signed_in(resources, user) for user in (owner, stranger, support, admin)}

    seen = [
        (await client.get(f"{PATH}/{job.id}", headers=headers)).status_code
        for headers in (*callers.values(), await key_with(resources, "reports:read"), {})
    ]

    assert seen == [200, 404, 404, 200, 200, 401]


@pytest.mark.parametrize(
    ("name", "scope"), [("reports.sales", "reports:read"), ("catalog.import", "catalog:write"), ("mail.later", None)]
)
@pytest.mark.parametrize("of_a_person", [True, False])
async def test_key_sees_and_ends_what_its_scopes_could_ask_for(
    client: httpx2.AsyncClient, resources: Resources, name: str, scope: str | None, of_a_person: bool
) -> None:
    admin = await a_user(resources, "admin")
    job, person = await a_job(resources, admin.id), await signed_in(resources, admin)
    async with resources.database.write() as session:
        (await session.get_one(JobRow, job.id)).name = name

    async def ask(method: str, *scopes: str) -> int:
        path = f"{PATH}/{job.id}" + ("/cancel" if method == "POST" else "")
        key = await personal_key(client, person, *scopes) if of_a_person else await key_with(resources, *scopes)
        return (await client.request(method, path, headers=key)).status_code

    others = [each for each in SCOPES if each != scope]
    refused = [await ask(method, *others) for method in ("GET", "POST")]

    assert refused == [404, 404]
    assert (await client.get(f"{PATH}/{job.id}", headers=person)).json()["state"] == "queued"
    if scope is not None:
        assert [await ask(method, scope) for method in ("GET", "POST")] == [200, 200]


async def personal_key(client: httpx2.AsyncClient, person: dict[str, str], *scopes: str) -> dict[str, str]:
    made = await client.post("/public/v1/api-keys", json={"name": "mine", "scopes": scopes}, headers=person)
    return {"Authorization": f"Bearer {made.json()['secret']}"}


async def test_job_without_an_owner_is_for_admins_and_the_shop(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    job = await a_job(resources, None)

    stranger = await client.get(f"{PATH}/{job.id}", headers=await signed_in(resources, await a_user(resources)))
    shop = await client.get(f"{PATH}/{job.id}", headers=await key_with(resources, "reports:read"))

    assert (stranger.status_code, stranger.json()["code"]) == (404, "job_not_found")
    assert shop.json() == {
        "id": job.id,
        "name": "reports.sales",
        "state": "queued",
        "progress": 0.0,
        "message": None,
        "result": None,
        "error": None,
        "attempts": 0,
        "created_at": shop.json()["created_at"],
        "finished_at": None,
    }
    assert shop.headers["Retry-After"] == "1"
    assert shop.headers["Cache-Control"] == "no-store"


async def test_job_that_waits_is_cancelled_at_once_and_told(client: httpx2.AsyncClient, resources: Resources) -> None:
    owner = await a_user(resources)
    job, headers = await a_job(resources, owner.id), await signed_in(resources, owner)

    cancelled = await client.post(f"{PATH}/{job.id}/cancel", headers=headers)
    again = await client.post(f"{PATH}/{job.id}/cancel", headers=headers)
    await run_jobs(resources)

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert "Retry-After" not in cancelled.headers
    assert (again.status_code, again.json()["code"]) == (409, "job_finished")
    assert (await job_now(resources, job.id)).attempts == 0
    async with resources.database.read() as session:
        (event,) = (await session.scalars(select(EventRow).where(EventRow.type == "job.updated"))).all()
        (entry,) = (await session.scalars(select(AuditRow).where(AuditRow.action == "job.cancel"))).all()
    assert (event.subject, event.owner_id, event.data["state"]) == (job.id, owner.id, "cancelled")
    assert (entry.actor, entry.before["state"], entry.after["state"]) == (f"user:{owner.id}", "queued", "cancelled")


async def test_stranger_cannot_cancel(client: httpx2.AsyncClient, resources: Resources) -> None:
    job = await a_job(resources, (await a_user(resources)).id)

    refused = await client.post(f"{PATH}/{job.id}/cancel", headers=await signed_in(resources, await a_user(resources)))

    assert refused.status_code == 404
    assert (await job_now(resources, job.id)).state == "queued"


@pytest.mark.parametrize("job_id", ["job_nothing", "%00", "ü", "a" * 5000])
async def test_job_that_there_is_not(client: httpx2.AsyncClient, resources: Resources, job_id: str) -> None:
    found = await client.get(f"{PATH}/{job_id}", headers=await key_with(resources, "catalog:read"))

    assert (found.status_code, found.json()["code"]) == (404, "job_not_found")


async def test_owner_is_told_the_code_of_a_failure_and_not_its_exception(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    job = await a_job(resources, None)
    async with resources.database.write() as session:
        row = await session.get_one(JobRow, job.id)
        row.state, row.finished_at = "dead", NOON
        row.error = {"code": "internal_error", "message": "Internal error", "exception": "KeyError('password')"}

    found = await client.get(f"{PATH}/{job.id}", headers=await key_with(resources, "reports:read"))

    assert found.json()["error"] == {"code": "internal_error", "message": "Internal error"}
