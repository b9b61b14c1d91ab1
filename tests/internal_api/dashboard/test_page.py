"""The page and its stream, of the whole application: what the database knows, escaped; and how the stream ends."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from commerce.accounts.models import SignInRow
from commerce.accounts.watch import CREDENTIALS
from commerce.audit.log import AuditLog
from core.jobs.models import JobRow
from core.resources import Resources
from internal_api.dashboard.endpoints import PLACES
from internal_api.dashboard.watching import Watching
from tests.factories.clocks import NOON
from tests.factories.people import staff
from tests.fixtures.application import LogEntries
from tests.fixtures.sse import Live, event_source, live
from tests.internal_api.test_jobs import some_jobs

PAGE, EVENTS = "/internal/dashboard", "/internal/dashboard/events"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"


async def note(resources: Resources, action: str) -> None:
    async with resources.database.write() as session:
        await AuditLog(session, resources.clock, "test").record(action, HOSTILE, None, {})


async def test_what_is_in_the_books_is_on_the_page(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    first, *_ = await some_jobs(resources)
    async with resources.database.write() as session:
        dead = update(JobRow).where(JobRow.id == first.id).values(state="dead", finished_at=NOON)
        await session.execute(dead)

    page = (await client.get(PAGE, headers=support)).text
    job = await client.get(f"{PAGE}/jobs/{first.id}", headers=support)

    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", page)
    where = cells.index("reports", cells.index("Oldest waits"))  # there may be a pool of that name, too
    assert cells[where + 1 : where + 4] == ["2", "0", "1"]
    assert f'<a href="dashboard/jobs/{first.id}">{first.id}</a>' in page
    assert cells[cells.index("Web processes on this host") + 1] == "1"
    assert cells[cells.index("database") + 1] == "ok"
    assert (job.status_code, job.headers["cache-control"]) == (200, "no-store")
    assert "reports.sales" in job.text


async def test_what_is_switched_off_is_on_the_page_with_why_until_when_and_by_whom(
    client: httpx2.AsyncClient, support: dict[str, str], operator: dict[str, str]
) -> None:
    for target, until in (("graphql", None), ("POST /public/v1/orders", "2100-01-01T12:00:00Z")):
        body = {"reason": "a storm", "expires_at": until}
        switched = await client.put(f"/internal/flags/{quote(target)}", json=body, headers=operator)
        assert switched.status_code == 200, switched.text

    page = (await client.get(PAGE, headers=support)).text

    (panel,) = re.findall(r'<div data-part="flags">(.*?)</section>', page, re.DOTALL)
    cells = re.findall(r"<t[hd] ?[^>]*>(.*?)</t[hd]>", panel)
    who = switched.json()["actor"]
    assert cells == [
        *("What", "Why", "Until", "Who"),
        *("POST /public/v1/orders", "a storm", "2100-01-01 12:00:00 UTC", who),
        *("graphql", "a storm", "switched on again", who),
    ]


async def test_everything_shown_is_escaped(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    await note(resources, HOSTILE)
    (job, *_) = await some_jobs(resources, 1)
    hostile = {"name": HOSTILE, "queue": HOSTILE, "state": "dead", "message": HOSTILE, "error": {HOSTILE: HOSTILE}}
    async with resources.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(**hostile))

    page = (await client.get(PAGE, headers=support)).text
    shown = (await client.get(f"{PAGE}/jobs/{job.id}", headers=support)).text
    missing = (await client.get(f"{PAGE}/jobs/{HOSTILE}", headers={**support, "Accept": "text/html"})).text

    for text in (page, shown, missing):
        assert "<script>" not in text
        assert "<img src=x" not in text
    assert page.count(ESCAPED) >= 4
    assert shown.count(ESCAPED) >= 3


@pytest.fixture
async def running(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Live]:  # noqa: ARG001  no log on stderr
    async with live(app) as running:
        yield running


@pytest.fixture
async def caller(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=running.address, timeout=30) as caller:
        caller.headers.update(await staff(running.state["resources"], "support"))
        yield caller


async def test_stream_brings_the_history_and_then_the_parts_as_the_page_has_them(
    running: Live, caller: httpx2.AsyncClient
) -> None:
    await note(running.state["resources"], HOSTILE)
    async with event_source(caller, EVENTS) as source:
        history, snapshot = await source.take(2)

    assert source.response.headers["content-type"].startswith("text/event-stream")
    assert source.response.headers["cache-control"] == "no-store"
    assert (history.type, snapshot.type) == ("history", "snapshot")
    assert isinstance(json.loads(history.text), list)
    assert snapshot.data["state"] == "ready"
    assert snapshot.data["parts"].keys() >= {"tiles", "moment", "requests", "state", "jobs", "changes", "flags"}
    assert ESCAPED in snapshot.data["parts"]["changes"]
    assert "<script" not in json.dumps(snapshot.data)


async def test_drain_says_goodbye(running: Live, caller: httpx2.AsyncClient) -> None:
    async with event_source(caller, EVENTS) as source:
        await source.take(1)
        running.state["draining"].set()
        rest = await source.rest()
    refused = await caller.get(EVENTS)

    assert rest[-1].type == "reconnect"
    assert source.retry_ms is not None
    assert 500 <= source.retry_ms <= 5_000
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_stopping")


async def test_sign_in_that_ends_ends_the_stream(running: Live, caller: httpx2.AsyncClient) -> None:
    resources: Resources = running.state["resources"]
    async with event_source(caller, EVENTS) as source:
        await source.take(1)
        async with resources.database.write() as session:
            await session.execute(update(SignInRow).values(revoked_at=NOON))
        resources.hub.publish(CREDENTIALS)
        rest = await source.rest()

    assert (rest[-1].type, rest[-1].text) == ("ended", "revoked")


async def test_who_leaves_gives_back_place_and_following(running: Live, caller: httpx2.AsyncClient) -> None:
    watching: Watching = running.state["dashboard"]
    async with event_source(caller, EVENTS) as source:
        await source.take(1)
        assert len(watching._viewers) == 1

    async with asyncio.timeout(10):
        while PLACES._taken or watching._viewers or running.state["watch"]._followed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
